"""The guard: nothing with an inside source leaves by the WAN, whatever becomes of rules and routes.

A table of nftables of the run's own, which no `ip rule flush` touches, and which stays as long as
the rest of what the run has set up: also when the NAT and its keeper are killed.

It looks at what is about to leave, after anybody's source NAT, so another LAN that the kernel
masquerades passes.  It also lets pass

- what goes to a remote that is not translated by choice (--no-nat),
- what IPsec is going to encrypt, which a policy has chosen,
- what has an address of the WAN's own for its source, whatever that is at the time: the
  router's own packets, where its WAN's address is a private one.

What it has dropped is counted: a packet that came here is a sign that something is wrong.
"""

from __future__ import annotations

import errno
import re
from dataclasses import dataclass
from ipaddress import ip_network
from typing import TYPE_CHECKING

from .family import AnyNetwork
from .nft_expressions import (
    Verdict,
    count_in,
    counter,
    destination,
    is_encrypted,
    leaves_by,
    same,
    source,
    source_is_own_there,
    verdict,
)
from .nftables import Flag, Message, Part, attempt, attribute, commit, dump, text, word
from .nftables import attributes as read

if TYPE_CHECKING:
    from pyroute2 import IPRoute

    from .kernel_state import KernelState

_NAME = re.compile(r"ratsnake-(\d+)")
_LEAVING, _INSIDE = "leaving", "inside"  # the chains
_POSTROUTING = 4  # NF_INET_POST_ROUTING
_PRIORITY = 300  # source NAT is at 100
_ACCEPT = 1  # NF_ACCEPT
_DORMANT = 1  # NFT_TABLE_F_DORMANT
#: What a kernel says that lacks nf_tables, or an expression.
_LACKING = (
    errno.ENOENT,
    errno.EOPNOTSUPP,
    errno.EPROTONOSUPPORT,
    errno.EAFNOSUPPORT,
    errno.EINVAL,
)


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
        try:
            commit([(Message.DELTABLE, Flag.NOTHING, text(1, self._name))])
        except OSError as error:
            if error.errno != errno.ENOENT:
                raise

    def in_force(self, kernel: KernelState) -> bool:
        """Whether the kernel has it as it was made: nobody has removed or changed any of it."""
        asked = text(1, self._name)
        tables = [dict(read(one)) for one in dump(Message.GETTABLE)]
        if not any(
            table.get(1) == _zero_ended(self._name)
            and not int.from_bytes(table.get(2, b""), "big") & _DORMANT
            for table in tables
        ):
            return False
        hooks = [
            chain
            for chain in map(dict, map(read, dump(Message.GETCHAIN, asked)))
            if chain.get(1) == _zero_ended(self._name) and 4 in chain  # NFTA_CHAIN_HOOK
        ]
        if [chain.get(3) for chain in hooks] != [_zero_ended(_LEAVING)]:
            return False
        wanted = {_LEAVING: self._leaving(), _INSIDE: self._inside()}
        found: dict[str, list[bytes]] = {chain: [] for chain in wanted}
        for chain, rule in _rules(self._name):
            found.setdefault(chain, []).append(rule)
        return found.keys() == wanted.keys() and all(
            len(found[chain]) == len(rules)
            and all(same(there, rule) for there, (_, rule) in zip(found[chain], rules, strict=True))
            for chain, rules in wanted.items()
        )

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
        table = text(1, self._name)
        hook = word(1, _POSTROUTING) + word(2, _PRIORITY)
        first = attribute(4, hook) + word(5, _ACCEPT) + text(7, "filter")
        rules = [(_LEAVING, rule) for _, rule in self._leaving()]
        rules += [(_INSIDE, rule) for _, rule in self._inside(packets, octets)]
        return [
            (Message.NEWTABLE, Flag.CREATE, table),
            (Message.DELTABLE, Flag.NOTHING, table),
            (Message.NEWTABLE, Flag.CREATE, table),
            (Message.NEWCHAIN, Flag.CREATE, table + text(3, _LEAVING) + first),
            (Message.NEWCHAIN, Flag.CREATE, table + text(3, _INSIDE)),
            *(
                (Message.NEWRULE, Flag.APPEND, table + text(2, chain) + attribute(4, rule))
                for chain, rule in rules
            ),
        ]

    def lack(self) -> str | None:
        """Why this kernel cannot have it, None if it can; nothing is changed."""
        try:
            attempt(self._parts())
        except OSError as error:
            if error.errno in _LACKING:
                return str(error.strerror)
        return None


def dropped_by(number: int) -> tuple[int, int] | None:
    """Packets and octets that the guard of that run has dropped; None where it is not there.

    Needs CAP_NET_ADMIN; raises OSError.
    """
    for chain, rule in _rules(f"ratsnake-{number}"):
        count = count_in(rule)
        if chain == _INSIDE and count is not None:
            return count
    return None


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
    try:
        tables = [dict(read(table)) for table in dump(Message.GETTABLE)]
    except OSError:  # no nf_tables, or no privilege
        return frozenset()
    names = [table.get(1, b"")[:-1].decode() for table in tables]
    return frozenset(int(found[1]) for found in map(_NAME.fullmatch, names) if found)


def _rules(table: str) -> list[tuple[str, bytes]]:
    """The chain and the expressions of each rule of the table, in their order."""
    found = []
    for rule in map(dict, map(read, dump(Message.GETRULE, text(1, table)))):
        if rule.get(1) == _zero_ended(table):  # an old kernel tells all tables' rules
            found.append((rule.get(2, b"")[:-1].decode(), rule.get(4, b"")))
    return found


def _ip(prefix: AnyNetwork) -> str:
    return "ip" if prefix.version == 4 else "ip6"


def _zero_ended(name: str) -> bytes:
    return name.encode() + b"\0"
