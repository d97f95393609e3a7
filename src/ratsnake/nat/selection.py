"""Which external port a new mapping gets (RFC 4787 section 4.2, RFC 6056, RFC 7857 sections 3, 9).

In this order: the port the policy prefers, if it is acceptable; a random one nobody has, as long as
there is one; where ports may be shared, any acceptable one, searched from a random place through
the whole set.  So a port is found whenever one exists.  Shared ports are used last because two
internal endpoints on one port lose their stickiness once they meet at the same remote.  Sequential
selection searches from the port after the endpoint's last one instead, shared or not.

Ports are searched in a *window*, first..last: those of the internal port's class, below 1024 or
above (RFC 4787 REQ-3a), and if that has none, all the flow may have.  Where the policy keeps parity
(REQ-4), each window is searched for the internal port's parity first.
"""

import cython

if not cython.compiled:
    from ratsnake.wire.packet import Packet
    from ratsnake.wire.types import u32, u64

    from .policies import DISTINCT, EXCLUSIVE, PRESERVE, SEQUENTIAL
    from .ports import ANY, EVEN, ODD
    from .records import NONE32
    from .tally import PORT_OF_ENDPOINT, PORTS_TOWARD_REMOTE

    HIGHEST = 0xFFFF
    WELL_KNOWN = 1023

from .endpoints import EndpointMemory
from .mappings import MappingTable
from .policy_table import PolicyTable
from .ports import PortPools
from .tally import Tally


