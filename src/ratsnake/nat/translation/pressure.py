"""Who makes room when there is none: flows of hosts that nothing has ever answered.

From one port of the LAN a flood can have any number of sources.  A limit for each host does not
stop it, and each of its flows holds what it got for a whole timeout.  What tells it from honest
hosts is that nothing answers.  So where there is no room, a flow gives way whose host has no
session in which both sides have sent: to a host that has one, at once; to another, once it has
had time for an answer (`--timeout unanswered=`). Nothing that was answered ever gives way, and
nothing does while there is room.  RFC 6888 REQ-11D would have all flows stay; then such a flood
locks everybody out.

Candidates are drawn at random.  In a flood nearly all are of it, so a few are enough, and there
is no order to keep for the time without one.
"""

import cython

if not cython.compiled:
    from ratsnake.wire.packet import Packet
    from ratsnake.wire.types import u32, u64

    from ..rules.policies import STATIC
    from ..rules.reasons import MAPPING_LIMIT
    from ..rules.timers import ROOM, TCP_OPENING, TIMERS
    from ..tables.mappings import FREE
    from ..tables.records import Mappings, Sessions
    from ..tables.sessions import COUNTED

    CANDIDATES = 16
    MOST_SESSIONS = 64  # of a mapping that gives way: they all end while packets wait

from .flows import Flows


def patience_with(flows: Flows, p: Packet) -> u64:
    """How old a flow must be to give way to one of this packet's host."""
    host: u32 = flows.hosts.find(p.source_high, p.source_low)
    return 0 if host and flows.hosts.answered_of(host) else flows.patience


def may_give_way(flows: Flows, m: u32, patience: u64, now: u64) -> bool:
    """Whether a mapping's host was never answered, and the mapping is old enough."""
    r: Mappings = flows.mappings.rows
    return (
        r[m].policy < STATIC
        and flows.hosts.answered_of(r[m].host) == 0
        and now - r[m].created >= patience
    )


def some_mapping(flows: Flows) -> u32:
    """A mapping drawn from the table, or 0 for a free row."""
    row: u32 = 1 + flows.generator.below(flows.mappings.fresh - 1)
    return 0 if flows.mappings.rows[row].policy == FREE else row


def mapping_gives_way(flows: Flows, p: Packet, now: u64) -> bool:
    """Whether a mapping that keeps the packet's flow from having one, as `refusal` says, has ended.

    Of the candidates the oldest goes.  One of the packet's own host is as good as another.
    """
    if flows.patience == 0:
        return False
    patience: u64 = patience_with(flows, p)
    r: Mappings = flows.mappings.rows
    anywhere: bool = flows.refusal == MAPPING_LIMIT or not flows.allocator.is_single()
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


def session_gives_way(flows: Flows, p: Packet, now: u64) -> bool:
    """Whether a session has ended for a flow that finds the table full."""
    if flows.patience == 0:
        return False
    patience: u64 = patience_with(flows, p)
    s: Sessions = flows.sessions.rows
    left: u32 = CANDIDATES
    i: u32
    while left:
        left -= 1
        i = TIMERS + 1 + flows.generator.below(flows.sessions.fresh - TIMERS - 1)
        # It was used last a timeout before it expires.
        if (
            s[i].mapping
            and s[i].expires + patience <= now + flows.timeouts[s[i].timer]
            and may_give_way(flows, s[i].mapping, patience, now)
        ):
            flows.end_session(i, now)
            flows.gave_way += 1
            return True
    return False


def half_open_gives_way(flows: Flows, now: u64) -> bool:
    """Whether the oldest connection from outside that is not established has ended for another.

    A SYN flood at a forwarded port then costs who answers within the time for an answer nothing.
    """
    if flows.patience == 0:
        return False
    s: Sessions = flows.sessions.rows
    i: u32 = flows.sessions.oldest(TCP_OPENING)
    left: u32 = ROOM
    while i != TCP_OPENING and i and left:
        left -= 1
        if s[i].expires + flows.patience > now + flows.timeouts[TCP_OPENING]:
            return False
        if s[i].flags & COUNTED:
            flows.end_session(i, now)
            flows.gave_way += 1
            return True
        i = s[i].younger
    return False
