"""The guard: nothing with an inside source leaves by the WAN, whatever becomes of rules and routes.

A table of nftables of the run's own, which no `ip rule flush` touches, and which stays as long as
the rest of what the run has set up: also when the NAT and its helper are killed.

It looks at what is about to leave, after anybody's source NAT, so another LAN that the kernel
masquerades passes.  It also lets pass

- what goes to a remote that is not translated by choice (--no-nat),
- what IPsec is going to encrypt, which a policy has chosen,
- what has an address of the WAN's own for its source, whatever that is at the time: the
  router's own packets, where its WAN's address is a private one.

What it has dropped is counted: a packet that came here is a sign that something is wrong.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_network
from typing import TYPE_CHECKING

from ..kernel.ip_family import AnyNetwork
from . import nft_table
from .nft_expressions import (
    Verdict,
    count_in,
    counter,
    destination,
    is_encrypted,
    leaves_by,
    source,
    source_is_own_there,
    verdict,
)
from .nft_messages import Part, commit

if TYPE_CHECKING:
    from pyroute2 import IPRoute

    from ..kernel.kernel_state import KernelState

_NAME = re.compile(r"ratsnake-(\d+)")
_LEAVING, _INSIDE = "leaving", "inside"  # the chains
_POSTROUTING = 4  # NF_INET_POST_ROUTING
_PRIORITY = 300  # source NAT is at 100


@dataclass(frozen=True)
class Guard:
    """For run `number`: the interface, the prefixes that do not leave by it, and the remotes that
    they may reach all the same."""

    number: int
    wan: str
    inside: tuple[str, ...]
    untranslated: tuple[str, ...] = ()

    def __str__(self) -> str:
        chains = "; ".join(
            f"chain {chain} {{ {'; '.join((*head, *(words for words, _ in rules)))}; }}"
            for chain, head, rules in (
                (
                    _LEAVING,
                    (f"type filter hook postrouting priority {_PRIORITY}", "policy accept"),
                    self._leaving(),
                ),
                (_INSIDE, (), self._inside()),
            )
        )
        return f"nft 'table inet {self._name} {{ {chains}; }}'"

    @property
    def place(self) -> str:
        """Where only one guard can be."""
        return self._name

    def apply(self, netlink: IPRoute) -> None:
        """Be there, at once in the place of what is there; what that has counted goes on."""
        commit(self._parts(*(dropped_by(self.number) or (0, 0))))

    def replace(self, netlink: IPRoute) -> None:
        self.apply(netlink)

    def undo(self, netlink: IPRoute, before: str | None) -> None:
        nft_table.remove(self._name)

    def in_force(self, kernel: KernelState) -> bool:
        """Whether the kernel has it as it was made: nobody has removed or changed any of it."""
        wanted = {_LEAVING: self._leaving(), _INSIDE: self._inside()}
        rules = {chain: [rule for _, rule in pairs] for chain, pairs in wanted.items()}
        return nft_table.is_in_force(self._name, rules, (_LEAVING,))

    def renew(self, netlink: IPRoute, before: str | None) -> str | None:
        self.apply(netlink)
        return before

    @property
    def _name(self) -> str:
        return f"ratsnake-{self.number}"

    def _leaving(self) -> list[tuple[str, bytes]]:
        """The rules of the first chain, as nft(8) writes them and as the kernel takes them."""
        return [
            (
                f'oifname "{self.wan}" {_ip(prefix)} saddr {prefix} goto {_INSIDE}',
                leaves_by(self.wan) + source(prefix) + verdict(Verdict.GOTO, _INSIDE),
            )
            for prefix in map(ip_network, self.inside)
        ]

    def _inside(self, packets: int = 0, octets: int = 0) -> list[tuple[str, bytes]]:
        passes = verdict(Verdict.RETURN)
        return [
            *(
                (f"{_ip(prefix)} daddr {prefix} return", destination(prefix) + passes)
                for prefix in map(ip_network, self.untranslated)
            ),
            ("rt ipsec exists return", is_encrypted() + passes),
            ("fib saddr . oif type local return", source_is_own_there() + passes),
            ("counter drop", counter(packets, octets) + verdict(Verdict.DROP)),
        ]

    def _parts(self, packets: int = 0, octets: int = 0) -> list[Part]:
        rules = [(_LEAVING, rule) for _, rule in self._leaving()]
        rules += [(_INSIDE, rule) for _, rule in self._inside(packets, octets)]
        return [
            *nft_table.made_anew(self._name),
            nft_table.chain(self._name, _LEAVING, (_POSTROUTING, _PRIORITY)),
            nft_table.chain(self._name, _INSIDE),
            *(nft_table.rule(self._name, chain, rule) for chain, rule in rules),
        ]

    def lack(self) -> str | None:
        """Why this kernel cannot have it, None if it can; nothing is changed."""
        return nft_table.lack(self._parts())


def dropped_by(number: int) -> tuple[int, int] | None:
    """Packets and octets that the guard of that run has dropped; None where it is not there.

    Needs CAP_NET_ADMIN; raises OSError.
    """
    counts = map(count_in, nft_table.rules(f"ratsnake-{number}").get(_INSIDE, ()))
    return next((count for count in counts if count is not None), None)


@dataclass(frozen=True)
class GuardRemoval:
    """The guard of a dead run goes."""

    number: int

    def __str__(self) -> str:
        return f"nft delete table inet ratsnake-{self.number}"

    def apply(self, netlink: IPRoute) -> None:
        Guard(self.number, "", ()).undo(netlink, None)


def guards() -> frozenset[int]:
    """The numbers of the runs that have a guard, whether they live or not."""
    found = map(_NAME.fullmatch, nft_table.names())
    return frozenset(int(one[1]) for one in found if one)


def _ip(prefix: AnyNetwork) -> str:
    return "ip" if prefix.version == 4 else "ip6"