class PortSelector:
    """`several`: an endpoint's mappings may be of several addresses.  `waking`: a port that rests
    may be taken.  `contested` is the port the policy preferred last, if it could not be had.
    """

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
        self.pool = self.external = self.endpoint = 0
        self.class_first = self.class_last = 0
        self.contested = NONE32
        self.several = self.waking = False

    def choose(
        self, p: Packet, pool: u32, external: u32, endpoint: u32, first: u32, last: u32, now: u64
    ) -> u32:
        """The external port in first..last for a mapping made by the outbound packet, or NONE32.

        `endpoint` is 0 if none is remembered.
        """
        self.face(p, pool, external, endpoint, first, last)
        self.pools.wake(pool, now)
        port: u32 = self.preferred(p, first, last)
        self.contested = NONE32
        if port != NONE32 and self.acceptable(p, port):
            return port
        self.contested = port
        if self.policies.rows[p.protocol].fixed:
            return NONE32
        start: u32 = port
        if self.policies.rows[p.protocol].selection != SEQUENTIAL:
            start = NONE32
        port = self.fitting(p, start, first, last)
        if port == NONE32 and self.waking and self.pools.wake_within(pool, first, last):
            port = self.fitting(p, start, first, last)
        return port

    def face(
        self, p: Packet, pool: u32, external: u32, endpoint: u32, first: u32, last: u32
    ) -> None:
        """Turn to the ports of a pool, for this packet."""
        self.pool = pool
        self.external = external
        self.endpoint = endpoint
        self.pools.prepare(pool)
        self.class_first = first
        self.class_last = last
        if p.source_port <= WELL_KNOWN:
            self.class_last = min(last, WELL_KNOWN)
        else:
            self.class_first = max(first, WELL_KNOWN + 1)

    def preferred(self, p: Packet, first: u32, last: u32) -> u32:
        """The port to try first, or NONE32."""
        before: u32 = NONE32
        if self.endpoint and self.endpoints.last_external(self.endpoint) == self.external:
            before = self.endpoints.last_port(self.endpoint)
        port: u32 = NONE32
        if before != NONE32 and self.policies.rows[p.protocol].sticky:
            port = before
        elif self.policies.rows[p.protocol].selection == PRESERVE:
            port = p.source_port
        elif before != NONE32 and self.policies.rows[p.protocol].selection == SEQUENTIAL:
            port = self.following(before, self.class_first, self.class_last, self.parity_of(p))
            if port == NONE32:
                port = self.following(before, first, last, ANY)
        if port == NONE32 or port < first or port > last:
            return NONE32
        return port if self.pools.has(self.pool, port) else NONE32

    def following(self, port: u32, first: u32, last: u32, parity: u32) -> u32:
        """The pool's port after `port`, going round in first..last; or NONE32 if it has none."""
        if first > last:
            return NONE32
        if port < first or port > last:
            port = last
        return self.pools.next_port(self.pool, port, first, last, parity)

    def parity_of(self, p: Packet) -> u32:
        """The parity wanted, or ANY."""
        if not self.policies.rows[p.protocol].parity:
            return ANY
        return ODD if p.source_port & 1 else EVEN

    def acceptable(self, p: Packet, port: u32) -> bool:
        """Whether a port of the pool may serve the packet's flow."""
        if self.pools.users_of(self.pool, port) == 0:
            return self.pools.is_unused(self.pool, port)
        sharing: u32 = self.policies.rows[p.protocol].sharing
        if sharing == EXCLUSIVE:
            return False
        if sharing == DISTINCT and self.tally.count(
            PORT_OF_ENDPOINT, self.endpoint, port, self.external, 0
        ):
            return False
        return (
            self.mappings.find_external(
                p.protocol,
                self.external,
                port,
                p.destination_high,
                p.destination_low,
                p.destination_port,
            )
            == 0
        )

    def fitting(self, p: Packet, start: u32, first: u32, last: u32) -> u32:
        """A port in the best window that has one, of the best parity; or NONE32.

        `start` is where a sequential search begins, NONE32 for anywhere.
        """
        port: u32 = NONE32
        if self.class_first <= self.class_last:
            port = self.of_parity(p, start, self.class_first, self.class_last)
        if port == NONE32 and (self.class_first != first or self.class_last != last):
            port = self.of_parity(p, start, first, last)
        return port

    def of_parity(self, p: Packet, start: u32, first: u32, last: u32) -> u32:
        """A port in first..last, of the parity wanted if there is one; or NONE32."""
        parity: u32 = self.parity_of(p)
        port: u32 = NONE32
        if parity != ANY:
            port = self.within(p, start, first, last, parity)
        if port == NONE32:
            port = self.within(p, start, first, last, ANY)
        return port

    def within(self, p: Packet, start: u32, first: u32, last: u32, parity: u32) -> u32:
        """A port in first..last, unused before shared; or NONE32."""
        sharing: u32 = self.policies.rows[p.protocol].sharing
        port: u32 = NONE32
        in_turn: bool = start != NONE32 and first <= start and start <= last
        if not in_turn:
            if parity == ANY and self.covers(first, last):
                port = self.pools.random_unused(self.pool)
                if port != NONE32:
                    return port
            start = self.pools.random_within(self.pool, first, last)
            if start == NONE32:
                return NONE32
        if not in_turn or sharing == EXCLUSIVE:
            port = self.pools.next_unused(self.pool, start, first, last, parity)
        if port == NONE32 and sharing != EXCLUSIVE:
            port = self.search(p, start, first, last, parity)
        return port

    def covers(self, first: u32, last: u32) -> bool:
        """Whether all ports of the pool are in first..last."""
        count: u32 = self.pools.rank(self.pool, last + 1) - self.pools.rank(self.pool, first)
        return count == self.pools.size(self.pool)

    def search(self, p: Packet, start: u32, first: u32, last: u32, parity: u32) -> u32:
        """The first acceptable port from `start` upward, going round in first..last; or NONE32.

        Counts say at once when every port is taken toward this remote, or by this endpoint where it
        may have none twice, so that a host that goes on trying costs little.
        """
        if (
            self.policies.rows[p.protocol].sharing == DISTINCT
            and not self.several
            and self.endpoints.mappings_of(self.endpoint) >= self.pools.size(self.pool)
        ):
            return NONE32
        remote: u32 = p.destination_port if self.policies.rows[p.protocol].share == 2 else 0
        taken: u32 = self.tally.count(
            PORTS_TOWARD_REMOTE, self.pool, remote, p.destination_high, p.destination_low
        )
        if taken == self.pools.size(self.pool):
            return NONE32
        begin: u32 = self.pools.next_port(self.pool, start - 1 & HIGHEST, first, last, parity)
        port: u32 = begin
        while port != NONE32:
            if self.acceptable(p, port):
                return port
            port = self.pools.next_port(self.pool, port, first, last, parity)
            if port == begin:
                return NONE32
        return NONE32
