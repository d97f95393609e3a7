"""External addresses that are the host's own too: which packets are given back to it.

What the host keeps by port never comes here.  ICMP has no ports, so all of it comes, and what the
NAT does not translate is the host's: it goes on as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import cython

if not cython.compiled:
    from ratsnake.wire.integer_types import u32
    from ratsnake.wire.packet_fields import IPPROTO_ICMP, Packet

    from ..tables.row_layouts import Octets, new_octets, release

from ..settings.address_realm import AddressRealm

if TYPE_CHECKING:
    from ..settings.setting_types import External


class Sharing:
    """`active`: any address is shared."""

    shared: Octets

    def __init__(self, realm: AddressRealm, externals: Sequence[External]) -> None:
        self.realm = realm
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
        row: u32 = self.realm.external_row(p.destination_high, p.destination_low)
        return (
            row != self.realm.externals
            and self.shared[row] != 0
            and not self.realm.is_external(p.source_high, p.source_low)
            and not self.realm.is_unroutable(p.source_high, p.source_low)
        )

    def is_query_from_inside(self, p: Packet) -> bool:
        """The LAN asks the host: nobody else behind the address could be meant."""
        return (
            p.is_error == 0
            and self.may_be_hosts(p)
            and self.realm.is_internal(p.source_high, p.source_low)
        )
