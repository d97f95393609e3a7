"""Chains of a packet filter, whichever made them, and how far a packet gets that is known in part.

A rule that asks for what is not known of the packet (a port, a mark, its connection's past) is for
some packets only, so it decides nothing here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol


class Effect(Enum):
    """What a rule does with the packets it is for."""

    CONTINUE = "continue"
    ACCEPT = "accept"
    DROP = "drop"
    RETURN = "return"
    JUMP = "jump"
    GOTO = "goto"
    TRANSLATE = "translate"


@dataclass(frozen=True)
class Packet:
    """The first one of a flow, on its way through one hook.

    `into` and `out` are the names of interfaces, None where it is not known, or not yet.  `source`
    is an address in network order, None for that of some remote; of `destination` nothing is known
    but that it is not a particular one.  `is_answered_there`: the way back to its source leads by
    the interface it came in by.
    """

    version: int
    into: str | None = None
    out: str | None = None
    source: bytes | None = None
    is_answered_there: bool = True


class Rule(Protocol):
    """One rule of a chain."""

    def meets(self, packet: Packet) -> tuple[bool | None, Effect, str]:
        """Whether it is for this packet, None where that is not known; what it does then, and the
        chain where that leads to."""

    def removal(self) -> str:
        """The command that takes it out."""


@dataclass(frozen=True)
class Chain:
    """`family` is as nft(8) writes it; `hook` is None where no packet begins.  `drops`: its policy.

    `interfaces`: those it is for, none for all.
    """

    family: str
    table: str
    name: str
    rules: Sequence[Rule] = ()
    hook: str | None = None
    kind: str = "filter"
    drops: bool = False
    interfaces: frozenset[str] = frozenset()


#: The chains of one table by their names.
Table = Mapping[str, Chain]


def refuses(table: Table, chain: Chain, packet: Packet) -> str | None:
    """Why the chain drops all such packets, None if it does not."""
    effect, where = _fate(table, chain, packet)
    if effect is Effect.DROP:
        return "by a rule" if where == chain.name else f"by a rule of chain {where}"
    if effect is Effect.CONTINUE and chain.drops:
        return "by policy"
    return None


def translating(table: Table, chain: Chain, packet: Packet) -> Iterator[tuple[str, Rule]]:
    """The rules that may give such a packet another source, each with the name of its chain."""
    for rule in chain.rules:
        meets, effect, target = rule.meets(packet)
        if meets is False:
            continue
        if effect is Effect.TRANSLATE:
            yield chain.name, rule
        elif effect in (Effect.JUMP, Effect.GOTO) and target in table:
            yield from translating(table, table[target], packet)
        if meets and effect not in (Effect.CONTINUE, Effect.JUMP):
            return


def _fate(table: Table, chain: Chain, packet: Packet) -> tuple[Effect, str]:
    """CONTINUE is for what none of its rules decides; and the chain that decides."""
    for rule in chain.rules:
        meets, effect, target = rule.meets(packet)
        if not meets or effect in (Effect.CONTINUE, Effect.TRANSLATE):
            continue
        if effect is Effect.RETURN:
            break
        if effect not in (Effect.JUMP, Effect.GOTO):
            return effect, chain.name
        inner = _fate(table, table[target], packet) if target in table else (Effect.CONTINUE, "")
        if inner[0] is not Effect.CONTINUE or effect is Effect.GOTO:
            return inner
    return Effect.CONTINUE, chain.name
