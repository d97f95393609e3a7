"""Events as objects ready for JSON; docs/events.md says what each field means.

The engine notes numbers (nat/events/event_record.py); they become text here, away from the packets.
"""

import json
import socket
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timezone
from functools import lru_cache
from typing import Any

from ...nat.events.event_record import (
    FORMAT,
    HAS_DURATION,
    HAS_REMOTE,
    HAS_REMOTE_PORT,
    IS_STATIC,
    LIMIT,
    MAPPING_MADE,
    MAPPING_REMOVED,
    OPENED_BY_OUTSIDE,
    OUTBOUND,
    REFUSAL,
    REFUSALS_SUPPRESSED,
    SESSION_ENDED,
    SESSION_OPENED,
    EventFields,
)
from ...nat.rules.drop_reasons import REASONS
from ...nat.views.row_tuples import PROTOCOL_NAMES

Event = dict[str, Any]

REMOTE_FIELDS = ("remote", "remote_port")


class Clock:
    """The engine's milliseconds as time of day; the two are compared anew by `set`."""

    def __init__(self, now: Callable[[], int], wall: Callable[[], float]) -> None:
        """`now` in milliseconds, `wall` in seconds since 1970."""
        self._now = now
        self._wall = wall
        self._offset = 0
        self.set()

    def set(self) -> None:
        """Look again: the time of day may have been corrected."""
        self._offset = round(self._wall() * 1000) - self._now()

    def stamp(self, event: str, at: int | None = None) -> Event:
        """The fields every event begins with; `at` is the engine's time, now by default."""
        at = self._now() if at is None else at
        moment = datetime.fromtimestamp((self._offset + at) / 1000, timezone.utc)
        text = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return {"time": text, "monotonic_ms": at, "event": event}


def line(event: Event) -> bytes:
    return json.dumps(event, separators=(",", ":")).encode() + b"\n"


def without_remote(event: Event) -> Event:
    """The event as RFC 6888 REQ-12 wants it logged: without destinations."""
    return {name: value for name, value in event.items() if name not in REMOTE_FIELDS}


def read(raw: bytes, clock: Clock) -> Iterator[Event]:
    """The events of the engine's bytes."""
    for fields in FORMAT.iter_unpack(raw):
        record = EventFields(*fields)
        name, parts = SHAPES[record.kind]
        event = clock.stamp(name, record.time)
        for part in parts:
            event.update(part(record))
        yield event


@lru_cache(1024)
def _address(high: int, low: int) -> str | None:
    if high == 0 and low >> 32 == 0xFFFF:
        return socket.inet_ntop(socket.AF_INET, (low & 0xFFFFFFFF).to_bytes(4, "big"))
    if high == low == 0:
        return None
    return socket.inet_ntop(socket.AF_INET6, ((high << 64) | low).to_bytes(16, "big"))


def _protocol(record: EventFields) -> Event:
    known = record.protocol < len(PROTOCOL_NAMES)
    return {"protocol": PROTOCOL_NAMES[record.protocol] if known else None}


def _endpoint(name: str, address: str | None, port: int | None) -> Event:
    return {name: address, f"{name}_port": None if address is None else port}


def _mapped(record: EventFields) -> Event:
    return {
        **_protocol(record),
        **_endpoint(
            "internal", _address(record.internal_high, record.internal_low), record.internal_port
        ),
        **_endpoint(
            "external", _address(record.external_high, record.external_low), record.external_port
        ),
        **_remote(record),
    }


def _remote(record: EventFields) -> Event:
    return {
        "remote": _address(record.remote_high, record.remote_low)
        if record.flags & HAS_REMOTE
        else None,
        "remote_port": record.remote_port if record.flags & HAS_REMOTE_PORT else None,
    }


def _static(record: EventFields) -> Event:
    return {"static": bool(record.flags & IS_STATIC)}


def _opened(record: EventFields) -> Event:
    return {"opened": "outside" if record.flags & OPENED_BY_OUTSIDE else "inside"}


def _counted(record: EventFields) -> Event:
    return {
        "duration": record.duration / 1000 if record.flags & HAS_DURATION else None,
        "packets_out": record.packets_out,
        "bytes_out": record.bytes_out,
        "packets_in": record.packets_in,
        "bytes_in": record.bytes_in,
    }


def _refused(record: EventFields) -> Event:
    """The local end of a dropped packet is one the NAT knows by one of its two names only."""
    direction = None
    if record.flags & HAS_REMOTE:
        direction = "outbound" if record.flags & OUTBOUND else "inbound"
    has_ports = record.flags & HAS_REMOTE_PORT
    return {
        **_reason(record),
        "direction": direction,
        **_protocol(record),
        **_endpoint(
            "internal",
            _address(record.internal_high, record.internal_low),
            record.internal_port if has_ports else None,
        ),
        **_endpoint(
            "external",
            _address(record.external_high, record.external_low),
            record.external_port if has_ports else None,
        ),
        **_remote(record),
    }


def _reason(record: EventFields) -> Event:
    return {"reason": REASONS[record.reason].name}


def _packets(record: EventFields) -> Event:
    return {"packets": record.packets_out}


# What each kind is called and told of.
SHAPES: Mapping[int, tuple[str, tuple[Callable[[EventFields], Event], ...]]] = {
    MAPPING_MADE: ("mapping-made", (_mapped, _static)),
    MAPPING_REMOVED: ("mapping-removed", (_mapped, _static, _counted)),
    SESSION_OPENED: ("session-opened", (_mapped, _static, _opened)),
    SESSION_ENDED: ("session-ended", (_mapped, _static, _opened, _counted)),
    REFUSAL: ("refusal", (_refused,)),
    REFUSALS_SUPPRESSED: ("refusals-suppressed", (_reason, _packets)),
    LIMIT: ("limit", (_refused,)),
}
