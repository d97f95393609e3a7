"""The chains that nftables has, with what their rules ask for and do.

Only what the kernel tells is used (nf_tables.h), so it needs no program; iptables in its nft
variant, ufw, firewalld and Docker are all seen here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache

from ..nftables.nft_messages import INET, IPV4, IPV6, NETDEV, Message, attributes, dump_all, text
from .filter_chains import Chain, Effect, Packet, Table
from .nft_evaluation import Data, Element, Registers, found_in, number

_FAMILIES = {INET: "inet", IPV4: "ip", IPV6: "ip6", NETDEV: "netdev"}
#: Where packets begin, NF_INET_… and NF_NETDEV_….
_HOOKS = {0: "prerouting", 1: "input", 2: "forward", 3: "output", 4: "postrouting", 5: "ingress"}
_DEVICE_HOOKS = {0: "ingress", 1: "egress"}
_DROP = 0  # NF_DROP
_VERDICTS = {
    0: Effect.DROP,
    1: Effect.ACCEPT,
    -3: Effect.JUMP,
    -4: Effect.GOTO,
    -5: Effect.RETURN,
}
#: What x_tables calls the targets that matter here.
_TARGETS = {
    "REJECT": Effect.DROP,
    "MASQUERADE": Effect.TRANSLATE,
    "SNAT": Effect.TRANSLATE,
    "NETMAP": Effect.TRANSLATE,
}
_INVERTED = 1  # NFT_LOOKUP_F_INV
_RPFILTER_INVERT = 1 << 3  # XT_RPFILTER_INVERT

_Outcome = tuple[bool | None, Effect, str]


@dataclass(frozen=True)
class NftRule:
    """`elements` finds a set of its table by name; `indices` are the numbers of interfaces."""

    place: tuple[str, str, str]
    handle: int
    expressions: tuple[tuple[str, Data], ...]
    elements: Callable[[str], tuple[Element, ...]] = field(repr=False)
    indices: Mapping[str, int] = field(repr=False)

    def removal(self) -> str:
        return f"nft delete rule {' '.join(self.place)} handle {self.handle}"

    def meets(self, packet: Packet) -> _Outcome:
        registers = Registers(packet, self.indices)
        truth: bool | None = True
        for name, data in self.expressions:
            found = self._effect(name, data, registers)
            if found is not None:
                meets, effect, target = found
                return (truth if meets else meets), effect, target
            asked = self._asked(name, data, registers)
            if asked is False:
                return False, Effect.CONTINUE, ""
            truth = None if asked is None else truth
        return truth, Effect.CONTINUE, ""

    def _effect(self, name: str, data: Data, registers: Registers) -> _Outcome | None:
        """Of an expression that decides."""
        if name == "reject":
            return True, Effect.DROP, ""
        if name == "masq" or (name == "nat" and number(data, 1) == 0):  # NFT_NAT_SNAT
            return True, Effect.TRANSLATE, ""
        if name == "target" and _name(data, 1) in _TARGETS:
            return True, _TARGETS[_name(data, 1)], ""
        if name == "immediate" and number(data, 1) == 0:  # NFT_REG_VERDICT
            return True, *_verdict(data.get(2, b""))
        if name == "lookup" and 3 in data and number(data, 3) == 0:
            element = self._found(data, registers)
            if element is None or element is False:
                return element, Effect.CONTINUE, ""
            assert isinstance(element, tuple)
            return True, *_verdict(element[1])
        return None

    def _asked(self, name: str, data: Data, registers: Registers) -> bool | None:
        if name == "lookup":
            element = self._found(data, registers)
            if element is None or 3 in data:
                return None
            return (element is not False) != bool(number(data, 5) & _INVERTED)
        if name == "match":
            return _matches(_name(data, 1), data.get(3, b""), registers)
        return registers.follow(name, data)

    def _found(self, data: Data, registers: Registers) -> Element | bool | None:
        elements = self.elements(_name(data, 1))
        length = len(elements[0][0]) if elements else 0
        return found_in(registers.read(number(data, 2), length), elements)


def nft_tables(indices: Mapping[str, int]) -> dict[tuple[str, str], Table]:
    """The chains of each table by family and name; raises OSError where nobody may look."""
    rules: dict[tuple[str, str, str], list[NftRule]] = {}
    for family, attributes_ in dump_all(Message.GETRULE):
        told = dict(attributes(attributes_))
        if family in _FAMILIES:
            table = _name(told, 1)
            place = (_FAMILIES[family], table, _name(told, 2))
            rules.setdefault(place, []).append(
                NftRule(
                    place,
                    number(told, 3),
                    _expressions(told.get(4, b"")),
                    _finder(family, table),
                    indices,
                )
            )
    found: dict[tuple[str, str], dict[str, Chain]] = {}
    for family, attributes_ in dump_all(Message.GETCHAIN):
        told = dict(attributes(attributes_))
        if family in _FAMILIES:
            table, name = _name(told, 1), _name(told, 3)
            place = (_FAMILIES[family], table, name)
            found.setdefault(place[:2], {})[name] = _chain(place, told, rules.get(place, []))
    return dict(found)


def _chain(place: tuple[str, str, str], told: Data, rules: list[NftRule]) -> Chain:
    hook = dict(attributes(told.get(4, b"")))
    names = {_text(hook[3])} if 3 in hook else set()
    names |= {_text(one) for _, one in attributes(hook.get(4, b""))}
    hooks = _DEVICE_HOOKS if place[0] == "netdev" else _HOOKS
    return Chain(
        *place,
        tuple(rules),
        hook=hooks.get(number(hook, 1)) if hook else None,
        kind=_name(told, 7),
        drops=5 in told and number(told, 5) == _DROP,
        interfaces=frozenset(names),
    )


def _finder(family: int, table: str) -> Callable[[str], tuple[Element, ...]]:
    @cache
    def elements(name: str) -> tuple[Element, ...]:
        asked = text(1, table) + text(2, name)
        found = []
        for _, attributes_ in dump_all(Message.GETSETELEM, asked, family):
            for _, one in attributes(dict(attributes(attributes_)).get(3, b"")):
                told = dict(attributes(one))
                key = dict(attributes(told.get(1, b""))).get(1, b"")
                found.append((key, told.get(2, b""), bool(number(told, 3) & 1)))
        return tuple(found)

    return elements


def _expressions(data: bytes) -> tuple[tuple[str, Data], ...]:
    found = []
    for _, element in attributes(data):
        parts = dict(attributes(element))
        found.append((_name(parts, 1), dict(attributes(parts.get(2, b"")))))
    return tuple(found)


def _verdict(data: bytes) -> tuple[Effect, str]:
    told = dict(attributes(dict(attributes(data)).get(2, b"")))
    code = int.from_bytes(told.get(1, b""), "big", signed=True)
    return _VERDICTS.get(code, Effect.CONTINUE), _name(told, 2)


def _matches(name: str, info: bytes, registers: Registers) -> bool | None:
    """What a match of x_tables says."""
    if name == "comment":
        return True
    if name == "mark" and len(info) >= 9:  # struct xt_mark_mtinfo1; the mark is 0
        return (info[:4] == bytes(4)) != bool(info[8])
    if name == "rpfilter" and info and not registers.packet.is_answered_there:
        return bool(info[0] & _RPFILTER_INVERT)
    return None


def _name(data: Data, key: int) -> str:
    return _text(data.get(key, b""))


def _text(data: bytes) -> str:
    return data.rstrip(b"\0").decode(errors="replace")
