"""What is told of a host that others change too: what is wrong there now, and what was made again.

It goes from the process that looks to the NAT, as a dictionary ready for JSON.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from ...host.installation.host_problem import Problem
from ...host.monitoring.nftables_counters import PacketCounts

RECENT = 50  # of what was made again, the last ones are told
LONGEST = 500  # characters of a command there: all of it goes in one message


@dataclass(frozen=True)
class Report:
    """`restored` counts the changes that others had undone and that were made again; `recent` are
    the last of them, as commands.  `counts` are of packets since the start."""

    problems: tuple[Problem, ...] = ()
    restored: int = 0
    recent: tuple[str, ...] = ()
    counts: PacketCounts = PacketCounts()

    def with_restored(self, commands: tuple[str, ...]) -> "Report":
        recent = (*self.recent, *(one[:LONGEST] for one in commands))[-RECENT:]
        return replace(self, restored=self.restored + len(commands), recent=recent)

    def restored_since(self, before: "Report") -> tuple[str, ...]:
        """What was made again meanwhile; of very much the last."""
        count = min(self.restored - before.restored, len(self.recent))
        return self.recent[len(self.recent) - count :] if count > 0 else ()

    def new_problems(self, before: "Report") -> Iterator[Problem]:
        """Those that were not there before, whatever has become of their words."""
        known = {one.identity for one in before.problems}
        return (one for one in self.problems if one.identity not in known)

    def row(self) -> dict[str, Any]:
        return {
            "problems": [asdict(one) for one in self.problems],
            "restored": self.restored,
            "recent": list(self.recent),
            **asdict(self.counts),
        }


def read_report(row: dict[str, Any]) -> Report:
    """The reverse of `Report.row`."""
    return Report(
        tuple(Problem(**one) for one in row["problems"]),
        row["restored"],
        tuple(row["recent"]),
        PacketCounts(row["guard_dropped"], row["own_sockets"]),
    )


def events_since(report: Report, before: Report) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each event between the two, and its fields."""
    for command in report.restored_since(before):
        yield "host-restored", {"change": command}
    for problem in report.new_problems(before):
        yield "host-problem", {"problem": problem.what, "command": problem.command or None}
    for problem in before.new_problems(report):
        yield "host-right", {"problem": problem.what}
