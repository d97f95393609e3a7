"""What a NAT is told of one thing: its timeouts, its limits, an external address, a choice."""

from dataclasses import dataclass, fields
from enum import Enum

from ratsnake.portset import PortSet

from .address_realm import Address

LONGEST_TIMEOUT = 7 * 86_400
MOST_ROWS = 16_000_000  # row numbers are of 24 bits, and a few rows are heads of lists
MOST_A_SECOND = 1_000_000
MOST_UNANSWERED = 1_024  # they all end at once, with their mapping, while packets wait

# RFC 4787 REQ-3a wants internal ports above 1023 to stay there.
DEFAULT_PORTS = PortSet(((1024, 65535),))


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
                f"{name}: {value!r}: must be a whole number{unit} from {least} to {most}"
            )


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Idle seconds after which a session ends, 1..604800 each; the TCP ones hold for DCCP and SCTP
    too.

    Defaults: RFC 5382 REQ-5 and RFC 7857 section 2.1 (established 2 h 4 min, opening and closing
    4 min), RFC 4787 REQ-5c (UDP and UDP-Lite 5 min), RFC 5508 REQ-2 (ICMP query 60 s); `other` is
    for protocols without ports.  `rest` (from 0) is how long a port stays unused after its last
    mapping where strangers could send to it (RFC 6888 REQ-8).  `unanswered` (from 0) is how long a
    flow is safe from making room for others while no flow of its host is answered; 0 is for ever.
    `fragments` is how long an incomplete datagram is remembered, `pairing` (from 0) how long an
    internal host waits for the external address it is paired with (RFC 4787 REQ-2) where that is
    lost.
    """

    tcp_established: int = 7440
    tcp_opening: int = 240
    tcp_closing: int = 240
    udp: int = 300
    icmp: int = 60
    other: int = 600
    rest: int = 120
    unanswered: int = 2
    fragments: int = 15
    pairing: int = 10

    def __post_init__(self) -> None:
        from_zero = dict.fromkeys(("rest", "unanswered", "pairing"), (0, LONGEST_TIMEOUT))
        _check_ranges(self, {"": (1, LONGEST_TIMEOUT), **from_zero}, " of seconds")

    @property
    def of_timers(self) -> tuple[int, ...]:
        """In the order of rules/timeout_classes.py."""
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
    REQ-4); 0 is no limit.  `host_share` is the percentage of a protocol's ports (where those are
    shared, of all mappings) and of all sessions that one host may have; 100 is no limit.  An own
    `host_sessions` replaces it.  `fragments` is the number of incomplete datagrams that are
    remembered, `icmp_errors` that of ICMP errors the NAT itself sends a second (0: none).
    """

    mappings: int = 262_144
    sessions: int = 262_144
    inbound_sessions: int = 65_536
    unanswered_sessions: int = 1_024
    host_mappings: int = 0
    host_sessions: int = 0
    host_rate: int = 0
    host_share: int = 80
    fragments: int = 1_024
    icmp_errors: int = 100

    def __post_init__(self) -> None:
        ranges = {
            "": (1, MOST_ROWS),
            "unanswered_sessions": (1, MOST_UNANSWERED),
            "host_mappings": (0, MOST_ROWS),
            "host_sessions": (0, MOST_ROWS),
            "host_rate": (0, MOST_A_SECOND),
            "host_share": (1, 100),
            "fragments": (4, MOST_ROWS),
            "icmp_errors": (0, MOST_A_SECOND),
        }
        _check_ranges(self, ranges, "")


class Availability(Enum):
    """Whether new mappings may get an external address, where there is another of its family.

    None gets one that is lost, for its interface has it no more.  Internal hosts paired with it
    (RFC 4787 REQ-2) wait for it until it is given up, and get another then.  What was mapped to it
    before goes on.
    """

    PRESENT = 0
    LOST = 1
    GIVEN_UP = 2


@dataclass(frozen=True, slots=True)
class External:
    """An external address and the ports of it that mappings may get; None: static forwards only.

    `shared`: it is an address of the host too, which gets the ICMP that the NAT does not translate.
    """

    address: Address
    ports: PortSet | None = DEFAULT_PORTS
    shared: bool = False
    availability: Availability = Availability.PRESENT
