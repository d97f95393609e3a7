"""Whether a packet of no session may open one: the whole policy of the slow path.

Both ways return the row of the new session, or 0 with the reason in `flows.refusal`.  The limits
come before the look at the mapping, because making room may end it.
"""

import cython

if not cython.compiled:
    from ratsnake.wire.integer_types import u32, u64
    from ratsnake.wire.packet_fields import ICMP, Packet

    from ..rules.behaviour_codes import ADM, APDF, EIF, STATIC
    from ..rules.drop_reasons import (
        CONFLICT,
        DESTINATION,
        FILTERED,
        HOST_LIMIT,
        HOST_RATE,
        INBOUND_LIMIT,
        MAPPING_LIMIT,
        NO_MAPPING,
        NO_PORT,
        NO_SESSION,
        NOT_SYN,
        SESSION_LIMIT,
        SOURCE,
        STATUS_REQUEST,
    )
    from ..rules.timeout_classes import ROOM
    from ..tables.mapping_table import FREE
    from ..tables.row_layouts import Mappings
    from ..tables.session_table import COUNTED, OPENED_OUTSIDE
    from .flow_eviction import half_open_gives_way, mapping_gives_way, session_gives_way

    PORTS_LOOKED_AT = 8

from .flow_lifecycle import Flows


def not_opening(protocol: u32) -> u32:
    """The reason to drop a packet of no session whose form cannot open one.

    A connection begins with its first packet, an ICMP query session with a request.
    """
    return NO_SESSION if protocol == ICMP else NOT_SYN


def has_session_room(flows: Flows, now: u64) -> bool:
    if flows.sessions.count < flows.sessions.capacity or flows.expire(now, ROOM):
        return True
    flows.refusal = SESSION_LIMIT
    return False


def admit_outbound(flows: Flows, p: Packet, opens: bool, now: u64) -> u32:
    if not flows.realm.is_internal(p.source_high, p.source_low):
        flows.refusal = SOURCE
        return 0
    if flows.realm.asks_status(p.destination_high, p.destination_low):
        flows.refusal = STATUS_REQUEST
        return 0
    if not flows.realm.is_remote(p.destination_high, p.destination_low):
        flows.refusal = DESTINATION
        return 0
    if not opens:
        flows.refusal = not_opening(p.protocol)
        return 0
    if not has_session_room(flows, now) and not session_gives_way(flows, p, now):
        return 0
    m: u32 = outbound_mapping(flows, p, now)
    if m == 0:
        # Whoever asked in vain leaves no trace.
        host: u32 = flows.hosts.find(p.source_high, p.source_low)
        if host:
            flows.hosts.settle(host)
        return 0
    return flows.open_session(m, p.destination_high, p.destination_low, p.destination_port, 0, now)


def outbound_mapping(flows: Flows, p: Packet, now: u64) -> u32:
    """The mapping for an outbound flow: of a static forward, one that is there, or a new one."""
    m: u32 = 0
    forward: u32 = flows.forwards.outbound(
        p.protocol,
        p.source_high,
        p.source_low,
        p.source_port,
        p.destination_high,
        p.destination_low,
    )
    if forward == 0:
        m = flows.mappings.find_internal(
            flows.policy_of(p),
            p.source_high,
            p.source_low,
            p.source_port,
            p.destination_high,
            p.destination_low,
            p.destination_port,
        )
        if m and not flows.alive(m, now):
            m = 0
    host: u32 = flows.hosts.enter(p.source_high, p.source_low)
    if host == 0:
        flows.refusal = MAPPING_LIMIT
        return 0
    if flows.hosts.sessions_of(host) >= flows.host_sessions and flows.expire(now, ROOM):
        host = flows.hosts.enter(p.source_high, p.source_low)
        if m and flows.mappings.rows[m].policy == FREE:
            m = 0
    if flows.hosts.sessions_of(host) >= flows.host_sessions:
        flows.refusal = HOST_LIMIT
        return 0
    if not flows.hosts.take_token(host, now, flows.host_rate, flows.host_rate):
        flows.refusal = HOST_RATE
        return 0
    if forward:
        return make_static(
            flows, p.protocol, forward, flows.forwards.external_port(forward, p.source_port), now
        )
    return m if m else dynamic_mapping(flows, p, host, now)


def make_static(flows: Flows, protocol: u32, forward: u32, external_port: u32, now: u64) -> u32:
    """The row of the mapping of a forward's external port, made if need be; or 0."""
    external: u32 = flows.forwards.external_of(forward)
    policy: u32 = protocol + STATIC
    m: u32 = flows.mappings.find_external(policy, external, external_port, 0, forward, 0)
    if m:
        return m
    if flows.mappings.count >= flows.mappings.capacity:
        flows.expire(now, ROOM)
    if flows.mappings.count >= flows.mappings.capacity:
        flows.refusal = MAPPING_LIMIT
        return 0
    high: u64 = flows.forwards.internal_high(forward)
    low: u64 = flows.forwards.internal_low(forward)
    host: u32 = flows.hosts.enter(high, low)
    if host == 0:
        flows.refusal = MAPPING_LIMIT
        return 0
    m = flows.mappings.add(
        policy,
        high,
        low,
        flows.forwards.internal_port(forward, external_port),
        external,
        external_port,
        0,
        forward,
        0,
    )
    if m == 0:
        flows.hosts.settle(host)
        flows.refusal = MAPPING_LIMIT
        return 0
    flows.complete(m, host, now)
    flows.hosts.join_forward(host)
    return m


