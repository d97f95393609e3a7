"""The tables as Python objects, for who shows them.  Never on the packet path."""

from ipaddress import IPv4Address, IPv6Address
from typing import Any

import cython

if not cython.compiled:
    from ratsnake.wire.types import M32, u32, u64

    from .policies import ADM, APDM, EIM, STATIC
    from .reasons import FRAGMENT_HELD
    from .records import Mappings, Sessions
    from .sessions import LIVE, OPENED_OUTSIDE
    from .timers import TIMERS

from ratsnake.wire.packet import OTHER

from .connection import STATE_NAMES
from .flows import Flows
from .reasons import REASONS
from .rows import MappingRow, SessionRow

PROTOCOL_NAMES = ("tcp", "udp", "icmp", "udplite", "dccp", "sctp", "other")


def address_text(high: u64, low: u64) -> str:
    """An address of the engine in the notation of its family."""
    if high == 0 and low >> 32 == 0xFFFF:
        return str(IPv4Address(low & M32))
    return str(IPv6Address(int(high).to_bytes(8, "big") + int(low).to_bytes(8, "big")))


def counters(translated: list[int], drops: list[int], sent: int) -> dict[str, Any]:
    packets_out, bytes_out, packets_in, bytes_in = translated
    dropped = {reason.name: drops[code] for code, reason in enumerate(REASONS) if code}
    return {
        "outbound": {"packets": packets_out, "bytes": bytes_out},
        "inbound": {"packets": packets_in, "bytes": bytes_in},
        "icmp_errors_sent": sent,
        # Fragments that wait are no loss: they are sent, or counted as what ends their wait.
        "fragments_held": dropped.pop(REASONS[FRAGMENT_HELD].name),
        "dropped": dropped,
    }


def ports_in_use(flows: Flows) -> dict[str, Any]:
    """By protocol with ports, how many of all external addresses' ports have mappings."""
    pools = flows.allocator.pools
    return {
        name: {
            "used": sum(
                [
                    pools.used_ports(flows.allocator.pool_of(protocol, row))
                    for row in range(flows.scope.externals)
                ]
            ),
            "total": sum(
                [
                    flows.allocator.positions.size(flows.allocator.pool_of(protocol, row))
                    for row in range(flows.scope.externals)
                ]
            ),
        }
        for protocol, name in enumerate(PROTOCOL_NAMES)
        if protocol != OTHER
    }


def usage(flows: Flows) -> dict[str, Any]:
    return {
        "mappings": flows.mappings.count,
        "sessions": flows.sessions.count,
        "inbound_sessions": flows.inbound_sessions,
        "hosts": flows.hosts.count,
        "limits": {
            "mappings": flows.mappings.capacity,
            "sessions": flows.sessions.capacity,
            "inbound_sessions": flows.inbound_limit,
        },
        "ports": ports_in_use(flows),
    }


def external_text(flows: Flows, row: u32) -> str:
    return address_text(flows.scope.external_high[row], flows.scope.external_low[row])


def mapping_rows(flows: Flows, start: int, count: int, now: int) -> tuple[list[MappingRow], int]:
    m: Mappings = flows.mappings.rows
    i: u32
    first: u32 = max(start, 1)
    end: u32 = min(first + count, flows.mappings.fresh)
    rows = []
    for i in range(first, end):
        if not m[i].live or not flows.shows_life(i, now):
            continue
        is_static = m[i].policy >= STATIC
        depends = EIM if is_static else flows.policies.rows[m[i].policy].mapping
        rows.append(
            MappingRow(
                PROTOCOL_NAMES[m[i].protocol],
                address_text(m[i].internal_high, m[i].internal_low),
                m[i].internal_port,
                external_text(flows, m[i].external),
                m[i].external_port,
                address_text(m[i].remote_high, m[i].remote_low) if depends >= ADM else None,
                m[i].remote_port if depends == APDM else None,
                m[i].sessions,
                max(now - m[i].created, 0) // 1000,
                is_static,
            )
        )
    return rows, end if end < flows.mappings.fresh else 0


def session_rows(flows: Flows, start: int, count: int, now: int) -> tuple[list[SessionRow], int]:
    s: Sessions = flows.sessions.rows
    i: u32
    first: u32 = max(start, TIMERS + 1)
    end: u32 = min(first + count, flows.sessions.fresh)
    rows = []
    for i in range(first, end):
        if not s[i].flags & LIVE or s[i].expires <= now:
            continue
        rows.append(
            SessionRow(
                PROTOCOL_NAMES[s[i].protocol],
                address_text(s[i].internal_high, s[i].internal_low),
                s[i].internal_port,
                external_text(flows, s[i].external),
                s[i].external_port,
                address_text(s[i].remote_high, s[i].remote_low),
                s[i].remote_port,
                STATE_NAMES[s[i].state],
                (s[i].expires - now) // 1000,
                s[i].packets_out,
                s[i].bytes_out,
                s[i].packets_in,
                s[i].bytes_in,
                "outside" if s[i].flags & OPENED_OUTSIDE else "inside",
            )
        )
    return rows, end if end < flows.sessions.fresh else 0
