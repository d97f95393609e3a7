"""One event as the engine notes it.  event_record.pxd is the same as a C struct.

Who reads events gets them as bytes, so that nothing is formatted while packets wait, and unpacks
them by `FORMAT` into the fields of `EventFields`, in their order.
"""

import struct
from collections import defaultdict
from dataclasses import astuple, dataclass
from typing import TypeAlias, cast

from ratsnake.wire.integer_types import u8, u16, u32, u64

FORMAT = struct.Struct("=12Q3H4B6x")

# Kinds.
MAPPING_MADE = 1
MAPPING_REMOVED = 2
SESSION_OPENED = 3
SESSION_ENDED = 4
REFUSAL = 5
REFUSALS_SUPPRESSED = 6
LIMIT = 7
# Which kinds are wanted: bits, for not every kind is wanted by itself.
MAPPINGS_WANTED = 1
SESSIONS_WANTED = 2
REFUSALS_WANTED = 4
LIMITS_WANTED = 8
# Flags.
OUTBOUND = 1
OPENED_BY_OUTSIDE = 2
IS_STATIC = 4
HAS_REMOTE = 8
HAS_REMOTE_PORT = 16
HAS_DURATION = 32
# The protocol of a packet that has none, or whose form is wrong.
NO_PROTOCOL = 255


@dataclass(slots=True)
class EventFields:
    """112 octets in C.  `time` and `duration` are in milliseconds, of the engine's clock.

    Addresses that do not belong to the event are zero.  `reason` is that of a refusal, or the limit
    that was reached.  Of REFUSALS_SUPPRESSED `packets_out` is how many there were.
    """

    time: u64 = 0
    duration: u64 = 0
    internal_high: u64 = 0
    internal_low: u64 = 0
    external_high: u64 = 0
    external_low: u64 = 0
    remote_high: u64 = 0
    remote_low: u64 = 0
    packets_out: u64 = 0
    bytes_out: u64 = 0
    packets_in: u64 = 0
    bytes_in: u64 = 0
    internal_port: u16 = 0
    external_port: u16 = 0
    remote_port: u16 = 0
    kind: u8 = 0
    protocol: u8 = 0
    reason: u8 = 0
    flags: u8 = 0


@dataclass(slots=True)
class SumFields:
    """What the ended sessions of a mapping have counted."""

    packets_out: u64 = 0
    bytes_out: u64 = 0
    packets_in: u64 = 0
    bytes_in: u64 = 0


EventRows: TypeAlias = dict[int, EventFields]
Sums: TypeAlias = dict[int, SumFields]


def new_event_rows(n: int) -> EventRows:
    return {}


def new_sums(n: int) -> Sums:
    return defaultdict(SumFields)


def unpoison_events(rows: EventRows, first: u32, count: u32) -> None:
    """Let events be touched; see row_layouts.py."""
    for at in range(first, first + count):
        rows[at] = EventFields()


def poison_events(rows: EventRows, first: u32, count: u32) -> None:
    """Let a touch of events be an error, as far as they are there."""
    for at in range(first, first + count):
        rows.pop(at, None)


def clear(rows: EventRows, at: u32) -> None:
    rows[at] = EventFields()


def copied(rows: EventRows, first: u32, count: u32) -> bytes:
    """The bytes of `count` events from row `first`."""
    events = [cast(tuple[int, ...], astuple(rows[first + k])) for k in range(count)]
    return b"".join(FORMAT.pack(*event) for event in events)
