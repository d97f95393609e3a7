"""The chains of older iptables, which is not nftables underneath: what its own program prints.

The kernel tells root whether there are any; without the program, or without root, no more.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from pathlib import Path

from .filter_chains import Chain, Effect, Packet, Table

#: By what nft calls the family: where the kernel lists the tables, and the programs.
_WHERE = {
    "ip": (Path("/proc/net/ip_tables_names"), "iptables-legacy-save", "iptables-legacy"),
    "ip6": (Path("/proc/net/ip6_tables_names"), "ip6tables-legacy-save", "ip6tables-legacy"),
}
_HOOKS = {
    "PREROUTING": "prerouting",
    "FORWARD": "forward",
    "POSTROUTING": "postrouting",
    "INPUT": "input",
    "OUTPUT": "output",
}
_TARGETS = {
    "ACCEPT": Effect.ACCEPT,
    "DROP": Effect.DROP,
    "REJECT": Effect.DROP,
    "RETURN": Effect.RETURN,
    "MASQUERADE": Effect.TRANSLATE,
    "SNAT": Effect.TRANSLATE,
    "NETMAP": Effect.TRANSLATE,
}
_SECONDS = 5.0
#: What is not asked of a packet: a comment, and options of matches and targets that are known here.
_ASIDE = {"--comment": 1, "--reject-with": 1, "--to-source": 1, "--to": 1, "--to-ports": 1}
_FLAGS = {"--invert", "--random", "--random-fully", "--persistent"}


@dataclass(frozen=True)
class IptablesRule:
    """`words` are those of `iptables -A`, from the chain's name on."""

    program: str
    table: str
    words: tuple[str, ...]

    def removal(self) -> str:
        return f"{self.program} -t {self.table} -D {shlex.join(self.words)}"

    def meets(self, packet: Packet) -> tuple[bool | None, Effect, str]:
        truth: bool | None = True
        effect, target = Effect.CONTINUE, ""
        negated = False
        words = iter(self.words[1:])
        for word in words:
            if word == "!":
                negated = True
                continue
            if word in ("-j", "-g"):
                target = next(words)
                chain = Effect.JUMP if word == "-j" else Effect.GOTO
                effect = _TARGETS.get(target, chain)
                continue
            asked = _asked(word, words, packet, "--invert" in self.words)
            if asked is False and not negated or asked is True and negated:
                return False, Effect.CONTINUE, ""
            truth = None if asked is None else truth
            negated = False
        return truth, effect, target


def iptables_tables(family: str) -> tuple[dict[tuple[str, str], Table], bool]:
    """The chains of each table, by "legacy" and its name; and whether some cannot be looked at."""
    names, save, program = _WHERE[family]
    try:
        if not names.read_text().split():
            return {}, False
    except OSError:  # no such kernel, or not for this user
        return {}, False
    found = shutil.which(save) or shutil.which(save, path="/usr/sbin:/sbin")
    if found is None:
        return {}, True
    try:
        saved = subprocess.run(
            [found], check=True, capture_output=True, text=True, timeout=_SECONDS
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return {}, True
    return parsed(saved, family, program), False


def parsed(saved: str, family: str, program: str) -> dict[tuple[str, str], Table]:
    """What iptables-save has printed."""
    rules: dict[tuple[str, str], list[IptablesRule]] = {}
    policies: dict[tuple[str, str], str] = {}
    table = ""
    for line in saved.splitlines():
        if line.startswith("*"):
            table = line[1:]
        elif line.startswith(":"):
            name, policy, *_ = line[1:].split()
            policies[table, name] = policy
        elif line.startswith("-A "):
            words = tuple(shlex.split(line)[1:])
            rules.setdefault((table, words[0]), []).append(IptablesRule(program, table, words))
    found: dict[tuple[str, str], dict[str, Chain]] = {}
    for (table, name), policy in policies.items():
        found.setdefault((family, table), {})[name] = Chain(
            family,
            table,
            name,
            tuple(rules.get((table, name), ())),
            hook=_HOOKS.get(name),
            kind="nat" if table == "nat" else "filter",
            drops=policy == "DROP",
        )
    return dict(found)


def _asked(word: str, words: Iterator[str], packet: Packet, inverted: bool) -> bool | None:
    """Whether the packet meets an option, None where that is not known."""
    if word in ("-i", "-o"):
        return _is(packet.into if word == "-i" else packet.out, next(words))
    if word in ("-s", "-d"):
        network = ip_network(next(words))
        source = packet.source if word == "-s" else None
        return not network.prefixlen if source is None else ip_address(source) in network
    if word == "-m":
        name = next(words)
        if name == "rpfilter" and not packet.is_answered_there:
            return inverted
        return True if name == "comment" else None
    if word in _ASIDE:
        next(words)
        return True
    return True if word in _FLAGS else None


def _is(name: str | None, asked: str) -> bool | None:
    if name is None:
        return None
    return name.startswith(asked[:-1]) if asked.endswith("+") else name == asked
