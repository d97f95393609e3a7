"""What pytest collects, told by pytest: as a plugin of another process, or of the items at hand."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BEFORE = "collected: "

# Tests without their parameters, each with the names of its marks.
Collected = dict[str, set[str]]


def described(items: Iterable[pytest.Item]) -> Collected:
    """Where a test has parameters, marks that only some of them bear count too."""
    found: Collected = {}
    for item in items:
        marks = found.setdefault(item.nodeid.partition("[")[0], set())
        marks.update(mark.name for mark in item.iter_markers())
    return found


def collected_in(files: Iterable[str]) -> Collected:
    """What is in these test files, which pytest collects in a process of its own."""
    there = sorted({file for file in files if (ROOT / file).is_file()})
    if not there:
        return {}
    plugin = ["-p", __name__, "-p", "no:cacheprovider"]
    finished = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-qq", *plugin, *there],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT / 'tests'}"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    line = next(one for one in finished.stdout.splitlines() if one.startswith(BEFORE))
    return {name: set(marks) for name, marks in json.loads(line[len(BEFORE) :]).items()}


def pytest_collection_finish(session: pytest.Session) -> None:
    if session.config.option.collectonly:
        found = {name: sorted(marks) for name, marks in described(session.items).items()}
        print(f"\n{BEFORE}{json.dumps(found)}")
