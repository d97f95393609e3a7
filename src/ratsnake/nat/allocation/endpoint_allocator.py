"""Which external endpoint a new mapping gets, and what it takes with it.

The address comes first: with *paired* pooling it follows from the internal host (RFC 4787 REQ-2),
with *arbitrary* pooling any will do.  Then the port, out of all the address's ports, out of the
blocks the host has or may still get, or out of those that are the host's by arithmetic (RFC 7422).
What `take` takes, `give` gives back.
"""

from typing import cast

import cython

if not cython.compiled:
    from ratsnake.wire.integer_types import u32, u64
    from ratsnake.wire.packet_fields import Packet

    from ..rules.behaviour_codes import DISTINCT, EXCLUSIVE
    from ..tables.keyed_hash import hash5
    from ..tables.row_layouts import NONE32, Mappings, Numbers, Partners, new_numbers, release
    from .port_selection import HIGHEST

    SINGLE = 0
    BLOCKS = 1
    COMPUTED = 2
    LOST = 1
    GIVEN_UP = 2

from ratsnake.wire.packet_fields import PROTOCOLS

from ..settings.deterministic_nat import Deterministic
from ..settings.deterministic_nat_factory import deterministic_table
from ..settings.forward_table import Forwards
from ..settings.host_policies import HostPolicies
from ..settings.host_types import host_classes
from ..settings.setting_types import Pooling
from ..settings.validated_settings import Settings
from ..tables.behaviour_by_protocol import PolicyTable
from ..tables.hash_secret import Secret
from ..tables.host_table import HostTable
from ..tables.mapping_table import MappingTable
from ..tables.random_generator import Generator
from .available_addresses import serving, unavailable
from .counter_table import CounterTable
from .permitted_ports import block_ports, pool_ranges
from .port_blocks import PortBlocks
from .port_overloading import PortConflicts
from .port_pools import PortPools
from .port_positions import Positions
from .port_selection import PortSelector
from .sticky_ports import StickyPorts


