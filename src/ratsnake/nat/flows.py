"""How mappings and sessions come and go, with everything that hangs on them.

A mapping ends with the last session in which the inside has sent.  What was taken is given back in
one place: `detach` and `end_mapping`.
"""

import struct

import cython

if not cython.compiled:
    from ratsnake.wire.checksum import difference16, difference32
    from ratsnake.wire.packet import TCP, Packet
    from ratsnake.wire.types import M32, u32, u64

    from .policies import ADF, DISTINCT, EIM, EXCLUSIVE, SEQUENTIAL
    from .reasons import MAPPING_LIMIT, NO_PORT, TRANSLATED
    from .records import (
        NONE32,
        Mappings,
        Sessions,
        Words,
        new_words,
        release,
    )
    from .sessions import INSIDE_SENT, LIVE, OPENED_OUTSIDE
    from .tally import PERMITTED_ADDRESS, PORT_OF_ENDPOINT, PORTS_TOWARD_REMOTE
    from .tcp import INIT, OPEN
    from .timers import SWEEP, TIMERS


from .endpoints import EndpointMemory
from .generator import Generator
from .mappings import MappingTable
from .policy_table import PolicyTable
from .ports import PortPools
from .scope import Scope
from .secret import Secret
from .selection import PortSelector
from .sessions import SessionTable
from .settings import Settings
from .tally import Tally
from .tcp import TIMER_OF_PROTOCOL


