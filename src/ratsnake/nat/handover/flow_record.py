"""The form of a flow outside the tables: one session with its mapping, in FLOW_SIZE octets.

By it flows go from one NAT to another, when settings change, and into a file and back.  Numbers
stand in network byte order, addresses in 16 octets.  Times are intervals in milliseconds, for
clocks differ: how long ago the session was used, and how old its mapping is.

The *partner* is the remote endpoint the mapping was made for.  The filter is that by which
outsiders were let in.
"""

import cython

if not cython.compiled:
    from ratsnake.wire.byte_order import put16, put32, put64
    from ratsnake.wire.integer_types import Bytes, u32, u64

    from ..rules.behaviour_codes import EIM, STATIC
    from ..tables.row_layouts import Mappings, Partners, Sessions

    FLOW_SIZE = 126
    AT_INTERNAL = 0
    AT_REMOTE = 16
    AT_EXTERNAL = 32
    AT_PARTNER = 48
    AT_PACKETS_OUT = 64
    AT_BYTES_OUT = 72
    AT_PACKETS_IN = 80
    AT_BYTES_IN = 88
    AT_AGE = 96
    AT_IDLE = 104
    AT_INSIDE_NEXT = 108
    AT_INTERNAL_PORT = 112
    AT_EXTERNAL_PORT = 114
    AT_REMOTE_PORT = 116
    AT_PARTNER_PORT = 118
    AT_INSIDE_WINDOW = 120
    AT_PROTOCOL = 122
    AT_STATE = 123
    AT_FLAGS = 124
    AT_TRAITS = 125
    # Traits: the window scale, the filter, and whether the mapping is of a static forward.
    SCALE_BITS = 0x0F
    FILTER_SHIFT = 4
    FILTER_BITS = 3
    IS_FORWARDED = 0x80

from ..translation.flow_lifecycle import Flows


def write_flow(flows: Flows, i: u32, now: u64, b: Bytes, at: u32) -> None:
    """Write session i, which has not expired, into b from octet `at`."""
    s: Sessions = flows.sessions.rows
    m: Mappings = flows.mappings.rows
    r: Partners = flows.mappings.partners
    row: u32 = s[i].mapping
    policy: u32 = m[row].policy
    traits: u32 = s[i].inside_scale | flows.policies.rows[policy].filtering << FILTER_SHIFT
    high: u64 = flows.sessions.remote_high(i)
    left: u64 = s[i].expires - now
    put64(b, at + AT_INTERNAL, flows.mappings.internal_high(row))
    put64(b, at + AT_INTERNAL + 8, m[row].internal_low)
    put64(b, at + AT_REMOTE, high)
    put64(b, at + AT_REMOTE + 8, s[i].remote_low)
    put64(b, at + AT_EXTERNAL, flows.realm.external_high[m[row].external])
    put64(b, at + AT_EXTERNAL + 8, flows.realm.external_low[m[row].external])
    if policy >= STATIC or flows.policies.rows[policy].mapping == EIM:
        put64(b, at + AT_PARTNER, high)
        put64(b, at + AT_PARTNER + 8, s[i].remote_low)
        put16(b, at + AT_PARTNER_PORT, s[i].remote_port)
    else:
        put64(b, at + AT_PARTNER, r[row].remote_high)
        put64(b, at + AT_PARTNER + 8, r[row].remote_low)
        put16(b, at + AT_PARTNER_PORT, r[row].remote_port)
    put64(b, at + AT_PACKETS_OUT, s[i].packets_out)
    put64(b, at + AT_BYTES_OUT, s[i].bytes_out)
    put64(b, at + AT_PACKETS_IN, s[i].packets_in)
    put64(b, at + AT_BYTES_IN, s[i].bytes_in)
    # Who reads the clock beside the packet loop may be a little behind it.
    put64(b, at + AT_AGE, now - min(now, m[row].created))
    put32(b, at + AT_IDLE, flows.timeouts[s[i].timer] - min(left, flows.timeouts[s[i].timer]))
    put32(b, at + AT_INSIDE_NEXT, s[i].inside_next)
    put16(b, at + AT_INTERNAL_PORT, m[row].internal_port)
    put16(b, at + AT_EXTERNAL_PORT, m[row].external_port)
    put16(b, at + AT_REMOTE_PORT, s[i].remote_port)
    put16(b, at + AT_INSIDE_WINDOW, s[i].inside_window)
    if policy >= STATIC:
        traits |= IS_FORWARDED
    b[at + AT_PROTOCOL] = m[row].protocol
    b[at + AT_STATE] = s[i].state
    b[at + AT_FLAGS] = s[i].flags
    b[at + AT_TRAITS] = traits
