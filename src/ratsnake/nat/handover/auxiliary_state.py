"""What a NAT remembers beside its flows, for the one that takes its place: which ports rest, which
port an internal endpoint had last, and what hosts have spent of their rate."""

import cython

if not cython.compiled:
    from ratsnake.wire.integer_types import u32, u64
    from ratsnake.wire.packet_fields import PROTOCOLS

    from ..allocation.endpoint_allocator import BLOCKS, COMPUTED
    from ..tables.row_layouts import NONE32, Endpoints, Hosts

from ..allocation.endpoint_allocator import Allocator
from ..tables.host_table import HostTable
from ..translation.flow_lifecycle import Flows


def leave_auxiliary_state(old: Flows, new: Flows, now: u64) -> None:
    """To be called when the flows have gone over."""
    leave_rests(old, new, now)
    leave_endpoints(old, new)
    leave_rates(old.hosts, new.hosts)


def leave_rests(old: Flows, new: Flows, now: u64) -> None:
    """Ports go on resting, though no longer than a rest is now (RFC 6888 REQ-8)."""
    protocol: u32
    ports: u32
    ring: u32
    pool: u32
    position: u32
    row: u32
    external: u32
    if new.rest == 0:
        return
    for protocol in range(PROTOCOLS):
        if not (old.policies.rows[protocol].wakes and new.policies.rows[protocol].wakes):
            continue
        for ports in range(old.allocator.sets):
            ring = protocol * old.allocator.sets + ports
            if old.allocator.pools.oldest[ring] == 0:
                continue
            external = external_of_set(old.allocator, ports)
            pool = old.allocator.pool_of(protocol, external)
            position = old.allocator.pools.oldest[ring]
            external = new.realm.external_row(
                old.realm.external_high[external], old.realm.external_low[external]
            )
            while position and external != new.realm.externals:
                row = old.allocator.pools.at(pool, position - 1)
                rest_on(
                    new.allocator,
                    protocol,
                    external,
                    old.allocator.positions.port_at(pool, position - 1),
                    min(old.allocator.pools.rows[row].rests_until, now + new.rest),
                )
                position = old.allocator.pools.rows[row].younger


def external_of_set(a: Allocator, ports: u32) -> u32:
    """The row of the external address that a set of ports is of."""
    if a.mode == BLOCKS:
        return a.blocks.external_of(ports)
    if a.mode == COMPUTED:
        return a.families[a.deterministic.external_of(ports)]
    return ports


def rest_on(a: Allocator, protocol: u32, external: u32, port: u32, until: u64) -> None:
    """Let a port rest that nobody has."""
    pool: u32 = a.pool_of(protocol, external)
    position: u32 = a.positions.position_of(pool, port)
    if position == NONE32 or not a.pools.is_unused(pool, position):
        return
    ports: u32 = set_with(a, external, port)
    if ports == NONE32:
        return
    a.pools.take(pool, position)
    a.pools.rest(pool, position, protocol * a.sets + ports, until)


def set_with(a: Allocator, external: u32, port: u32) -> u32:
    """The set of ports in which flows would find this one; NONE32 if there is none."""
    place: u32 = 0
    if a.mode == BLOCKS:
        place = a.blocks.block_at(external, port)
        return place if place else NONE32
    if a.mode == COMPUTED:
        while place < a.ipv4 and a.families[place] != external:
            place += 1
        if place >= a.ipv4:
            return NONE32
        place = a.deterministic.host_at(place, port)
        return place if place < a.sets else NONE32
    return external


def leave_endpoints(old: Flows, new: Flows) -> None:
    """Endpoints without mappings in the order of their last use, then those with mappings."""
    rows: Endpoints = old.allocator.endpoints.rows
    row: u32 = rows[0].younger
    while row:
        leave_endpoint(old, new, row, True)
        row = rows[row].younger
    for row in range(1, old.allocator.endpoints.fresh):
        if rows[row].mappings:
            leave_endpoint(old, new, row, False)


def leave_endpoint(old: Flows, new: Flows, row: u32, is_unused: bool) -> None:
    it: Endpoints = old.allocator.endpoints.rows
    external: u32 = it[row].last_external
    if external == NONE32:
        return
    policy: u32 = new.host_policies.policy_of(
        it[row].protocol, it[row].internal_high, it[row].internal_low
    )
    if not new.policies.rows[policy].remembers:
        return
    external = new.realm.external_row(
        old.realm.external_high[external], old.realm.external_low[external]
    )
    if external == new.realm.externals:
        return
    found: u32 = new.allocator.endpoints.find(
        it[row].protocol,
        it[row].internal_high,
        it[row].internal_low,
        it[row].internal_port,
        new.allocator.endpoints.tag_of(
            it[row].protocol, it[row].internal_high, it[row].internal_low, it[row].internal_port
        ),
    )
    if found == 0 and is_unused:
        found = new.allocator.endpoints.enter(
            it[row].protocol, it[row].internal_high, it[row].internal_low, it[row].internal_port
        )
    if found:
        new.allocator.endpoints.remember(found, external, it[row].last_port)


def leave_rates(old: HostTable, new: HostTable) -> None:
    rows: Hosts = old.rows
    row: u32
    found: u32
    for row in range(1, old.fresh):
        if rows[row].live and rows[row].spent:
            found = new.find(rows[row].high, rows[row].low)
            if found:
                new.rows[found].spent = rows[row].spent
                new.rows[found].spent_at = rows[row].spent_at
