"""The example of docs/library.md runs as it stands, and prints what its comments say."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "library.md"


def test_the_example_prints_what_it_says(tmp_path: Path) -> None:
    (example,) = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.M | re.S)
    program = tmp_path / "pasted.py"
    program.write_text(example)
    done = subprocess.run([sys.executable, str(program)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    said = re.findall(r"^print.*?  # (.*)$", example, re.M)
    assert said and done.stdout.splitlines() == said
