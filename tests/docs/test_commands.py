"""Every `ratsnake` command in README and docs/ is one the program takes, with its values."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from ratsnake.cli.argument_table import texts
from ratsnake.cli.main import COMMANDS, make_parser
from ratsnake.daemon.configuration.option_parsing import run_options
from support.tools import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```\w*\n(.*?)^```", re.M | re.S)
INDENTED = re.compile(r"^ {4}(.*)", re.M)
COMMAND = re.compile(r"^(?:\$ )?(?:sudo )?ratsnake ([a-z-]+)\b(.*)")
#: What only shows where something is to be filled in.
SYNOPSIS = re.compile(r"\.\.\.|\[--|\[N\]|SRC:PORT")


def _commands(page: Path) -> Iterator[str]:
    text = page.read_text()
    blocks = [*FENCE.findall(text), "\n".join(INDENTED.findall(FENCE.sub("", text)))]
    for line in "\n".join(blocks).replace("\\\n", " ").split("\n"):
        found = COMMAND.match(line.strip())
        if found and found[1] in COMMANDS and not SYNOPSIS.search(line):
            yield f"{found[1]}{found[2]}"


GIVEN = sorted({(page.name, command) for page in PAGES for command in _commands(page)})


def test_there_are_commands() -> None:
    assert {"README.md", "running.md", "home-router.md"} <= {page for page, _ in GIVEN}
    assert len(GIVEN) > 70


@pytest.mark.parametrize(("page", "command"), GIVEN)
def test_the_program_takes_it(page: str, command: str) -> None:
    words = shlex.split(re.split(r" [|>&] ?| && ", command, maxsplit=1)[0], comments=True)
    parser, _ = make_parser([words[0]])
    arguments = parser.parse_args(words)
    if words[0] == "run" and "--external" in words:
        user = {"user": "nobody"} if "--user" in words else {}  # the page has had `ratsnake` made
        run_options({**texts(arguments), **user}, {})
