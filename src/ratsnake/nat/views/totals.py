"""What is counted of a NAT as a whole: its traffic, its drops, and what of it is in use."""

from typing import Any

import cython

if not cython.compiled:
    from ratsnake.wire.integer_types import u32
    from ratsnake.wire.packet_fields import PROTOCOLS

    from ..rules.drop_reasons import FRAGMENT_HELD, REASONS_COUNT
    from ..tables.row_layouts import Words, new_words, release

from ratsnake.wire.packet_fields import OTHER

from ..error_responses.error_policy import ErrorPolicy
from ..rules.drop_reasons import REASONS
from ..translation.flow_lifecycle import Flows
from .packet_loop_call import PacketLoopCall
from .row_tuples import PROTOCOL_NAMES
from .traffic_counters import Traffic


class Totals(PacketLoopCall):
    drops: Words
    used: Words
    ports: Words

    def __init__(self, flows: Flows, error_policy: ErrorPolicy, traffic: Traffic) -> None:
        self.flows = flows
        self.error_policy = error_policy
        self.traffic = traffic
        self.drops = new_words(REASONS_COUNT)
        self.used = new_words(PROTOCOLS)
        self.ports = new_words(PROTOCOLS)
        self.packets_out = self.bytes_out = self.packets_in = self.bytes_in = self.sent = 0
        self.mappings = self.sessions = self.inbound_sessions = self.hosts = 0
        self.made = self.opened = self.gave_way = 0

    def __dealloc__(self) -> None:
        release(self.drops)
        release(self.used)
        release(self.ports)

    def run(self) -> None:
        protocol: u32
        row: u32
        pool: u32
        reason: u32
        for reason in range(REASONS_COUNT):
            self.drops[reason] = self.traffic.drops[reason]
        self.packets_out = self.traffic.packets_out
        self.bytes_out = self.traffic.bytes_out
        self.packets_in = self.traffic.packets_in
        self.bytes_in = self.traffic.bytes_in
        self.sent = self.error_policy.sent
        self.mappings = self.flows.mappings.count
        self.sessions = self.flows.sessions.count
        self.inbound_sessions = self.flows.inbound_sessions
        self.hosts = self.flows.hosts.count
        self.made = self.flows.mappings.entered
        self.opened = self.flows.sessions.entered
        self.gave_way = self.flows.gave_way
        for protocol in range(PROTOCOLS):
            self.used[protocol] = self.ports[protocol] = 0
            for row in range(self.flows.realm.externals):
                pool = self.flows.allocator.pool_of(protocol, row)
                self.used[protocol] += self.flows.allocator.pools.used_ports(pool)
                self.ports[protocol] += self.flows.allocator.positions.size(pool)

    def counters(self) -> dict[str, Any]:
        """Packets and bytes translated in each direction, packets dropped by reason, and what was
        made in all."""
        dropped = {reason.name: self.drops[code] for code, reason in enumerate(REASONS) if code}
        return {
            "outbound": {"packets": self.packets_out, "bytes": self.bytes_out},
            "inbound": {"packets": self.packets_in, "bytes": self.bytes_in},
            "icmp_errors_sent": self.sent,
            # Fragments that wait are no loss; those whose first fragment does not come are dropped
            # with the datagram, which nothing counts again.
            "fragments_held": dropped.pop(REASONS[FRAGMENT_HELD].name),
            "dropped": dropped,
            "mappings_made": self.made,
            "sessions_opened": self.opened,
            "gave_way": self.gave_way,
        }

    def host_mappings(self) -> dict[str, int]:
        """The mappings of each protocol that one internal host may have."""
        most = min(self.flows.host_mappings, self.flows.mappings.capacity)
        return {
            name: min(most, self.flows.host_share[protocol])
            for protocol, name in enumerate(PROTOCOL_NAMES)
        }

    def usage(self) -> dict[str, Any]:
        """Rows in use, and by protocol with ports those of all external addresses that have
        mappings, beside their limits."""
        return {
            "mappings": self.mappings,
            "sessions": self.sessions,
            "inbound_sessions": self.inbound_sessions,
            "hosts": self.hosts,
            "limits": {
                "mappings": self.flows.mappings.capacity,
                "sessions": self.flows.sessions.capacity,
                "inbound_sessions": self.flows.inbound_limit,
                "host_mappings": self.host_mappings(),
                "host_sessions": min(self.flows.host_sessions, self.flows.sessions.capacity),
                "host_rate": self.flows.host_rate,
            },
            "ports": {
                name: {"used": self.used[protocol], "total": self.ports[protocol]}
                for protocol, name in enumerate(PROTOCOL_NAMES)
                if protocol != OTHER
            },
        }