class Flows:
    timeouts: Words

    def __init__(self, settings: Settings, seed: bytes) -> None:
        words = struct.unpack("<10Q", seed)
        self.secret = Secret(words[:8])
        self.policies = PolicyTable((settings.tcp, settings.udp, settings.icmp))
        timeouts = settings.timeouts
        self.timeouts = new_words(TIMERS + 1)
        for k, seconds in enumerate(
            (timeouts.tcp_established, timeouts.tcp_transitory, timeouts.udp, timeouts.icmp)
        ):
            self.timeouts[k + 1] = seconds * 1000
        self.timer_of_protocol = TIMER_OF_PROTOCOL
        limits = settings.limits
        self.scope = Scope((settings.external,), settings.internal)
        self.generator = Generator(words[8], words[9])
        self.pools = PortPools(3 * self.scope.externals, tuple(settings.ports), self.generator)
        self.mappings = MappingTable(limits.mappings, self.policies, self.secret)
        self.sessions = SessionTable(limits.sessions, self.secret)
        self.endpoints = EndpointMemory(limits.mappings, self.secret)
        self.tally = Tally(limits.sessions + 2 * limits.mappings, self.secret)
        self.selector = PortSelector(
            self.policies, self.pools, self.mappings, self.endpoints, self.tally
        )
        self.inbound_sessions = 0
        self.inbound_limit = limits.inbound_sessions
        self.unanswered_limit = limits.unanswered_sessions
        self.refusal = TRANSLATED

    def __dealloc__(self) -> None:
        release(self.timeouts)

    def remembers(self, protocol: u32) -> bool:
        """Whether the policy looks at the port an internal endpoint had last."""
        return (
            self.policies.rows[protocol].sticky != 0
            or self.policies.rows[protocol].selection == SEQUENTIAL
            or self.policies.rows[protocol].sharing == DISTINCT
        )

    def permits_by_address(self, protocol: u32) -> bool:
        """Whether ADF needs the addresses of all sessions: only EIM mappings have several."""
        return (
            self.policies.rows[protocol].mapping == EIM
            and self.policies.rows[protocol].filtering == ADF
        )

    def pool_of(self, protocol: u32, external: u32) -> u32:
        return protocol * self.scope.externals + external

    def make_mapping(self, p: Packet, remote_port: u32, now: u64) -> u32:
        """The row of a new mapping for an outbound packet, or 0 and `refusal` says why.

        What expired must not stand in the way: before refusing, the sweep is made up for.
        """
        m: u32 = self.try_mapping(p, remote_port, now)
        while m == 0 and self.expire(now, SWEEP):
            m = self.try_mapping(p, remote_port, now)
        return m

    def try_mapping(self, p: Packet, remote_port: u32, now: u64) -> u32:
        if self.mappings.count >= self.mappings.capacity:
            self.refusal = MAPPING_LIMIT
            return 0
        protocol: u32 = p.protocol
        external: u32 = 0
        pool: u32 = self.pool_of(protocol, external)
        endpoint: u32 = 0
        if self.remembers(protocol):
            endpoint = self.endpoints.enter(protocol, p.source_high, p.source_low, p.source_port)
        external_port: u32 = self.selector.choose(
            protocol,
            pool,
            external,
            endpoint,
            p.source_port,
            p.destination_high,
            p.destination_low,
            remote_port,
        )
        if external_port == NONE32:
            self.refusal = NO_PORT
            return 0
        m: u32 = self.mappings.add(
            protocol,
            p.source_high,
            p.source_low,
            p.source_port,
            external,
            external_port,
            p.destination_high,
            p.destination_low,
            remote_port,
        )
        self.mappings.rows[m].created = now
        self.mappings.rows[m].endpoint = endpoint
        self.pools.take(pool, external_port)
        if endpoint:
            self.endpoints.hold(endpoint, external_port)
        if self.policies.rows[protocol].sharing != EXCLUSIVE:
            self.tally.add(
                PORTS_TOWARD_REMOTE,
                pool,
                remote_port if self.policies.rows[protocol].share == 2 else 0,
                p.destination_high,
                p.destination_low,
            )
        if self.policies.rows[protocol].sharing == DISTINCT:
            self.tally.add(PORT_OF_ENDPOINT, endpoint, external_port, external, 0)
        return m

    def end_mapping(self, m: u32) -> None:
        r: Mappings = self.mappings.rows
        protocol: u32 = r[m].protocol
        pool: u32 = self.pool_of(protocol, r[m].external)
        self.mappings.remove(m)
        self.pools.give(pool, r[m].external_port)
        if self.policies.rows[protocol].sharing != EXCLUSIVE:
            self.tally.remove(
                PORTS_TOWARD_REMOTE,
                pool,
                r[m].remote_port if self.policies.rows[protocol].share == 2 else 0,
                r[m].remote_high,
                r[m].remote_low,
            )
        if self.policies.rows[protocol].sharing == DISTINCT:
            self.tally.remove(PORT_OF_ENDPOINT, r[m].endpoint, r[m].external_port, r[m].external, 0)
        if r[m].endpoint:
            self.endpoints.drop(r[m].endpoint)

    def open_session(
        self,
        mapping: u32,
        remote_high: u64,
        remote_low: u64,
        remote_port: u32,
        opener: u32,
        now: u64,
    ) -> u32:
        """The row of a new session of a live mapping.

        `opener` is OPENED_OUTSIDE or 0; the caller has checked the limits.
        """
        m: Mappings = self.mappings.rows
        s: Sessions = self.sessions.rows
        i: u32 = self.sessions.row_for_new()
        external: u32 = m[mapping].external
        s[i].internal_high = m[mapping].internal_high
        s[i].internal_low = m[mapping].internal_low
        s[i].internal_port = m[mapping].internal_port
        s[i].external = external
        s[i].external_port = m[mapping].external_port
        s[i].remote_high = remote_high
        s[i].remote_low = remote_low
        s[i].remote_port = remote_port
        s[i].protocol = m[mapping].protocol
        s[i].state = INIT if m[mapping].protocol == TCP else OPEN
        s[i].timer = self.timer_of_protocol[m[mapping].protocol]
        s[i].expires = now + self.timeouts[s[i].timer]
        s[i].flags = LIVE | opener
        s[i].packets_out = s[i].bytes_out = s[i].packets_in = s[i].bytes_in = 0
        s[i].address_difference = difference32(
            s[i].internal_low & M32, self.scope.external_low[external] & M32
        )
        s[i].port_difference = difference16(s[i].internal_port, s[i].external_port)
        self.sessions.enter(i)
        s[i].mapping = mapping
        m[mapping].sessions += 1
        self.join(i)
        if opener == OPENED_OUTSIDE:
            self.inbound_sessions += 1
        else:
            self.confirm(i)
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
        m: Mappings = self.mappings.rows
        s: Sessions = self.sessions.rows
        s[i].flags |= INSIDE_SENT
        m[s[i].mapping].confirmed += 1
        self.leave(i)
        self.join(i)
        m[s[i].mapping].first = i
        if self.permits_by_address(s[i].protocol):
            self.tally.add(PERMITTED_ADDRESS, s[i].mapping, 0, s[i].remote_high, s[i].remote_low)

    def detach(self, i: u32) -> None:
        """Take a session out of everything but the question whether its mapping goes on."""
        m: Mappings = self.mappings.rows
        s: Sessions = self.sessions.rows
        if s[i].flags & OPENED_OUTSIDE:
            self.inbound_sessions -= 1
        if s[i].flags & INSIDE_SENT:
            m[s[i].mapping].confirmed -= 1
            if self.permits_by_address(s[i].protocol):
                self.tally.remove(
                    PERMITTED_ADDRESS, s[i].mapping, 0, s[i].remote_high, s[i].remote_low
                )
        self.leave(i)
        m[s[i].mapping].sessions -= 1
        self.sessions.remove(i)

    def end_session(self, i: u32) -> None:
        """End a session, and its mapping if the inside has no other in it.

        Sessions that only outsiders sent in do not keep a mapping (RFC 7857 section 7): with ever
        new ones they could hold it open for ever.  They are few: see `unanswered_limit`.
        """
        m: Mappings = self.mappings.rows
        mapping: u32 = self.sessions.rows[i].mapping
        self.detach(i)
        if m[mapping].confirmed:
            return
        while m[mapping].sessions:
            self.detach(m[mapping].first)
        self.end_mapping(mapping)

    def alive(self, m: u32, now: u64) -> bool:
        """Whether the mapping has a confirmed session that has not expired.

        Ends those it meets on the way; they would be swept within a second anyway.
        """
        left: u32 = self.mappings.rows[m].confirmed
        first: u32
        while left:
            first = self.mappings.rows[m].first
            if self.sessions.rows[first].expires > now:
                return True
            self.end_session(first)
            left -= 1
        return False

    def shows_life(self, m: u32, now: u64) -> bool:
        """`alive` for who only looks: ends nothing."""
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

        The tally answers nearly all strangers; a hit may be of a session only the sweep has not
        reached yet, so the sessions themselves decide.
        """
        if self.tally.count(PERMITTED_ADDRESS, m, 0, remote_high, remote_low) == 0:
            return False
        s: Sessions = self.sessions.rows
        left: u32 = self.mappings.rows[m].confirmed
        i: u32 = self.mappings.rows[m].first
        while left:
            if (
                s[i].remote_low == remote_low
                and s[i].remote_high == remote_high
                and s[i].expires > now
            ):
                return True
            i = s[i].ring_next
            left -= 1
        return False

    def expire(self, now: u64, budget: u32) -> u32:
        """End at most `budget` expired sessions; return how many were ended."""
        ended: u32 = 0
        timer: u32
        i: u32
        for timer in range(1, TIMERS + 1):
            i = self.sessions.oldest(timer)
            while i and ended < budget and self.sessions.rows[i].expires <= now:
                self.end_session(i)
                ended += 1
                i = self.sessions.oldest(timer)
        return ended
