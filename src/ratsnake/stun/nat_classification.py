"""What the endpoints that servers saw show: mapping, filtering, port selection, the nearest types.

A test may leave several behaviours possible, so each answer is the tuple of those that are, from
the least to the most strict.  All of them together mean that nothing is known.
"""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from collections.abc import Sequence
from functools import reduce
from itertools import combinations, pairwise, product
from typing import TypeVar

from ..nat.rules.behaviour import PRESETS, Behaviour, Filtering, Mapping, Selection
from .stun_message import Endpoint

T = TypeVar("T", Mapping, Filtering)

#: A port this little above the one before is the next: other hosts take some meanwhile.
_NEXT = 8
#: What tells programs apart most: whether a peer can be told the port beforehand.
_APART = 2


def possible_mappings(seen: MappingOf[Endpoint, Endpoint]) -> tuple[Mapping, ...]:
    """RFC 5780 section 4.3, for whichever remotes were contacted from one local endpoint.

    `seen`: the external endpoint by the remote endpoint that saw it.
    """
    possible = set(Mapping)
    for one, other in combinations(seen, 2):
        same = seen[one] == seen[other]
        if one.address == other.address:
            possible -= {Mapping.APDM} if same else {Mapping.EIM, Mapping.ADM}
        else:
            possible -= {Mapping.ADM, Mapping.APDM} if same else {Mapping.EIM}
    # Nothing left: two remotes of one address and two of different ones contradict each other.
    return tuple(sorted(possible)) or (Mapping.APDM,)


def possible_filterings(other_address: bool | None, other_port: bool) -> tuple[Filtering, ...]:
    """RFC 5780 section 4.4: what passed from endpoints never sent to.

    `other_address`: from another address and port, None where this could not be tested;
    `other_port`: from another port of the address that was sent to.
    """
    if other_address:
        return (Filtering.EIF,)
    if not other_port:
        return (Filtering.APDF,)
    return (Filtering.ADF,) if other_address is False else (Filtering.EIF, Filtering.ADF)


def agreed(each: Sequence[tuple[T, ...]]) -> tuple[tuple[T, ...], bool]:
    """What several local endpoints show together, and whether they contradict each other.

    Then it is what the strictest shows: nobody can rely on more.
    """
    common = reduce(lambda one, other: one & other, map(set, each))
    if common:
        return tuple(sorted(common)), False
    return max(each), True


def port_selection(seen: Sequence[tuple[int, Sequence[Endpoint]]]) -> Selection:
    """How external ports are chosen, from local ports and the external endpoints of each.

    The endpoints are in the order in which they came up, as are the local ports.
    """
    if all(external[0].port == local for local, external in seen):
        return Selection.PRESERVE
    own = [list(dict.fromkeys(one.port for one in external)) for _, external in seen]
    rounds = max(len(external) for _, external in seen)
    together = [
        external[k].port for k in range(rounds) for _, external in seen if k < len(external)
    ]
    # The counter may be the NAT's or one for each local endpoint.
    orders = ([ports for ports in own if len(ports) > 1], [list(dict.fromkeys(together))])
    return Selection.SEQUENTIAL if any(map(_is_sequential, orders)) else Selection.RANDOM


def _is_sequential(orders: Sequence[Sequence[int]]) -> bool:
    """Whether ports go up by little, but for one jump: from the last port to the first."""
    steps = [after - before for order in orders for before, after in pairwise(order)]
    return len(steps) > 1 and sum(not 0 < step <= _NEXT for step in steps) <= 1


def nearest_types(
    mappings: Sequence[Mapping], filterings: Sequence[Filtering], selection: Selection | None
) -> tuple[tuple[str, ...], bool]:
    """The presets that look like this from outside, and whether they do so exactly.

    Where none does, those that differ least.  Of several those count that choose ports in the same
    way, if any does; what only looks so while it is alone (`hides_its_mapping`) comes last.
    """
    wanted = list(product(mappings, filterings))
    distances = {
        name: min(_distance(preset.behaviour, one) for one in wanted)
        for name, preset in PRESETS.items()
    }
    least = min(distances.values())
    names = [name for name, distance in distances.items() if distance == least]
    alike = [name for name in names if PRESETS[name].behaviour.selection is selection]
    return tuple(sorted(alike or names, key=hides_its_mapping)), least == 0


def hides_its_mapping(name: str) -> bool:
    """Whether this preset's mapping looks endpoint-independent while no other host competes."""
    return PRESETS[name].behaviour.sticky


def _distance(behaviour: Behaviour, seen: tuple[Mapping, Filtering]) -> int:
    mapping = Mapping.EIM if behaviour.sticky else behaviour.mapping
    apart = _APART * ((mapping is Mapping.EIM) != (seen[0] is Mapping.EIM))
    return apart + abs(mapping - seen[0]) + abs(behaviour.filtering - seen[1])
