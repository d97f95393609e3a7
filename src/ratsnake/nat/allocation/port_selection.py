"""Which external port a new mapping gets (RFC 4787 section 4.2, RFC 6056, RFC 7857 sections 3, 9).

In this order: the port the policy prefers, if it is acceptable; a random one nobody has, as long as
there is one; where ports may be shared, any acceptable one, searched from a random place through
the whole set.  So a port is found whenever one exists.  Shared ports are used last because two
internal endpoints on one port lose their stickiness once they meet at the same remote.  Sequential
selection searches from the port after the endpoint's last one instead, shared or not.

Ports are searched in a *window*, first..last: those of the internal port's class, below 1024 or
above (RFC 4787 REQ-3a), and if that has none, all the flow may have.  Where the policy keeps parity
(REQ-4), each window is searched for the internal port's parity first.

Where some hosts need exclusive ports and others share theirs, a quarter of the ports is left to the
former as long as the latter find a port that is shared already (`port_pools`).
"""

import cython

if not cython.compiled:
    from ratsnake.wire.integer_types import u32, u64
    from ratsnake.wire.packet_fields import Packet

    from ..rules.behaviour_codes import DISTINCT, EXCLUSIVE, PRESERVE, SEQUENTIAL
    from ..tables.row_layouts import NONE32

    HIGHEST = 0xFFFF
    WELL_KNOWN = 1023

from ..tables.behaviour_by_protocol import PolicyTable
from .port_overloading import PortConflicts
from .port_pools import PortPools
from .sticky_ports import StickyPorts


