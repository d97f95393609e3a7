"""What a NAT is told at its start, checked as a whole before anything is built."""

from dataclasses import dataclass, field, fields
from enum import Enum
from ipaddress import IPv4Address, IPv4Network

from ratsnake.portset import PortSet

from ..rules.behaviour import BY_ADDRESS_ONLY, PRESETS, Behaviour
from .checks import (
    DEFAULT_PORTS,
    check_blocks,
    check_externals,
    check_families,
    check_forwarded_ports,
    check_one_to_one,
    check_shares,
    check_untranslated,
)
from .deterministic import Deterministic
from .forwarding import Forward, check_forwards
from .nptv6 import PrefixPair
from .scope import Address, Network

LONGEST_TIMEOUT = 7 * 86_400
MOST_ROWS = 16_000_000  # row numbers are of 24 bits, and a few rows are heads of lists
MOST_A_SECOND = 1_000_000
MOST_UNANSWERED = 1_024  # they all end at once, with their mapping, while packets wait
LEAST_MTU = 576  # RFC 791: what every host must be able to receive
MOST_MTU = 65535

# RFC 1918 and the shared address space of RFC 6598.
PRIVATE_PREFIXES = tuple(
    IPv4Network(prefix)
    for prefix in ("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16")
)
DEFAULT_PRESET = "port-restricted-cone"


class Pooling(Enum):
    """Whether all mappings of an internal host have one external address (RFC 4787 REQ-2)."""

    PAIRED = "paired"
    ARBITRARY = "arbitrary"


class UnsolicitedSyn(Enum):
    """What answers an inbound SYN that nobody waited for, after 6 s (RFC 5382 REQ-4)."""

    ICMP = "icmp"
    DROP = "drop"


class NoResources(Enum):
    """What tells the inside that a flow found no room: ICMP 3/13 (RFC 5508 REQ-8), ICMP 3/1
    (RFC 6888 REQ-11B), or nothing."""

    PROHIBITED = "prohibited"
    UNREACHABLE = "unreachable"
    DROP = "drop"


