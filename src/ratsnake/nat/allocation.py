"""Which external endpoint a new mapping gets, and what it takes with it.

The address comes first: with *paired* pooling it follows from the internal host (RFC 4787 REQ-2),
with *arbitrary* pooling any will do.  Then the port, out of all the address's ports, out of the
blocks the host has or may still get, or out of those that are the host's by arithmetic (RFC 7422).
What `take` takes, `give` gives back.
"""

from typing import cast

import cython

if not cython.compiled:
    from ratsnake.wire.packet import Packet
    from ratsnake.wire.types import u32, u64

    from .hashing import hash5
    from .policies import DISTINCT, EXCLUSIVE
    from .records import NONE32, Mappings, Numbers, Partners, new_numbers, release
    from .selection import HIGHEST
    from .tally import PORT_OF_ENDPOINT, PORTS_TOWARD_REMOTE

    SINGLE = 0
    BLOCKS = 1
    COMPUTED = 2

from ratsnake.wire.packet import OTHER, PROTOCOLS

from .blocks import PortBlocks
from .deterministic import Deterministic
from .endpoints import EndpointMemory
from .forwards import Forwards
from .generator import Generator
from .mappings import MappingTable
from .policy_table import PolicyTable
from .ports import PortPools, Ranges
from .secret import Secret
from .selection import PortSelector
from .settings import External, Pooling, Settings, deterministic_table
from .tally import Tally

# A protocol without ports has its IANA number in their place.
PROTOCOL_NUMBERS = ((0, 255),)


def pool_ranges(
    protocol: int, row: int, external: External, reserved: set[tuple[int, int, int, int]]
) -> Ranges:
    """The ports of an external address that mappings of a protocol may get."""
    if external.ports is None:
        return ()
    if protocol == OTHER:
        return PROTOCOL_NUMBERS
    taken = [(first, last) for p, x, first, last in reserved if (p, x) == (protocol, row)]
    return external.ports.without(taken)


def block_ports(
    row: int, external: External, reserved: set[tuple[int, int, int, int]]
) -> tuple[int, ...]:
    """The ports of an external address that blocks are made of: those no forward has, for blocks
    serve all protocols."""
    if external.ports is None:
        return ()
    taken = [(first, last) for _, x, first, last in reserved if x == row]
    return tuple(
        [port for start, end in external.ports.without(taken) for port in range(start, end + 1)]
    )


