"""What a NAT is told at its start, checked as a whole before anything is built."""

from dataclasses import dataclass, field, fields
from ipaddress import IPv4Address, IPv4Network

from ratsnake.portset import PortSet

from .behaviour import PRESETS, Behaviour
from .scope import UNROUTABLE

LONGEST_TIMEOUT = 7 * 86_400
MOST_ROWS = 1 << 24

# RFC 1918 and the shared address space of RFC 6598.
PRIVATE_PREFIXES = tuple(
    IPv4Network(prefix)
    for prefix in ("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16")
)
DEFAULT_PRESET = "port-restricted-cone"


def _check_range(owner: object, least: int, most: int, unit: str) -> None:
    for item in fields(owner):  # type: ignore[arg-type]
        value = getattr(owner, item.name)
        if not isinstance(value, int) or not least <= value <= most:
            name = item.name.replace("_", "-")
            raise ValueError(
                f"{name}: {value!r} is not a whole number of {unit} in {least}..{most}"
            )


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Idle seconds after which a session ends, 1..604800 each.

    Defaults: RFC 5382 REQ-5 (established 2 h 4 min, transitory 4 min), RFC 4787 REQ-5c (UDP
    5 min), RFC 5508 REQ-2 (ICMP query 60 s).
    """

    tcp_established: int = 7440
    tcp_transitory: int = 240
    udp: int = 300
    icmp: int = 60

    def __post_init__(self) -> None:
        _check_range(self, 1, LONGEST_TIMEOUT, "seconds")


@dataclass(frozen=True, slots=True)
class Limits:
    """The most rows of each table, 1..16777216.

    `inbound_sessions` bounds what outsiders open in all, `unanswered_sessions` what they open of
    one mapping before the inside has answered.
    """

    mappings: int = 262_144
    sessions: int = 262_144
    inbound_sessions: int = 65_536
    unanswered_sessions: int = 1_024

    def __post_init__(self) -> None:
        _check_range(self, 1, MOST_ROWS, "rows")


def _preset() -> Behaviour:
    return PRESETS[DEFAULT_PRESET].behaviour


@dataclass(frozen=True, slots=True)
class Settings:
    """A NAT's whole configuration.  Raises ValueError "key: what is wrong and what is right"."""

    external: IPv4Address
    internal: tuple[IPv4Network, ...] = PRIVATE_PREFIXES
    ports: PortSet = field(default_factory=lambda: PortSet.parse("1024-65535"))
    tcp: Behaviour = field(default_factory=_preset)
    udp: Behaviour = field(default_factory=_preset)
    icmp: Behaviour = field(default_factory=_preset)
    timeouts: Timeouts = field(default_factory=Timeouts)
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        self.validate()

    def validate(self) -> None:
        address = self.external
        if any(address in prefix for prefix in UNROUTABLE):
            raise ValueError(f"external: {address} is no address a host can have on the internet")
        if not self.internal:
            raise ValueError("internal: at least one prefix is needed, such as 192.168.0.0/16")
        for prefix in self.internal:
            if address in prefix:
                raise ValueError(
                    f"external: {address} lies inside the internal prefix {prefix}; the NAT could "
                    f"not tell inside from outside. Give --internal the prefix of the LAN only"
                )
        if len(self.ports) == 0:
            raise ValueError("ports: the set is empty; 1024-65535 is usual")
