"""How mappings and sessions come and go, with everything that hangs on them.

A mapping ends with the last session in which the inside has sent; that of a static forward with its
last session.  What was taken is given back in one place: `detach` and `end_mapping`.
"""

import struct

import cython

if not cython.compiled:
    from ratsnake.wire.checksum import difference16, difference128
    from ratsnake.wire.integer_types import u32, u64
    from ratsnake.wire.packet_fields import Packet

    from ..allocation.counter_table import PERMITTED_ADDRESS
    from ..rules.behaviour_codes import STATIC
    from ..rules.drop_reasons import (
        ADDRESS_LOST,
        HOST_LIMIT,
        MAPPING_LIMIT,
        NO_PORT,
        SESSION_LIMIT,
        TRANSLATED,
    )
    from ..rules.timeout_classes import TIMERS
    from ..tables.row_layouts import Mappings, Sessions, Words, new_words, release
    from ..tables.session_table import ANSWERED, COUNTED, INSIDE_SENT, OPENED_OUTSIDE

    MOST_LOOKED_AT = 64

from ..allocation.counter_table import CounterTable, owner_of
from ..allocation.endpoint_allocator import Allocator
from ..allocation.port_overloading import rows_needed
from ..events.event_recorder import Events
from ..rules.connection_states import FIRST_STATES, TIMER_OF_PROTOCOL
from ..settings.address_realm import AddressRealm
from ..settings.default_host_limits import sessions_of_a_host, shares_of_a_host
from ..settings.forward_table import Forwards
from ..settings.host_policies import HostPolicies
from ..settings.host_types import host_classes
from ..settings.static_forward import resolve
from ..settings.validated_settings import Settings
from ..tables.behaviour_by_protocol import PolicyTable
from ..tables.hash_secret import Secret
from ..tables.host_table import HostTable
from ..tables.mapping_table import MappingTable
from ..tables.random_generator import Generator
from ..tables.session_table import SessionTable


