"""The shells' completions, as the shells themselves complete."""

import shutil
import subprocess
from pathlib import Path

import pytest

from ratsnake.cli.main import COMMANDS
from ratsnake.daemon.configuration.flag_table import RUN_FLAGS
from ratsnake.nat.rules.behaviour import PRESETS
from support.tools import tool

BASH = """
source "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
$(complete -p ratsnake | sed 's/.*-F \\([^ ]*\\).*/\\1/')
printf '%s\\n' "${COMPREPLY[@]}"
"""
FISH = 'source $argv[1]; complete -C "$argv[2]" | cut -f 1'
WORDS = [
    ("ratsnake ", set(COMMANDS)),
    ("ratsnake ma", {"mappings", "map-e"}),
    ("ratsnake run --one", {"--one-to-one"}),
    ("ratsnake run --", {flag.name for flag in RUN_FLAGS}),
    ("ratsnake run --udp ", set(PRESETS)),
    ("ratsnake run --pooling ", {"paired", "arbitrary"}),
]


def shell(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def file_of(name: str, folder: Path) -> str:
    path = folder / f"ratsnake.{name}"
    path.write_text(tool("completion").completion(name))
    return str(path)


def answer(*command: str) -> set[str]:
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return set(done.stdout.split())


@pytest.mark.parametrize(("line", "words"), WORDS)
def test_bash(line: str, words: set[str], tmp_path: Path) -> None:
    given = [shell("bash"), "--norc", "-c", BASH, "bash", file_of("bash", tmp_path)]
    assert words <= answer(*given, *line.split(" "))


@pytest.mark.parametrize(("line", "words"), WORDS)
def test_fish(line: str, words: set[str], tmp_path: Path) -> None:
    assert words <= answer(
        shell("fish"), "--no-config", "-c", FISH, file_of("fish", tmp_path), line
    )


def test_zsh(tmp_path: Path) -> None:
    """Its completion works at a terminal only: here, that it is right zsh and knows all words."""
    path = file_of("zsh", tmp_path)
    assert answer(shell("zsh"), "-f", "-n", path) == set()
    text = Path(path).read_text()
    assert text.startswith("#compdef ratsnake\n")
    for word in (*COMMANDS, *PRESETS, *(flag.name for flag in RUN_FLAGS)):
        assert word in text
