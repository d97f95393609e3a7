"""What a run's tables of nftables have counted; read without pyroute2, as often as one likes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..nftables.socket_match import SocketMatch
from ..nftables.source_guard import Guard, dropped_by

if TYPE_CHECKING:
    from ..installation.install_changes import Installed


@dataclass(frozen=True)
class PacketCounts:
    """`guard_dropped`: with an inside source, about to leave by the WAN.  `own_sockets`: to a
    shared address, for a socket of the host."""

    guard_dropped: int = 0
    own_sockets: int = 0

    def since(self, before: PacketCounts) -> PacketCounts:
        """How many have come since then; a table that was made anew meanwhile has begun at 0."""
        return PacketCounts(
            _grown(before.guard_dropped, self.guard_dropped),
            _grown(before.own_sockets, self.own_sockets),
        )

    def __add__(self, more: PacketCounts) -> PacketCounts:
        return PacketCounts(
            self.guard_dropped + more.guard_dropped, self.own_sockets + more.own_sockets
        )


def packet_counts(installed: Installed) -> PacketCounts:
    """Those there are now.  Needs CAP_NET_ADMIN; raises OSError."""
    changes = [change for change, _ in installed.done]
    guarded = [dropped_by(one.number) or (0, 0) for one in changes if isinstance(one, Guard)]
    matched = [one.matched() for one in changes if isinstance(one, SocketMatch)]
    return PacketCounts(sum(packets for packets, _ in guarded), sum(matched))


def _grown(before: int, now: int) -> int:
    return now - before if now >= before else now
