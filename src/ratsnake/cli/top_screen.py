"""The screen of `ratsnake top`: lines for a terminal of any size, from a look at the NAT."""

import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from ..nat.rules.drop_reasons import REASONS
from .text_format import amount, duration
from .top_snapshot import Choice, Look

KEYS = "q quit  b by bytes  s by sessions  h hosts  p protocol  r all  space now"
MEANINGS = {reason.name: reason.meaning for reason in REASONS}
HEADINGS = ("HOST ", "PORTS OF ", "DROPPED ")
LEAST_ROWS = 3  # of ports and of drops, before the hosts get the rest
LEAST_MEANING = 20  # columns; a terminal without cuts what a drop means anywhere


def screen(look: Look, choice: Choice, width: int, height: int, message: str = KEYS) -> list[str]:
    """`height` lines of at most `width` characters; the last is `message`."""
    top = [_title(look, choice, width), _traffic(look), _tables(look), ""]
    sections = [_hosts(look, choice), _ports(look), _drops(look, width)]
    room = height - len(top) - 1
    body = [line for part in _fitted(sections, room) for line in part]
    lines = [*top, *body][: max(height - 1, 0)]
    lines += [""] * (height - 1 - len(lines))
    return [line[:width] for line in [*lines, message]][:height]


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


def _title(look: Look, choice: Choice, width: int) -> str:
    status = look.status
    title = f"ratsnake {status['version']} on {status['device']}, up {duration(status['uptime'])}"
    wanted = " ".join(choice.filters.values())
    shown = f"only {wanted}" if wanted else ""
    return f"{title}{shown:>{max(width - len(title), len(shown) + 2)}}"


def _traffic(look: Look) -> str:
    if look.rates is None:
        return "out -  in -"
    out, into = look.rates["outbound"], look.rates["inbound"]
    return (
        f"out {_bits(out['bytes']):>5}bit/s {out['packets']:>8.0f} packets/s"
        f"   in {_bits(into['bytes']):>5}bit/s {into['packets']:>8.0f} packets/s"
    )


def _tables(look: Look) -> str:
    usage, rates = look.status["usage"], look.rates
    parts = []
    for name, made in (("sessions", "sessions_opened"), ("mappings", "mappings_made")):
        share = 100 * usage[name] // max(usage["limits"][name], 1)
        new = f", {rates[made]:.0f} new/s" if rates else ""
        parts.append(f"{name} {usage[name]} ({share} %{new})")
    return "   ".join([*parts, f"hosts {usage['hosts']}"])


def _hosts(look: Look, choice: Choice) -> list[str]:
    by = {name: "*" if name == choice.by else "" for name in ("sessions", "bytes")}
    lines = [f"{'HOST':<39} {by['sessions'] + 'SESSIONS':>10} {by['bytes'] + 'OUT bit/s':>11}"
             f" {'IN bit/s':>10}"]  # fmt: skip
    for host in look.hosts:
        out, into = (
            "-" if host[name] is None else _bits(host[name]) for name in ("bytes_out", "bytes_in")
        )
        lines.append(f"{host['host']:<39} {host['sessions']:>10} {out:>11} {into:>10}")
    return lines


def _ports(look: Look) -> list[str]:
    """The fullest first, those not in use not at all."""
    lines = [f"{'PORTS OF':<39} {'PROTOCOL':<8} {'USED':>8} {'OF':>8} {'%':>5}"]
    used = [row for row in look.ports if row["used"]]
    for row in sorted(used, key=lambda row: (-row["used"] / row["total"], row["external"])):
        share = 100 * row["used"] // row["total"]
        lines.append(
            f"{row['external']:<39} {row['protocol']:<8} {row['used']:>8} {row['total']:>8}"
            f" {share:>5}"
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
