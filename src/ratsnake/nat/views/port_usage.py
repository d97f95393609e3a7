"""How many ports are in use, by external address and protocol: copied, and told later."""

import cython

if not cython.compiled:
    from ratsnake.wire.integer_types import u32
    from ratsnake.wire.packet_fields import PROTOCOLS

    from ..tables.row_layouts import Numbers, new_numbers, release

from ratsnake.wire.packet_fields import OTHER

from ..translation.flow_lifecycle import Flows
from .packet_loop_call import PacketLoopCall
from .row_filter import RowFilter
from .row_tuples import PROTOCOL_NAMES, PortRow
from .table_pages import external_text


class PortPage(PacketLoopCall):
    """The ports of some external addresses, as far as address and protocol are wanted."""

    used: Numbers

    def __init__(self, flows: Flows, start: int, count: int, wanted: RowFilter) -> None:
        """At most `count` addresses from row `start` on."""
        self.flows = flows
        self.wanted = wanted
        self.first = min(start, flows.realm.externals)
        self.end = min(self.first + count, flows.realm.externals)
        self.used = new_numbers((self.end - self.first) * PROTOCOLS + 1)

    def __dealloc__(self) -> None:
        release(self.used)

    def run(self) -> None:
        row: u32
        protocol: u32
        for row in range(self.first, self.end):
            for protocol in range(PROTOCOLS):
                self.used[(row - self.first) * PROTOCOLS + protocol] = (
                    self.flows.allocator.pools.used_ports(
                        self.flows.allocator.pool_of(protocol, row)
                    )
                )

    def result(self) -> tuple[list[PortRow], int]:
        """The rows, and the address's row to go on with, 0 after the last."""
        row: u32
        protocol: u32
        size: u32
        rows = []
        for row in range(self.first, self.end):
            for protocol in range(OTHER):
                size = self.flows.allocator.positions.size(
                    self.flows.allocator.pool_of(protocol, row)
                )
                if size and self.wanted.has_ports(self.flows, protocol, row):
                    rows.append(
                        PortRow(
                            external_text(self.flows, row),
                            PROTOCOL_NAMES[protocol],
                            self.used[(row - self.first) * PROTOCOLS + protocol],
                            size,
                        )
                    )
        return rows, self.end if self.end < self.flows.realm.externals else 0
