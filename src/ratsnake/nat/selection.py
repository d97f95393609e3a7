"""Which external port a new mapping gets (RFC 4787 section 4.2, RFC 6056, RFC 7857 sections 3, 9).

In this order: the port the policy prefers, if it is acceptable; a random one nobody has, as long as
there is one; where ports may be shared, any acceptable one, searched from a random place through
the whole set.  So a port is found whenever one exists.  Shared ports are used last because two
internal endpoints on one port lose their stickiness once they meet at the same remote.  Sequential
selection searches from the port after the endpoint's last one instead, shared or not.
"""

import cython

if not cython.compiled:
    from ratsnake.wire.types import u32, u64

    from .policies import DISTINCT, EXCLUSIVE, PRESERVE, SEQUENTIAL
    from .records import NONE32
    from .tally import PORT_OF_ENDPOINT, PORTS_TOWARD_REMOTE

from .endpoints import EndpointMemory
from .mappings import MappingTable
from .policy_table import PolicyTable
from .ports import PortPools
from .tally import Tally


class PortSelector:
    def __init__(
        self,
        policies: PolicyTable,
        pools: PortPools,
        mappings: MappingTable,
        endpoints: EndpointMemory,
        tally: Tally,
    ) -> None:
        self.policies = policies
        self.pools = pools
        self.mappings = mappings
        self.endpoints = endpoints
        self.tally = tally

    def acceptable(
        self,
        protocol: u32,
        pool: u32,
        external: u32,
        port: u32,
        endpoint: u32,
        remote_high: u64,
        remote_low: u64,
        remote_port: u32,
    ) -> bool:
        """Whether a permitted port may serve this endpoint toward this remote."""
        if self.pools.users_of(pool, port) == 0:
            return True
        sharing: u32 = self.policies.rows[protocol].sharing
        if sharing == EXCLUSIVE:
            return False
        if sharing == DISTINCT and self.tally.count(PORT_OF_ENDPOINT, endpoint, port, external, 0):
            return False
        return (
            self.mappings.find_external(
                protocol, external, port, remote_high, remote_low, remote_port
            )
            == 0
        )

    def preferred(self, protocol: u32, endpoint: u32, internal_port: u32) -> u32:
        """The port to try first, or NONE32."""
        last: u32 = self.endpoints.last_port(endpoint) if endpoint else NONE32
        port: u32 = NONE32
        if last != NONE32 and self.policies.rows[protocol].sticky:
            port = last
        elif self.policies.rows[protocol].selection == PRESERVE:
            port = internal_port
        elif last != NONE32 and self.policies.rows[protocol].selection == SEQUENTIAL:
            port = self.pools.next_port(last)
        return port if port != NONE32 and self.pools.has(port) else NONE32

    def choose(
        self,
        protocol: u32,
        pool: u32,
        external: u32,
        endpoint: u32,
        internal_port: u32,
        remote_high: u64,
        remote_low: u64,
        remote_port: u32,
    ) -> u32:
        """The external port for a new mapping, or NONE32.  `endpoint` is 0 if none is kept."""
        port: u32 = self.preferred(protocol, endpoint, internal_port)
        if port != NONE32 and self.acceptable(
            protocol, pool, external, port, endpoint, remote_high, remote_low, remote_port
        ):
            return port
        start: u32 = port
        if self.policies.rows[protocol].selection != SEQUENTIAL or port == NONE32:
            start = self.pools.random_unused(pool)
            if start != NONE32:
                return start
            start = self.pools.random_port(pool)
        if self.policies.rows[protocol].sharing == EXCLUSIVE:
            return self.pools.next_unused(pool, start)
        return self.search(
            protocol, pool, external, endpoint, start, remote_high, remote_low, remote_port
        )

    def search(
        self,
        protocol: u32,
        pool: u32,
        external: u32,
        endpoint: u32,
        start: u32,
        remote_high: u64,
        remote_low: u64,
        remote_port: u32,
    ) -> u32:
        """The first acceptable port from `start` upward, going round; or NONE32.

        Counts say at once when every port is taken toward this remote, or by this endpoint where it
        may have none twice, so that a host that goes on trying costs little.
        """
        if (
            self.policies.rows[protocol].sharing == DISTINCT
            and self.endpoints.mappings_of(endpoint) >= self.pools.size
        ):
            return NONE32
        remote: u32 = remote_port if self.policies.rows[protocol].share == 2 else 0
        taken: u32 = self.tally.count(PORTS_TOWARD_REMOTE, pool, remote, remote_high, remote_low)
        if taken == self.pools.size:
            return NONE32
        port: u32 = start
        _tried: u32
        for _tried in range(self.pools.size):
            if self.acceptable(
                protocol, pool, external, port, endpoint, remote_high, remote_low, remote_port
            ):
                return port
            port = self.pools.next_port(port)
        return NONE32
