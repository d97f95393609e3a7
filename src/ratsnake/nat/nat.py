"""The NAT: one packet in, one verdict out.

A packet of a known session needs one look-up and its rewrite.  Everything else is decided in
`admission` (may it open a session?) and `errors` (ICMP errors).
"""

from __future__ import annotations

import cython

if not cython.compiled:
    from ratsnake.wire.ipv4 import parse
    from ratsnake.wire.packet import ICMP, TCP, Packet, new_packet, release_packet
    from ratsnake.wire.types import M16, M32, Bytes, u32, u64

    from .admission import admit_inbound, admit_outbound
    from .errors import inbound_error, outbound_error
    from .reasons import NO_MAPPING, REASONS_COUNT, SOURCE, TCP_FLAGS, TRANSLATED
    from .records import Octets, Sessions, Words, new_octets, new_words, release
    from .rewrite import DESTINATION_PORT, IP_DESTINATION, IP_SOURCE, SOURCE_PORT, rewrite
    from .sessions import INSIDE_SENT, OPENED_OUTSIDE
    from .tcp import CLIENT, EVENTS, FLAG_COMBINATIONS, INVALID, RST, SERVER, STATES

from .flows import Flows
from .rows import MappingRow, SessionRow
from .settings import Settings
from .tcp import event_table, timer_table, transition_table
from .views import counters, mapping_rows, session_rows, usage

SEED_BYTES = 80  # eight hash secrets and the generator's key, 64 bits each


