"""Whether a packet of no session may open one: the whole policy of the slow path.

Both ways return the row of the new session, or 0 with the reason in `flows.refusal`.
"""

import cython

if not cython.compiled:
    from ratsnake.wire.icmp import ECHO_REQUEST
    from ratsnake.wire.packet import ICMP, TCP, Packet
    from ratsnake.wire.types import u32, u64

    from .policies import APDF, EIF
    from .reasons import (
        DESTINATION,
        FILTERED,
        INBOUND_LIMIT,
        NO_MAPPING,
        NO_SESSION,
        NOT_SYN,
        SESSION_LIMIT,
        SOURCE,
        STATUS_REQUEST,
        TRANSLATED,
    )
    from .records import Mappings
    from .sessions import OPENED_OUTSIDE
    from .tcp import FLAG_ACK, FLAG_SYN
    from .timers import SWEEP

from .flows import Flows


def opens(p: Packet) -> u32:
    """TRANSLATED where a packet of this form may open a session, else the reason it may not.

    A TCP session begins with a SYN, an ICMP query session with a request.
    """
    if p.protocol == TCP and p.tcp_flags & (FLAG_SYN | FLAG_ACK) != FLAG_SYN:
        return NOT_SYN
    if p.protocol == ICMP and p.icmp_type != ECHO_REQUEST:
        return NO_SESSION
    return TRANSLATED


def admit_outbound(flows: Flows, p: Packet, now: u64) -> u32:
    if not flows.scope.is_internal(p.source_high, p.source_low):
        flows.refusal = SOURCE
        return 0
    if flows.scope.asks_status(p.destination_high, p.destination_low):
        flows.refusal = STATUS_REQUEST
        return 0
    if not flows.scope.is_remote(p.destination_high, p.destination_low):
        flows.refusal = DESTINATION
        return 0
    flows.refusal = opens(p)
    if flows.refusal != TRANSLATED:
        return 0
    if flows.sessions.count >= flows.sessions.capacity and flows.expire(now, SWEEP) == 0:
        flows.refusal = SESSION_LIMIT
        return 0
    remote_port: u32 = 0 if p.protocol == ICMP else p.destination_port
    m: u32 = flows.mappings.find_internal(
        p.protocol,
        p.source_high,
        p.source_low,
        p.source_port,
        p.destination_high,
        p.destination_low,
        remote_port,
    )
    if m == 0 or not flows.alive(m, now):
        m = flows.make_mapping(p, remote_port, now)
    if m == 0:
        return 0
    return flows.open_session(m, p.destination_high, p.destination_low, remote_port, 0, now)


def passes_filter(flows: Flows, mapping: u32, remote_high: u64, remote_low: u64, now: u64) -> bool:
    """RFC 4787 section 5, for a remote endpoint that has no session with the mapping.

    So under APDF, which admits just the endpoints that were sent to, the answer is always no.
    """
    m: Mappings = flows.mappings.rows
    protocol: u32 = m[mapping].protocol
    filtering: u32 = flows.policies.rows[protocol].filtering
    if filtering == EIF:
        return True
    if filtering == APDF:
        return False
    if flows.permits_by_address(protocol):
        return flows.permits(mapping, remote_high, remote_low, now)
    return m[mapping].remote_low == remote_low and m[mapping].remote_high == remote_high


def admit_inbound(flows: Flows, p: Packet, external: u32, now: u64) -> u32:
    """The limits come before the look at the mapping, because making room may end it."""
    if not flows.scope.is_remote(p.source_high, p.source_low):
        flows.refusal = SOURCE
        return 0
    flows.refusal = opens(p)
    if flows.refusal != TRANSLATED:
        return 0
    while flows.inbound_sessions >= flows.inbound_limit:
        if flows.expire(now, SWEEP) == 0:
            flows.refusal = INBOUND_LIMIT
            return 0
    if flows.sessions.count >= flows.sessions.capacity and flows.expire(now, SWEEP) == 0:
        flows.refusal = SESSION_LIMIT
        return 0
    remote_port: u32 = 0 if p.protocol == ICMP else p.source_port
    m: u32 = flows.mappings.find_external(
        p.protocol, external, p.destination_port, p.source_high, p.source_low, remote_port
    )
    if m == 0 or not flows.alive(m, now):
        flows.refusal = NO_MAPPING
        return 0
    if not passes_filter(flows, m, p.source_high, p.source_low, now):
        flows.refusal = FILTERED
        return 0
    r: Mappings = flows.mappings.rows
    if r[m].sessions - r[m].confirmed >= flows.unanswered_limit:
        flows.refusal = INBOUND_LIMIT
        return 0
    return flows.open_session(m, p.source_high, p.source_low, remote_port, OPENED_OUTSIDE, now)
