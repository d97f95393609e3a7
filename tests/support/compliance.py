"""docs/rfc-compliance.md as data, and what is wrong with it."""

import re
from collections import Counter
from typing import NamedTuple

from .collected import Collected

STATES = ("met", "by choice not", "not applicable")
MET = STATES[0]
STRENGTHS = re.compile(r"\b(MUST|SHOULD|MAY)\b")
NOT_RUN = {"skip", "xfail"}

#: Every requirement, as its RFC numbers it; RFC 7857 has sections, and letters of the page's own.
REQUIREMENTS: dict[str, tuple[str, ...]] = {
    "4787": (
        *("REQ-1", "REQ-2", "REQ-3", "REQ-3a", "REQ-4", "REQ-5", "REQ-5a", "REQ-5b", "REQ-5c"),
        *("REQ-6", "REQ-6a", "REQ-7", "REQ-8", "REQ-8a", "REQ-9", "REQ-9a", "REQ-10", "REQ-10a"),
        *("REQ-11", "REQ-12", "REQ-12a", "REQ-12b", "REQ-13", "REQ-13a", "REQ-14", "REQ-14a"),
    ),
    "5382": (
        *("REQ-1", "REQ-2", "REQ-2a", "REQ-3", "REQ-3a", "REQ-3b", "REQ-4", "REQ-4a", "REQ-5"),
        *("REQ-5a", "REQ-6", "REQ-7", "REQ-8", "REQ-8a", "REQ-9", "REQ-10"),
    ),
    "5508": (
        *("REQ-1", "REQ-1a", "REQ-2", "REQ-2a", "REQ-3", "REQ-3a", "REQ-3b", "REQ-3c", "REQ-3d"),
        *("REQ-4", "REQ-4a", "REQ-4b", "REQ-4c", "REQ-5", "REQ-5a", "REQ-5b", "REQ-5c", "REQ-6"),
        *("REQ-7", "REQ-7a", "REQ-8", "REQ-9", "REQ-10a", "REQ-10b", "REQ-10c", "REQ-10d"),
        *("REQ-10e", "REQ-10f", "REQ-11"),
    ),
    "5597": tuple(f"REQ-{number}" for number in range(1, 14)),
    "6888": (
        *("REQ-1", "REQ-2", "REQ-3", "REQ-4", "REQ-4A", "REQ-4B", "REQ-4C", "REQ-5", "REQ-5A"),
        *("REQ-5B", "REQ-6", "REQ-7", "REQ-8", "REQ-8A", "REQ-8B", "REQ-8C", "REQ-9", "REQ-10"),
        *("REQ-11A", "REQ-11B", "REQ-11C", "REQ-11D", "REQ-12", "REQ-13", "REQ-14", "REQ-15"),
    ),
    "7857": (
        *("2", "2.1a", "2.1b", "2.1c", "2.2a", "2.2b", "3", "4a", "4b", "5a", "5b", "6a", "6b"),
        *("7", "7.1", "8a", "8b", "9", "10", "11", "12"),
    ),
}


class Row(NamedTuple):
    """A requirement; `tests` are node ids without parameters."""

    rfc: str
    number: str
    asks: str
    state: str
    how: str
    tests: tuple[str, ...]

    def __str__(self) -> str:
        return f"RFC {self.rfc} {self.number}"


class Count(NamedTuple):
    """What the summary at the page's start says of an RFC: how many rows are in each state."""

    rfc: str
    numbers: tuple[int, ...]


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def read_rows(page: str) -> list[Row]:
    """The rows below each heading "## RFC ...", without the tables' own headings."""
    rows: list[Row] = []
    rfc = ""
    for line in page.splitlines():
        if line.startswith("## "):
            named = re.match(r"## RFC (\d+)", line)
            rfc = named[1] if named else ""
        elif rfc and re.match(r"\| (REQ-)?\d", line):
            number, asks, state, how, tests = cells(line)
            rows.append(Row(rfc, number, asks, state, how, tuple(re.findall("`([^`]+)`", tests))))
    return rows


def read_counts(page: str) -> list[Count]:
    lines = re.findall(r"^\| \[RFC (\d+)[^|]*\|([^\n]*)$", page, re.MULTILINE)
    return [Count(rfc, tuple(map(int, cells(rest)))) for rfc, rest in lines]


def mistakes(page: str, collected: Collected) -> list[str]:
    """Everything that is wrong with the page, given the tests there are."""
    rows = read_rows(page)
    found = []
    expected = [(rfc, number) for rfc, numbers in REQUIREMENTS.items() for number in numbers]
    times = Counter((row.rfc, row.number) for row in rows)
    for rfc, number in expected:
        if times[rfc, number] != 1:
            found.append(f"RFC {rfc} {number}: {times[rfc, number]} rows")
    for rfc, number in sorted(times.keys() - set(expected)):
        found.append(f"RFC {rfc} {number}: no such requirement")
    for row in rows:
        if row.state not in STATES:
            found.append(f"{row}: state {row.state!r}")
        if row.state == MET and not row.tests:
            found.append(f"{row}: met, and no test shows it")
        if row.state != MET and not row.how:
            found.append(f"{row}: {row.state}, and no reason is given")
        for test in row.tests:
            if test not in collected:
                found.append(f"{row}: there is no test {test}")
            elif collected[test] & NOT_RUN:
                found.append(f"{row}: {test} does not run")
    for rfc in REQUIREMENTS:
        states = Counter(row.state for row in rows if row.rfc == rfc)
        said = [count.numbers for count in read_counts(page) if count.rfc == rfc]
        if said != [tuple(states[state] for state in STATES)]:
            found.append(f"RFC {rfc}: the summary says {said}, the table {dict(states)}")
    return found


def links(page: str) -> set[str]:
    """What the page links to: files of its folder, with their headings, and its own headings."""
    return set(re.findall(r"\]\(([^)]+)\)", page))


def anchors(page: str) -> set[str]:
    """The names that headings have in links."""
    headings = re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    return {re.sub(r"[^\w-]", "", text.lower().replace(" ", "-")) for text in headings}
