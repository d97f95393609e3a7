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


_RELAY = (
    "direct only with peers behind a full or restricted cone, or without NAT; all others need a"
    " relay (TURN)"
)
#: Hole punching (RFC 5128 section 3.3), by whether the mapping is endpoint-independent.
_PUNCHING = {
    (True, _EIF): "direct with everybody; strangers get in too, so this host can be a server",
    (True, _ADF): "direct with everybody, once both sides have sent (hole punching)",
    (True, _APDF): (
        "direct by hole punching, except with peers behind a symmetric NAT: those need a relay"
        " (TURN)"
    ),
    (False, _EIF): (
        "direct with everybody, but peers behind a port-restricted cone must send first"
    ),
    (False, _ADF): _RELAY,
    (False, _APDF): _RELAY,
}
_EITHER = "direct by hole punching with many; which ones depends on the filtering"
_RELAY_OR_NOT = "direct with few, unless the filtering is EIF"
_UNKNOWN = "not known without the mapping"
_BLOCKED = "none over UDP; programs that can use TCP or a relay over TCP may work"

BLOCKED = Consequences(("F",), (), (), _BLOCKED)


def consequences(
    translated: bool,
    mappings: Sequence[Mapping],
    filterings: Sequence[Filtering],
    selection: Selection | None,
) -> Consequences:
    """For UDP, for what is possible: see `nat_classification`."""
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
    independent = {mapping is _EIM for mapping in mappings}
    if len(independent) > 1:
        return _UNKNOWN
    (known,) = independent
    possible = {_PUNCHING[known, filtering] for filtering in filterings}
    if len(possible) > 1:
        return _EITHER if known else _RELAY_OR_NOT
    return possible.pop()
