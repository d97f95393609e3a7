"""Everything a NAT is told at its start, as it was said: `settings` is what has been checked."""

from dataclasses import dataclass, field
from ipaddress import IPv4Network

from ..rules.behaviour import BY_ADDRESS_ONLY, PRESETS, Behaviour
from .address_realm import Address, Network
from .host_types import HostTypes
from .nptv6 import PrefixPair
from .prefix_exclusion import without
from .setting_types import External, Limits, NoResources, Pooling, Timeouts, UnsolicitedSyn
from .static_forward import Forward

# RFC 1918 and the shared address space of RFC 6598.
PRIVATE_PREFIXES = tuple(
    IPv4Network(prefix)
    for prefix in ("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16")
)
DEFAULT_PRESET = "port-restricted-cone"


def _preset() -> Behaviour:
    return PRESETS[DEFAULT_PRESET].behaviour


@dataclass(frozen=True, slots=True)
class RawSettings:
    """A NAT's whole configuration.

    - `internal_except`: what of `internal` lies outside all the same, such as a modem's address
    - `hosts`: NAT types of their own for the hosts of some prefixes; of several the longest counts
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
    internal_except: tuple[Network, ...] = ()
    tcp: Behaviour = field(default_factory=_preset)
    udp: Behaviour = field(default_factory=_preset)
    icmp: Behaviour = field(default_factory=_preset)
    udplite: Behaviour = field(default_factory=_preset)
    dccp: Behaviour = field(default_factory=_preset)
    sctp: Behaviour = field(default_factory=_preset)
    other: Behaviour = BY_ADDRESS_ONLY
    hosts: tuple[HostTypes, ...] = ()
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

    @property
    def behaviours(self) -> tuple[Behaviour, ...]:
        """In the order of the protocol numbers in `wire.packet_fields`."""
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
    def inside(self) -> tuple[Network, ...]:
        """The prefixes of `internal` without what is excepted."""
        return tuple(without(self.internal, self.internal_except))

    @property
    def external_side(self) -> tuple[Address | Network, ...]:
        """All that lies outside: what must be routed to the NAT."""
        return (*self.addresses, *([self.nptv6[1]] if self.nptv6 else []))

    @property
    def internal_side(self) -> tuple[Network, ...]:
        """All that lies inside."""
        return (*self.inside, *([self.nptv6[0]] if self.nptv6 else []))
