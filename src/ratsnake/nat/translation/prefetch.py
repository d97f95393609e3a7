"""What the packets of a batch will need, brought near before the first of them is translated.

With many sessions nearly every packet finds its index slot, session and mapping outside the caches,
one after the other.  Asked for in advance, those of a whole batch come at the same time.  It is a
guess and changes nothing: what is guessed wrong, or not at all, is fetched when it is needed.
"""

import cython

if not cython.compiled:
    from ratsnake.wire.byte_order import be16, be32, be64
    from ratsnake.wire.integer_types import MAPPED_IPV4, Bytes, u32, u64
    from ratsnake.wire.ipv4 import DESTINATION as DESTINATION4
    from ratsnake.wire.ipv4 import FRAGMENT_FIELD, MORE_OR_OFFSET, PROTOCOL_FIELD
    from ratsnake.wire.ipv4 import HEADER as HEADER4
    from ratsnake.wire.ipv4 import SOURCE as SOURCE4
    from ratsnake.wire.ipv6 import DESTINATION as DESTINATION6
    from ratsnake.wire.ipv6 import HEADER as HEADER6
    from ratsnake.wire.ipv6 import NEXT_HEADER
    from ratsnake.wire.ipv6 import SOURCE as SOURCE6
    from ratsnake.wire.packet_fields import IPPROTO_TCP, IPPROTO_UDP, TCP, UDP

    from ..tables.row_layouts import (
        Numbers,
        Octets,
        Sessions,
        Words,
        new_numbers,
        new_octets,
        new_words,
        prefetch_mapping,
        prefetch_session,
        release,
    )

    MOST = 64  # packets a batch may have
    WORTHWHILE = 4096  # sessions from which on it gains more than it costs
    UNKNOWN = 0
    OUTBOUND = 1
    INBOUND = 2

from .flow_lifecycle import Flows


class Prefetcher:
    tags: Numbers
    rows: Numbers
    ports: Numbers
    addresses: Words
    ways: Octets
    protocols: Octets

    def __init__(self, flows: Flows) -> None:
        self.flows = flows
        self.tags = new_numbers(MOST)
        self.rows = new_numbers(MOST)
        self.ports = new_numbers(MOST)
        self.addresses = new_words(4 * MOST)
        self.ways = new_octets(MOST)
        self.protocols = new_octets(MOST)

    def __dealloc__(self) -> None:
        release(self.tags)
        release(self.rows)
        release(self.ports)
        release(self.addresses)
        release(self.ways)
        release(self.protocols)

    def is_worthwhile(self) -> bool:
        return self.flows.sessions.count >= WORTHWHILE

    def note(self, b: Bytes, size: u32, k: u32) -> None:
        """The packet in b[:size], not checked yet, is number k of the batch; those from MOST on are
        not announced."""
        if size < HEADER4 + 4 or k >= MOST:
            return
        version: u32 = b[0] >> 4
        header: u32 = (b[0] & 15) * 4
        if version == 4 and header >= HEADER4 and size >= header + 4:
            if be16(b, FRAGMENT_FIELD) & MORE_OR_OFFSET == 0:
                self.announce(
                    k,
                    b[PROTOCOL_FIELD],
                    0,
                    MAPPED_IPV4 | be32(b, SOURCE4),
                    0,
                    MAPPED_IPV4 | be32(b, DESTINATION4),
                    be32(b, header),
                )
        elif version == 6 and size >= HEADER6 + 4:
            self.announce(
                k,
                b[NEXT_HEADER],
                be64(b, SOURCE6),
                be64(b, SOURCE6 + 8),
                be64(b, DESTINATION6),
                be64(b, DESTINATION6 + 8),
                be32(b, HEADER6),
            )

    def announce(
        self,
        k: u32,
        number: u32,
        source_high: u64,
        source_low: u64,
        destination_high: u64,
        destination_low: u64,
        ports: u32,
    ) -> None:
        """Have the index slot of a flow brought near; `ports` is source and destination port."""
        protocol: u32 = TCP
        if number == IPPROTO_UDP:
            protocol = UDP
        elif number != IPPROTO_TCP:
            return
        source_port: u32 = ports >> 16
        destination_port: u32 = ports & 0xFFFF
        external: u32 = self.flows.realm.external_row(destination_high, destination_low)
        tag: u32
        if external == self.flows.realm.externals:
            tag = self.flows.sessions.outbound_tag(
                protocol,
                source_high,
                source_low,
                source_port,
                destination_high,
                destination_low,
                destination_port,
            )
            self.ways[k] = OUTBOUND
            self.protocols[k] = protocol
            self.ports[k] = ports
            self.addresses[4 * k] = source_high
            self.addresses[4 * k + 1] = source_low
            self.addresses[4 * k + 2] = destination_high
            self.addresses[4 * k + 3] = destination_low
            self.flows.sessions.by_internal.announce(tag)
        else:
            tag = self.flows.sessions.inbound_tag(
                protocol, external, destination_port, source_high, source_low, source_port
            )
            self.ways[k] = INBOUND
            self.flows.sessions.by_external.announce(tag)
        self.tags[k] = tag

    def announce_new(self, k: u32) -> None:
        """Have what opens the session of outbound packet k brought near: where its host and a
        mapping it may have already are looked for."""
        high: u64 = self.addresses[4 * k]
        low: u64 = self.addresses[4 * k + 1]
        self.flows.hosts.index.announce(self.flows.hosts.tag_of(high, low))
        self.flows.mappings.by_internal.announce(
            self.flows.mappings.internal_tag(
                self.flows.host_policies.policy_of(self.protocols[k], high, low),
                high,
                low,
                self.ports[k] >> 16,
                self.addresses[4 * k + 2],
                self.addresses[4 * k + 3],
                self.ports[k] & 0xFFFF,
            )
        )

    def fetch(self, count: u32, now: u64) -> None:
        """Have the sessions and mappings of packets 0 to `count` - 1 brought near, and the
        neighbours of those sessions that will move within the ring of their timer.

        What was noted is forgotten then.
        """
        s: Sessions = self.flows.sessions.rows
        k: u32
        row: u32
        count = min(count, MOST)
        for k in range(count):
            row = 0
            if self.ways[k] == OUTBOUND:
                row = self.flows.sessions.by_internal.candidate(self.tags[k])
                if row == 0:
                    self.announce_new(k)
            elif self.ways[k] == INBOUND:
                row = self.flows.sessions.by_external.candidate(self.tags[k])
            self.ways[k] = UNKNOWN
            self.rows[k] = row
            if row:
                prefetch_session(s, row)
        for k in range(count):
            row = self.rows[k]
            if row:
                prefetch_mapping(self.flows.mappings.rows, s[row].mapping)
                if s[row].expires >> 10 != now + self.flows.timeouts[s[row].timer] >> 10:
                    prefetch_session(s, s[row].older)
                    prefetch_session(s, s[row].younger)