class Nat:
    packet: Packet
    transitions: Octets
    events: Octets
    timers: Octets
    drops: Words

    def __init__(self, settings: Settings, seed: bytes) -> None:
        """`seed`: 80 secret random bytes; the same seed makes the same NAT.

        Raises ValueError where the seed has another length, MemoryError where the tables do not
        fit.
        """
        if len(seed) != SEED_BYTES:
            raise ValueError(f"seed: {len(seed)} bytes given, {SEED_BYTES} are needed")
        self.settings = settings
        self.flows = Flows(settings, seed)
        self.packet = new_packet()
        self.drops = new_words(REASONS_COUNT)
        self.transitions = new_octets(STATES * 2 * EVENTS)
        for k, state in enumerate(transition_table()):
            self.transitions[k] = state
        self.events = new_octets(FLAG_COMBINATIONS)
        for k, event in enumerate(event_table()):
            self.events[k] = event
        self.timers = new_octets(STATES)
        for k, timer in enumerate(timer_table()):
            self.timers[k] = timer
        self.clock = 0
        self.packets_out = self.bytes_out = self.packets_in = self.bytes_in = 0

    def __dealloc__(self) -> None:
        release_packet(self.packet)
        release(self.drops)
        release(self.transitions)
        release(self.events)
        release(self.timers)

    def translate(self, packet: bytearray, now: int, partial: bool = False) -> int:
        """Rewrite a whole IP packet in place; return 0, or the code of the reason to drop it.

        `now` is in milliseconds of any clock, not negative; a clock that goes back is taken to
        stand still.
        `partial`: the transport checksum field holds only the pseudo-header's sum (checksum
        offload).  A dropped packet must be thrown away: it may be half rewritten.
        """
        return self.process(packet, len(packet), partial, now)

    def expire(self, now: int, budget: int = 1000) -> int:
        """End at most `budget` expired sessions; return how many were ended."""
        return self.flows.expire(now, budget)

    def counters(self) -> dict[str, dict[str, int]]:
        """Packets and bytes translated in each direction, and packets dropped by reason."""
        return counters(
            [self.packets_out, self.bytes_out, self.packets_in, self.bytes_in],
            [self.drops[k] for k in range(REASONS_COUNT)],
        )

    def usage(self) -> dict[str, object]:
        """Rows and ports in use, beside their limits."""
        return usage(self.flows)

    def mapping_rows(self, start: int, count: int, now: int) -> tuple[list[MappingRow], int]:
        """Mappings of at most `count` table rows from `start` (0 first); next start, or 0."""
        return mapping_rows(self.flows, start, count, now)

    def session_rows(self, start: int, count: int, now: int) -> tuple[list[SessionRow], int]:
        """Sessions of at most `count` table rows from `start` (0 first); next start, or 0."""
        return session_rows(self.flows, start, count, now)

    def process(self, b: Bytes, size: u32, partial: bool, now: u64) -> u32:
        """`translate` for compiled callers: b has room for `size` bytes."""
        if now > self.clock:
            self.clock = now
        reason: u32 = parse(b, size, self.packet)
        if reason == TRANSLATED:
            reason = self.route(b, size, partial)
        self.drops[reason] += 1
        return reason

    def refuse(self, reason: u32) -> None:
        """Count a packet that never came to `process`, or could not be sent after it."""
        self.drops[reason] += 1

    def route(self, b: Bytes, size: u32, partial: bool) -> u32:
        """Decide the direction: to an external address is inbound, all else outbound."""
        p: Packet = self.packet
        external: u32 = self.flows.scope.external_row(p.destination_high, p.destination_low)
        outbound: bool = external == self.flows.scope.externals
        reason: u32
        if not outbound and self.flows.scope.is_external(p.source_high, p.source_low):
            # Only `hairpin` makes such packets, and it makes them here.
            return SOURCE
        if p.is_error:
            reason = self.error(b, size, outbound, partial)
        elif outbound:
            reason = self.outbound(b, size, partial)
        else:
            reason = self.inbound(b, size, external, partial)
        if reason == TRANSLATED:
            if outbound:
                self.packets_out += 1
                self.bytes_out += size
            else:
                self.packets_in += 1
                self.bytes_in += size
        return reason

    def error(self, b: Bytes, size: u32, outbound: bool, partial: bool) -> u32:
        """An ICMP error; one about a hairpinned packet goes out and back in (RFC 5508 REQ-7)."""
        p: Packet = self.packet
        reason: u32 = TRANSLATED
        if outbound or self.flows.scope.is_internal(p.source_high, p.source_low):
            reason = outbound_error(self.flows, b, p, self.clock, partial)
            if outbound or reason != TRANSLATED:
                return reason
            reason = parse(b, size, p)
        if reason == TRANSLATED:
            reason = inbound_error(self.flows, b, p, self.clock, partial)
        return reason

    def outbound(self, b: Bytes, size: u32, partial: bool) -> u32:
        p: Packet = self.packet
        event: u32 = 0
        if p.protocol == TCP:
            event = self.events[p.tcp_flags & 63]
            if event == INVALID:
                return TCP_FLAGS
        s: Sessions = self.flows.sessions.rows
        i: u32 = self.flows.sessions.find_outbound(
            p.protocol,
            p.source_high,
            p.source_low,
            p.source_port,
            p.destination_high,
            p.destination_low,
            0 if p.protocol == ICMP else p.destination_port,
        )
        if i and s[i].expires <= self.clock:
            self.flows.end_session(i)
            i = 0
        if i == 0:
            i = admit_outbound(self.flows, p, self.clock)
            if i == 0:
                return self.flows.refusal
        s[i].packets_out += 1
        s[i].bytes_out += size
        # A reset refuses what came in; it is no part in it (RFC 7857 section 7.1).
        if not s[i].flags & INSIDE_SENT and event != RST:
            self.flows.confirm(i)
        if s[i].flags & INSIDE_SENT:
            self.advance(i, event, SERVER if s[i].flags & OPENED_OUTSIDE else CLIENT)
        rewrite(
            b,
            p,
            IP_SOURCE,
            SOURCE_PORT,
            self.flows.scope.external_low[s[i].external] & M32,
            s[i].external_port,
            s[i].address_difference,
            s[i].port_difference,
            partial,
        )
        return TRANSLATED

    def inbound(self, b: Bytes, size: u32, external: u32, partial: bool) -> u32:
        p: Packet = self.packet
        event: u32 = 0
        if p.protocol == TCP:
            event = self.events[p.tcp_flags & 63]
            if event == INVALID:
                return TCP_FLAGS
        s: Sessions = self.flows.sessions.rows
        i: u32 = self.flows.sessions.find_inbound(
            p.protocol,
            external,
            p.destination_port,
            p.source_high,
            p.source_low,
            0 if p.protocol == ICMP else p.source_port,
        )
        if i and s[i].expires <= self.clock:
            self.flows.end_session(i)
            i = 0
        if i == 0:
            if self.flows.scope.is_internal(p.source_high, p.source_low):
                return self.hairpin(b, size, external, partial)
            i = admit_inbound(self.flows, p, external, self.clock)
            if i == 0:
                return self.flows.refusal
        s[i].packets_in += 1
        s[i].bytes_in += size
        # What outsiders send keeps a session alive only once the inside has taken part in it
        # (RFC 4787 REQ-6: otherwise anybody could hold a mapping open for ever).
        if s[i].flags & INSIDE_SENT:
            self.advance(i, event, CLIENT if s[i].flags & OPENED_OUTSIDE else SERVER)
        rewrite(
            b,
            p,
            IP_DESTINATION,
            DESTINATION_PORT,
            s[i].internal_low & M32,
            s[i].internal_port,
            s[i].address_difference ^ M16,
            s[i].port_difference ^ M16,
            partial,
        )
        return TRANSLATED

    def hairpin(self, b: Bytes, size: u32, external: u32, partial: bool) -> u32:
        """From inside to an external endpoint: out and back in, so that the receiver sees the
        sender's external endpoint (RFC 4787 REQ-9a).

        No mapping is made for a packet to a port nobody has.
        """
        p: Packet = self.packet
        pool: u32 = self.flows.pool_of(p.protocol, external)
        if p.protocol != ICMP and self.flows.pools.users_of(pool, p.destination_port) == 0:
            return NO_MAPPING
        reason: u32 = self.outbound(b, size, partial)
        if reason == TRANSLATED:
            reason = parse(b, size, p)
        if reason == TRANSLATED:
            reason = self.inbound(b, size, external, partial)
        return reason

    def advance(self, i: u32, event: u32, side: u32) -> None:
        """A packet of `side` was seen in session i: its state, and how long it lives on."""
        s: Sessions = self.flows.sessions.rows
        timer: u32 = s[i].timer
        if s[i].protocol == TCP:
            state: u32 = self.transitions[(s[i].state * 2 + side) * EVENTS + event]
            # A reset that changes nothing must not keep a session alive (RFC 7857 section 7.1).
            if event == RST and state == s[i].state:
                return
            s[i].state = state
            timer = self.timers[state]
        self.flows.sessions.refresh(i, timer, self.clock + self.flows.timeouts[timer])
