"""What a NAT type is: mapping × filtering (RFC 4787 sections 4 and 5) and how ports are chosen.

`PRESETS` are the names users know for points of this space.
"""

from dataclasses import dataclass
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

    Raises ValueError where ports are shared although nothing tells the sharers apart.
    """

    mapping: Mapping
    filtering: Filtering
    sharing: Sharing = Sharing.EXCLUSIVE
    selection: Selection = Selection.RANDOM
    sticky: bool = False

    def __post_init__(self) -> None:
        if self.sharing is not Sharing.EXCLUSIVE and self.share == 0:
            raise ValueError(
                f"{self.mapping.name} mapping with {self.filtering.name} filtering needs "
                f"exclusive ports: an inbound packet from a new remote could not tell the "
                f"mappings of a shared port apart"
            )

    @property
    def share(self) -> int:
        """How much of a remote tells two mappings of one port apart: the less specific of both."""
        if self.sharing is Sharing.EXCLUSIVE:
            return 0
        return min(self.mapping, self.filtering)


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