class PortSelector:
    """`position` is that of the port chosen last.  `waking`: one that rests may be taken.
    `contested` is the port the policy preferred last, if it could not be had.  `policy` is to be
    set for each packet; `sparing`: unused ports are not for it.
    """

    def __init__(
        self,
        policies: PolicyTable,
        pools: PortPools,
        endpoints: StickyPorts,
        taken: PortConflicts,
    ) -> None:
        self.policies = policies
        self.pools = pools
        self.positions = pools.positions
        self.endpoints = endpoints
        self.taken = taken
        self.pool = self.ring = self.external = self.endpoint = 0
        self.first = self.last = self.class_first = self.class_last = self.position = 0
        self.sharing = EXCLUSIVE
        self.policy = 0
        self.sparing = False
        self.contested = NONE32
        self.waking = False

    def choose(
        self,
        p: Packet,
        pool: u32,
        ring: u32,
        external: u32,
        endpoint: u32,
        first: u32,
        last: u32,
        now: u64,
    ) -> u32:
        """The external port in first..last for a mapping made by the outbound packet, or NONE32.

        `ring` is where those ports rest; `endpoint` is 0 if none is remembered.
        """
        self.face(p, pool, ring, external, endpoint, first, last)
        if self.policies.rows[self.policy].wakes:
            self.pools.wake(pool, ring, now)
        port: u32 = self.found(p, first, last, now)
        if port == NONE32 and self.sparing:
            self.spare_no_more()
            port = self.found(p, first, last, now)
        return port

    def found(self, p: Packet, first: u32, last: u32, now: u64) -> u32:
        """`choose`, among the ports that were turned to."""
        port: u32 = self.preferred(p, first, last)
        self.contested = NONE32
        if port != NONE32:
            self.position = self.positions.position_of(self.pool, port)
            if self.position == NONE32:
                port = NONE32
            elif self.acceptable(p, self.position, now):
                return port
        self.contested = port
        if self.policies.rows[self.policy].fixed:
            return NONE32
        if self.policies.rows[self.policy].selection != SEQUENTIAL:
            port = NONE32
        self.position = self.fitting(p, port, first, last)
        if self.position == NONE32 and self.waking and self.pools.wake_oldest(self.pool, self.ring):
            self.position = self.fitting(p, port, first, last)
        if self.position == NONE32:
            return NONE32
        return self.positions.port_at(self.pool, self.position)

    def face(
        self, p: Packet, pool: u32, ring: u32, external: u32, endpoint: u32, first: u32, last: u32
    ) -> None:
        """Turn to the ports of a pool, for this packet."""
        self.pool = pool
        self.ring = ring
        self.external = external
        self.endpoint = endpoint
        self.sharing = self.policies.rows[self.policy].sharing
        self.sparing = False
        if self.sharing != EXCLUSIVE:
            self.taken.look(
                pool,
                p.destination_high,
                p.destination_low,
                p.destination_port if self.policies.rows[self.policy].share == 2 else 0,
                endpoint if self.sharing == DISTINCT else 0,
            )
            if self.pools.mixed[pool]:
                self.sparing = self.pools.spares(pool)
                self.taken.keep_to(self.policies.rows[self.policy].share, self.sparing)
        self.first = self.class_first = first
        self.last = self.class_last = last
        if p.source_port <= WELL_KNOWN:
            self.class_last = min(last, WELL_KNOWN)
        else:
            self.class_first = max(first, WELL_KNOWN + 1)

    def spare_no_more(self) -> None:
        """Unused ports are for this packet too, for there is no other."""
        self.sparing = False
        self.taken.sparing = False

    def preferred(self, p: Packet, first: u32, last: u32) -> u32:
        """The port to try first if the pool has it, or NONE32."""
        before: u32 = NONE32
        if self.endpoint and self.endpoints.last_external(self.endpoint) == self.external:
            before = self.endpoints.last_port(self.endpoint)
        port: u32 = NONE32
        if before != NONE32 and self.policies.rows[self.policy].sticky:
            port = before
        elif self.policies.rows[self.policy].selection == PRESERVE:
            port = p.source_port
        elif before != NONE32 and self.policies.rows[self.policy].selection == SEQUENTIAL:
            port = self.following(before, self.half_of(p), self.class_first, self.class_last)
            if port == NONE32:
                port = self.following_any(before, first, last)
        return port if first <= port and port <= last else NONE32

    def half_of(self, p: Packet) -> u32:
        """The half of the pool that has the ports of the internal port's parity."""
        return p.source_port & 1 if self.policies.rows[self.policy].parity else 0

    def following(self, port: u32, half: u32, first: u32, last: u32) -> u32:
        """The port after `port`, going round in a half of first..last; NONE32 if that has none."""
        if first > last:
            return NONE32
        begin: u32 = self.positions.begin(self.pool, half, first)
        end: u32 = self.positions.begin(self.pool, half, last + 1)
        if begin == end:
            return NONE32
        at: u32 = begin
        if first <= port and port < last:
            at = self.positions.begin(self.pool, half, port + 1)
        return self.positions.port_at(self.pool, at if at < end else begin)

    def following_any(self, port: u32, first: u32, last: u32) -> u32:
        """The port after `port`, going round in first..last; NONE32 if there is none."""
        after: u32 = NONE32
        if first <= port and port < last:
            after = self.positions.from_port(self.pool, port + 1)
        if after == NONE32 or after > last:
            after = self.positions.from_port(self.pool, first)
        return after if after <= last else NONE32

    def acceptable(self, p: Packet, position: u32, now: u64) -> bool:
        """Whether a port of the pool may serve the flow."""
        if self.policies.rows[self.policy].wakes:
            self.pools.wake_port(self.pool, self.ring, position, now)
        if self.sharing != EXCLUSIVE:
            return self.taken.is_free(position)
        return self.pools.is_unused(self.pool, position)

    def forget_search(self) -> None:
        """No port has been searched for the next flow yet, and none stands in its way."""
        self.contested = NONE32
        self.first = 1
        self.last = 0

    def some_port(self, p: Packet) -> u32:
        """Any port of the window searched last, of the parity wanted; or NONE32."""
        half: u32 = self.half_of(p)
        begin: u32 = self.positions.begin(self.pool, half, self.first)
        end: u32 = self.positions.begin(self.pool, half, self.last + 1)
        if begin == end:
            return NONE32
        at: u32 = begin + self.pools.generator.below(end - begin)
        return self.positions.port_at(self.pool, at)

    def fitting(self, p: Packet, start: u32, first: u32, last: u32) -> u32:
        """A position in the best window that has one, of the best parity; or NONE32.

        `start` is where a sequential search begins, NONE32 for anywhere.
        """
        position: u32 = NONE32
        if self.class_first <= self.class_last:
            position = self.of_parity(p, start, self.class_first, self.class_last)
            if position != NONE32 or self.covers(first, last):
                return position
        return self.of_parity(p, start, first, last)

    def covers(self, first: u32, last: u32) -> bool:
        """Whether all ports of first..last are of the internal port's class."""
        return self.positions.below(self.pool, self.class_first) == self.positions.below(
            self.pool, first
        ) and self.positions.below(self.pool, self.class_last + 1) == self.positions.below(
            self.pool, last + 1
        )

    def of_parity(self, p: Packet, start: u32, first: u32, last: u32) -> u32:
        """A position in first..last, of the parity wanted if there is one; or NONE32."""
        half: u32 = self.half_of(p)
        position: u32 = self.within(half, start, first, last)
        if position == NONE32 and self.policies.rows[self.policy].parity:
            position = self.within(half ^ 1, start, first, last)
        return position

    def within(self, half: u32, start: u32, first: u32, last: u32) -> u32:
        """A position in a half of first..last, unused before shared; or NONE32."""
        begin: u32 = self.positions.begin(self.pool, half, first)
        end: u32 = self.positions.begin(self.pool, half, last + 1)
        at: u32
        if begin == end:
            return NONE32
        if start != NONE32 and first <= start and start <= last:
            at = self.positions.begin(self.pool, half, start)
            if at == end:
                at = begin
            if self.sharing == EXCLUSIVE:
                return self.pools.next_unused(self.pool, at, begin, end)
            return self.taken.next_free(at, begin, end)
        at = NONE32 if self.sparing else self.pools.random_unused(self.pool, begin, end)
        if at == NONE32 and self.sharing != EXCLUSIVE:
            at = begin + self.pools.generator.below(end - begin)
            at = self.taken.next_free(at, begin, end)
        return at
