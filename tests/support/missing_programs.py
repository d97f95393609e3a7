"""Which tests were skipped because a program is missing, and the command that installs them all."""

import os
from collections.abc import Iterable
from pathlib import Path

PACKAGES = Path(__file__).parents[1] / "debian-packages.txt"
_MARK = "is not installed"


def advice(reasons: Iterable[str]) -> list[str]:
    """Lines for the end of a test run, of the reasons of its skipped tests; none where all ran."""
    count = sum(_MARK in reason for reason in reasons)
    if not count:
        return []
    lines = PACKAGES.read_text().splitlines()
    packages = " ".join(line for line in lines if line and not line.startswith("#"))
    sudo = "" if os.geteuid() == 0 else "sudo "
    tests = "1 test was" if count == 1 else f"{count} tests were"
    return [
        f"{tests} skipped because a program is not installed. On Debian this installs them all:",
        f"    {sudo}apt-get install -y {packages}",
    ]
