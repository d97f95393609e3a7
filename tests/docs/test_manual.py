"""The manual pages: every command, flag and key is there, and man has nothing against them."""

import argparse
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from ratsnake.cli.main import COMMANDS, make_parser
from ratsnake.daemon.configuration.json_schema import keys
from support.tools import tool


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return dict(tool("manual").pages())


def plain(page: str) -> str:
    """The page's text without its markup."""
    return re.sub(r"\\f[BIR]|\\[,/&]", "", page).replace("\\-", "-")


def test_there_is_a_page_for_every_command(pages: dict[str, str]) -> None:
    commands = {f"ratsnake-{name}.1" for name in COMMANDS}
    assert set(pages) == {"ratsnake.1", "ratsnake.toml.5", *commands}
    for name, summary in COMMANDS.items():
        assert f"\n{name}\n{summary}\n" in plain(pages["ratsnake.1"])


@pytest.mark.parametrize("command", COMMANDS)
def test_every_argument_of_a_command_is_on_its_page(pages: dict[str, str], command: str) -> None:
    page = plain(pages[f"ratsnake-{command}.1"])
    _, parsers = make_parser([command])
    assert page.count(f"\nratsnake-{command} - {COMMANDS[command]}\n") == 1
    for action in parsers[command]._actions:
        if isinstance(action, argparse._SubParsersAction):
            assert all(f"\nratsnake {command} {task}\n" in page for task in action.choices)
            continue
        names = action.option_strings or [str(action.metavar)]
        explained = any(re.search(rf"\n\.TP\n.*{re.escape(name)}.*\n", page) for name in names)
        assert explained or "--help" in names, f"{names} is not explained"


def test_every_key_of_the_configuration_is_on_its_page(pages: dict[str, str]) -> None:
    page = plain(pages["ratsnake.toml.5"])
    for key in keys():
        section = page.partition(f".SH [{key.section}]\n")[2].partition("\n.SH")[0]
        assert f".TP\n{key.name}  {key.type}" in section
        assert key.meaning in section and key.default in section


def test_man_has_nothing_against_the_pages(pages: dict[str, str], tmp_path: Path) -> None:
    man = shutil.which("man")
    if man is None:
        pytest.skip("man is not installed")
    for name, page in pages.items():
        (tmp_path / name).write_text(page)
        done = subprocess.run(
            [man, "--warnings", "-l", str(tmp_path / name)],
            env={"MANWIDTH": "80", "LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
        )
        assert (done.returncode, done.stderr) == (0, ""), name
        assert "NAME" in done.stdout and "SEE ALSO" in done.stdout
        assert max(map(len, done.stdout.splitlines())) <= 80
