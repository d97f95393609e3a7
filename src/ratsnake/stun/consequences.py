"""What a NAT's mapping and filtering mean for game consoles and peer-to-peer programs.

None of the makers publishes how a console decides.  Nintendo: as found by looking at what its
NAT check sends (https://github.com/kinnay/NintendoClients/wiki/NAT-Check-Server) and at the letter
shown for known NATs.  Xbox: Microsoft's words, "minimal" and "aggressive" port assignment with or
without filtering.  PlayStation: RFC 3489's types.  Each of them may differ for a game, and asks the
router for a port by UPnP besides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import NamedTuple

from ..nat.rules.behaviour import Filtering, Mapping, Selection

_EIM = Mapping.EIM
_EIF, _ADF, _APDF = Filtering


class Consequences(NamedTuple):
    """Several values are those possible, best first."""

    switch: tuple[str, ...]
    playstation: tuple[str, ...]
    xbox: tuple[str, ...]
    peer_to_peer: str


#: Peer to peer (RFC 5128 section 3.3), where the mapping is endpoint-independent.
_PUNCHING = {
    _EIF: "direct with everybody, and strangers get in: this host can be a server",
    _ADF: "direct with everybody, if both sides send first (hole punching)",
    _APDF: "direct by hole punching, but not with peers behind a symmetric NAT: those need a relay",
}
_RELAY = (
    "direct only with peers whose filtering is EIF or ADF; all others need a relay (TURN), for"
    " nobody can be told the port beforehand"
)
_EITHER = "hole punching works; how well depends on the filtering, which is not known"
_UNKNOWN = "not known: that takes the mapping"
_BLOCKED = "none over UDP; programs that can use TCP or a relay over TCP may work"

BLOCKED = Consequences(("F",), (), (), _BLOCKED)


def consequences(
    translated: bool,
    mappings: Sequence[Mapping],
    filterings: Sequence[Filtering],
    selection: Selection | None,
) -> Consequences:
    """For UDP, for what is possible: see `classification`."""
    predictable = selection in (Selection.SEQUENTIAL, Selection.PRESERVE)

    def letter(mapping: Mapping, filtering: Filtering) -> str:
        if mapping is not _EIM:
            return "C" if predictable else "D"
        return "B" if filtering is _APDF else "A"

    def number(mapping: Mapping, filtering: Filtering) -> str:
        if mapping is not _EIM:
            return "3"
        return "2" if translated or filtering is not _EIF else "1"

    def word(mapping: Mapping, filtering: Filtering) -> str:
        if mapping is not _EIM:
            return "Strict"
        return "Open" if filtering is _EIF else "Moderate"

    def each(rule: Callable[[Mapping, Filtering], str]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(rule(*one) for one in product(mappings, filterings)))

    return Consequences(each(letter), each(number), each(word), _peer_to_peer(mappings, filterings))


def _peer_to_peer(mappings: Sequence[Mapping], filterings: Sequence[Filtering]) -> str:
    if _EIM not in mappings:
        return _RELAY
    if len(mappings) > 1:
        return _UNKNOWN
    return _PUNCHING[filterings[0]] if len(filterings) == 1 else _EITHER
