"""The screen of `ratsnake top`: lines for a terminal of any size, from a look at the NAT."""

import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from ..nat.rules.drop_reasons import REASONS
from .text_format import amount, duration
from .top_snapshot import Choice, Look

KEYS = "q quit  b by bytes  s by sessions  h hosts  p protocol  r all  space now"
#: Where the terminal is too narrow for all of it: the first that fits.
NARROW_KEYS = (
    "q quit b bytes s sessions h hosts p protocol r all space now",
    "q quit; b s h p r space: see a wider terminal",
    "q quit",
)
MEANINGS = {reason.name: reason.meaning for reason in REASONS}
HEADINGS = ("HOST ", "PORTS OF ", "DROPPED ")
ELLIPSIS = "…"
GAP = "   "  # between parts of a line
LEAST_ADDRESS, MOST_ADDRESS = 15, 39  # columns: an IPv4 address, and the longest of IPv6
LEAST_ROWS = 3  # of ports and of drops, before the hosts get the rest
LEAST_MEANING = 20  # columns; a terminal without cuts what a drop means anywhere


def keys(width: int) -> str:
    """What the keys do, in `width` columns."""
    return next((text for text in (KEYS, *NARROW_KEYS) if len(text) <= width), "")


def screen(
    look: Look, choice: Choice, width: int, height: int, message: str | None = None
) -> list[str]:
    """`height` lines of at most `width` characters; the last is `message`, or the keys.

    A line that is longer ends in an ellipsis.
    """
    message = keys(width) if message is None else message
    top = [_title(look, choice, width), *_traffic(look, width), *_tables(look, width), ""]
    sections = [_hosts(look, choice, width), _ports(look, width), _drops(look, width)]
    room = height - len(top) - 1
    body = [line for part in _fitted(sections, room) for line in part]
    lines = [*top, *body][: max(height - 1, 0)]
    lines += [""] * (height - 1 - len(lines))
    return [_cut(line, width) for line in [*lines, message]][:height]


def is_heading(line: str) -> bool:
    """Whether a line of a screen is above a table's rows."""
    return line.startswith(HEADINGS)


def _fitted(sections: Sequence[list[str]], room: int) -> Iterator[list[str]]:
    """Each section's heading and as many rows as there is room for, with a blank line behind.

    The first has what the others leave, but those have no more than they need or a quarter.
    """
    hosts, *others = sections
    most = max(LEAST_ROWS, room // 4) + 1
    sizes = [min(len(section), most) for section in others]
    left = max(room - sum(size + 1 for size in sizes), LEAST_ROWS + 1)
    yield [*hosts[: left - 1], ""]
    spare = max(left - 1 - len(hosts), 0)
    for section, size in zip(others, sizes, strict=True):
        grown = min(len(section), size + spare)
        spare -= grown - size
        yield [*section[:grown], ""]


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: max(width - 1, 0)] + ELLIPSIS


def _address_width(others: str, width: int) -> int:
    """What a table's `others` columns leave to addresses."""
    return min(max(width - len(others), LEAST_ADDRESS), MOST_ADDRESS)


def _address(text: str, room: int) -> str:
    """In `room` columns; of one that is longer the middle is left out."""
    if len(text) > room:
        text = text[: room // 2] + ELLIPSIS + text[len(text) - (room - room // 2 - 1) :]
    return f"{text:<{room}}"


def _packed(parts: Sequence[str], width: int) -> Iterator[str]:
    """The parts on as few lines as they need."""
    line = ""
    for part in parts:
        longer = f"{line}{GAP}{part}" if line else part
        if line and len(longer) > width:
            yield line
            longer = part
        line = longer
    yield line


def _title(look: Look, choice: Choice, width: int) -> str:
    status = look.status
    title = f"ratsnake {status['version']} on {status['device']}, up {duration(status['uptime'])}"
    wanted = " ".join(choice.filters.values())
    shown = f"only {wanted}" if wanted else ""
    return f"{title}{shown:>{max(width - len(title), len(shown) + 2)}}"


def _traffic(look: Look, width: int) -> Iterator[str]:
    if look.rates is None:
        return iter(["out -  in -"])
    return _packed(
        [
            f"{name} {_bits(rate['bytes']):>5}bit/s {rate['packets']:>8.0f} packets/s"
            for name, rate in (("out", look.rates["outbound"]), ("in", look.rates["inbound"]))
        ],
        width,
    )


def _tables(look: Look, width: int) -> Iterator[str]:
    usage, rates = look.status["usage"], look.rates
    parts = []
    for name, made in (("sessions", "sessions_opened"), ("mappings", "mappings_made")):
        share = 100 * usage[name] // max(usage["limits"][name], 1)
        new = f", {rates[made]:.0f} new/s" if rates else ""
        parts.append(f"{name} {usage[name]} ({share} %{new})")
    return _packed([*parts, f"hosts {usage['hosts']}"], width)


def _hosts(look: Look, choice: Choice, width: int) -> list[str]:
    by = {name: "*" if name == choice.by else "" for name in ("sessions", "bytes")}
    columns = f" {by['sessions'] + 'SESSIONS':>10} {by['bytes'] + 'OUT bit/s':>11} {'IN bit/s':>10}"
    room = _address_width(columns, width)
    lines = [f"{'HOST':<{room}}{columns}"]
    for host in look.hosts:
        out, into = (
            "-" if host[name] is None else _bits(host[name]) for name in ("bytes_out", "bytes_in")
        )
        address = _address(host["host"], room)
        lines.append(f"{address} {host['sessions']:>10} {out:>11} {into:>10}")
    return lines


def _ports(look: Look, width: int) -> list[str]:
    """The fullest first, those not in use not at all."""
    columns = f" {'PROTOCOL':<8} {'USED':>8} {'OF':>8} {'%':>5}"
    room = _address_width(columns, width)
    lines = [f"{'PORTS OF':<{room}}{columns}"]
    used = [row for row in look.ports if row["used"]]
    for row in sorted(used, key=lambda row: (-row["used"] / row["total"], row["external"])):
        share = 100 * row["used"] // row["total"]
        lines.append(
            f"{_address(row['external'], room)} {row['protocol']:<8} {row['used']:>8}"
            f" {row['total']:>8} {share:>5}"
        )
    return lines


def _drops(look: Look, width: int) -> list[str]:
    """What is dropped now first, then what was dropped most."""
    lines = [f"{'DROPPED':<16} {'/s':>8} {'IN ALL':>10}  BECAUSE"]
    room = max(width - len(lines[0].removesuffix("BECAUSE")), LEAST_MEANING)
    drops = [(reason, count, rate) for reason, (count, rate) in look.drops.items() if count]
    for reason, count, rate in sorted(drops, key=lambda drop: (-drop[2], -drop[1])):
        meaning = textwrap.shorten(MEANINGS.get(reason, ""), room, placeholder=" ...")
        lines.append(f"{reason:<16} {rate:>8.1f} {count:>10}  {meaning}")
    return lines


def _bits(octets: Any) -> str:
    return amount(round(8 * octets))