def _check_ranges(owner: object, ranges: dict[str, tuple[int, int]], unit: str) -> None:
    for item in fields(owner):  # type: ignore[arg-type]
        value = getattr(owner, item.name)
        least, most = ranges.get(item.name, ranges[""])
        if not isinstance(value, int) or not least <= value <= most:
            name = item.name.replace("_", "-")
            raise ValueError(
                f"{name}: {value!r} is not a whole number of {unit} in {least}..{most}"
            )


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Idle seconds after which a session ends, 1..604800 each; the TCP ones hold for DCCP and SCTP
    too.

    Defaults: RFC 5382 REQ-5 and RFC 7857 section 2.1 (established 2 h 4 min, opening and closing
    4 min), RFC 4787 REQ-5c (UDP and UDP-Lite 5 min), RFC 5508 REQ-2 (ICMP query 60 s); `other` is
    for protocols without ports.  `rest` (from 0) is how long a port stays unused after its last
    mapping where strangers could send to it (RFC 6888 REQ-8), `fragments` how long an incomplete
    datagram is remembered.
    """

    tcp_established: int = 7440
    tcp_opening: int = 240
    tcp_closing: int = 240
    udp: int = 300
    icmp: int = 60
    other: int = 600
    rest: int = 120
    fragments: int = 15

    def __post_init__(self) -> None:
        _check_ranges(self, {"": (1, LONGEST_TIMEOUT), "rest": (0, LONGEST_TIMEOUT)}, "seconds")

    @property
    def of_timers(self) -> tuple[int, ...]:
        """In the order of rules/timers.py."""
        return (
            self.tcp_established,
            self.tcp_opening,
            self.tcp_closing,
            self.udp,
            self.icmp,
            self.other,
        )


@dataclass(frozen=True, slots=True)
class Limits:
    """The most there may be of something, at most 16,000,000 each, 1000000 of what is a second's.

    `inbound_sessions` bounds what outsiders open in all, `unanswered_sessions` (at most 1,024) what
    they open of one mapping before the inside has answered.  `host_mappings` and `host_sessions`
    are what one internal host may have, `host_rate` the sessions it may open a second (RFC 6888
    REQ-4); 0 is no limit.  `fragments` is the number of incomplete datagrams that are remembered,
    `icmp_errors` that of ICMP errors the NAT itself sends a second (0: none).
    """

    mappings: int = 262_144
    sessions: int = 262_144
    inbound_sessions: int = 65_536
    unanswered_sessions: int = 1_024
    host_mappings: int = 0
    host_sessions: int = 0
    host_rate: int = 0
    fragments: int = 1_024
    icmp_errors: int = 100

    def __post_init__(self) -> None:
        ranges = {
            "": (1, MOST_ROWS),
            "unanswered_sessions": (1, MOST_UNANSWERED),
            "host_mappings": (0, MOST_ROWS),
            "host_sessions": (0, MOST_ROWS),
            "host_rate": (0, MOST_A_SECOND),
            "fragments": (4, MOST_ROWS),
            "icmp_errors": (0, MOST_A_SECOND),
        }
        _check_ranges(self, ranges, "things")


@dataclass(frozen=True, slots=True)
class External:
    """An external address and the ports of it that mappings may get; None: static forwards only.

    `shared`: it is an address of the host too, which gets the ICMP that the NAT does not translate.
    """

    address: Address
    ports: PortSet | None = DEFAULT_PORTS
    shared: bool = False


def _preset() -> Behaviour:
    return PRESETS[DEFAULT_PRESET].behaviour


@dataclass(frozen=True, slots=True)
class Settings:
    """A NAT's whole configuration.  Raises ValueError "key: what is wrong and what is right".

    - `port_block`: ports an internal host gets at a time, at most `blocks_per_host` times; 0 for
      single ports
    - `deterministic`: a host's ports follow from its address (RFC 7422), in blocks of `port_block`
      or as large as fits
    - `no_nat`: remotes whose packets pass as they are
    - `mtu`: the smallest MTU on the way out in bytes, to which TCP's MSS is lowered; 0 for none
    - `inbound_refresh`: packets from outside keep sessions without connections alive too (RFC 4787
      REQ-6a, RFC 7857 section 7)
    """

    externals: tuple[External, ...]
    internal: tuple[Network, ...] = PRIVATE_PREFIXES
    tcp: Behaviour = field(default_factory=_preset)
    udp: Behaviour = field(default_factory=_preset)
    icmp: Behaviour = field(default_factory=_preset)
    udplite: Behaviour = field(default_factory=_preset)
    dccp: Behaviour = field(default_factory=_preset)
    sctp: Behaviour = field(default_factory=_preset)
    other: Behaviour = BY_ADDRESS_ONLY
    pooling: Pooling = Pooling.PAIRED
    port_block: int = 0
    blocks_per_host: int = 4
    deterministic: bool = False
    forwards: tuple[Forward, ...] = ()
    no_nat: tuple[Network, ...] = ()
    nptv6: PrefixPair | None = None
    unsolicited_syn: UnsolicitedSyn = UnsolicitedSyn.ICMP
    no_resources: NoResources = NoResources.PROHIBITED
    mtu: int = 0
    decrement_ttl: bool = False
    inbound_refresh: bool = True
    timeouts: Timeouts = field(default_factory=Timeouts)
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        self.validate()

    @property
    def behaviours(self) -> tuple[Behaviour, ...]:
        """In the order of the protocol numbers in `wire.packet`."""
        return (
            self.tcp,
            self.udp,
            self.icmp,
            self.udplite,
            self.dccp,
            self.sctp,
            self.other,
        )

    @property
    def addresses(self) -> tuple[Address, ...]:
        return tuple(external.address for external in self.externals)

    @property
    def external_side(self) -> tuple[Address | Network, ...]:
        """All that lies outside: what must be routed to the NAT."""
        return (*self.addresses, *([self.nptv6[1]] if self.nptv6 else []))

    @property
    def internal_side(self) -> tuple[Network, ...]:
        """All that lies inside."""
        return (*self.internal, *([self.nptv6[0]] if self.nptv6 else []))

    def validate(self) -> None:
        check_externals(self.externals, self.internal)
        if not self.internal:
            raise ValueError("internal: at least one prefix is needed, such as 192.168.0.0/16")
        check_blocks(self)
        if self.deterministic:
            check_shares(self.forwards, deterministic_table(self))
        if self.mtu and not LEAST_MTU <= self.mtu <= MOST_MTU:
            raise ValueError(f"mtu: {self.mtu} is not in {LEAST_MTU}..{MOST_MTU} bytes")
        check_families(self)
        check_untranslated(self)
        check_one_to_one(self.externals, self.forwards)
        check_forwards(self.forwards, self.addresses, self.internal)
        check_forwarded_ports(self)


def deterministic_table(settings: Settings) -> Deterministic:
    """The RFC 7422 mapping these settings ask for; raises ValueError where it does not fit."""
    prefixes = [network for network in settings.internal if isinstance(network, IPv4Network)]
    if len(prefixes) != len(settings.internal):
        raise ValueError(
            "deterministic: IPv6 prefixes have more addresses than there are ports; right are "
            "IPv4 prefixes only"
        )
    pools = [
        (external.address, tuple(external.ports))
        for external in settings.externals
        if external.ports is not None and isinstance(external.address, IPv4Address)
    ]
    if not pools:
        raise ValueError("deterministic: at least one IPv4 external address with ports is needed")
    return Deterministic(prefixes, pools, settings.port_block)
