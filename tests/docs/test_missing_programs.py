"""A run that skipped tests because a program is missing ends with the command that installs it."""

import os
import re
import subprocess
import sys
from pathlib import Path

from support.missing_programs import PACKAGES, advice

ROOT = Path(__file__).parents[2]


def test_a_run_without_programs_says_how_to_install_them(tmp_path: Path) -> None:
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-p", "no:cacheprovider"),
            *("--basetemp", str(tmp_path / "inner"), "tests/docs/test_manual.py"),
        ],
        cwd=ROOT,
        env={**os.environ, "PATH": str(tmp_path), "CI": ""},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert re.search(
        r"\n\d+ tests? (?:was|were) skipped because a program is not installed\. .*\n"
        r"    (?:sudo )?apt-get install -y .*\bman-db\b",
        ran.stdout,
    ), ran.stdout


def test_a_run_that_skips_for_other_reasons_or_nothing_says_nothing() -> None:
    assert advice(["not root: cannot become another user"]) == advice([]) == []


def test_ci_installs_the_same_packages() -> None:
    assert str(PACKAGES.relative_to(ROOT)) in (ROOT / ".ci/run").read_text()
