"""Who makes room when there is none: flows of hosts that nothing has ever answered.

From one port of the LAN a flood can have any number of sources.  A limit for each host does not
stop it, and each of its flows holds what it got for a whole timeout.  What tells it from honest
hosts is that nothing answers.  So where there is no room, a flow gives way whose host has no
session in which both sides have sent: to a host that has one, at once; to another, once it has
had time for an answer.  Nothing that was answered ever gives way, and nothing does while there is
room.  RFC 6888 REQ-11D would have all flows stay; then such a flood locks everybody out.

How long that time should be nobody knows: few ports change hands too seldom if each waits for the
slowest answer (240 ports and 2 s: 120 times a second), and no answer comes in time if none waits.
So a quarter of all rows each waits for the whole of `--timeout unanswered=`, for a quarter, a
sixteenth and a sixty-fourth of it.

Candidates are drawn at random.  In a flood nearly all are of it, so a few are enough, and there
is no order to keep for the time without one.
"""

import cython

if not cython.compiled:
    from ratsnake.wire.integer_types import u32, u64
    from ratsnake.wire.packet_fields import Packet

    from ..rules.behaviour_codes import STATIC
    from ..rules.drop_reasons import MAPPING_LIMIT, NO_PORT
    from ..rules.timeout_classes import ROOM, TCP_OPENING, TIMERS
    from ..tables.mapping_table import FREE
    from ..tables.row_layouts import Mappings, Sessions
    from ..tables.session_table import COUNTED

    CANDIDATES = 16
    MOST_SESSIONS = 64  # of a mapping that gives way: they all end while packets wait

from .flow_lifecycle import Flows


def patience_with(flows: Flows, p: Packet) -> u64:
    """How old a flow must be to give way to one of this packet's host."""
    host: u32 = flows.hosts.find(p.source_high, p.source_low)
    return 0 if host and flows.hosts.answered_of(host) else flows.patience


def may_give_way(flows: Flows, m: u32, patience: u64, now: u64) -> bool:
    """Whether a mapping's host was never answered, and the mapping is old enough.

    `patience`, in milliseconds, is that of the rows that wait longest.
    """
    r: Mappings = flows.mappings.rows
    return (
        r[m].policy < STATIC
        and flows.hosts.answered_of(r[m].host) == 0
        and now - r[m].created >= patience >> 2 * (m & 3)
    )


def some_mapping(flows: Flows) -> u32:
    """A mapping drawn from the table, or 0 for a free row."""
    if flows.mappings.count == 0:
        return 0
    row: u32 = 1 + flows.generator.below(flows.mappings.fresh - 1)
    return 0 if flows.mappings.rows[row].policy == FREE else row


def helps(flows: Flows, p: Packet) -> bool:
    """Whether the end of another mapping may help a flow that was refused one.

    Not where its host has its share, where it waits for a lost address, or where no external
    address is of its version.
    """
    return (
        flows.refusal == MAPPING_LIMIT or flows.refusal == NO_PORT
    ) and flows.allocator.addresses_for(p.version) != 0


def is_anywhere(flows: Flows, p: Packet) -> bool:
    """Whether any mapping may be in the way, not just those of the ports searched last.

    So it is where the table is full, and where a host that may have one more block of ports found
    none.  A host's own blocks and computed ports are nobody else's.
    """
    return flows.refusal == MAPPING_LIMIT or flows.allocator.lacks_block(
        flows.hosts.find(p.source_high, p.source_low)
    )


def mapping_gives_way(flows: Flows, p: Packet, now: u64) -> bool:
    """Whether a mapping that keeps the packet's flow from having one, as `refusal` says, has ended.

    Of the candidates the oldest goes.  One of the packet's own host is as good as another.
    """
    if flows.patience == 0 or not helps(flows, p):
        return False
    patience: u64 = patience_with(flows, p)
    r: Mappings = flows.mappings.rows
    anywhere: bool = is_anywhere(flows, p)
    chosen: u32 = 0
    left: u32 = CANDIDATES
    m: u32
    while left:
        left -= 1
        m = some_mapping(flows) if anywhere else flows.allocator.some_holder(p)
        if m == 0 or r[m].sessions > MOST_SESSIONS or not may_give_way(flows, m, patience, now):
            continue
        if chosen == 0 or r[m].created < r[chosen].created:
            chosen = m
        if patience == 0:
            break
    if chosen == 0:
        return False
    while r[chosen].sessions:
        flows.detach(r[chosen].first, now)
    flows.end_mapping(chosen, now)
    flows.gave_way += 1
    return True


def session_may_give_way(flows: Flows, i: u32, patience: u64, now: u64) -> bool:
    """Whether a row (more than TIMERS) has a session that may end for another flow.

    It was used last a timeout before it expires.
    """
    s: Sessions = flows.sessions.rows
    m: u32 = s[i].mapping
    return (
        m != 0
        and s[i].expires + (patience >> 2 * (m & 3)) <= now + flows.timeouts[s[i].timer]
        and may_give_way(flows, m, patience, now)
    )


def session_gives_way(flows: Flows, p: Packet, now: u64) -> bool:
    """Whether a session has ended for a flow that finds the table full."""
    if flows.patience == 0:
        return False
    patience: u64 = patience_with(flows, p)
    left: u32 = CANDIDATES
    i: u32
    while left:
        left -= 1
        i = TIMERS + 1 + flows.generator.below(flows.sessions.fresh - TIMERS - 1)
        if session_may_give_way(flows, i, patience, now):
            flows.end_session(i, now)
            flows.gave_way += 1
            return True
    return False


def oldest_half_open(flows: Flows, now: u64) -> u32:
    """The oldest connection from outside that is not established and has had its time; or 0."""
    if flows.patience == 0:
        return 0
    s: Sessions = flows.sessions.rows
    i: u32 = flows.sessions.oldest(TCP_OPENING)
    left: u32 = ROOM
    while i != TCP_OPENING and i and left:
        left -= 1
        if s[i].expires + flows.patience > now + flows.timeouts[TCP_OPENING]:
            return 0
        if s[i].flags & COUNTED:
            return i
        i = s[i].younger
    return 0


def half_open_gives_way(flows: Flows, now: u64) -> bool:
    """Whether such a connection has ended for another.

    A SYN flood at a forwarded port then costs who answers within the time for an answer nothing.
    """
    i: u32 = oldest_half_open(flows, now)
    if i == 0:
        return False
    flows.end_session(i, now)
    flows.gave_way += 1
    return True
