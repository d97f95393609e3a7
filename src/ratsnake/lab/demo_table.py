"""The demo's table: what was observed of each NAT type, beside what is expected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from ..nat.rules.behaviour import Mapping
from .expected_behaviour import EXPECTED
from .nat_probe import Observation
from .ping_and_traceroute import Hop
from .traffic_generator import Transfer

_GREEN, _RED, _PLAIN = "\033[1;32m", "\033[1;31m", "\033[0m"

_HEADER = ("", "mapping", "contested", "filtering", "ports", "ping", "TCP", "UDP", "hop", "")
_UNITS = ("NAT type", "seen/exp.", "seen/exp.", "seen/exp.", "", "ms", "64 MB", "", "", "")
_LEGEND = """\
mapping: one internal endpoint toward several remotes.  contested: the same while another host
takes its port first, which shows what sticky ports hide.  filtering: who may send to it.
ports: "sticky" is kept toward every remote as long as no other host has it there.
TCP: SHA-256 of what was sent and received agree.  hop: who answered a datagram of TTL 2.
"""


@dataclass
class Row:
    """What is known of one NAT type; None where it could not be found out."""

    nat_type: str
    observation: Observation | None = None
    contested: Mapping | None = None
    ping: float | None = None
    download: Transfer | None = None
    exchanges: int | None = None
    hop: Hop | None = None
    failures: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Everything was found out and is as expected."""
        seen, expected = self.observation, EXPECTED[self.nat_type]
        return (
            not self.failures
            and seen is not None
            and (seen.alone, self.contested, seen.filtering, seen.ports)
            == (expected.alone, expected.contested, expected.filtering, expected.ports)
            and None not in (self.ping, self.download, self.exchanges, self.hop)
        )

    def cells(self) -> tuple[str, ...]:
        seen, expected = self.observation, EXPECTED[self.nat_type]
        return (
            self.nat_type,
            _compared(seen.alone if seen else None, expected.alone),
            _compared(self.contested, expected.contested),
            _compared(seen.filtering if seen else None, expected.filtering),
            self._ports(),
            "-" if self.ping is None else f"{self.ping * 1000:.2f}",
            "-" if self.download is None else "same",
            "-" if self.exchanges is None else "yes",
            "-" if self.hop is None else self.hop.address,
            "ok" if self.ok else "NO",
        )

    def _ports(self) -> str:
        if self.observation is None:
            return "-"
        sticky = self.contested is not None and self.contested > self.observation.alone
        return "sticky" if sticky else self.observation.ports


def _compared(seen: IntEnum | None, expected: IntEnum) -> str:
    return f"{'-' if seen is None else seen.name}/{expected.name}"


def verdict(good: bool, text: str, coloured: bool) -> str:
    """The text in green or red, for a terminal."""
    return f"{_GREEN if good else _RED}{text}{_PLAIN}" if coloured else text


def table(rows: Sequence[Row], coloured: bool) -> str:
    """The table with its legend, at most 100 columns wide; `coloured`: the verdicts are."""
    cells = [_HEADER, _UNITS, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(_HEADER))]
    lines = [
        " ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    ]
    for number, row in enumerate(rows, 2):
        said = row.cells()[-1]
        lines[number] = lines[number].removesuffix(said) + verdict(row.ok, said, coloured)
    rule = "-" * (sum(widths) + len(widths) - 1)
    return "\n".join([*lines[:2], rule, *lines[2:], "", _LEGEND])
