"""What is told of a host that others change too: what is wrong there now, and what was made again.

It goes from the process that looks to the NAT, as a dictionary ready for JSON.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ...host.problems import Problem

RECENT = 50  # of what was made again, the last ones are told


@dataclass(frozen=True)
class Report:
    """`restored` counts the changes that others had undone and that were made again; `recent` are
    the last of them, as commands."""

    problems: tuple[Problem, ...] = ()
    restored: int = 0
    recent: tuple[str, ...] = ()

    def with_restored(self, commands: tuple[str, ...]) -> "Report":
        recent = (*self.recent, *commands)[-RECENT:]
        return Report(self.problems, self.restored + len(commands), recent)

    def restored_since(self, before: "Report") -> tuple[str, ...]:
        """What was made again meanwhile; of very much the last."""
        count = min(self.restored - before.restored, len(self.recent))
        return self.recent[len(self.recent) - count :] if count > 0 else ()

    def row(self) -> dict[str, Any]:
        return {
            "problems": [{"what": one.what, "command": one.command} for one in self.problems],
            "restored": self.restored,
            "recent": list(self.recent),
        }


def read_report(row: dict[str, Any]) -> Report:
    """The reverse of `Report.row`."""
    problems = tuple(Problem(one["what"], one["command"]) for one in row["problems"])
    return Report(problems, row["restored"], tuple(row["recent"]))


def events_since(report: Report, before: Report) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each event between the two, and its fields."""
    for command in report.restored_since(before):
        yield "host-restored", {"change": command}
    for problem in report.problems:
        if problem not in before.problems:
            yield "host-problem", {"problem": problem.what, "command": problem.command or None}
    for problem in before.problems:
        if problem not in report.problems:
            yield "host-right", {"problem": problem.what}
