"""Static forwards: what one is, and what may stand beside what.

A forward gives remotes a way to an internal endpoint that needs no packet from inside first.  It
is a rule the user gives at the start (`forward_text` reads it); `forwards` is its compiled form.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from ipaddress import IPv6Address
from typing import NoReturn

from ratsnake.wire import packet_fields

from .interval_sweep import Address, Network, by_place, by_remote, number

FORWARDABLE = {
    "tcp": packet_fields.TCP,
    "udp": packet_fields.UDP,
    "udplite": packet_fields.UDPLITE,
    "dccp": packet_fields.DCCP,
    "sctp": packet_fields.SCTP,
}
PROTOCOL_ROWS = {**FORWARDABLE, "icmp": packet_fields.ICMP, "other": packet_fields.OTHER}
ALL_PROTOCOLS = tuple(sorted(PROTOCOL_ROWS, key=PROTOCOL_ROWS.__getitem__))
FIRST_PORT, LAST_PORT = 1, 65535  # RFC 6335 section 6: port 0 is reserved
LISTED = 4  # addresses a message lists before it only counts them


@dataclass(frozen=True, slots=True)
class Forward:
    """External ports first_port..last_port lead to internal ports from internal_port up.

    `protocols` are names from FORWARDABLE, ports 1..65535; of a one-to-one address they are
    ALL_PROTOCOLS, all ports from 0 (a port may be an ICMP identifier or an IANA protocol number)
    and all remotes.  `external` None is the first external address of the internal one's family.
    No `remotes` are all remotes.

    Raises ValueError for anything else, and where the families of the addresses differ.
    """

    protocols: tuple[str, ...]
    external: Address | None
    first_port: int
    last_port: int
    internal: Address
    internal_port: int
    remotes: tuple[Network, ...] = ()

    def __post_init__(self) -> None:
        if self.one_to_one:
            rest = (self.first_port, self.last_port, self.internal_port, self.remotes)
            if self.external is None or rest != (0, LAST_PORT, 0, ()):
                raise ValueError("a one-to-one address has all ports from 0 and all remotes")
        else:
            self._check_protocols()
            self._check_ports()
        self._check_addresses()

    def _check_protocols(self) -> None:
        for name in self.protocols:
            if name not in FORWARDABLE:
                near = get_close_matches(name.lower(), FORWARDABLE, n=1)
                right = f"did you mean {near[0]}?" if near else f"right is {_known_protocols()}"
                raise ValueError(f"no such protocol {name!r}; {right}")
        if not self.protocols or len(set(self.protocols)) != len(self.protocols):
            raise ValueError(f"each protocol once, such as tcp+udp; right is {_known_protocols()}")

    def _check_ports(self) -> None:
        for port in (self.first_port, self.last_port, self.internal_port):
            if not FIRST_PORT <= port <= LAST_PORT:
                raise ValueError(f"{port} is not a port; ports go from {FIRST_PORT} to {LAST_PORT}")
        if self.first_port > self.last_port:
            raise ValueError(
                f"the range {self.first_port}-{self.last_port} runs backwards; "
                f"right is {self.last_port}-{self.first_port}"
            )
        if self.last_internal_port > LAST_PORT:
            count = self.last_port - self.first_port + 1
            raise ValueError(
                f"{count} ports from {self.internal_port} on go beyond {LAST_PORT}; "
                f"the highest first port is {LAST_PORT - count + 1}"
            )

    def _check_addresses(self) -> None:
        addresses = [self.internal, *(prefix.network_address for prefix in self.remotes)]
        if self.external is not None:
            addresses.insert(0, self.external)
        for address in addresses:
            if address.version != self.internal.version:
                raise ValueError(
                    f"{address} is IPv{address.version} and {self.internal} is "
                    f"IPv{self.internal.version}; all addresses must be of one family"
                )
            if isinstance(address, IPv6Address) and address.ipv4_mapped:
                raise ValueError(f"{address} is an IPv4 address; write {address.ipv4_mapped}")
            if isinstance(address, IPv6Address) and address.scope_id is not None:
                raise ValueError(f"{address} is valid on one link only; leave the zone out")

    @property
    def one_to_one(self) -> bool:
        return self.protocols == ALL_PROTOCOLS

    @property
    def key(self) -> str:
        """The setting it comes from, for messages."""
        return "one-to-one" if self.one_to_one else "forward"

    @property
    def protocol_rows(self) -> tuple[int, ...]:
        """The protocols by their row numbers in `wire.packet_fields`."""
        return tuple(PROTOCOL_ROWS[name] for name in self.protocols)

    @property
    def last_internal_port(self) -> int:
        return self.internal_port + self.last_port - self.first_port

    def __str__(self) -> str:
        """The text that parse_forward or parse_one_to_one reads, in its shortest form."""
        if self.one_to_one:
            return f"{self.external}={self.internal}"
        external = "" if self.external is None else f"{_bracketed(self.external)}:"
        internal = _bracketed(self.internal)
        if self.internal_port != self.first_port:
            internal += f":{_range(self.internal_port, self.last_internal_port)}"
        remotes = ",".join(map(_prefix, self.remotes))
        return (
            f"{'+'.join(self.protocols)}:{external}{_range(self.first_port, self.last_port)}"
            f"={internal}{'@' if remotes else ''}{remotes}"
        )


def _known_protocols() -> str:
    return ", ".join(FORWARDABLE)


def _bracketed(address: Address) -> str:
    return f"[{address}]" if address.version == 6 else str(address)


def _range(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"


def _prefix(prefix: Network) -> str:
    return str(prefix[0] if prefix.num_addresses == 1 else prefix)


def resolve(forward: Forward, externals: Sequence[Address]) -> Forward:
    """The forward with its external address, which is one of `externals`; raises ValueError."""
    family = [address for address in externals if address.version == forward.internal.version]
    if forward.external is None and family:
        return replace(forward, external=family[0])
    if forward.external in family:
        return forward
    if forward.external is None:
        raise ValueError(
            f"{forward.key}: {forward}: the NAT has no external IPv{forward.internal.version} "
            f"address; {forward.internal} needs one"
        )
    raise ValueError(
        f"{forward.key}: {forward}: {forward.external} is not an external address of the NAT; "
        f"right is {_one_of(family or externals)}"
    )


def _one_of(addresses: Sequence[object]) -> str:
    shown = ", ".join(map(str, addresses[:LISTED]))
    more = len(addresses) - LISTED
    return f"{shown} or one of {more} more" if more > 0 else shown


def check_forwards(
    forwards: Iterable[Forward], externals: Sequence[Address], internal: Sequence[Network]
) -> None:
    """Check forwards together, and against the NAT's external addresses and internal prefixes.

    Raises ValueError "key: what is wrong and what is right" if an external address is not the
    NAT's, an internal one is not inside, or one packet from outside would fit two forwards.
    """
    given = list(forwards)
    resolved = [resolve(forward, externals) for forward in given]
    for forward in given:
        if not any(forward.internal in prefix for prefix in internal):
            raise ValueError(
                f"{forward.key}: {forward}: {forward.internal} is not inside; "
                f"right is an address in {_one_of(internal)}"
            )
    _check_overlaps(given, resolved)


def _check_overlaps(given: Sequence[Forward], resolved: Sequence[Forward]) -> None:
    pieces = by_place(
        (rule, f.protocol_rows, number(f.external), f.first_port, f.last_port)
        for rule, f in enumerate(resolved)
        if f.external is not None
    )
    for rules in dict.fromkeys(rules for _, rules in pieces if len(rules) > 1):
        for _, both in by_remote((rule, resolved[rule].remotes) for rule in rules):
            if len(both) > 1:
                _refuse(given[both[0]], given[both[1]])


def _refuse(one: Forward, other: Forward) -> NoReturn:
    if other.one_to_one:
        one, other = other, one
    if one.one_to_one:
        raise ValueError(
            f"{one.key}: {one}: {other} uses {one.external} too; "
            f"a one-to-one address serves one internal host only"
        )
    raise ValueError(
        f"{one.key}: overlapping forwards {one} and {other}: a packet from outside would fit both; "
        f"give them other external ports or remotes that do not meet"
    )