class Allocator:
    families: Numbers

    def __init__(
        self,
        settings: Settings,
        forwards: Forwards,
        policies: PolicyTable,
        mappings: MappingTable,
        tally: Tally,
        generator: Generator,
        secret: Secret,
    ) -> None:
        self.policies = policies
        self.mappings = mappings
        self.tally = tally
        self.generator = generator
        self.secret = secret
        self.externals = len(settings.externals)
        reserved = set(forwards.reserved())
        self.pools = PortPools(
            [
                pool_ranges(protocol, row, external, reserved)
                for protocol in range(PROTOCOLS)
                for row, external in enumerate(settings.externals)
            ],
            generator,
        )
        self.endpoints = EndpointMemory(settings.limits.mappings, secret)
        self.selector = PortSelector(policies, self.pools, mappings, self.endpoints, tally)
        # Rows of the addresses mappings may get: first the IPv4 ones, then the IPv6 ones.
        rows = [row for row, external in enumerate(settings.externals) if external.ports]
        self.families = new_numbers(self.externals)
        ordered = sorted(rows, key=lambda row: settings.externals[row].address.version)
        for place, row in enumerate(ordered):
            self.families[place] = row
        self.ipv4 = sum(settings.externals[row].address.version == 4 for row in rows)
        self.ipv6 = len(rows) - self.ipv4
        self.arbitrary = settings.pooling is Pooling.ARBITRARY
        self.selector.several = self.arbitrary
        self.mode = SINGLE
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
        # None is never asked: the mode says whether there is one.
        table = deterministic_table(settings) if settings.deterministic else None
        self.deterministic = cast(Deterministic, table)
        if settings.deterministic:
            self.mode = COMPUTED
        self.external = self.port = self.endpoint = 0

    def __dealloc__(self) -> None:
        release(self.families)

    def pool_of(self, protocol: u32, external: u32) -> u32:
        return protocol * self.externals + external

    def find(self, p: Packet, host: u32, now: u64) -> bool:
        """Whether there is an external endpoint for the flow of an outbound packet.

        It is then in `external` and `port`, and to be taken before the next look.
        """
        count: u32 = self.ipv4
        base: u32 = 0
        if p.version == 6:
            base = count
            count = self.ipv6
        if count == 0:
            return False
        self.endpoint = 0
        if self.policies.rows[p.protocol].remembers:
            self.endpoint = self.endpoints.enter(
                p.protocol, p.source_high, p.source_low, p.source_port
            )
        # Whoever needs a port now is served before who might be reached by a late packet, but only
        # when no port is left that does not rest.
        self.selector.waking = False
        if self.look(p, base, count, host, now):
            return True
        self.selector.waking = self.policies.rows[p.protocol].rests != 0
        return self.selector.waking and self.look(p, base, count, host, now)

    def look(self, p: Packet, base: u32, count: u32, host: u32, now: u64) -> bool:
        """`find` among the `count` addresses from place `base`."""
        if self.mode == COMPUTED:
            return self.find_computed(p, now)
        if self.arbitrary:
            return self.find_anywhere(p, base, count, now)
        wide: u64 = hash5(self.secret.words, p.source_high, p.source_low, 1, 0, 0)
        external: u32 = self.families[base + (wide * count >> 32)]
        if self.mode == BLOCKS and not self.policies.rows[p.protocol].fixed:
            return self.find_in_blocks(p, external, host, now)
        return self.find_in(p, external, 0, HIGHEST, now)

    def find_in(self, p: Packet, external: u32, first: u32, last: u32, now: u64) -> bool:
        """`find` among some ports of one address."""
        port: u32 = self.selector.choose(
            p, self.pool_of(p.protocol, external), external, self.endpoint, first, last, now
        )
        self.external = external
        self.port = port
        return port != NONE32

    def find_anywhere(self, p: Packet, base: u32, count: u32, now: u64) -> bool:
        """`find` among all addresses: the one used last where ports are sticky, then any."""
        last: u32 = NONE32
        if self.endpoint and self.policies.rows[p.protocol].sticky:
            last = self.endpoints.last_external(self.endpoint)
        if last != NONE32 and self.find_in(p, last, 0, HIGHEST, now):
            return True
        start: u32 = self.generator.below(count)
        k: u32
        if self.selector.waking:
            start = self.longest_rested(p, base, count)
        for k in range(count):
            if self.find_in(p, self.families[base + (start + k) % count], 0, HIGHEST, now):
                return True
        return False

    def longest_rested(self, p: Packet, base: u32, count: u32) -> u32:
        """Which of the addresses has the port whose rest ends first."""
        best: u32 = 0
        k: u32
        for k in range(1, count):
            if self.pools.first_waking(
                self.pool_of(p.protocol, self.families[base + k])
            ) < self.pools.first_waking(self.pool_of(p.protocol, self.families[base + best])):
                best = k
        return best

    def find_in_blocks(self, p: Packet, external: u32, host: u32, now: u64) -> bool:
        """`find` in the blocks the host has, or in one more."""
        block: u32 = self.blocks.first_of(host)
        while block:
            if self.blocks.external_of(block) == external and self.find_in(
                p, external, self.blocks.first_port(block), self.blocks.last_port(block), now
            ):
                return True
            block = self.blocks.next_of(block)
        if self.blocks.granted(host) >= self.blocks_per_host:
            return False
        block = self.blocks.grant(host, external)
        if block == 0:
            return False
        if self.find_in(
            p, external, self.blocks.first_port(block), self.blocks.last_port(block), now
        ):
            return True
        # Held for a moment and dropped, it goes back.
        self.blocks.hold(block)
        self.blocks.drop(block)
        return False

    def find_computed(self, p: Packet, now: u64) -> bool:
        """`find` in the ports that are the host's by arithmetic."""
        host: u32 = self.deterministic.host_of(p.source_high, p.source_low)
        if host == NONE32:
            return False
        external: u32 = self.families[self.deterministic.external_of(host)]
        if self.policies.rows[p.protocol].fixed:
            return self.find_in(p, external, 0, HIGHEST, now)
        return self.find_in(
            p,
            external,
            self.deterministic.first_port(host),
            self.deterministic.last_port(host),
            now,
        )

    def holder_of_preferred(self, p: Packet) -> u32:
        """The mapping that kept the port the policy prefers from being found, or 0."""
        if self.selector.contested == NONE32:
            return 0
        return self.mappings.find_external(
            p.protocol,
            self.external,
            self.selector.contested,
            p.destination_high,
            p.destination_low,
            p.destination_port,
        )

    def take(self, m: u32) -> None:
        """A mapping was made of what `find` found."""
        r: Mappings = self.mappings.rows
        partners: Partners = self.mappings.partners
        policy: u32 = r[m].policy
        pool: u32 = self.pool_of(r[m].protocol, r[m].external)
        self.pools.take(pool, r[m].external_port)
        if self.endpoint:
            self.mappings.partners[m].endpoint = self.endpoint
            self.endpoints.hold(self.endpoint, r[m].external, r[m].external_port)
        if self.policies.rows[policy].sharing != EXCLUSIVE:
            self.tally.add(
                PORTS_TOWARD_REMOTE,
                pool,
                partners[m].remote_port if self.policies.rows[policy].share == 2 else 0,
                partners[m].remote_high,
                partners[m].remote_low,
            )
        if self.policies.rows[policy].sharing == DISTINCT:
            self.tally.add(PORT_OF_ENDPOINT, self.endpoint, r[m].external_port, r[m].external, 0)
        if self.mode == BLOCKS and not self.policies.rows[policy].fixed:
            self.blocks.hold(self.blocks.block_at(r[m].external, r[m].external_port))

    def give(self, m: u32, rests_until: u64) -> None:
        """A mapping ended; its port stays unused until then (0: it need not)."""
        r: Mappings = self.mappings.rows
        partners: Partners = self.mappings.partners
        policy: u32 = r[m].policy
        pool: u32 = self.pool_of(r[m].protocol, r[m].external)
        self.pools.give(
            pool, r[m].external_port, rests_until if self.policies.rows[policy].rests else 0
        )
        if self.policies.rows[policy].sharing != EXCLUSIVE:
            self.tally.remove(
                PORTS_TOWARD_REMOTE,
                pool,
                partners[m].remote_port if self.policies.rows[policy].share == 2 else 0,
                partners[m].remote_high,
                partners[m].remote_low,
            )
        if self.policies.rows[policy].sharing == DISTINCT:
            self.tally.remove(
                PORT_OF_ENDPOINT, partners[m].endpoint, r[m].external_port, r[m].external, 0
            )
        if self.policies.rows[policy].remembers:
            self.endpoints.drop(partners[m].endpoint)
        if self.mode == BLOCKS and not self.policies.rows[policy].fixed:
            self.blocks.drop(self.blocks.block_at(r[m].external, r[m].external_port))
