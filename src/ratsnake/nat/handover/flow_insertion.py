"""Flows that another NAT had, or this one before it was started again, entered into the tables.

A flow goes on if it could exist under these settings as it is, with the same external endpoint.
Otherwise it ends: an internal endpoint that is suddenly seen from elsewhere has lost its
connections anyway.  What must hold is

- of its addresses: they are still internal, external, and remote;
- of its time: it has not been idle for longer than its timeout of now;
- of the limits: there is room.  Flows come in the order of their last use, the latest first, so
  that where not all have room it is the latest that go on;
- of its port: it is one that mappings may get, and if in blocks or computed, of this host;
- of its mapping: it has the external endpoint that this internal and remote endpoint have if any
  has it already, as the mapping behaviour of now sees it (RFC 4787 section 4.1).  So where the
  behaviour has become more specific, a mapping becomes several on one port if ports may be shared,
  and otherwise goes on toward the remote used last; where less, the one used last goes on;
- of a static forward's: there is one that leads from this external to this internal endpoint.  A
  mapping that was none becomes one;
- of a session that outsiders opened and the inside has not answered: its mapping goes on, and the
  filter is no stricter than the one that let it in, or would let it in now.
"""

import cython

if not cython.compiled:
    from ratsnake.wire.byte_order import be16, be32, be64
    from ratsnake.wire.integer_types import M40, M48, Bytes, u32, u64
    from ratsnake.wire.packet_fields import (
        ICMP,
        OTHER,
        PROTOCOLS,
        Packet,
        new_packet,
        release_packet,
    )

    from ..allocation.exact_endpoint_check import claim
    from ..rules.behaviour_codes import STATIC
    from ..rules.connection_states import INIT, OPEN, STATES
    from ..rules.timeout_classes import TIMERS
    from ..tables.row_layouts import (
        NONE32,
        Mappings,
        Numbers,
        Octets,
        Sessions,
        new_numbers,
        new_octets,
        release,
    )
    from ..tables.session_table import (
        COUNTED,
        INSIDE_SENT,
        INSIDE_SYN,
        OPENED_OUTSIDE,
        OUTSIDE_SCALES,
        WINDOW_OF_SYN,
    )
    from ..translation.session_admission import make_static, passes_filter
    from ..translation.tcp_reset_window import LARGEST_SCALE
    from .flow_record import (
        AT_AGE,
        AT_BYTES_IN,
        AT_BYTES_OUT,
        AT_EXTERNAL,
        AT_EXTERNAL_PORT,
        AT_FLAGS,
        AT_IDLE,
        AT_INSIDE_NEXT,
        AT_INSIDE_WINDOW,
        AT_INTERNAL,
        AT_INTERNAL_PORT,
        AT_PACKETS_IN,
        AT_PACKETS_OUT,
        AT_PARTNER,
        AT_PARTNER_PORT,
        AT_PROTOCOL,
        AT_REMOTE,
        AT_REMOTE_PORT,
        AT_STATE,
        AT_TRAITS,
        FILTER_BITS,
        FILTER_SHIFT,
        IS_FORWARDED,
        SCALE_BITS,
    )

from ..rules.connection_states import timer_table
from ..translation.flow_lifecycle import Flows


def is_ipv4(high: u64, low: u64) -> bool:
    return high == 0 and low >> 32 == 0xFFFF


