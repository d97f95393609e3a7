"""The rooms of docs/architecture.md are those there are, and imports go upwards in its tables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import ratsnake

SOURCE = Path(ratsnake.__file__).parent
ARCHITECTURE = (SOURCE.parents[1] / "docs/architecture.md").read_text()
#: What every room may import: it imports nothing of its package itself.
LEAVES = {"daemon": {"user_errors", "random_seed", "sd_notify"}}
IMPORT = re.compile(r"^\s*from (\.*)([\w.]+) c?import", re.M)


def rooms(package: str) -> list[str]:
    """Those of a table, in its order; what comes after is the package itself."""
    heading = f"| room of `{package}/` |" if package else "| room |"
    table = ARCHITECTURE.split(heading, 1)[1].split("\n\n", 1)[0]
    return re.findall(r"^\| `(\w+)/` \|", table, re.M)


def imported(file: Path) -> Iterator[list[str]]:
    """The modules of ratsnake that a file imports: ["nat", "tables", "records"]."""
    here = ["ratsnake", *file.relative_to(SOURCE).parts[:-1]]
    for dots, rest in IMPORT.findall(file.read_text()):
        base = here[: len(here) - len(dots) + 1] if dots else []
        name, *path = [*base, *rest.split(".")]
        if name == "ratsnake":
            yield path


@pytest.mark.parametrize("package", ["", "nat", "host", "daemon"])
def test_the_table_names_all_rooms(package: str) -> None:
    found = {path.parent.name for path in (SOURCE / package).glob("*/__init__.py")}
    assert sorted(rooms(package)) == sorted(found)


@pytest.mark.parametrize("package", ["", "nat", "host", "daemon"])
def test_imports_go_upwards(package: str) -> None:
    order = rooms(package)
    depth = 1 if package else 0
    for file in sorted((SOURCE / package).rglob("*.p*")):
        if file.suffix not in {".py", ".pxd"}:
            continue
        room = file.relative_to(SOURCE / package).parts[0]
        allowed = order[: order.index(room) + 1] if room in order else order
        for path in imported(file):
            if package and path[0] != package or len(path) <= depth:
                continue
            other = path[depth]
            if other in order:
                assert other in allowed, f"{file}: {'.'.join(path)}"
            else:
                assert room not in order or other in LEAVES.get(package, {other}), f"{file}: {path}"
