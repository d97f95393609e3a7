"""MAP-E: from a line's IPv6 prefix to its IPv4 address, ports and tunnel end (RFC 7597)."""

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, IPv6Network

from .port_set import FIRST_PORT, LAST_PORT, PortSet
from .psid_format import PsidFormat

DEFAULT_OFFSET = 6  # RFC 7597 section 5.1: the PSID offset of a rule that gives none
IPV4_BITS = 32
MAX_END_USER_LEN = 64  # the other half of an address is the interface identifier
TUNNEL_MTU = 1500 - 40  # an Ethernet's, less the IPv6 header around each IPv4 packet
TUNNEL_MSS = TUNNEL_MTU - 40  # less the IPv4 and TCP headers, without options


@dataclass(frozen=True, slots=True)
class MapRule:
    """A Basic Mapping Rule (RFC 7597 section 5.2); lengths are in bits.

        |  rule IPv6 prefix  |           EA bits           |  subnet  | interface id |
        |                    |  IPv4 suffix  |    PSID     |
        <------------- end-user prefix, at most 64 -------->

    The EA bits complete the rule's IPv4 prefix; what they have more is the PSID.  If they have
    just enough, the line has the whole address, and if they have less, a prefix of its own.
    `draft03` is set where the operator's interface identifiers are those of
    draft-ietf-softwire-map-03.  Raises ValueError for lengths that do not fit.
    """

    ipv6: IPv6Network
    ipv4: IPv4Network
    ea_len: int
    offset: int = DEFAULT_OFFSET
    relay: IPv6Address | None = None
    draft03: bool = False

    def __post_init__(self) -> None:
        if self.end_user_len > MAX_END_USER_LEN:
            raise ValueError(
                f"{self.ipv6} and {self.ea_len} EA bits make a prefix of {self.end_user_len} bits;"
                f" it may have {MAX_END_USER_LEN}"
            )
        PsidFormat(self.offset, self.psid_len)  # raises for a PSID that does not fit

    @property
    def end_user_len(self) -> int:
        """The length of the prefix a customer has."""
        return self.ipv6.prefixlen + self.ea_len

    @property
    def suffix_len(self) -> int:
        """The bits of an IPv4 address that the rule's prefix leaves open."""
        return IPV4_BITS - self.ipv4.prefixlen

    @property
    def psid_len(self) -> int:
        """The EA bits that the IPv4 suffix does not need; 0 where no address is shared."""
        return max(0, self.ea_len - self.suffix_len)

    def customer_edge(self, line: IPv6Network) -> "CustomerEdge":
        """What the line with the prefix `line`, which may be a longer one, is given.

        Raises ValueError if the rule is not about that prefix, or the prefix is too short.
        """
        if not self.ipv6.overlaps(line):
            raise ValueError(f"{line} is not in the rule's {self.ipv6}")
        if line.prefixlen < self.end_user_len:
            raise ValueError(
                f"{line} is too short: {self.ipv6} and {self.ea_len} EA bits need a prefix"
                f" of /{self.end_user_len} or longer"
            )
        below = line.max_prefixlen - self.end_user_len
        end_user = int(line.network_address) >> below
        ea_bits = end_user & ((1 << self.ea_len) - 1)
        missing = max(0, self.suffix_len - self.ea_len)
        suffix = ea_bits >> self.psid_len << missing
        return CustomerEdge(
            rule=self,
            prefix=IPv6Network((end_user << below, self.end_user_len)),
            ipv4=IPv4Network((int(self.ipv4.network_address) | suffix, IPV4_BITS - missing)),
            psid=ea_bits & ((1 << self.psid_len) - 1) if self.psid_len else None,
        )


@dataclass(frozen=True, slots=True)
class CustomerEdge:
    """One line under a rule: its end-user prefix, IPv4 address and PSID.

    `ipv4` is a /32 but for a line with a prefix of its own; `psid` is None unless the address
    is shared.
    """

    rule: MapRule
    prefix: IPv6Network
    ipv4: IPv4Network
    psid: int | None

    @property
    def ports(self) -> PortSet:
        """The PSID's; every port where there is none."""
        if self.psid is None:
            return PortSet(((FIRST_PORT, LAST_PORT),))
        return PsidFormat(self.rule.offset, self.rule.psid_len).ports(self.psid)

    @property
    def address(self) -> IPv6Address:
        """The tunnel's own end, with the kind of interface identifier the rule says."""
        return self.address_draft03 if self.rule.draft03 else self.address_rfc7597

    @property
    def address_rfc7597(self) -> IPv6Address:
        """With the interface identifier of RFC 7597 section 6: 0 (16) | IPv4 (32) | PSID (16)."""
        return self.prefix[self._identifier()]

    @property
    def address_draft03(self) -> IPv6Address:
        """With draft-ietf-softwire-map-03's: 0 (8) | IPv4 (32) | PSID (16) | 0 (8)."""
        return self.prefix[self._identifier() << 8]

    def _identifier(self) -> int:
        return int(self.ipv4.network_address) << 16 | (self.psid or 0)
