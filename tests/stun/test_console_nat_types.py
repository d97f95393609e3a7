"""What a NAT means for games and peers, as a table."""

import pytest

from ratsnake.nat.rules.behaviour import Filtering, Mapping, Selection
from ratsnake.stun.console_nat_types import consequences

ALL = tuple(Filtering)


@pytest.mark.parametrize(
    ("kind", "selection", "consoles", "peers"),
    [
        ("EIM/EIF", "RANDOM", "A 2 Open", "direct with everybody; strangers"),
        ("EIM/ADF", "RANDOM", "A 2 Moderate", "direct with everybody, once both"),
        ("EIM/APDF", "PRESERVE", "B 2 Moderate", "direct by hole punching, except"),
        ("ADM/ADF", "SEQUENTIAL", "C 3 Strict", "direct only with peers behind a full"),
        ("APDM/APDF", "SEQUENTIAL", "C 3 Strict", "direct only with peers behind a full"),
        ("APDM/APDF", "RANDOM", "D 3 Strict", "direct only with peers behind a full"),
        ("APDM/EIF", "RANDOM", "D 3 Strict", "direct with everybody, but peers"),
    ],
)
def test_by_mapping_and_filtering(kind: str, selection: str, consoles: str, peers: str) -> None:
    mapping, filtering = kind.split("/")
    found = consequences(True, [Mapping[mapping]], [Filtering[filtering]], Selection[selection])
    assert (*found.switch, *found.playstation, *found.xbox) == tuple(consoles.split())
    assert found.peer_to_peer.startswith(peers)


def test_without_a_nat() -> None:
    eim = [Mapping.EIM]
    assert consequences(False, eim, [Filtering.EIF], None).playstation == ("1",)
    assert consequences(False, eim, [Filtering.APDF], None).playstation == ("2",)


def test_where_something_is_not_known() -> None:
    found = consequences(True, [Mapping.EIM], ALL, Selection.RANDOM)
    assert (found.switch, found.playstation, found.xbox) == (
        ("A", "B"),
        ("2",),
        ("Open", "Moderate"),
    )
    assert found.peer_to_peer.startswith("direct by hole punching with many")
    found = consequences(True, [Mapping.ADM, Mapping.APDM], ALL, Selection.RANDOM)
    assert (found.switch, found.xbox) == (("D",), ("Strict",))
    assert found.peer_to_peer.startswith("direct with few, unless")
    found = consequences(True, tuple(Mapping), ALL, Selection.RANDOM)
    assert found.switch == ("A", "B", "D")
    assert found.peer_to_peer == "not known without the mapping"
