"""Which rows of the tables somebody wants to see: told apart before anything is made of them."""

import cython

if not cython.compiled:
    from ratsnake.wire.integer_types import u32, u64

    from ..rules.behaviour_codes import ADM, APDM, STATIC
    from ..tables.row_layouts import Mappings, Partners, Sessions

    ANY = 65536  # more than any port or protocol

from ..settings.address_realm import Network, halves
from ..translation.flow_lifecycle import Flows


class EndpointRange:
    """The endpoints of one prefix and one port, or of any."""

    def __init__(self, prefix: Network | None = None, port: int | None = None) -> None:
        self.port = ANY if port is None else port
        self.high = self.low = self.mask_high = self.mask_low = 0
        if prefix is not None:
            mask = (1 << 128) - (1 << (prefix.max_prefixlen - prefix.prefixlen))
            self.high, self.low = halves(prefix.network_address)
            self.mask_high, self.mask_low = mask >> 64, mask & 0xFFFFFFFF_FFFFFFFF

    def has_address(self, high: u64, low: u64) -> bool:
        return high & self.mask_high == self.high and low & self.mask_low == self.low

    def has_port(self, port: u32) -> bool:
        return self.port == ANY or self.port == port

    def has(self, high: u64, low: u64, port: u32) -> bool:
        return self.has_port(port) and self.has_address(high, low)


class RowFilter:
    """Rows of one protocol, or of any, whose endpoints are all in their ranges.

    A mapping that does not depend on the remote address or port is for all of them.
    """

    def __init__(
        self,
        protocol: int | None = None,
        internal: EndpointRange | None = None,
        external: EndpointRange | None = None,
        remote: EndpointRange | None = None,
    ) -> None:
        """`protocol` is the engine's number of it (wire/packet_fields.py)."""
        self.protocol = ANY if protocol is None else protocol
        self.internal = internal or EndpointRange()
        self.external = external or EndpointRange()
        self.remote = remote or EndpointRange()

    def has_ports(self, flows: Flows, protocol: u32, external: u32) -> bool:
        """Whether the ports of an external address (by row) are those of wanted mappings."""
        return (self.protocol == ANY or self.protocol == protocol) and self.external.has_address(
            flows.realm.external_high[external], flows.realm.external_low[external]
        )

    def has_local(self, flows: Flows, i: u32) -> bool:
        """Whether the mapping is of the protocol and has the endpoints here."""
        m: Mappings = flows.mappings.rows
        external: u32 = m[i].external
        return (
            (self.protocol == ANY or self.protocol == m[i].protocol)
            and self.internal.has(
                flows.mappings.internal_high(i), m[i].internal_low, m[i].internal_port
            )
            and self.external.has(
                flows.realm.external_high[external],
                flows.realm.external_low[external],
                m[i].external_port,
            )
        )

    def has_mapping(self, flows: Flows, i: u32) -> bool:
        m: Mappings = flows.mappings.rows
        partners: Partners = flows.mappings.partners
        if not self.has_local(flows, i):
            return False
        if m[i].policy >= STATIC:
            return True
        depends: u32 = flows.policies.rows[m[i].policy].mapping
        return (
            depends < ADM
            or self.remote.has_address(partners[i].remote_high, partners[i].remote_low)
        ) and (depends < APDM or self.remote.has_port(partners[i].remote_port))

    def has_session(self, flows: Flows, i: u32) -> bool:
        s: Sessions = flows.sessions.rows
        return self.remote.has(
            flows.sessions.remote_high(i), s[i].remote_low, s[i].remote_port
        ) and self.has_local(flows, s[i].mapping)
