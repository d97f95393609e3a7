"""What a NAT type is: mapping × filtering (RFC 4787 sections 4 and 5) and how ports are chosen.

`PRESETS` are the names users know for points of this space; any other point is written out:
`parse_behaviour`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from enum import IntEnum
from typing import NamedTuple


class Mapping(IntEnum):
    """How much of the remote endpoint a mapping is made for (RFC 4787 section 4.1)."""

    EIM = 0
    ADM = 1
    APDM = 2


class Filtering(IntEnum):
    """Which remotes may send to an external endpoint (RFC 4787 section 5)."""

    EIF = 0
    ADF = 1
    APDF = 2


class Sharing(IntEnum):
    """Who may have the same external port.

    EXCLUSIVE: one mapping a port.  OVERLOAD: mappings whose remotes differ enough to tell inbound
    packets apart (RFC 7857 section 3).  DISTINCT: as OVERLOAD, but one internal endpoint never has
    the same port toward two remotes.
    """

    EXCLUSIVE = 0
    OVERLOAD = 1
    DISTINCT = 2


class Selection(IntEnum):
    """Which free port a new mapping gets: the internal one, any, or the one after the last."""

    PRESERVE = 0
    RANDOM = 1
    SEQUENTIAL = 2


@dataclass(frozen=True, slots=True)
class Behaviour:
    """One protocol's NAT type.

    `sticky`: first try the port this internal endpoint had last, which makes an address-dependent
    mapping look endpoint-independent as long as nobody else has that port toward the same remote.
    `parity`: an even internal port gets an even external one, an odd one an odd (RFC 4787 REQ-4),
    as long as there are any.

    Raises ValueError for combinations that cannot work.
    """

    mapping: Mapping
    filtering: Filtering
    sharing: Sharing = Sharing.EXCLUSIVE
    selection: Selection = Selection.RANDOM
    sticky: bool = False
    parity: bool = False

    def __post_init__(self) -> None:
        if self.sharing is not Sharing.EXCLUSIVE and self.share == 0:
            raise ValueError(
                f"{self.mapping.name} mapping with {self.filtering.name} filtering needs "
                f"exclusive ports: an inbound packet from a new remote could not tell the "
                f"mappings of a shared port apart"
            )
        if self.sharing is Sharing.DISTINCT and self.sticky:
            raise ValueError(
                "sticky contradicts distinct: one asks for the port the internal endpoint had "
                "last, the other forbids to use it again"
            )

    @property
    def share(self) -> int:
        """How much of a remote tells two mappings of one port apart: the less specific of both."""
        if self.sharing is Sharing.EXCLUSIVE:
            return 0
        return min(self.mapping, self.filtering)

    def words(self) -> tuple[str, ...]:
        """How ports are chosen, in the words of `parse_behaviour`."""
        said = (self.sharing.name.lower(), self.selection.name.lower())
        return (*said, *(["sticky"] if self.sticky else []), *(["parity"] if self.parity else []))

    def __str__(self) -> str:
        """The notation `parse_behaviour` reads."""
        return "+".join((f"{self.mapping.name}/{self.filtering.name}".lower(), *self.words()))


class Preset(NamedTuple):
    name: str
    behaviour: Behaviour
    summary: str


_EIM, _ADM, _APDM = Mapping
_EIF, _ADF, _APDF = Filtering
_QUASI = (Sharing.OVERLOAD, Selection.RANDOM, True)
_NEXT = (Sharing.DISTINCT, Selection.SEQUENTIAL)

_TABLE: tuple[tuple[str, Behaviour, str], ...] = (
    (
        "full-cone",
        Behaviour(_EIM, _EIF),
        "One external port for each internal one, open to everybody: games and peer-to-peer.",
    ),
    (
        "restricted-cone",
        Behaviour(_EIM, _ADF),
        "One external port for each internal one, open to the addresses it has sent to.",
    ),
    (
        "port-restricted-cone",
        Behaviour(_EIM, _APDF),
        "One external port for each internal one, open to the endpoints it has sent to.",
    ),
    (
        "quasi-restricted-cone",
        Behaviour(_ADM, _ADF, *_QUASI),
        "Like restricted-cone, but ports serve many remotes: best where ports are few.",
    ),
    (
        "quasi-port-restricted-cone",
        Behaviour(_APDM, _APDF, *_QUASI),
        "Like port-restricted-cone with shared ports: close to netfilter's masquerade.",
    ),
    (
        "quasi-symmetric",
        Behaviour(_APDM, _APDF, Sharing.OVERLOAD),
        "A random, shared port for each remote endpoint: masquerade with random ports.",
    ),
    (
        "symmetric-address",
        Behaviour(_ADM, _ADF, *_NEXT),
        "The next port for each remote address, never the same twice: strict, predictable.",
    ),
    (
        "symmetric",
        Behaviour(_APDM, _APDF, *_NEXT),
        "The next port for each remote endpoint, never the same twice: strict, predictable.",
    ),
)

PRESETS: dict[str, Preset] = {row[0]: Preset(*row) for row in _TABLE}

# Where nothing but the address tells flows apart (GRE, ESP, ...): one internal host per remote.
BY_ADDRESS_ONLY = Behaviour(_ADM, _ADF, Sharing.OVERLOAD, Selection.PRESERVE)

_NAMES = {preset.behaviour: preset.name for preset in PRESETS.values()}


def name_of(behaviour: Behaviour) -> str:
    """The preset that a behaviour is, or else its notation."""
    return _NAMES.get(behaviour) or str(behaviour)


_HOW = "MAPPING/FILTERING[+WORD...], such as eim/adf or apdm/apdf+overload+sticky"
_SHARING = {word.name.lower(): word for word in Sharing}
_SELECTION = {word.name.lower(): word for word in Selection}
_WORDS = (*_SHARING, *_SELECTION, "sticky", "parity")


def _one_of(table: type[IntEnum], text: str, what: str) -> IntEnum:
    names = [member.name.lower() for member in table]
    if text not in names:
        raise ValueError(f"{text!r} is no {what}; it is one of {', '.join(names)}")
    return table[text.upper()]


def _near(text: str, known: Iterator[str]) -> str:
    near = get_close_matches(text, list(known), n=1)
    return f"did you mean {near[0]}?" if near else f"right is a type of `ratsnake types` or {_HOW}"


def parse_behaviour(text: str) -> Behaviour:
    """Read a preset's name, or MAPPING/FILTERING with the words for its ports.

    `eim/adf` leaves ports exclusive and random; `+overload`, `+distinct`, `+preserve`,
    `+sequential`, `+sticky` and `+parity` change that.  Raises ValueError saying what is right.
    """
    if text in PRESETS:
        return PRESETS[text].behaviour
    kind, *words = text.lower().split("+")
    mapping, slash, filtering = kind.partition("/")
    if not slash:
        raise ValueError(f"no such NAT type; {_near(text, iter(PRESETS))}")
    sharing = [_SHARING[word] for word in words if word in _SHARING]
    selection = [_SELECTION[word] for word in words if word in _SELECTION]
    for word in words:
        if word not in _WORDS:
            raise ValueError(
                f"{word!r} says nothing about ports; the words are {', '.join(_WORDS)}"
            )
        if words.count(word) > 1:
            raise ValueError(f"{word!r} stands twice")
    for chosen, what in ((sharing, "share"), (selection, "choose")):
        if len(chosen) > 1:
            both = " and ".join(member.name.lower() for member in chosen)
            raise ValueError(f"{both} are two ways to {what} ports; right is one of them")
    return Behaviour(
        Mapping(_one_of(Mapping, mapping, "mapping")),
        Filtering(_one_of(Filtering, filtering, "filtering")),
        Sharing((sharing or [Sharing.EXCLUSIVE])[0]),
        Selection((selection or [Selection.RANDOM])[0]),
        "sticky" in words,
        "parity" in words,
    )
