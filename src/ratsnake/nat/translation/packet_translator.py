"""Whole packets, and first fragments: direction, session, rewrite.

A packet of a known session needs one look-up and its rewrite.  Everything else is decided in
`session_admission` (may it open a session?) and `icmp_error_translation`.
"""

from __future__ import annotations

import cython

if not cython.compiled:
    from ratsnake.wire.byte_order import be16
    from ratsnake.wire.integer_types import M16, M40, M48, Bytes, u32
    from ratsnake.wire.ip import parse
    from ratsnake.wire.ipv4 import DONT_FRAGMENT, FRAGMENT_FIELD
    from ratsnake.wire.packet_fields import (
        ICMP,
        OTHER,
        TCP,
        WHOLE,
        Packet,
        new_packet,
        release_packet,
    )

    from ..packets.header_rewrite import RECEIVER, SENDER, renumber, rewrite
    from ..packets.mss_clamping import clamp
    from ..rules.connection_states import (
        CLIENT,
        EVENTS,
        FLAG_SYN,
        INVALID,
        KINDS,
        OPEN,
        RST,
        SERVER,
        STATES,
        SYN,
        SYN_ACK,
    )
    from ..rules.connection_states import OTHER as SEGMENT
    from ..rules.drop_reasons import FILTERED, NO_MAPPING, SOURCE, TCP_FLAGS, TRANSLATED
    from ..rules.timeout_classes import ROOM, TCP_ESTABLISHED
    from ..tables.row_layouts import Mappings, Octets, Sessions, new_octets, release
    from ..tables.session_table import ANSWERED, INSIDE_SENT, OPENED_OUTSIDE
    from .icmp_error_translation import inbound_error, outbound_error, quoted_high, quoted_low
    from .session_admission import admit_inbound, admit_outbound
    from .tcp_reset_window import in_window, inside_sent, outside_synchronized

from ratsnake.wire.packet_fields import PROTOCOLS

from ..packets.ipv4_identification import Identifications
from ..rules.connection_states import event_table, opener_table, timer_table, transition_table
from ..settings.validated_settings import Settings
from .flow_lifecycle import Flows

# An MTU less these is a segment: IP and TCP header without options (RFC 9293 section 3.7.1).
HEADERS_4 = 40
HEADERS_6 = 60


