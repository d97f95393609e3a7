"""The NAT: one packet in, one verdict out, and sometimes packets of its own.

What a packet may need before or instead of the translator is decided here: hops, prefixes, and
fragments, of which only the first has ports.  Nothing is reassembled: later fragments get the
translation of the first, and wait for it if they come before it (RFC 4787 REQ-14).
"""

from __future__ import annotations

from typing import Any

import cython

if not cython.compiled:
    from ratsnake.wire.byte_order import be32, put32
    from ratsnake.wire.header_faults import FAULTS, FRAGMENT, ICMP_EMBEDDED, OFFLOAD, PROTOCOL
    from ratsnake.wire.integer_types import M32, Bytes, u32, u64
    from ratsnake.wire.ip import parse
    from ratsnake.wire.ipv6 import FRAGMENT_HEADER_SIZE, FRAGMENT_IDENTIFICATION
    from ratsnake.wire.packet_fields import FIRST, SCTP, TCP, WHOLE, Packet

    from .packets.fragment_tracking import KNOWN, REFUSED
    from .packets.header_rewrite import RECEIVER, SENDER, readdress, renumber, take_hop
    from .packets.packet_pool import LARGEST
    from .rules.drop_reasons import (
        FRAGMENT_HELD,
        FRAGMENT_LIMIT,
        FRAGMENT_REFUSED,
        REASONS_COUNT,
        TRANSLATED,
        UNMAPPABLE,
    )
    from .rules.drop_reasons import HOP_LIMIT as HOPS_USED_UP
    from .tables.row_layouts import Octets, new_octets, release

    LATEST = 1 << 44  # milliseconds; a session's time of expiry has 45 bits

from .error_responses.error_policy import ErrorPolicy
from .explain.explanation import Endpoint, Explanation
from .explain.packet_explainer import Walk
from .packets.fragment_tracking import Fragments
from .packets.output_queue import OutputQueue
from .packets.packet_pool import PacketPool
from .settings.validated_settings import Settings
from .translation.packet_translator import Translator
from .translation.prefetch import Prefetcher
from .translation.shared_address import Sharing
from .translation.stateless_translation import Stateless
from .views.flow_flush import FlushPage, MappingFlush, SessionFlush
from .views.packet_loop_call import done
from .views.row_filter import RowFilter
from .views.row_tuples import MappingRow, PortRow, SessionRow
from .views.traffic_counters import Traffic
from .views.view_factory import Overview

SEED_BYTES = 80  # eight hash secrets and the generator's key, 64 bits each
POOLED_PACKETS = 4096  # packets that wait: held fragments, and what is to be sent
POOLED_OCTETS = 4 << 20