def dynamic_mapping(flows: Flows, p: Packet, host: u32, now: u64) -> u32:
    """The row of a new mapping for an outbound packet, or 0.

    What expired must not stand in the way: before refusing, the sweep is made up for, as far as one
    packet may hold up the others.  If there is more, the next packets find it swept.
    """
    m: u32 = flows.make_mapping(p, host, now)
    ended: u32 = flows.expire(now, ROOM) if m == 0 else 0
    if ended:
        m = flows.make_mapping(p, flows.hosts.enter(p.source_high, p.source_low), now)
    if m == 0 and ended >= ROOM and flows.refusal == NO_PORT and reclaim(flows, p, now):
        m = flows.make_mapping(p, flows.hosts.enter(p.source_high, p.source_low), now)
    if m == 0 and mapping_gives_way(flows, p, now):
        m = flows.make_mapping(p, flows.hosts.enter(p.source_high, p.source_low), now)
    return m


def reclaim(flows: Flows, p: Packet, now: u64) -> bool:
    """Whether a mapping that has a port the packet's flow could use had expired, and was ended.

    A few ports are looked at.  Where so much has expired that the sweep is behind, the mapping of
    one of them likely has, while the sweep may be busy with other protocols and hosts.
    """
    left: u32 = PORTS_LOOKED_AT
    m: u32
    while left:
        m = flows.allocator.some_holder(p)
        if m and not flows.alive(m, now):
            return True
        left -= 1
    return False


def passes_filter(flows: Flows, mapping: u32, remote_high: u64, remote_low: u64, now: u64) -> bool:
    """RFC 4787 section 5, for a remote endpoint that has no session with the mapping.

    So under APDF, which admits just the endpoints that were sent to, the answer is always no.
    """
    m: Mappings = flows.mappings.rows
    policy: u32 = m[mapping].policy
    filtering: u32 = flows.policies.rows[policy].filtering
    if filtering == EIF:
        return True
    if filtering == APDF:
        return False
    if flows.policies.rows[policy].permits:
        return flows.permits(mapping, remote_high, remote_low, now)
    return flows.mappings.is_with(mapping, ADM, remote_high, remote_low, 0)


def admit_inbound(flows: Flows, p: Packet, external: u32, opens: bool, now: u64) -> u32:
    hairpin: bool = flows.realm.is_external(p.source_high, p.source_low)
    if not hairpin and not flows.realm.is_remote(p.source_high, p.source_low):
        flows.refusal = SOURCE
        return 0
    if not opens:
        flows.refusal = not_opening(p.protocol)
        return 0
    # Sessions that the inside opens with itself are bounded by what each host may open.
    opener: u32 = OPENED_OUTSIDE if hairpin else OPENED_OUTSIDE | COUNTED
    if opener & COUNTED and flows.inbound_sessions >= flows.inbound_limit:
        flows.expire(now, ROOM)
        if flows.inbound_sessions >= flows.inbound_limit and not half_open_gives_way(flows, now):
            flows.refusal = INBOUND_LIMIT
            return 0
    if not has_session_room(flows, now):
        return 0
    m: u32 = inbound_mapping(flows, p, external, now)
    r: Mappings = flows.mappings.rows
    if m and r[m].sessions - r[m].confirmed >= flows.unanswered_limit and flows.expire(now, ROOM):
        m = inbound_mapping(flows, p, external, now)
    if m == 0:
        return 0
    if r[m].sessions - r[m].confirmed >= flows.unanswered_limit:
        flows.refusal = INBOUND_LIMIT
        return 0
    other: u32 = flows.sessions.find_outbound(
        p.protocol,
        flows.mappings.internal_high(m),
        r[m].internal_low,
        r[m].internal_port,
        p.source_high,
        p.source_low,
        p.source_port,
    )
    if other and flows.sessions.rows[other].expires <= now:
        flows.end_session(other, now)
        other = 0
    if other:
        # The answers would leave by the port of that session, where the remote expects none.
        flows.refusal = CONFLICT
        if r[m].sessions == 0:
            # A forward's, made for this packet.
            flows.end_mapping(m, now)
        return 0
    return flows.open_session(m, p.source_high, p.source_low, p.source_port, opener, now)


def inbound_mapping(flows: Flows, p: Packet, external: u32, now: u64) -> u32:
    """The mapping an inbound flow is let in by: of a static forward, or one with this filter."""
    forward: u32 = flows.forwards.inbound(
        p.protocol, external, p.destination_port, p.source_high, p.source_low
    )
    if forward:
        return make_static(flows, p.protocol, forward, p.destination_port, now)
    m: u32 = flows.mappings.find_inbound(
        p.protocol,
        external,
        p.destination_port,
        p.source_high,
        p.source_low,
        p.source_port,
    )
    if m == 0 or not flows.alive(m, now):
        flows.refusal = NO_MAPPING
        if flows.forwards.claims(p.protocol, external, p.destination_port):
            flows.refusal = FILTERED
        return 0
    if not passes_filter(flows, m, p.source_high, p.source_low, now):
        flows.refusal = FILTERED
        return 0
    return m
