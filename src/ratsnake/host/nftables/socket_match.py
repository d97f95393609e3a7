"""Packets for sockets of the host on a shared address are told apart by the kernel itself.

Rules can tell by ports what is the host's (`sharing`), but not which ports its programs will take:
a resolver takes random ones for each query.  So nftables looks up the socket of each packet that is
sent to the address, as the kernel does afterwards anyway, and marks those that have one; the NAT's
rules want packets without that mark.  Nobody has to watch sockets for that, and no packet is lost.
Of TCP and UDP only, with ICMP errors about them, which is what nftables can look up (nft(8),
"socket expression").

The mark is one bit.  It is set behind destination NAT, so that a port that the host forwards by
rules of its own stays its own, and is taken away when the packet has been routed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_network
from typing import TYPE_CHECKING

from . import nft_table
from .nft_expressions import count_in, counter, destination, has_socket, mark
from .nft_messages import Part, commit

if TYPE_CHECKING:
    from pyroute2 import IPRoute

#: The bit; none that other software is known to use.
MARK = 0x08000000

_NAME = re.compile(r"ratsnake-sockets-(\d+)-([\d.]+)")
_ALL_BITS = 0xFFFFFFFF
_PREROUTING, _INPUT = "prerouting", "input"  # the chains
#: The hook of each (NF_INET_…) and its priority: behind destination NAT, which is at -100, and
#: before all that is the kernel's own, which begins at -300.
_HOOKS = {_PREROUTING: (0, -90), _INPUT: (1, -310)}


@dataclass(frozen=True)
class SocketMatch:
    """The mark is set on packets to the address that a socket of the host waits for.

    `number` is the run's; each of its addresses has a table of its own.
    """

    number: int
    address: IPv4Address

    def __str__(self) -> str:
        chains = "; ".join(
            f"chain {chain} {{ type filter hook {chain} priority {_HOOKS[chain][1]}; {words}; }}"
            for chain, (words, _) in self._rules().items()
        )
        return f"nft 'table inet {self.table} {{ {chains}; }}'"

    @property
    def table(self) -> str:
        return f"ratsnake-sockets-{self.number}-{self.address}"

    def apply(self, netlink: IPRoute) -> None:
        """Be there, at once in the place of what is there; what that has counted goes on."""
        commit(self._parts(*self._counted()))

    def undo(self, netlink: IPRoute, before: str | None) -> None:
        nft_table.remove(self.table)

    def lack(self) -> str | None:
        """Why this kernel cannot have it, None if it can; nothing is changed."""
        return nft_table.lack(self._parts())

    def renew(self, netlink: IPRoute, before: str | None) -> str | None:
        self.apply(netlink)
        return before

    def in_force(self, kernel: object) -> bool:
        """Whether the kernel has it as it was made."""
        rules = {chain: [rule] for chain, (_, rule) in self._rules().items()}
        return nft_table.is_in_force(self.table, rules, _HOOKS)

    def matched(self) -> int:
        """How many packets have been marked; 0 where it is not there.  Needs CAP_NET_ADMIN; raises
        OSError."""
        return self._counted()[0]

    def _counted(self) -> tuple[int, int]:
        """Packets and octets."""
        counts = map(count_in, nft_table.rules(self.table).get(_PREROUTING, ()))
        return next((count for count in counts if count is not None), (0, 0))

    def _rules(self, packets: int = 0, octets: int = 0) -> dict[str, tuple[str, bytes]]:
        """The rule of each chain, as nft(8) writes it and as the kernel takes it."""
        to_address = destination(ip_network(self.address))
        return {
            _PREROUTING: (
                f"ip daddr {self.address} socket transparent 0 counter"
                f" meta mark set meta mark | {MARK:#x}",
                to_address + has_socket() + counter(packets, octets) + mark(_ALL_BITS ^ MARK, MARK),
            ),
            _INPUT: (
                f"meta mark set meta mark & {MARK ^ _ALL_BITS:#x}",
                mark(_ALL_BITS ^ MARK, 0),
            ),
        }

    def _parts(self, packets: int = 0, octets: int = 0) -> list[Part]:
        rules = self._rules(packets, octets)
        return [
            *nft_table.made_anew(self.table),
            *(nft_table.chain(self.table, chain, _HOOKS[chain]) for chain in rules),
            *(nft_table.rule(self.table, chain, rule) for chain, (_, rule) in rules.items()),
        ]


def socket_matches() -> tuple[SocketMatch, ...]:
    """Those that are there, of all runs, whether they live or not."""
    found = filter(None, map(_NAME.fullmatch, nft_table.names()))
    return tuple(SocketMatch(int(one[1]), IPv4Address(one[2])) for one in found)
