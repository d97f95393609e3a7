"""Which external endpoint a flow would get if it asked: `endpoint_allocator` for who only looks.

It follows the same order, asks the same selector for the port the policy prefers, and takes
nothing: no port, no block, no random number, no memory of the endpoint.  So a port that would be
drawn is not known, only that there is one.
"""

import cython

if not cython.compiled:
    from ratsnake.wire.integer_types import M64, u32, u64
    from ratsnake.wire.packet_fields import Packet

    from ..allocation.endpoint_allocator import BLOCKS, COMPUTED, LOST
    from ..allocation.port_selection import HIGHEST
    from ..rules.behaviour_codes import EXCLUSIVE, PRESERVE
    from ..tables.row_layouts import NONE32, Policies

from ..translation.flow_lifecycle import Flows


class AllocationPreview:
    """After `find`, `external` is the address's row and `port` the port, or NONE32 where chance
    would decide; `how` is why it is this one."""

    def __init__(self, flows: Flows) -> None:
        self.flows = flows
        self.allocator = flows.allocator
        self.selector = flows.allocator.selector
        self.endpoint = 0
        self.now = 0
        self.waking = self.waits = False
        self.external = self.port = NONE32
        self.how = ""

    def find(self, p: Packet, host: u32, now: u64) -> bool:
        """Whether there would be an external endpoint; `host` is 0 for one that has nothing."""
        self.now = now
        base: u32 = 0
        count: u32 = self.allocator.ipv4
        if p.version == 6:
            base = count
            count = self.allocator.ipv6
        if count == 0:
            return False
        self.allocator.face(p)
        self.endpoint = 0
        if self.allocator.policies.rows[self.allocator.policy].remembers:
            self.endpoint = self.allocator.endpoints.find(
                p.protocol,
                p.source_high,
                p.source_low,
                p.source_port,
                self.allocator.endpoints.tag_of(
                    p.protocol, p.source_high, p.source_low, p.source_port
                ),
            )
        self.waking = False
        if self.look(p, base, count, host):
            return True
        self.waking = self.allocator.policies.rows[self.allocator.policy].wakes != 0
        return self.waking and self.look(p, base, count, host)

    def look(self, p: Packet, base: u32, count: u32, host: u32) -> bool:
        """`find` among the `count` addresses from place `base`."""
        if self.allocator.mode == COMPUTED:
            subscriber: u32 = self.allocator.deterministic.host_of(p.source_high, p.source_low)
            if subscriber == NONE32:
                return False
            row: u32 = self.allocator.families[self.allocator.deterministic.external_of(subscriber)]
            if self.allocator.policies.rows[self.allocator.policy].fixed:
                return self.look_in(p, row, 0, 0, HIGHEST)
            return self.look_in(
                p,
                row,
                subscriber,
                self.allocator.deterministic.first_port(subscriber),
                self.allocator.deterministic.last_port(subscriber),
            )
        if self.allocator.arbitrary:
            return self.look_anywhere(p, base, count)
        external: u32 = self.allocator.paired(p, base, count, host)
        self.waits = self.allocator.unavailable[external] == LOST
        if self.waits:
            return False
        if (
            self.allocator.mode == BLOCKS
            and not self.allocator.policies.rows[self.allocator.policy].fixed
        ):
            return self.look_in_blocks(p, external, host)
        return self.look_in(p, external, self.allocator.whole_set(external), 0, HIGHEST)

    def look_anywhere(self, p: Packet, base: u32, count: u32) -> bool:
        last: u32 = NONE32
        if self.endpoint and self.allocator.policies.rows[self.allocator.policy].sticky:
            last = self.allocator.endpoints.last_external(self.endpoint)
        if last != NONE32 and self.allocator.unavailable[last]:
            last = NONE32
        if last != NONE32 and self.look_in(p, last, last, 0, HIGHEST):
            return True
        k: u32
        external: u32
        for k in range(count):
            external = self.allocator.families[base + k]
            if self.look_in(p, external, external, 0, HIGHEST):
                if count > 1:
                    self.external = self.port = NONE32
                    self.how = "of any external address that has one"
                return True
        return False

    def look_in_blocks(self, p: Packet, external: u32, host: u32) -> bool:
        block: u32 = self.allocator.blocks.first_of(host)
        while block:
            if self.allocator.blocks.external_of(block) == external and self.look_in(
                p,
                external,
                block,
                self.allocator.blocks.first_port(block),
                self.allocator.blocks.last_port(block),
            ):
                return True
            block = self.allocator.blocks.next_of(block)
        if self.allocator.blocks.granted(host) >= self.allocator.blocks_per_host:
            return False
        self.external = external
        self.port = NONE32
        self.how = "of a new block"
        return self.allocator.blocks.free_blocks(external) != 0

    def look_in(self, p: Packet, external: u32, ports: u32, first: u32, last: u32) -> bool:
        """`find` among some ports of one address, which are the set `ports`."""
        self.selector.face(
            p,
            self.allocator.pool_of(p.protocol, external),
            p.protocol * self.allocator.sets + ports,
            external,
            self.endpoint,
            first,
            last,
        )
        if self.looks(p, external, first, last):
            return True
        if not self.selector.sparing:
            return False
        self.selector.spare_no_more()
        return self.looks(p, external, first, last)

    def looks(self, p: Packet, external: u32, first: u32, last: u32) -> bool:
        """`look_in`, among the ports that were turned to."""
        self.external = external
        self.port = NONE32
        port: u32 = self.selector.preferred(p, first, last)
        position: u32 = NONE32
        if port != NONE32:
            position = self.allocator.positions.position_of(self.selector.pool, port)
        if position != NONE32:
            if self.fits(position):
                self.port = port
                self.how = self.preference(p)
                return True
            holder: u32 = self.allocator.mappings.find_inbound(
                p.protocol,
                external,
                port,
                p.destination_high,
                p.destination_low,
                p.destination_port,
            )
            if self.is_last(holder) and not self.flows.shows_life(holder, self.now):
                self.how = "after a mapping that has expired"
                return True
        if self.allocator.policies.rows[self.allocator.policy].fixed:
            return False
        return self.any_fits(p, first, last)

    def is_last(self, holder: u32) -> bool:
        """Whether the flow may have a mapping's port once that has ended."""
        if holder == 0:
            return False
        policies: Policies = self.allocator.policies.rows
        policy: u32 = self.flows.mappings.rows[holder].policy
        # A port that is shared in another way may have more mappings.
        return (
            policies[policy].sharing == EXCLUSIVE
            or policies[policy].group == policies[self.allocator.policy].group
        )

    def fits(self, position: u32) -> bool:
        """Whether a port of the pool may serve the flow now, or has rested enough to."""
        pool: u32 = self.selector.pool
        if self.allocator.pools.rests(pool, position):
            at: u32 = self.allocator.pools.at(pool, position)
            may: bool = self.waking or self.allocator.pools.rows[at].rests_until <= self.now
            return may and not self.selector.sparing
        if self.selector.sharing != EXCLUSIVE:
            return self.allocator.taken.is_free(position)
        return self.allocator.pools.is_unused(pool, position)

    def any_fits(self, p: Packet, first: u32, last: u32) -> bool:
        """Whether a port in first..last does."""
        pool: u32 = self.selector.pool
        half: u32
        begin: u32
        end: u32
        for half in range(2 if self.allocator.positions.splits[pool] else 1):
            begin = self.allocator.positions.begin(pool, half, first)
            end = self.allocator.positions.begin(pool, half, last + 1)
            if begin == end:
                continue
            if not self.selector.sparing and self.allocator.pools.unused_before(pool, begin) != (
                self.allocator.pools.unused_before(pool, end)
            ):
                self.how = "by chance among those unused"
                return True
            if self.selector.sharing != EXCLUSIVE and (
                self.allocator.taken.next_free(begin, begin, end) != NONE32
            ):
                self.how = "shared with flows to other remotes"
                return True
        if self.selector.sparing:
            return False
        waking: u64 = self.allocator.pools.first_waking(pool, self.selector.ring)
        if waking <= self.now:
            self.how = "by chance among those unused"
            return True
        self.how = "which rests, for no other is left"
        return self.waking and waking != M64

    def preference(self, p: Packet) -> str:
        """Why the selector prefers the port it does."""
        if self.allocator.policies.rows[self.allocator.policy].fixed:
            return "its protocol number, which cannot change"
        has_last: bool = (
            self.endpoint != 0
            and self.allocator.endpoints.last_external(self.endpoint) == self.external
            and self.allocator.endpoints.last_port(self.endpoint) != NONE32
        )
        if has_last and self.allocator.policies.rows[self.allocator.policy].sticky:
            return "the one it had last (sticky)"
        if self.allocator.policies.rows[self.allocator.policy].selection == PRESERVE:
            return "its own (preserve)"
        return "the next one (sequential)"
