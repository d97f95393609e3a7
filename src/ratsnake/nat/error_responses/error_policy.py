"""Who is told about a packet that was refused, and how often.

- A flow that found no room: its internal host, at once (RFC 5508 REQ-8, RFC 6888 REQ-11B).
- A TCP SYN from outside that nobody waited for: its sender, after 6 s (RFC 5382 REQ-4).
- A packet whose hops are used up: its sender (RFC 1812 section 5.3.1, RFC 4443 section 3.3).

No more answers leave than the limit allows, to the inside and to the outside each.
"""

import cython

if not cython.compiled:
    from ratsnake.wire.integer_types import Bytes, u32, u64
    from ratsnake.wire.packet_fields import LATER, TCP, Packet

    from ..rules.drop_reasons import FILTERED, NO_MAPPING, REASONS_COUNT
    from ..tables.row_layouts import Mappings, Octets, Sessions, new_octets, release
    from .icmp_errors import (
        ERROR_SIZE,
        HOST_UNREACHABLE,
        NO_ROUTE,
        PORT_UNREACHABLE,
        PROHIBITED,
        TIME_EXCEEDED,
        error_about,
    )

from ..packets.output_queue import OutputQueue
from ..packets.packet_pool import PacketPool
from ..rules.drop_reasons import WITHOUT_RESOURCES
from ..settings.address_realm import AddressRealm
from ..settings.setting_types import NoResources, UnsolicitedSyn
from ..settings.validated_settings import Settings
from ..tables.hash_secret import Secret
from ..translation.flow_lifecycle import Flows
from .token_bucket import TokenBucket
from .unsolicited_syns import UnsolicitedSyns

HELD_SYNS = 1024


class ErrorPolicy:
    told: Octets
    error: Octets
    kept: Octets

    def __init__(
        self,
        settings: Settings,
        realm: AddressRealm,
        packet_pool: PacketPool,
        output_queue: OutputQueue,
        secret: Secret,
    ) -> None:
        self.realm = realm
        self.packet_pool = packet_pool
        self.output_queue = output_queue
        rate = settings.limits.icmp_errors
        # What outsiders do must not use up what the inside is told.
        self.inside = TokenBucket(max(1, rate), max(1, rate))
        self.outside = TokenBucket(max(1, rate), max(1, rate))
        self.muted = rate == 0
        self.hold_syns = settings.unsolicited_syn is UnsolicitedSyn.ICMP and not self.muted
        self.syns = UnsolicitedSyns(HELD_SYNS, secret)
        self.refused = (
            PROHIBITED if settings.no_resources is NoResources.PROHIBITED else HOST_UNREACHABLE
        )
        # Which reasons the inside is told about.
        self.told = new_octets(REASONS_COUNT)
        for reason in WITHOUT_RESOURCES:
            self.told[reason] = settings.no_resources is not NoResources.DROP
        self.error = new_octets(ERROR_SIZE)
        self.kept = new_octets(ERROR_SIZE)
        self.source_ipv4 = self.source_ipv6 = 0
        for row in range(realm.externals - 1, -1, -1):
            if realm.external_high[row] == 0:
                self.source_ipv4 = row + 1
            else:
                self.source_ipv6 = row + 1
        self.sent = 0

    def __dealloc__(self) -> None:
        release(self.told)
        release(self.error)
        release(self.kept)

    def refuse_outbound(self, b: Bytes, p: Packet, reason: u32, now: u64) -> None:
        """An outbound packet, still as it came, was dropped for this reason."""
        if self.told[reason]:
            self.send(b, p, self.refused, self.row_for(p.version), now)

    def refuse_inbound(self, b: Bytes, p: Packet, reason: u32, external: u32, now: u64) -> None:
        """A packet to an external address that would open a session, still as it came, was
        dropped for this reason."""
        if not self.hold_syns or p.protocol != TCP:
            return
        if self.realm.is_internal(p.source_high, p.source_low):
            return
        if reason in (NO_MAPPING, FILTERED):
            self.syns.hold(
                external,
                p.destination_port,
                p.source_high,
                p.source_low,
                p.source_port,
                b,
                p.end,
                p.transport,
                now,
            )

    def connecting(self, flows: Flows, i: u32) -> None:
        """A segment of session i went out: if it is one side of a simultaneous open, the SYN that
        came from the other needs no answer."""
        s: Sessions = flows.sessions.rows
        m: Mappings = flows.mappings.rows
        self.syns.cancel(
            m[s[i].mapping].external,
            m[s[i].mapping].external_port,
            flows.sessions.remote_high(i),
            s[i].remote_low,
            s[i].remote_port,
        )

    def hops_used_up(self, b: Bytes, p: Packet, now: u64) -> None:
        self.send(b, p, TIME_EXCEEDED, self.row_for(p.version), now)

    def no_way(self, b: Bytes, p: Packet, now: u64) -> None:
        """An outbound packet has an address that prefix translation cannot map (RFC 6296
        section 3.2)."""
        self.send(b, p, NO_ROUTE, self.row_for(p.version), now)

    def row_for(self, version: u32) -> u32:
        """One more than the row of the external address that answers, or 0 if there is none."""
        return self.source_ipv4 if version == 4 else self.source_ipv6

    def send(self, b: Bytes, p: Packet, reply: u32, row: u32, now: u64) -> None:
        if row == 0 or self.muted:
            return
        size: u32 = error_about(
            b,
            p.end,
            p.transport,
            p.is_error != 0,
            p.fragment == LATER,
            reply,
            self.realm.external_high[row - 1],
            self.realm.external_low[row - 1],
            self.error,
        )
        if size == 0:
            return
        if self.realm.is_internal(p.source_high, p.source_low):
            if self.inside.take(now):
                self.push(size)
        elif self.outside.take(now):
            self.push(size)

    def push(self, size: u32) -> None:
        """Send what is in `error`."""
        slot: u32
        if size:
            slot = self.packet_pool.store(self.error, size)
            if slot:
                self.output_queue.push(slot)
                self.sent += 1

    def answer_syns(self, now: u64) -> None:
        """Answer the SYNs that have waited long enough."""
        size: u32 = self.syns.next_due(now, self.kept)
        external: u32
        while size:
            external = self.syns.external
            if self.outside.take(now):
                self.push(
                    error_about(
                        self.kept,
                        size,
                        self.syns.transport,
                        False,
                        False,
                        PORT_UNREACHABLE,
                        self.realm.external_high[external],
                        self.realm.external_low[external],
                        self.error,
                    )
                )
            size = self.syns.next_due(now, self.kept)