class Nat:
    scratch: Octets

    def __init__(self, settings: Settings, seed: bytes) -> None:
        """`seed`: 80 secret random bytes; the same seed makes the same NAT.

        Raises ValueError where the seed has another length, MemoryError where the tables do not
        fit.
        """
        if len(seed) != SEED_BYTES:
            raise ValueError(f"seed: {len(seed)} bytes given, {SEED_BYTES} are needed")
        self.settings = settings
        self.translator = Translator(settings, seed)
        flows = self.translator.flows
        self.events = flows.events
        self.prefetcher = Prefetcher(flows)
        self.stateless = Stateless(flows.realm, settings.nptv6)
        self.sharing = Sharing(flows.realm, settings.externals)
        self.packet_pool = PacketPool(POOLED_PACKETS, POOLED_OCTETS)
        self.output_queue = OutputQueue(self.packet_pool)
        self.fragments = Fragments(
            settings.limits.fragments,
            self.packet_pool,
            flows.secret,
            settings.timeouts.fragments * 1000,
        )
        self.error_policy = ErrorPolicy(
            settings, flows.realm, self.packet_pool, self.output_queue, flows.secret
        )
        self.decrements = settings.decrement_ttl
        self.scratch = new_octets(LARGEST)
        self.traffic = Traffic()
        self.overview = Overview(flows, self.error_policy, self.traffic, self.events)
        self.clock = 0

    def __dealloc__(self) -> None:
        release(self.scratch)

    def translate(self, packet: bytearray, now: int, partial: bool = False) -> int:
        """Rewrite a whole IP packet in place; return 0, or the code of the reason not to send it.

        `now` is in milliseconds of any clock, 0 to 2**64 - 1; one that goes back is taken to stand
        still until it has caught up, and so is one past the year 2527 (2**44).
        `partial`: the transport checksum field holds only the pseudo-header's sum (checksum
        offload).  A dropped packet must be thrown away: it may be half rewritten.  After each
        packet, and after `expire`, `outgoing` has what else is to be sent.
        """
        return self.process(packet, len(packet), partial, now)

    def outgoing(self) -> bytes | None:
        """The next packet the NAT sends by itself: a held fragment or an ICMP error; or None."""
        size = self.output_queue.pop(self.scratch)
        return bytes([self.scratch[k] for k in range(size)]) if size else None

    def expire(self, now: int, budget: int = 1000) -> int:
        """End at most `budget` expired sessions, and what else is due; return how many ended."""
        return self.sweep(now, budget)

    def counters(self) -> dict[str, Any]:
        """Packets and bytes translated in each direction, packets dropped by reason, and what was
        made in all."""
        return done(self.overview.totals()).counters()

    def usage(self) -> dict[str, Any]:
        """Rows and ports in use, beside their limits."""
        return done(self.overview.totals()).usage()

    def listen(self, wanted: int) -> None:
        """Note events from now on: bits of event_record.py; 0, as at first, is none."""
        done(self.overview.listening(wanted))

    def take_events(self, most: int) -> tuple[bytes, int]:
        """The oldest events, `most` at most and perhaps not all, as bytes (event_record.FORMAT);
        and how many were lost since the last call because nobody took them."""
        return done(self.overview.event_batch(most)).result()

    def explain(
        self, protocol: str, source: Endpoint, destination: Endpoint, now: int, kind: int | None
    ) -> Explanation:
        """What would become of a packet, and why; changes nothing.  See explanation.py."""
        walk = Walk(self.translator, self.stateless, self.sharing, self.settings)
        return walk.explain(protocol, source, destination, kind, max(now, self.clock))

    def mapping_rows(
        self, start: int, count: int, now: int, wanted: RowFilter | None = None
    ) -> tuple[list[MappingRow], int]:
        """The wanted mappings of at most `count` table rows from `start` (0 first), perhaps of
        fewer; next start, or 0."""
        return done(self.overview.mapping_page(start, count, now, wanted)).result()

    def session_rows(
        self, start: int, count: int, now: int, wanted: RowFilter | None = None
    ) -> tuple[list[SessionRow], int]:
        """The wanted sessions of at most `count` table rows from `start` (0 first); next start, or
        0."""
        return done(self.overview.session_page(start, count, now, wanted)).result()

    def port_rows(
        self, start: int, count: int, now: int, wanted: RowFilter | None = None
    ) -> tuple[list[PortRow], int]:
        """The wanted port use of at most `count` external addresses from `start`, whatever `now`;
        next start, or 0."""
        return done(self.overview.port_page(start, count, wanted)).result()

    def flush(
        self, start: int, count: int, began: int, now: int, wanted: RowFilter, by_remote: bool
    ) -> tuple[int, int, int]:
        """End the wanted flows of at most `count` table rows from `start` (0 first), perhaps of
        fewer; how many mappings and sessions were ended, and the next start, or 0.

        Whole mappings whatever their remotes, or, `by_remote`, sessions whose remote is wanted too,
        and mappings with their last.  Mappings made after `began` (ms) live on.
        """
        return done(self.flush_page(start, count, began, now, wanted, by_remote)).result()

    def flush_page(
        self, start: int, count: int, began: int, now: int, wanted: RowFilter, by_remote: bool
    ) -> FlushPage:
        """`flush` as a packet-loop call."""
        kind = SessionFlush if by_remote else MappingFlush
        return kind(self.translator, start, count, began, now, wanted)

    def process(self, b: Bytes, size: u32, partial: bool, now: u64) -> u32:
        """`translate` for compiled callers: b has room for `size` bytes."""
        if now > self.clock:
            self.clock = min(now, LATEST)
            self.translator.clock = self.clock
        reason: u32 = parse(b, size, self.translator.packet)
        if reason == TRANSLATED:
            reason = self.carry(b, size, partial)
        elif PROTOCOL <= reason < OFFLOAD and (self.stateless.active or self.sharing.active):
            reason = self.unparsed(b, size, reason)
        self.traffic.end(reason)
        if reason != TRANSLATED and self.events.wanted:
            self.note_refusal(reason)
        return reason

    def has_many_sessions(self) -> bool:
        """Whether `expect` and `prepare` before a batch are worth their time."""
        return self.prefetcher.is_worthwhile()

    def expect(self, b: Bytes, size: u32, k: u32) -> None:
        """`process` will be called for the packet in b[:size], number k (0..63) of a batch."""
        self.prefetcher.note(b, size, k)

    def prepare(self, count: u32, now: u64) -> None:
        """That many packets of a batch have been announced by `expect`."""
        self.prefetcher.fetch(count, now)

    def refuse(self, reason: u32) -> None:
        """Count a packet that never came to `process`, or could not be sent after it."""
        self.traffic.end(reason)
        if self.events.wanted:
            self.events.refused(self.translator.packet, reason, False, False, self.clock)

    def note_refusal(self, reason: u32) -> None:
        """`process` has refused the packet; a fragment that waits is not refused."""
        p: Packet = self.translator.packet
        if reason == FRAGMENT_HELD:
            return
        is_sound: bool = reason >= FAULTS or PROTOCOL <= reason < OFFLOAD
        outbound: bool = is_sound and not self.translator.flows.realm.is_external(
            p.destination_high, p.destination_low
        )
        if outbound and self.stateless.prefixes and p.version == 6:
            outbound = not self.stateless.translator.is_external(p.destination_high)
        self.events.refused(p, reason, is_sound, outbound, self.clock)

    def next_outgoing(self, b: Bytes) -> u32:
        """`outgoing` for compiled callers: the size of the packet put into b, or 0."""
        return self.output_queue.pop(b)

    def sweep(self, now: u64, budget: u32) -> u32:
        """`expire` for compiled callers."""
        now = min(now, LATEST)
        self.fragments.expire(now, budget)
        self.error_policy.answer_syns(now)
        if self.events.wanted:
            self.events.tell_suppressed(now)
        return self.translator.flows.expire(now, budget)

    def carry(self, b: Bytes, size: u32, partial: bool) -> u32:
        p: Packet = self.translator.packet
        reason: u32
        if self.decrements and not take_hop(b, self.translator.packet.version):
            self.error_policy.hops_used_up(b, p, self.clock)
            return HOPS_USED_UP
        if self.stateless.active:
            reason = self.pass_by(b, size, REASONS_COUNT)
            if reason != REASONS_COUNT:
                return reason
        if p.fragment != WHOLE:
            return self.fragment(b, size)
        return self.whole(b, size, partial)

    def unparsed(self, b: Bytes, size: u32, reason: u32) -> u32:
        """A packet with a fault behind its addresses, where those may be enough."""
        if self.decrements and not take_hop(b, self.translator.packet.version):
            return HOPS_USED_UP
        if self.sharing.active and self.sharing.may_be_hosts(self.translator.packet):
            self.traffic.pass_on(False, size)
            return TRANSLATED
        if not self.stateless.active:
            return reason
        if (
            reason == ICMP_EMBEDDED
            and self.stateless.prefixes
            and self.translator.packet.version == 6
        ):
            # The prefix in a quoted packet that cannot be read cannot be exchanged.
            return reason
        return self.pass_by(b, size, reason)

    def pass_by(self, b: Bytes, size: u32, otherwise: u32) -> u32:
        """The verdict on a packet that needs no session, or `otherwise` if it does."""
        p: Packet = self.translator.packet
        reason: u32 = self.stateless.process(b, p)
        if reason == REASONS_COUNT:
            return otherwise
        if reason == TRANSLATED:
            self.traffic.pass_on(self.stateless.is_outbound, size)
        elif reason == UNMAPPABLE and self.stateless.is_outbound and otherwise == REASONS_COUNT:
            self.error_policy.no_way(b, p, self.clock)
        return reason

    def whole(self, b: Bytes, size: u32, partial: bool) -> u32:
        """A packet, or first fragment, that has its ports in it."""
        p: Packet = self.translator.packet
        if self.sharing.active and self.sharing.is_query_from_inside(p):
            self.translator.is_outbound = self.translator.departed = False
            self.traffic.pass_on(False, size)
            return TRANSLATED
        reason: u32 = self.translator.route(b, size, partial)
        if (
            reason != TRANSLATED
            and self.sharing.active
            and self.translator.intact
            and self.sharing.may_be_hosts(p)
        ):
            reason = TRANSLATED
        if reason == TRANSLATED:
            self.traffic.pass_on(self.translator.is_outbound, size)
            if self.error_policy.syns.held and self.translator.session and p.protocol == TCP:
                self.error_policy.connecting(self.translator.flows, self.translator.session)
        elif self.translator.intact:
            if self.translator.flows.realm.is_internal(p.source_high, p.source_low):
                self.error_policy.refuse_outbound(b, p, reason, self.clock)
            elif not self.translator.is_outbound and self.translator.opens():
                self.error_policy.refuse_inbound(b, p, reason, self.translator.external, self.clock)
        return reason

    def fragment(self, b: Bytes, size: u32) -> u32:
        p: Packet = self.translator.packet
        row: u32 = self.fragments.find(
            p.source_high,
            p.source_low,
            p.destination_high,
            p.destination_low,
            p.version,
            p.number,
            p.identification,
            self.clock,
        )
        if row == 0:
            row = self.fragments.make(
                p.source_high,
                p.source_low,
                p.destination_high,
                p.destination_low,
                p.version,
                p.number,
                p.identification,
                self.clock,
            )
            if row == 0:
                return FRAGMENT_LIMIT
        if self.fragments.state_of(row) == REFUSED:
            return FRAGMENT_REFUSED
        data: u32 = p.fragment_header + FRAGMENT_HEADER_SIZE if p.version == 6 else p.transport
        reason: u32 = self.fragments.note(
            row, p.fragment_offset, p.fragment_offset + p.end - data, not p.more_fragments
        )
        if reason != TRANSLATED:
            return reason
        if p.fragment == FIRST:
            reason = self.first_fragment(row, b, size)
        elif self.fragments.state_of(row) == KNOWN:
            self.later_fragment(row, b, size)
        elif not self.fragments.hold(row, b, size):
            return FRAGMENT_LIMIT
        else:
            return FRAGMENT_HELD
        if reason == TRANSLATED and self.fragments.complete(row):
            self.fragments.end(row)
        return reason

    def first_fragment(self, row: u32, b: Bytes, size: u32) -> u32:
        """Translate it like a whole packet, and send those that waited for it."""
        p: Packet = self.translator.packet
        ports: u32 = be32(b, p.transport) if p.protocol == SCTP else 0
        reason: u32 = self.whole(b, size, False)
        # SCTP's CRC32c depends on the datagram's length, which only the last fragment knows.
        if reason == TRANSLATED and p.protocol == SCTP and be32(b, p.transport) != ports:
            reason = FRAGMENT
        if reason != TRANSLATED:
            self.fragments.refuse(row)
            return reason
        if p.version == 6 and self.translator.departed:
            # Hosts behind one address may choose the same number (RFC 7739 for how it is chosen).
            put32(
                b,
                p.fragment_header + FRAGMENT_IDENTIFICATION,
                self.translator.flows.generator.next() & M32,
            )
        parse(b, size, p)
        self.fragments.learn(
            row,
            self.translator.is_outbound,
            p.source_high,
            p.source_low,
            p.destination_high,
            p.destination_low,
            p.identification,
        )
        slot: u32 = self.fragments.next_held(row)
        while slot:
            size = self.packet_pool.copy_out(slot, self.scratch)
            self.packet_pool.drop(slot)
            parse(self.scratch, size, p)
            self.later_fragment(row, self.scratch, size)
            slot = self.packet_pool.store(self.scratch, size)
            if slot:
                self.output_queue.push(slot)
            slot = self.fragments.next_held(row)
        return TRANSLATED

    def later_fragment(self, row: u32, b: Bytes, size: u32) -> None:
        """Give it the addresses and the number that the first fragment got."""
        p: Packet = self.translator.packet
        readdress(b, p, SENDER, self.fragments.source_high(row), self.fragments.source_low(row))
        readdress(
            b,
            p,
            RECEIVER,
            self.fragments.destination_high(row),
            self.fragments.destination_low(row),
        )
        if p.version == 4:
            renumber(b, self.fragments.identification_of(row))
        else:
            put32(
                b,
                p.fragment_header + FRAGMENT_IDENTIFICATION,
                self.fragments.identification_of(row),
            )
        self.traffic.pass_on(self.fragments.outbound_of(row) != 0, size)