class Flows:
    timeouts: Words

    def __init__(self, settings: Settings, seed: bytes) -> None:
        words = struct.unpack("<10Q", seed)
        self.secret = Secret(words[:8])
        self.generator = Generator(words[8], words[9])
        classes = host_classes(settings)
        self.policies = PolicyTable(classes.behaviours)
        self.host_policies = HostPolicies(classes.prefixes)
        timeouts = settings.timeouts
        self.timeouts = new_words(TIMERS + 1)
        for k, seconds in enumerate(timeouts.of_timers):
            self.timeouts[k + 1] = seconds * 1000
        self.rest = timeouts.rest * 1000
        self.timer_of_protocol = TIMER_OF_PROTOCOL
        self.first_state = FIRST_STATES
        limits = settings.limits
        self.realm = AddressRealm(settings.addresses, settings.inside, settings.no_nat)
        self.forwards = Forwards(
            [resolve(forward, settings.addresses) for forward in settings.forwards],
            settings.addresses,
        )
        self.mappings = MappingTable(limits.mappings, self.policies, self.secret)
        self.sessions = SessionTable(limits.sessions, self.mappings, self.secret)
        self.hosts = HostTable(limits.mappings + 1, self.secret)
        self.counters = CounterTable(limits.sessions + rows_needed(limits.mappings), self.secret)
        self.allocator = Allocator(
            settings,
            self.forwards,
            self.policies,
            self.host_policies,
            self.mappings,
            self.hosts,
            self.counters,
            self.generator,
            self.secret,
        )
        self.events = Events(self.realm, self.mappings, self.sessions)
        self.inbound_sessions = 0
        # Whatever the limits are, outsiders never have more than half of either table.
        self.inbound_limit = max(
            1, min(limits.inbound_sessions, limits.sessions // 2, limits.mappings // 2)
        )
        self.unanswered_limit = limits.unanswered_sessions
        # Without a limit of its own a host meets that of the table, and is told so.
        self.host_mappings = limits.host_mappings or limits.mappings + 1
        self.host_sessions = limits.host_sessions or sessions_of_a_host(settings)
        self.host_share = shares_of_a_host(settings)
        self.patience = timeouts.unanswered * 1000
        self.gave_way = 0
        self.host_rate = limits.host_rate
        self.refusal = TRANSLATED

    def __dealloc__(self) -> None:
        release(self.timeouts)

    def policy_of(self, p: Packet) -> u32:
        """The policy of a mapping for an outbound packet."""
        return self.host_policies.policy_of(p.protocol, p.source_high, p.source_low)

    def share_of(self, p: Packet) -> u32:
        """How many mappings of a packet's protocol its host may have."""
        return self.host_share[self.policy_of(p)]

    def make_mapping(self, p: Packet, host: u32, now: u64) -> u32:
        """The row of a new mapping for an outbound packet, or 0 and `refusal` says why."""
        if host == 0:
            self.refusal = MAPPING_LIMIT
            return 0
        if self.hosts.mappings_of(host) >= self.host_mappings or self.hosts.held_of(
            host, p.protocol
        ) >= self.share_of(p):
            self.refusal = HOST_LIMIT
            return 0
        if self.mappings.count >= self.mappings.capacity:
            self.refusal = MAPPING_LIMIT
            return 0
        found: bool = self.allocator.find(p, host, now)
        # A port is free when its mapping has expired, not when that is swept.
        holder: u32 = self.allocator.holder_of_preferred(p)
        if holder and not self.alive(holder, now):
            host = self.hosts.enter(p.source_high, p.source_low)
            found = self.allocator.find(p, host, now)
        if not found:
            self.refusal = ADDRESS_LOST if self.allocator.waits else NO_PORT
            return 0
        return self.enter_mapping(p, host, now)

    def enter_mapping(self, p: Packet, host: u32, now: u64) -> u32:
        """The row of a new mapping with the external endpoint that the allocator has found; 0
        where there is none left, whatever was counted before."""
        # Where its session will be found from outside is needed last, and far away.
        self.sessions.by_external.announce(
            self.sessions.inbound_tag(
                p.protocol,
                self.allocator.external,
                self.allocator.port,
                p.destination_high,
                p.destination_low,
                p.destination_port,
            )
        )
        m: u32 = self.mappings.add(
            self.allocator.policy,
            p.source_high,
            p.source_low,
            p.source_port,
            self.allocator.external,
            self.allocator.port,
            p.destination_high,
            p.destination_low,
            p.destination_port,
        )
        if m == 0:
            self.refusal = MAPPING_LIMIT
            return 0
        self.complete(m, host, now)
        if self.allocator.is_given_up(self.hosts.external_of(host)):
            self.hosts.pair(host, self.allocator.external)
        self.hosts.join_mapping(host, self.allocator.external, p.protocol)
        self.allocator.take(m)
        return m

    def complete(self, m: u32, host: u32, now: u64) -> None:
        """Fill in what a mapping is not found by: what it does to packets, among others."""
        r: Mappings = self.mappings.rows
        external: u32 = r[m].external
        r[m].created = now
        r[m].host = host
        r[m].address_difference = difference128(
            self.mappings.internal_high(m),
            r[m].internal_low,
            self.realm.external_high[external],
            self.realm.external_low[external],
        )
        r[m].port_difference = difference16(r[m].internal_port, r[m].external_port)
        if self.events.wanted:
            self.events.mapping_made(m, now)

    def end_mapping(self, m: u32, ended: u64) -> None:
        """`ended` is when its last session did."""
        if self.events.counts:
            self.events.mapping_removed(m, ended)
        if self.mappings.rows[m].policy >= STATIC:
            self.hosts.leave_forward(self.mappings.rows[m].host)
        else:
            self.allocator.give(m, ended + self.rest if self.rest else 0)
            self.hosts.leave_mapping(self.mappings.rows[m].host, self.mappings.rows[m].protocol)
        self.mappings.remove(m)

    def open_session(
        self,
        mapping: u32,
        remote_high: u64,
        remote_low: u64,
        remote_port: u32,
        opener: u32,
        now: u64,
    ) -> u32:
        """The row of a new session of a live mapping, or 0 where there is none left.

        `opener` is 0, or OPENED_OUTSIDE with COUNTED if it is one that outsiders may have few of;
        the caller has checked the limits.
        """
        m: Mappings = self.mappings.rows
        s: Sessions = self.sessions.rows
        i: u32 = self.sessions.row_for_new()
        if i == 0:
            self.refusal = SESSION_LIMIT
            return 0
        protocol: u32 = m[mapping].protocol
        s[i].state = self.first_state[protocol]
        s[i].timer = self.timer_of_protocol[protocol]
        s[i].expires = now + self.timeouts[s[i].timer]
        s[i].flags = opener
        s[i].packets_out = s[i].bytes_out = s[i].packets_in = s[i].bytes_in = 0
        s[i].inside_next = s[i].inside_window = s[i].inside_scale = 0
        self.sessions.enter(i, mapping, remote_high, remote_low, remote_port)
        m[mapping].sessions += 1
        self.join(i)
        if opener & COUNTED:
            self.inbound_sessions += 1
        if not opener & OPENED_OUTSIDE:
            self.hosts.join_session(m[mapping].host)
            self.count_confirmed(i)
        if self.events.counts:
            self.events.session_opened(i, now)
        return i

    def join(self, i: u32) -> None:
        """Link a session into its mapping's ring, as the last."""
        m: Mappings = self.mappings.rows
        s: Sessions = self.sessions.rows
        first: u32 = m[s[i].mapping].first
        if first == 0:
            m[s[i].mapping].first = i
            s[i].ring_previous = s[i].ring_next = i
        else:
            s[i].ring_next = first
            s[i].ring_previous = s[first].ring_previous
            s[s[i].ring_previous].ring_next = i
            s[first].ring_previous = i

    def leave(self, i: u32) -> None:
        """Unlink a session from its mapping's ring."""
        m: Mappings = self.mappings.rows
        s: Sessions = self.sessions.rows
        s[s[i].ring_previous].ring_next = s[i].ring_next
        s[s[i].ring_next].ring_previous = s[i].ring_previous
        if m[s[i].mapping].first == i:
            m[s[i].mapping].first = 0 if s[i].ring_next == i else s[i].ring_next

    def confirm(self, i: u32) -> None:
        """The inside has sent in this session: it now keeps its mapping alive, and comes first."""
        self.leave(i)
        self.join(i)
        self.count_confirmed(i)

    def count_confirmed(self, i: u32) -> None:
        """`confirm`, for the session that was linked last."""
        m: Mappings = self.mappings.rows
        s: Sessions = self.sessions.rows
        s[i].flags |= INSIDE_SENT
        if s[i].flags & OPENED_OUTSIDE:
            self.answer(i)
        m[s[i].mapping].confirmed += 1
        m[s[i].mapping].first = i
        if self.policies.rows[m[s[i].mapping].policy].permits:
            self.counters.add(
                owner_of(PERMITTED_ADDRESS, s[i].mapping, 0),
                self.sessions.remote_high(i),
                s[i].remote_low,
            )

    def answer(self, i: u32) -> None:
        """Both sides have now sent in this session: its host is known to be there."""
        s: Sessions = self.sessions.rows
        s[i].flags |= ANSWERED
        self.hosts.join_answered(self.mappings.rows[s[i].mapping].host)

    def detach(self, i: u32, ended: u64) -> None:
        """Take a session out of everything but the question whether its mapping goes on."""
        m: Mappings = self.mappings.rows
        s: Sessions = self.sessions.rows
        if self.events.counts:
            self.events.session_ended(i, ended)
        if s[i].flags & COUNTED:
            self.inbound_sessions -= 1
        if s[i].flags & ANSWERED:
            self.hosts.leave_answered(m[s[i].mapping].host)
        if not s[i].flags & OPENED_OUTSIDE:
            self.hosts.leave_session(m[s[i].mapping].host)
        if s[i].flags & INSIDE_SENT:
            m[s[i].mapping].confirmed -= 1
            if self.policies.rows[m[s[i].mapping].policy].permits:
                self.counters.remove(
                    owner_of(PERMITTED_ADDRESS, s[i].mapping, 0),
                    self.sessions.remote_high(i),
                    s[i].remote_low,
                )
        self.leave(i)
        m[s[i].mapping].sessions -= 1
        self.sessions.remove(i)

    def end_session(self, i: u32, now: u64) -> u32:
        """End a session, and its mapping if the inside has no other in it; how many have ended.

        Sessions that only outsiders sent in do not keep a mapping (RFC 7857 section 7): with ever
        new ones they could hold it open for ever.  They are few: see `unanswered_limit`.  A static
        forward's mapping holds nothing but memory, and ends with its last session.
        """
        m: Mappings = self.mappings.rows
        mapping: u32 = self.sessions.rows[i].mapping
        ended: u64 = min(now, self.sessions.rows[i].expires)
        count: u32 = 1
        self.detach(i, ended)
        if m[mapping].confirmed or (m[mapping].policy >= STATIC and m[mapping].sessions):
            return count
        count += m[mapping].sessions
        while m[mapping].sessions:
            self.detach(m[mapping].first, ended)
        self.end_mapping(mapping, ended)
        return count

    def alive(self, m: u32, now: u64) -> bool:
        """Whether the mapping has a confirmed session that has not expired.

        Ends those it meets on the way; they would be swept within a second anyway.  Of very many
        the rest is for the sweep, and until then the mapping lives.
        """
        left: u32 = min(self.mappings.rows[m].confirmed, MOST_LOOKED_AT)
        first: u32
        while left:
            first = self.mappings.rows[m].first
            if self.sessions.rows[first].expires > now:
                return True
            self.end_session(first, now)
            left -= 1
        return self.mappings.rows[m].confirmed != 0

    def meets(self, i: u32, now: u64) -> bool:
        """Whether a session that was found is still there; ends it if it should have ended.

        One that only outsiders sent in goes with its mapping.
        """
        if self.sessions.rows[i].expires <= now:
            self.end_session(i, now)
            return False
        m: u32 = self.sessions.rows[i].mapping
        return (
            self.sessions.rows[i].flags & INSIDE_SENT != 0
            or self.mappings.rows[m].policy >= STATIC
            or self.alive(m, now)
        )

    def shows_life(self, m: u32, now: u64) -> bool:
        """`alive` for who only looks: ends nothing.  A forward's mapping is there while it has
        sessions."""
        if self.mappings.rows[m].policy >= STATIC:
            return True
        left: u32 = self.mappings.rows[m].confirmed
        i: u32 = self.mappings.rows[m].first
        while left:
            if self.sessions.rows[i].expires > now:
                return True
            i = self.sessions.rows[i].ring_next
            left -= 1
        return False

    def permits(self, m: u32, remote_high: u64, remote_low: u64, now: u64) -> bool:
        """Whether the inside has sent to this address in a session that has not expired (ADF).

        The counter table answers nearly all strangers; a hit may be of a session only the sweep has
        not reached yet, so the sessions themselves decide.
        """
        if self.counters.get(owner_of(PERMITTED_ADDRESS, m, 0), remote_high, remote_low) == 0:
            return False
        s: Sessions = self.sessions.rows
        left: u32 = self.mappings.rows[m].confirmed
        i: u32 = self.mappings.rows[m].first
        if left > MOST_LOOKED_AT:
            # Strangers must not make it walk a long ring: the counter table is late by a second at
            # most.
            return True
        while left:
            if (
                s[i].remote_low == remote_low
                and self.sessions.remote_high(i) == remote_high
                and s[i].expires > now
            ):
                return True
            i = s[i].ring_next
            left -= 1
        return False

    def expire(self, now: u64, budget: u32) -> u32:
        """End expired sessions until `budget` have ended; return how many did.

        Those that end with the last mapping are counted, and may be more.
        """
        self.sessions.tidy()
        ended: u32 = 0
        timer: u32
        i: u32
        for timer in range(1, TIMERS + 1):
            i = self.sessions.oldest(timer)
            while i and ended < budget and self.sessions.rows[i].expires <= now:
                ended += self.end_session(i, now)
                i = self.sessions.oldest(timer)
        return ended
