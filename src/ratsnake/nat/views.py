"""The tables as Python objects, for who shows them.  Never on the packet path."""

from ipaddress import IPv4Address

import cython

if not cython.compiled:
    from ratsnake.wire.types import M32, u32, u64

    from .policies import ADM, APDM
    from .records import Mappings, Sessions
    from .sessions import LIVE, OPENED_OUTSIDE
    from .timers import TIMERS

from .flows import Flows
from .reasons import REASONS
from .rows import MappingRow, SessionRow
from .tcp import STATE_NAMES

PROTOCOL_NAMES = ("tcp", "udp", "icmp")


def _address(low: u64) -> str:
    return str(IPv4Address(low & M32))


def counters(translated: list[int], drops: list[int]) -> dict[str, dict[str, int]]:
    packets_out, bytes_out, packets_in, bytes_in = translated
    return {
        "outbound": {"packets": packets_out, "bytes": bytes_out},
        "inbound": {"packets": packets_in, "bytes": bytes_in},
        "dropped": {reason.name: drops[code] for code, reason in enumerate(REASONS) if code},
    }


def usage(flows: Flows) -> dict[str, object]:
    total = flows.pools.size
    return {
        "mappings": flows.mappings.count,
        "sessions": flows.sessions.count,
        "inbound_sessions": flows.inbound_sessions,
        "limits": {
            "mappings": flows.mappings.capacity,
            "sessions": flows.sessions.capacity,
            "inbound_sessions": flows.inbound_limit,
        },
        "ports": {
            name: {
                "used": total - flows.pools.unused_ports(flows.pool_of(protocol, 0)),
                "total": total,
            }
            for protocol, name in enumerate(PROTOCOL_NAMES)
        },
    }


def mapping_rows(flows: Flows, start: int, count: int, now: int) -> tuple[list[MappingRow], int]:
    m: Mappings = flows.mappings.rows
    i: u32
    first: u32 = max(start, 1)
    end: u32 = min(first + count, flows.mappings.fresh)
    rows = []
    for i in range(first, end):
        if not m[i].live or not flows.shows_life(i, now):
            continue
        depends = flows.policies.rows[m[i].protocol].mapping
        rows.append(
            MappingRow(
                PROTOCOL_NAMES[m[i].protocol],
                _address(m[i].internal_low),
                m[i].internal_port,
                _address(flows.scope.external_low[m[i].external]),
                m[i].external_port,
                _address(m[i].remote_low) if depends >= ADM else None,
                m[i].remote_port if depends == APDM else None,
                m[i].sessions,
                max(now - m[i].created, 0) // 1000,
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
                _address(s[i].internal_low),
                s[i].internal_port,
                _address(flows.scope.external_low[s[i].external]),
                s[i].external_port,
                _address(s[i].remote_low),
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
