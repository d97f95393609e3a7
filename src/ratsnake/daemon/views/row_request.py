"""What a request for the rows of a table may say: which rows, where to start, how many.

Both ends read it by the same table: the client, so that a mistake is told without a NAT to ask.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...nat.views.row_tuples import PROTOCOL_NAMES
from ..configuration.flag_definition import Flag
from ..user_errors import near
from .endpoint_pattern import Endpoints, parse_endpoints

MOST_ROWS = (1 << 32) - 1  # tables number their rows in 32 bits


def protocol(text: str) -> int:
    """The engine's number of a protocol."""
    if text in PROTOCOL_NAMES:
        return PROTOCOL_NAMES.index(text)
    raise ValueError(f"must be one of {', '.join(PROTOCOL_NAMES)}{near(text, PROTOCOL_NAMES)}")


FILTER_FLAGS = (
    Flag("protocol", "NAME", protocol, f"only this protocol: {', '.join(PROTOCOL_NAMES)}"),
    Flag(
        "host",
        "PREFIX[:PORT]",
        parse_endpoints,
        "only internal hosts in this prefix, such as 192.168.1.10 or 192.168.1.0/24; `*` means any;"
        " put an IPv6 prefix in brackets if a port follows",
    ),
    Flag(
        "external",
        "ADDR[:PORT]",
        parse_endpoints,
        "only this external address or port, such as 203.0.113.1:4000 or *:4000",
    ),
    Flag(
        "remote",
        "PREFIX[:PORT]",
        parse_endpoints,
        "only remote hosts in this prefix; a mapping that serves any remote matches too",
    ),
)
NUMBERS = ("start", "limit", "generation")


@dataclass(frozen=True)
class RowRequest:
    """`start` is the table row to start from, 0 for the first; `limit` says after how many rows to
    stop (None: after the last), or soon after, for pages are sent whole.  `generation`, that of
    which `start` is a row (None: the present one)."""

    protocol: int | None = None
    host: Endpoints | None = None
    external: Endpoints | None = None
    remote: Endpoints | None = None
    start: int = 0
    limit: int | None = None
    generation: int | None = None


def read_request(
    request: Mapping[str, Any], numbers: Sequence[str] = NUMBERS, others: Sequence[str] = ()
) -> RowRequest:
    """The request beside its "command"; raises ValueError naming what is wrong with it.

    `numbers` are those of NUMBERS that the command takes, `others` what it reads itself.
    """
    known = (*(flag.key for flag in FILTER_FLAGS), *numbers, *others)
    for name in request:
        if name != "command" and name not in known:
            raise ValueError(
                f"{request['command']} takes no {name!r}{near(name, known)}; there are"
                f" {', '.join(known)}"
            )
    values: dict[str, Any] = {}
    for flag in FILTER_FLAGS:
        if flag.key in request:
            values[flag.key] = _filter(flag, request[flag.key])
    for name in numbers:
        if name in request:
            values[name] = _number(name, request[name])
    return RowRequest(**values)


def _filter(flag: Flag, value: object) -> object:
    if not isinstance(value, str):
        raise ValueError(f"{flag.key} must be a text, {flag.metavar}")
    try:
        return flag.parse(value)
    except ValueError as error:
        raise ValueError(f"{flag.key} {value}: {error}") from None


def _number(name: str, value: object) -> int:
    if type(value) is not int or not 0 <= value <= MOST_ROWS:
        raise ValueError(f"{name} must be a whole number from 0 to {MOST_ROWS}")
    return value