class Allocator:
    families: Numbers
    unavailable: Numbers

    def __init__(
        self,
        settings: Settings,
        forwards: Forwards,
        policies: PolicyTable,
        host_policies: HostPolicies,
        mappings: MappingTable,
        hosts: HostTable,
        counters: CounterTable,
        generator: Generator,
        secret: Secret,
    ) -> None:
        self.policies = policies
        self.host_policies = host_policies
        self.mappings = mappings
        self.hosts = hosts
        self.generator = generator
        self.secret = secret
        self.externals = len(settings.externals)
        reserved = set(forwards.reserved())
        # Rows of the addresses mappings may get: first the IPv4 ones, then the IPv6 ones.
        rows = [serving(settings.externals, version) for version in (4, 6)]
        self.ipv4, self.ipv6 = map(len, rows)
        self.families = new_numbers(self.externals)
        for place, row in enumerate(sum(rows, [])):
            self.families[place] = row
        self.unavailable = new_numbers(self.externals)
        for row, how in unavailable(settings.externals).items():
            self.unavailable[row] = how
        self.waits = False
        self.arbitrary = settings.pooling is Pooling.ARBITRARY
        self.mode = SINGLE
        # Sets of ports in which a flow has to find one: an address's, a block's or a host's.
        self.sets = self.externals
        self.blocks_per_host = settings.blocks_per_host
        sized = settings.port_block and not settings.deterministic
        self.blocks = PortBlocks(
            [
                block_ports(row, external, reserved) if sized else ()
                for row, external in enumerate(settings.externals)
            ],
            settings.port_block or 1,
            generator,
            settings.limits.mappings + 1 if sized else 0,
        )
        if sized:
            self.mode = BLOCKS
            self.sets = self.blocks.count + 1
        # None is never asked: the mode says whether there is one.
        table = deterministic_table(settings) if settings.deterministic else None
        self.deterministic = cast(Deterministic, table)
        if settings.deterministic:
            self.mode = COMPUTED
            self.sets = table.hosts if table else 0
        of_protocols = list(zip(*host_classes(settings).behaviours, strict=True))
        self.positions = Positions(
            [
                pool_ranges(protocol, row, external, reserved, self.mode == BLOCKS)
                for protocol in range(PROTOCOLS)
                for row, external in enumerate(settings.externals)
            ],
            [
                any(one.parity for one in behaviours)
                for behaviours in of_protocols
                for _ in settings.externals
            ],
        )
        self.pools = PortPools(
            self.positions,
            [
                {one.share for one in behaviours}
                for behaviours in of_protocols
                for _ in settings.externals
            ],
            self.sets * PROTOCOLS,
            generator,
            # Blocks and computed ports are of one host, and so of one policy.
            self.mode == SINGLE,
        )
        self.taken = PortConflicts(counters, self.pools)
        self.endpoints = StickyPorts(settings.limits.mappings, secret)
        self.selector = PortSelector(policies, self.pools, self.endpoints, self.taken)
        self.external = self.port = self.endpoint = self.policy = 0

    def __dealloc__(self) -> None:
        release(self.families)
        release(self.unavailable)

    def pool_of(self, protocol: u32, external: u32) -> u32:
        return protocol * self.externals + external

    def addresses_for(self, version: u32) -> u32:
        """How many external addresses there are for mappings of hosts of an IP version."""
        return self.ipv6 if version == 6 else self.ipv4

    def face(self, p: Packet) -> None:
        """Turn to an outbound packet: all else follows the policy of its host."""
        self.policy = self.host_policies.policy_of(p.protocol, p.source_high, p.source_low)
        self.selector.policy = self.policy

    def find(self, p: Packet, host: u32, now: u64) -> bool:
        """Whether there is an external endpoint for the flow of an outbound packet.

        It is then in `external` and `port`, and to be taken before the next look.  If there is none
        `waits` says whether that is because the host waits for a lost address.
        """
        self.waits = False
        self.selector.forget_search()
        count: u32 = self.addresses_for(p.version)
        base: u32 = self.ipv4 if p.version == 6 else 0
        if count == 0:
            return False
        self.face(p)
        self.endpoint = 0
        if self.policies.rows[self.policy].remembers:
            self.endpoint = self.endpoints.enter(
                p.protocol, p.source_high, p.source_low, p.source_port
            )
        # Whoever needs a port now is served before who might be reached by a late packet, but only
        # when no port is left that does not rest.
        self.selector.waking = False
        if self.look(p, base, count, host, now):
            return True
        self.selector.waking = self.policies.rows[self.policy].wakes != 0
        return self.selector.waking and self.look(p, base, count, host, now)

    def look(self, p: Packet, base: u32, count: u32, host: u32, now: u64) -> bool:
        """`find` among the `count` addresses from place `base`."""
        if self.mode == COMPUTED:
            return self.find_computed(p, now)
        if self.arbitrary:
            return self.find_anywhere(p, base, count, now)
        external: u32 = self.paired(p, base, count, host)
        if self.unavailable[external] == LOST:
            self.waits = True
            return False
        if self.mode == BLOCKS and not self.policies.rows[self.policy].fixed:
            return self.find_in_blocks(p, external, host, now)
        return self.find_in(p, external, self.whole_set(external), 0, HIGHEST, now)

    def paired(self, p: Packet, base: u32, count: u32, host: u32) -> u32:
        """The external address a host has, or gets by its own address."""
        if (
            host
            and self.hosts.mappings_of(host)
            and not self.is_given_up(self.hosts.external_of(host))
        ):
            return self.hosts.external_of(host)
        if count == 1:
            return self.families[base]
        place: u64 = hash5(self.secret.words, p.source_high, p.source_low, 1, 0, 0)
        return self.families[base + (place * count >> 32)]

    def is_given_up(self, external: u32) -> bool:
        """Whether hosts paired with the address get another for what is new."""
        return self.unavailable[external] == GIVEN_UP

    def whole_set(self, external: u32) -> u32:
        """The set of all ports of an address; 0 if flows have to find theirs in smaller ones."""
        return external if self.mode == SINGLE else 0

    def find_in(
        self, p: Packet, external: u32, ports: u32, first: u32, last: u32, now: u64
    ) -> bool:
        """`find` among some ports of one address, which are the set `ports`."""
        port: u32 = self.selector.choose(
            p,
            self.pool_of(p.protocol, external),
            p.protocol * self.sets + ports,
            external,
            self.endpoint,
            first,
            last,
            now,
        )
        self.external = external
        self.port = port
        return port != NONE32

    def find_anywhere(self, p: Packet, base: u32, count: u32, now: u64) -> bool:
        """`find` among all addresses: the one used last where ports are sticky, then any."""
        last: u32 = NONE32
        if self.endpoint and self.policies.rows[self.policy].sticky:
            last = self.endpoints.last_external(self.endpoint)
        if last != NONE32 and self.unavailable[last]:
            last = NONE32
        if last != NONE32 and self.find_in(p, last, last, 0, HIGHEST, now):
            return True
        start: u32 = self.generator.below(count)
        k: u32
        external: u32
        if self.selector.waking:
            start = self.longest_rested(p, base, count)
        for k in range(count):
            external = self.families[base + start]
            start = start + 1 if start + 1 < count else 0
            if k < count - 1 and not self.may_have_room(p.protocol, external, now):
                continue
            if self.find_in(p, external, external, 0, HIGHEST, now):
                return True
        return False

    def may_have_room(self, protocol: u32, external: u32, now: u64) -> bool:
        """Whether an address is worth a search: of many, most may be full."""
        pool: u32 = self.pool_of(protocol, external)
        return (
            self.pools.unused_ports(pool) != 0
            or self.policies.rows[self.policy].sharing != EXCLUSIVE
            or self.selector.waking
            or self.pools.first_waking(pool, pool) <= now
        )

    def longest_rested(self, p: Packet, base: u32, count: u32) -> u32:
        """Which of the addresses has the port whose rest ends first."""
        best: u32 = 0
        k: u32
        for k in range(1, count):
            if self.waking_of(p.protocol, self.families[base + k]) < self.waking_of(
                p.protocol, self.families[base + best]
            ):
                best = k
        return best

    def waking_of(self, protocol: u32, external: u32) -> u64:
        """When the first port of an address has rested enough."""
        pool: u32 = self.pool_of(protocol, external)
        return self.pools.first_waking(pool, pool)

    def find_in_blocks(self, p: Packet, external: u32, host: u32, now: u64) -> bool:
        """`find` in the blocks the host has, or in one more."""
        block: u32 = self.block_of_last(p, external)
        if block and self.blocks.owner_of(block) == host and self.find_in_block(p, block, now):
            return True
        block = self.blocks.first_of(host)
        while block:
            if self.blocks.external_of(block) == external and self.find_in_block(p, block, now):
                return True
            block = self.blocks.next_of(block)
        if self.blocks.granted(host) >= self.blocks_per_host:
            return False
        block = self.blocks.grant(host, external)
        if block == 0:
            return False
        if self.find_in_block(p, block, now):
            return True
        # Held for a moment and dropped, it goes back.
        self.blocks.hold(block)
        self.blocks.drop(block)
        return False

    def block_of_last(self, p: Packet, external: u32) -> u32:
        """The block with the port that the endpoint of a sticky flow had last, or 0."""
        if (
            self.endpoint == 0
            or not self.policies.rows[self.policy].sticky
            or self.endpoints.last_external(self.endpoint) != external
        ):
            return 0
        return self.blocks.block_at(external, self.endpoints.last_port(self.endpoint))

    def find_in_block(self, p: Packet, block: u32, now: u64) -> bool:
        """`find` in one block."""
        return self.find_in(
            p,
            self.blocks.external_of(block),
            block,
            self.blocks.first_port(block),
            self.blocks.last_port(block),
            now,
        )

    def find_computed(self, p: Packet, now: u64) -> bool:
        """`find` in the ports that are the host's by arithmetic."""
        host: u32 = self.deterministic.host_of(p.source_high, p.source_low)
        if host == NONE32:
            return False
        external: u32 = self.families[self.deterministic.external_of(host)]
        if self.policies.rows[self.policy].fixed:
            return self.find_in(p, external, 0, 0, HIGHEST, now)
        return self.find_in(
            p,
            external,
            host,
            self.deterministic.first_port(host),
            self.deterministic.last_port(host),
            now,
        )

    def is_used(self, protocol: u32, external: u32, port: u32) -> bool:
        """Whether a mapping has the port."""
        pool: u32 = self.pool_of(protocol, external)
        position: u32 = self.positions.position_of(pool, port)
        return position != NONE32 and self.pools.is_used(pool, position)

    def lacks_block(self, host: u32) -> bool:
        """Whether a host (0: one that has nothing) may have one more block of ports."""
        return self.mode == BLOCKS and (
            host == 0 or self.blocks.granted(host) < self.blocks_per_host
        )

    def holder_of_preferred(self, p: Packet) -> u32:
        """The mapping that kept the port the policy prefers from being found, or 0."""
        return self.holder_of(p, self.selector.contested)

    def some_holder(self, p: Packet) -> u32:
        """A mapping that has one of the ports that were searched last and stands in the way, or
        0."""
        return self.holder_of(p, self.selector.some_port(p))

    def holder_of(self, p: Packet, port: u32) -> u32:
        """The mapping that keeps a port of the address searched last from the flow; 0 if none."""
        if port == NONE32:
            return 0
        return self.mappings.find_inbound(
            p.protocol,
            self.external,
            port,
            p.destination_high,
            p.destination_low,
            p.destination_port,
        )

    def take(self, m: u32) -> None:
        """A mapping was made of what `find` found."""
        r: Mappings = self.mappings.rows
        policy: u32 = r[m].policy
        pool: u32 = self.pool_of(r[m].protocol, r[m].external)
        position: u32 = self.selector.position
        self.pools.take(pool, position)
        if self.endpoint:
            self.mappings.partners[m].endpoint = self.endpoint
            self.endpoints.hold(self.endpoint, r[m].external, r[m].external_port)
        if self.policies.rows[policy].sharing != EXCLUSIVE:
            # Whose ports these are `find` has looked at.
            self.taken.enter(position)
            if self.pools.mixed[pool]:
                self.pools.share(pool, position, self.policies.rows[policy].share)
        if self.mode == BLOCKS and not self.policies.rows[policy].fixed:
            self.blocks.hold(self.blocks.block_at(r[m].external, r[m].external_port))

    def set_of(self, m: u32) -> u32:
        """The set of ports in which a mapping's port was found."""
        r: Mappings = self.mappings.rows
        if self.mode == BLOCKS:
            return self.blocks.block_at(r[m].external, r[m].external_port)
        if self.mode == COMPUTED:
            return self.deterministic.host_of(self.mappings.internal_high(m), r[m].internal_low)
        return r[m].external

    def give(self, m: u32, rests_until: u64) -> None:
        """A mapping ended; its port stays unused until then (0: it need not)."""
        r: Mappings = self.mappings.rows
        partners: Partners = self.mappings.partners
        policy: u32 = r[m].policy
        pool: u32 = self.pool_of(r[m].protocol, r[m].external)
        position: u32 = self.positions.position_of(pool, r[m].external_port)
        if self.policies.rows[policy].rests and rests_until:
            self.pools.rest(pool, position, r[m].protocol * self.sets + self.set_of(m), rests_until)
        else:
            self.pools.give(pool, position)
        if self.policies.rows[policy].sharing != EXCLUSIVE:
            self.taken.look(
                pool,
                partners[m].remote_high,
                partners[m].remote_low,
                partners[m].remote_port if self.policies.rows[policy].share == 2 else 0,
                partners[m].endpoint if self.policies.rows[policy].sharing == DISTINCT else 0,
            )
            self.taken.leave(position)
        if self.policies.rows[policy].remembers and partners[m].endpoint:
            self.endpoints.drop(partners[m].endpoint)
        if self.mode == BLOCKS and not self.policies.rows[policy].fixed:
            self.blocks.drop(self.blocks.block_at(r[m].external, r[m].external_port))