class Translator:
    """Of the last packet `is_outbound` says whether it came from inside, `external` the row of the
    external address it went to, `session` the one it left in, `departed` whether it got an external
    source, and `intact` whether it is as it came."""

    packet: Packet
    transitions: Octets
    events: Octets
    openers: Octets
    timers: Octets

    def __init__(self, settings: Settings, seed: bytes) -> None:
        self.flows = Flows(settings, seed)
        self.identifications = Identifications(self.flows.generator)
        self.packet = new_packet()
        self.transitions = new_octets(STATES * 2 * EVENTS)
        for k, state in enumerate(transition_table()):
            self.transitions[k] = state
        self.events = new_octets(PROTOCOLS * KINDS)
        for k, event in enumerate(event_table()):
            self.events[k] = event
        self.openers = new_octets(PROTOCOLS * KINDS)
        for k, opens in enumerate(opener_table()):
            self.openers[k] = opens
        self.timers = new_octets(STATES)
        for k, timer in enumerate(timer_table()):
            self.timers[k] = timer
        self.most_ipv4 = settings.mtu - HEADERS_4 if settings.mtu else 0
        self.most_ipv6 = settings.mtu - HEADERS_6 if settings.mtu else 0
        self.inbound_refresh = settings.inbound_refresh
        self.clock = 0
        self.external = self.session = 0
        self.is_outbound = self.departed = False
        self.intact = True

    def __dealloc__(self) -> None:
        release_packet(self.packet)
        release(self.transitions)
        release(self.events)
        release(self.openers)
        release(self.timers)

    def route(self, b: Bytes, size: u32, partial: bool) -> u32:
        """Decide the direction: to an external address is inbound, all else outbound."""
        p: Packet = self.packet
        external: u32 = self.flows.realm.external_row(p.destination_high, p.destination_low)
        self.is_outbound = external == self.flows.realm.externals
        self.external = external
        self.session = 0
        self.departed = False
        self.intact = True
        if p.is_error:
            return self.error(b, size, partial)
        if self.is_outbound:
            return self.outbound(b, partial)
        if self.flows.realm.is_external(p.source_high, p.source_low):
            # Only `hairpin` makes such packets, and it makes them here.
            return SOURCE
        return self.inbound(b, size, external, partial)

    def error(self, b: Bytes, size: u32, partial: bool) -> u32:
        """An ICMP error; one about a hairpinned packet goes out and back in (RFC 5508 REQ-7)."""
        p: Packet = self.packet
        portless: bool = p.protocol == ICMP or p.protocol == OTHER
        reason: u32
        if self.is_outbound or self.flows.realm.is_internal(
            quoted_high(b, p, RECEIVER), quoted_low(b, p, RECEIVER)
        ):
            if portless:
                p.source_port = 0
            reason = outbound_error(self.flows, b, p, self.clock, partial)
            if reason != TRANSLATED:
                return reason
            self.intact = False
            self.renumber_outbound(b)
            if self.is_outbound:
                return TRANSLATED
            reason = parse(b, size, p)
            if reason != TRANSLATED:
                return reason
        elif not self.flows.realm.may_report(p.source_high, p.source_low):
            return SOURCE
        if portless:
            p.destination_port = 0
        return inbound_error(self.flows, b, p, self.clock, partial)

    def outbound(self, b: Bytes, partial: bool) -> u32:
        p: Packet = self.packet
        kind: u32 = p.protocol * KINDS + p.kind
        event: u32 = self.events[kind]
        if event == INVALID:
            return TCP_FLAGS
        if p.protocol == ICMP or p.protocol == OTHER:
            p.destination_port = 0
        s: Sessions = self.flows.sessions.rows
        i: u32 = self.flows.sessions.find_outbound(
            p.protocol,
            p.source_high,
            p.source_low,
            p.source_port,
            p.destination_high,
            p.destination_low,
            p.destination_port,
        )
        if (
            i
            and (s[i].expires <= self.clock or not s[i].flags & INSIDE_SENT)
            and not self.flows.meets(i, self.clock)
        ):
            i = 0
        if i == 0:
            i = admit_outbound(self.flows, p, self.openers[kind] != 0, self.clock)
            if i == 0:
                return self.flows.refusal
        self.session = i
        s[i].packets_out = s[i].packets_out + 1 & M40
        s[i].bytes_out = s[i].bytes_out + p.end & M48
        # A reset refuses what came in; it is no part in it (RFC 7857 section 7.1).
        if not s[i].flags & INSIDE_SENT and event != RST:
            self.flows.confirm(i)
        if p.protocol == TCP:
            # By the state from before the packet.
            inside_sent(s, i, b, p)
            if p.kind & FLAG_SYN and self.most_ipv4:
                self.clamp_segments(b, partial)
        if s[i].flags & INSIDE_SENT:
            self.advance(i, event, SERVER if s[i].flags & OPENED_OUTSIDE else CLIENT)
        self.intact = False
        m: Mappings = self.flows.mappings.rows
        mapping: u32 = s[i].mapping
        rewrite(
            b,
            p,
            SENDER,
            self.flows.realm.external_high[m[mapping].external],
            self.flows.realm.external_low[m[mapping].external],
            m[mapping].external_port,
            m[mapping].address_difference,
            m[mapping].port_difference,
            partial,
        )
        self.departed = True
        self.renumber_outbound(b)
        return TRANSLATED

    def renumber_outbound(self, b: Bytes) -> None:
        """Give a datagram that is or may be fragmented a number of the NAT's."""
        p: Packet = self.packet
        if p.version == 4 and (p.fragment != WHOLE or not be16(b, FRAGMENT_FIELD) & DONT_FRAGMENT):
            renumber(b, self.identifications.next())

    def inbound(self, b: Bytes, size: u32, external: u32, partial: bool) -> u32:
        p: Packet = self.packet
        kind: u32 = p.protocol * KINDS + p.kind
        event: u32 = self.events[kind]
        if event == INVALID:
            return TCP_FLAGS
        remote_port: u32 = p.source_port
        if p.protocol == ICMP or p.protocol == OTHER:
            remote_port = 0
        s: Sessions = self.flows.sessions.rows
        i: u32 = self.flows.sessions.find_inbound(
            p.protocol,
            external,
            p.destination_port,
            p.source_high,
            p.source_low,
            remote_port,
        )
        if (
            i
            and (s[i].expires <= self.clock or not s[i].flags & INSIDE_SENT)
            and not self.flows.meets(i, self.clock)
        ):
            i = 0
        if i == 0:
            if self.flows.realm.is_internal(p.source_high, p.source_low):
                return self.hairpin(b, size, external, partial)
            p.source_port = remote_port
            i = admit_inbound(self.flows, p, external, self.openers[kind] != 0, self.clock)
            if i == 0:
                return self.flows.refusal
        if not s[i].flags & (ANSWERED | OPENED_OUTSIDE):
            self.flows.answer(i)
        s[i].packets_in = s[i].packets_in + 1 & M40
        s[i].bytes_in = s[i].bytes_in + p.end & M48
        if event in (SYN, SYN_ACK):
            if p.protocol == TCP:
                outside_synchronized(s, i, b, p)
                if self.most_ipv4:
                    self.clamp_segments(b, partial)
            # It may be forged, and must not shorten a connection that may go on: what the inside
            # answers decides (RFC 5961 section 4).
            if s[i].timer == TCP_ESTABLISHED:
                event = SEGMENT
        # What outsiders send keeps a session alive only once the inside has taken part in it
        # (RFC 4787 REQ-6: otherwise anybody could hold a mapping open for ever).
        if (
            s[i].flags & INSIDE_SENT
            and (self.inbound_refresh or s[i].state != OPEN)
            and (event != RST or p.protocol != TCP or in_window(s, i, b, p))
        ):
            self.advance(i, event, CLIENT if s[i].flags & OPENED_OUTSIDE else SERVER)
        self.intact = False
        m: Mappings = self.flows.mappings.rows
        mapping: u32 = s[i].mapping
        rewrite(
            b,
            p,
            RECEIVER,
            self.flows.mappings.internal_high(mapping) if m[mapping].is_wide else 0,
            m[mapping].internal_low,
            m[mapping].internal_port,
            m[mapping].address_difference ^ M16,
            m[mapping].port_difference ^ M16,
            partial,
        )
        return TRANSLATED

    def hairpin(self, b: Bytes, size: u32, external: u32, partial: bool) -> u32:
        """From inside to an external endpoint: out and back in, so that the receiver sees the
        sender's external endpoint (RFC 4787 REQ-9a).

        No mapping is made for a packet to a port nobody has.
        """
        p: Packet = self.packet
        self.flows.expire(self.clock, ROOM)
        if (
            p.protocol != ICMP
            and not self.flows.allocator.is_used(p.protocol, external, p.destination_port)
            and not self.flows.forwards.claims(p.protocol, external, p.destination_port)
        ):
            return NO_MAPPING
        port: u32 = p.destination_port
        reason: u32 = self.outbound(b, partial)
        if reason != TRANSLATED:
            return reason
        m: Mappings = self.flows.mappings.rows
        mapping: u32 = self.flows.sessions.rows[self.session].mapping
        if (
            m[mapping].external == external
            and m[mapping].external_port == port
            and self.flows.policies.rows[m[mapping].policy].share
        ):
            # The sender now shares the very port it sends to, and nobody else has it toward it.
            return FILTERED
        reason = parse(b, size, p)
        if reason == TRANSLATED:
            reason = self.inbound(b, size, external, partial)
        return reason

    def opens(self) -> bool:
        """Whether the last packet may open a session."""
        p: Packet = self.packet
        return p.is_error == 0 and self.openers[p.protocol * KINDS + p.kind] != 0

    def advance(self, i: u32, event: u32, side: u32) -> None:
        """A packet of `side` was seen in session i: its state, and how long it lives on."""
        s: Sessions = self.flows.sessions.rows
        timer: u32 = s[i].timer
        if s[i].state != OPEN:
            state: u32 = self.transitions[(s[i].state * 2 + side) * EVENTS + event]
            # A reset that changes nothing must not keep a session alive (RFC 7857 section 7.1).
            if event == RST and state == s[i].state:
                return
            s[i].state = state
            timer = self.timers[state]
        self.flows.sessions.refresh(i, timer, self.clock + self.flows.timeouts[timer])

    def clamp_segments(self, b: Bytes, partial: bool) -> None:
        """Lower the MSS a SYN offers to what fits the way out."""
        p: Packet = self.packet
        most: u32 = self.most_ipv4 if p.version == 4 else self.most_ipv6
        clamp(b, p.transport, most, partial)
