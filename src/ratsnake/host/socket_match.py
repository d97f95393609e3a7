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

import errno
import re
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_network
from typing import TYPE_CHECKING

from .nft_expressions import count_in, counter, destination, has_socket, mark, same
from .nftables import Flag, Message, Part, attempt, attribute, attributes, commit, dump, text, word

if TYPE_CHECKING:
    from pyroute2 import IPRoute

#: The bit; none that other software is known to use.
MARK = 0x08000000

_NAME = re.compile(r"ratsnake-sockets-(\d+)-([\d.]+)")
_ALL_BITS = 0xFFFFFFFF
_ACCEPT = 1  # NF_ACCEPT
_DORMANT = 1  # NFT_TABLE_F_DORMANT
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
        """Be there, at once in the place of what is there."""
        commit(self._parts())

    def undo(self, netlink: IPRoute, before: str | None) -> None:
        try:
            commit([(Message.DELTABLE, Flag.NOTHING, text(1, self.table))])
        except OSError as error:
            if error.errno != errno.ENOENT:
                raise

    def lack(self) -> str | None:
        """Why this kernel cannot have it, None if it can; nothing is changed."""
        try:
            attempt(self._parts())
        except OSError as error:
            if error.errno != errno.EPERM:
                return str(error.strerror)
        return None

    def renew(self, netlink: IPRoute, before: str | None) -> str | None:
        self.apply(netlink)
        return before

    def in_force(self, kernel: object) -> bool:
        """Whether the kernel has it as it was made."""
        there = [
            dict(attributes(one))
            for one in dump(Message.GETTABLE, b"")
            if _name_in(dict(attributes(one))) == self.table
        ]
        if not there or int.from_bytes(there[0].get(2, b""), "big") & _DORMANT:
            return False
        found = self._found()
        return found.keys() == _HOOKS.keys() and all(
            len(found[chain]) == 1 and same(found[chain][0], rule)
            for chain, (_, rule) in self._rules().items()
        )

    def matched(self) -> int:
        """How many packets have been marked; 0 where it is not there.  Needs CAP_NET_ADMIN; raises
        OSError."""
        counts = [count_in(rule) for rule in self._found().get(_PREROUTING, ())]
        return sum(count[0] for count in counts if count is not None)

    def _rules(self) -> dict[str, tuple[str, bytes]]:
        """The rule of each chain, as nft(8) writes it and as the kernel takes it."""
        to_address = destination(ip_network(self.address))
        return {
            _PREROUTING: (
                f"ip daddr {self.address} socket transparent 0 counter"
                f" meta mark set meta mark | {MARK:#x}",
                to_address + has_socket() + counter() + mark(_ALL_BITS ^ MARK, MARK),
            ),
            _INPUT: (
                f"meta mark set meta mark & {MARK ^ _ALL_BITS:#x}",
                mark(_ALL_BITS ^ MARK, 0),
            ),
        }

    def _parts(self) -> list[Part]:
        table = text(1, self.table)
        parts: list[Part] = [
            (Message.NEWTABLE, Flag.CREATE, table),
            (Message.DELTABLE, Flag.NOTHING, table),
            (Message.NEWTABLE, Flag.CREATE, table),
        ]
        for chain, (_, rule) in self._rules().items():
            number, priority = _HOOKS[chain]
            hook = attribute(4, word(1, number) + word(2, priority))
            made = table + text(3, chain) + hook + word(5, _ACCEPT) + text(7, "filter")
            parts.append((Message.NEWCHAIN, Flag.CREATE, made))
            parts.append(
                (Message.NEWRULE, Flag.APPEND, table + text(2, chain) + attribute(4, rule))
            )
        return parts

    def _found(self) -> dict[str, list[bytes]]:
        """The kernel's rules of the table, by chain."""
        found: dict[str, list[bytes]] = {}
        for rule in map(dict, map(attributes, dump(Message.GETRULE, text(1, self.table)))):
            if _name_in(rule) == self.table:  # an old kernel tells all tables' rules
                found.setdefault(rule.get(2, b"")[:-1].decode(), []).append(rule.get(4, b""))
        return found


def socket_matches() -> tuple[SocketMatch, ...]:
    """Those that are there, of all runs, whether they live or not."""
    try:
        names = [_name_in(dict(attributes(table))) for table in dump(Message.GETTABLE, b"")]
    except OSError:  # no nf_tables, or no privilege
        return ()
    found = filter(None, map(_NAME.fullmatch, names))
    return tuple(SocketMatch(int(one[1]), IPv4Address(one[2])) for one in found)


def _name_in(attributes_: dict[int, bytes]) -> str:
    """The table's name (NFTA_TABLE_NAME, NFTA_RULE_TABLE)."""
    return attributes_.get(1, b"")[:-1].decode(errors="replace")
