"""External addresses that are the host's own too: which packets are given back to it.

What the host keeps by port never comes here.  ICMP has no ports, so all of it comes, and what the
NAT does not translate is the host's: it goes on as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import cython

if not cython.compiled:
    from ratsnake.wire.packet import IPPROTO_ICMP, Packet
    from ratsnake.wire.types import u32

    from ..tables.records import Octets, new_octets, release

from ..settings.scope import Scope

if TYPE_CHECKING:
    from ..settings.parts import External


class Sharing:
    """`active`: any address is shared."""

    shared: Octets

    def __init__(self, scope: Scope, externals: Sequence[External]) -> None:
        self.scope = scope
        self.shared = new_octets(len(externals))
        for row, external in enumerate(externals):
            self.shared[row] = external.shared
        self.active = any(external.shared for external in externals)

    def __dealloc__(self) -> None:
        release(self.shared)

    def may_be_hosts(self, p: Packet) -> bool:
        """Whether it is ICMP to a shared address, from somebody else."""
        # The number of an error is that of the packet it quotes.
        if p.version != 4 or (p.number != IPPROTO_ICMP and not p.is_error):
            return False
        row: u32 = self.scope.external_row(p.destination_high, p.destination_low)
        return (
            row != self.scope.externals
            and self.shared[row] != 0
            and not self.scope.is_external(p.source_high, p.source_low)
            and not self.scope.is_unroutable(p.source_high, p.source_low)
        )

    def is_query_from_inside(self, p: Packet) -> bool:
        """The LAN asks the host: nobody else behind the address could be meant."""
        return (
            p.is_error == 0
            and self.may_be_hosts(p)
            and self.scope.is_internal(p.source_high, p.source_low)
        )
