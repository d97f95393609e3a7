"""Whether a mapping may have just this external endpoint, where another NAT has given it.

What `endpoint_allocator` prefers, a parity, a class or the internal port, is no condition here: a
mapping that came to be without it goes on.
"""

import cython

if not cython.compiled:
    from ratsnake.wire.integer_types import u32
    from ratsnake.wire.packet_fields import Packet

    from ..rules.behaviour_codes import DISTINCT, EXCLUSIVE
    from ..tables.row_layouts import NONE32
    from .endpoint_allocator import BLOCKS, COMPUTED

from .endpoint_allocator import Allocator


def claim(a: Allocator, p: Packet, external: u32, port: u32, host: u32) -> bool:
    """Whether there is this external endpoint for the flow of an outbound packet.

    It is then what the allocator has found, to be taken before the next look.
    """
    a.face(p)
    pool: u32 = a.pool_of(p.protocol, external)
    position: u32 = a.positions.position_of(pool, port)
    if position == NONE32 or (a.policies.rows[a.policy].fixed and port != p.source_port):
        return False
    a.endpoint = 0
    if a.policies.rows[a.policy].remembers:
        a.endpoint = a.endpoints.enter(p.protocol, p.source_high, p.source_low, p.source_port)
    if a.policies.rows[a.policy].sharing == EXCLUSIVE:
        if not a.pools.is_unused(pool, position):
            return False
    else:
        a.taken.look(
            pool,
            p.destination_high,
            p.destination_low,
            p.destination_port if a.policies.rows[a.policy].share == 2 else 0,
            a.endpoint if a.policies.rows[a.policy].sharing == DISTINCT else 0,
        )
        if a.pools.mixed[pool]:
            a.taken.keep_to(a.policies.rows[a.policy].share, False)
        if not a.taken.is_free(position):
            return False
    if not is_hosts(a, p, external, port, host):
        return False
    a.selector.position = position
    a.external = external
    a.port = port
    return True


def is_hosts(a: Allocator, p: Packet, external: u32, port: u32, host: u32) -> bool:
    """Whether the port is among those the internal host may have; its block is granted."""
    fixed: bool = a.policies.rows[a.policy].fixed != 0
    if a.mode == COMPUTED:
        return computed_for(a, p, external, fixed, port)
    if a.mode != BLOCKS or fixed:
        return True
    block: u32 = a.blocks.block_at(external, port)
    if block == 0:
        return False
    if a.blocks.owner_of(block):
        return a.blocks.owner_of(block) == host
    if a.blocks.granted(host) >= a.blocks_per_host:
        return False
    a.blocks.assign(host, block)
    return True


def computed_for(a: Allocator, p: Packet, external: u32, fixed: bool, port: u32) -> bool:
    """Whether the port is the host's by arithmetic."""
    number: u32 = a.deterministic.host_of(p.source_high, p.source_low)
    if number == NONE32:
        return False
    place: u32 = a.deterministic.external_of(number)
    return a.families[place] == external and (
        fixed or a.deterministic.host_at(place, port) == number
    )