class FlowInserter:
    """`external` and `external_port` are those of the flow looked at, `packet` is what its inside
    would send, `partner` the remote endpoint its mapping was made for."""

    packet: Packet
    timers: Octets
    places: Numbers

    def __init__(self, flows: Flows) -> None:
        self.flows = flows
        self.packet = new_packet()
        self.timers = new_octets(STATES)
        for state, timer in enumerate(timer_table()):
            self.timers[state] = timer
        self.places = new_numbers(TIMERS + 1)
        self.external = self.external_port = self.partner_port = 0
        self.partner_high = self.partner_low = 0

    def __dealloc__(self) -> None:
        release_packet(self.packet)
        release(self.timers)
        release(self.places)

    def begin(self) -> None:
        """From now on flows come in the order of their last use, the latest first.

        Those in which the inside has sent must have come before all others, for mappings live by
        them.
        """
        timer: u32
        for timer in range(1, TIMERS + 1):
            self.places[timer] = timer

    def insert(self, b: Bytes, at: u32, now: u64, later: u64) -> u32:
        """The row of the session whose form is in b from octet `at`, or 0 if it does not go on.

        `later`: how many milliseconds ago the form was written.  It may be anything: what no NAT
        can have written is refused.
        """
        p: Packet = self.packet
        flags: u32 = b[at + AT_FLAGS]
        state: u32 = b[at + AT_STATE]
        if not self.read(b, at) or state >= STATES:
            return 0
        if (state == OPEN) != (self.flows.first_state[p.protocol] == OPEN):
            return 0
        timer: u32 = (
            self.timers[state] if state >= INIT else self.flows.timer_of_protocol[p.protocol]
        )
        idle: u64 = be32(b, at + AT_IDLE)
        idle += later
        if idle >= self.flows.timeouts[timer]:
            return 0
        opener: u32 = flags & OPENED_OUTSIDE
        # The inside has sent in what it opened.
        confirmed: bool = opener == 0 or flags & INSIDE_SENT != 0
        if opener and not self.flows.realm.is_external(p.destination_high, p.destination_low):
            opener |= COUNTED
        if not self.has_room(opener):
            return 0
        m: u32 = self.mapping_of(b[at + AT_TRAITS], opener, confirmed, now)
        if m == 0 or not (confirmed or self.admits(m, b[at + AT_TRAITS], now)):
            return 0
        if self.flows.mappings.rows[m].sessions == 0:
            self.flows.mappings.rows[m].created = now - min(now, be64(b, at + AT_AGE) + later)
        i: u32 = self.flows.open_session(
            m, p.destination_high, p.destination_low, p.destination_port, opener, now
        )
        if i == 0:
            return 0
        if confirmed and opener:
            self.flows.confirm(i)
        s: Sessions = self.flows.sessions.rows
        if opener == 0 and be64(b, at + AT_PACKETS_IN):
            self.flows.answer(i)
        s[i].state = state
        s[i].flags |= flags & (INSIDE_SYN | OUTSIDE_SCALES | WINDOW_OF_SYN)
        s[i].packets_out = be64(b, at + AT_PACKETS_OUT) & M40
        s[i].bytes_out = be64(b, at + AT_BYTES_OUT) & M48
        s[i].packets_in = be64(b, at + AT_PACKETS_IN) & M40
        s[i].bytes_in = be64(b, at + AT_BYTES_IN) & M48
        s[i].inside_next = be32(b, at + AT_INSIDE_NEXT)
        s[i].inside_window = be16(b, at + AT_INSIDE_WINDOW)
        s[i].inside_scale = min(b[at + AT_TRAITS] & SCALE_BITS, LARGEST_SCALE)
        self.place(i, timer, now + self.flows.timeouts[timer] - idle)
        return i

    def read(self, b: Bytes, at: u32) -> bool:
        """Take the endpoints of a flow; whether they may be that."""
        p: Packet = self.packet
        p.protocol = b[at + AT_PROTOCOL]
        p.source_high = be64(b, at + AT_INTERNAL)
        p.source_low = be64(b, at + AT_INTERNAL + 8)
        p.source_port = be16(b, at + AT_INTERNAL_PORT)
        p.destination_high = be64(b, at + AT_REMOTE)
        p.destination_low = be64(b, at + AT_REMOTE + 8)
        p.destination_port = be16(b, at + AT_REMOTE_PORT)
        p.version = 4 if is_ipv4(p.source_high, p.source_low) else 6
        self.partner_high = be64(b, at + AT_PARTNER)
        self.partner_low = be64(b, at + AT_PARTNER + 8)
        self.partner_port = be16(b, at + AT_PARTNER_PORT)
        self.external_port = be16(b, at + AT_EXTERNAL_PORT)
        high: u64 = be64(b, at + AT_EXTERNAL)
        low: u64 = be64(b, at + AT_EXTERNAL + 8)
        self.external = self.flows.realm.external_row(high, low)
        if p.protocol >= PROTOCOLS or self.external == self.flows.realm.externals:
            return False
        if (p.protocol == ICMP or p.protocol == OTHER) and (
            p.destination_port or self.partner_port
        ):
            return False
        return (
            is_ipv4(high, low) == (p.version == 4)
            and self.flows.realm.is_internal(p.source_high, p.source_low)
            and self.may_be_remote(p.destination_high, p.destination_low)
            and self.may_be_remote(self.partner_high, self.partner_low)
        )

    def may_be_remote(self, high: u64, low: u64) -> bool:
        """Whether a host of this address may be the other side of the flow."""
        return (
            is_ipv4(high, low) == (self.packet.version == 4)
            and self.flows.realm.is_remote(high, low)
            and not self.flows.realm.is_bypassed(high, low)
            and not self.flows.realm.asks_status(high, low)
        )

    def has_room(self, opener: u32) -> bool:
        """Whether there may be another session, and one of this host."""
        if self.flows.sessions.count >= self.flows.sessions.capacity:
            return False
        if opener & COUNTED:
            return self.flows.inbound_sessions < self.flows.inbound_limit
        host: u32 = self.flows.hosts.find(self.packet.source_high, self.packet.source_low)
        return (
            opener != 0
            or host == 0
            or self.flows.hosts.sessions_of(host) < self.flows.host_sessions
        )

    def mapping_of(self, traits: u32, opener: u32, confirmed: bool, now: u64) -> u32:
        """The row of the flow's mapping, made if need be; 0 if it cannot have that one."""
        p: Packet = self.packet
        if self.is_known():
            return 0
        forward: u32 = self.flows.forwards.inbound(
            p.protocol,
            self.external,
            self.external_port,
            p.destination_high,
            p.destination_low,
        )
        if forward or traits & IS_FORWARDED:
            return self.forwarded(forward, now)
        m: u32 = (
            self.flows.mappings.find_external(
                self.flows.policy_of(p),
                self.external,
                self.external_port,
                p.destination_high,
                p.destination_low,
                p.destination_port,
            )
            if opener
            else self.found_inside()
        )
        if m:
            return m if self.is_same(m) else 0
        # A mapping lives by sessions in which the inside has sent.
        if not confirmed:
            return 0
        if opener and self.flows.policies.rows[self.flows.policy_of(p)].share <= self.alike():
            return self.made_for_partner(now)
        return self.claimed(now)

    def is_known(self) -> bool:
        """Whether there is such a session already, from either side."""
        p: Packet = self.packet
        return (
            self.flows.sessions.find_outbound(
                p.protocol,
                p.source_high,
                p.source_low,
                p.source_port,
                p.destination_high,
                p.destination_low,
                p.destination_port,
            )
            != 0
            or self.flows.sessions.find_inbound(
                p.protocol,
                self.external,
                self.external_port,
                p.destination_high,
                p.destination_low,
                p.destination_port,
            )
            != 0
        )

    def forwarded(self, forward: u32, now: u64) -> u32:
        """The row of the forward's mapping, if it leads to the flow's internal endpoint."""
        p: Packet = self.packet
        if (
            forward == 0
            or self.flows.forwards.internal_high(forward) != p.source_high
            or self.flows.forwards.internal_low(forward) != p.source_low
            or self.flows.forwards.internal_port(forward, self.external_port) != p.source_port
        ):
            return 0
        return make_static(self.flows, p.protocol, forward, self.external_port, now)

    def found_inside(self) -> u32:
        """The row of the mapping that a packet from inside would use, or 0."""
        p: Packet = self.packet
        return self.flows.mappings.find_internal(
            self.flows.policy_of(p),
            p.source_high,
            p.source_low,
            p.source_port,
            p.destination_high,
            p.destination_low,
            p.destination_port,
        )

    def is_same(self, m: u32) -> bool:
        """Whether a mapping has the endpoints of the flow's."""
        p: Packet = self.packet
        r: Mappings = self.flows.mappings.rows
        return (
            r[m].external == self.external
            and r[m].external_port == self.external_port
            and r[m].internal_low == p.source_low
            and r[m].internal_port == p.source_port
            and self.flows.mappings.internal_high(m) == p.source_high
        )

    def alike(self) -> u32:
        """How much of the flow's remote endpoint the mapping was made for: 0 nothing, 1 its
        address, 2 address and port."""
        p: Packet = self.packet
        if self.partner_high != p.destination_high or self.partner_low != p.destination_low:
            return 0
        return 2 if self.partner_port == p.destination_port else 1

    def made_for_partner(self, now: u64) -> u32:
        """The row of the mapping which an outsider was let in by, made for whom it was made."""
        p: Packet = self.packet
        high: u64 = p.destination_high
        low: u64 = p.destination_low
        port: u32 = p.destination_port
        p.destination_high = self.partner_high
        p.destination_low = self.partner_low
        p.destination_port = self.partner_port
        m: u32 = 0 if self.found_inside() else self.claimed(now)
        p.destination_high = high
        p.destination_low = low
        p.destination_port = port
        return m

    def claimed(self, now: u64) -> u32:
        """The row of a new mapping with the flow's external endpoint; 0 if it cannot have that."""
        p: Packet = self.packet
        if self.flows.mappings.count >= self.flows.mappings.capacity:
            return 0
        host: u32 = self.flows.hosts.enter(p.source_high, p.source_low)
        if host == 0:
            return 0
        if (
            self.flows.hosts.mappings_of(host) >= self.flows.host_mappings
            or self.flows.hosts.held_of(host, p.protocol) >= self.flows.share_of(p)
            or not claim(self.flows.allocator, p, self.external, self.external_port, host)
        ):
            self.flows.hosts.settle(host)
            return 0
        endpoint: u32 = self.flows.allocator.endpoint
        external: u32 = NONE32
        port: u32 = NONE32
        if endpoint:
            external = self.flows.allocator.endpoints.last_external(endpoint)
            port = self.flows.allocator.endpoints.last_port(endpoint)
        m: u32 = self.flows.enter_mapping(p, host, now)
        if m == 0:
            self.flows.hosts.settle(host)
        elif port != NONE32:
            # Those used later came before.
            self.flows.allocator.endpoints.remember(endpoint, external, port)
        return m

    def admits(self, m: u32, traits: u32, now: u64) -> bool:
        """Whether an outsider whom the inside has not answered may still be in the mapping."""
        p: Packet = self.packet
        r: Mappings = self.flows.mappings.rows
        if r[m].sessions - r[m].confirmed >= self.flows.unanswered_limit:
            return False
        policy: u32 = r[m].policy
        return (
            policy >= STATIC
            or self.flows.policies.rows[policy].filtering <= (traits >> FILTER_SHIFT & FILTER_BITS)
            or passes_filter(self.flows, m, p.destination_high, p.destination_low, now)
        )

    def place(self, i: u32, timer: u32, expires: u64) -> None:
        """Give a session its timer, and its place in the timer's ring."""
        s: Sessions = self.flows.sessions.rows
        self.flows.sessions.unlink(i)
        s[i].timer = timer
        s[i].expires = expires
        younger: u32 = self.places[timer]
        older: u32 = s[younger].older
        while older != timer and s[older].expires >> 10 > expires >> 10:
            younger = older
            older = s[younger].older
        self.flows.sessions.append(i, younger)
        self.places[timer] = i
