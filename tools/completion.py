"""Write the shells' completions, from the same tables as --help.

Usage: completion.py FOLDER
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import shtab

from ratsnake.cli.main import COMMANDS, make_parser
from ratsnake.daemon.configuration.flag_table import RUN_FLAGS
from ratsnake.daemon.configuration.value_parsers import OneOf
from ratsnake.nat.rules.behaviour import PRESETS, parse_behaviour

#: What each shell calls the file it looks for.
NAMES = {"bash": "ratsnake", "zsh": "_ratsnake", "fish": "ratsnake.fish"}
#: What is completed where a value is called so in --help.
BY_METAVAR = {"FILE": shtab.FILE, "PATH": shtab.FILE}
#: Where a value is one of some words.
WORDS = {
    flag.key: flag.parse.known if isinstance(flag.parse, OneOf) else tuple(PRESETS)
    for flag in RUN_FLAGS
    if isinstance(flag.parse, OneOf) or flag.parse is parse_behaviour
}


def completion(shell: str) -> str:
    parser, commands = make_parser(COMMANDS)
    for action in (one for command in (parser, *commands.values()) for one in actions(command)):
        if action.dest in WORDS and action.option_strings:
            action.choices = WORDS[action.dest]
        elif action.metavar in BY_METAVAR:
            action.complete = BY_METAVAR[action.metavar]
    return shtab.complete(parser, shell)


def actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Those of a command and of the commands below it."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from actions(below)
        else:
            yield action


def main() -> None:
    folder = Path(sys.argv[1])
    for shell, name in NAMES.items():
        (folder / shell).mkdir(parents=True, exist_ok=True)
        (folder / shell / name).write_text(completion(shell))
    print(f"completions: {folder}")


if __name__ == "__main__":
    main()
