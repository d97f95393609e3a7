"""Command-line arguments made from the tables of daemon/configuration/option_parsing.py."""

import argparse
from collections.abc import Iterable, Mapping

from ..daemon.configuration.flag_definition import Flag
from ..daemon.configuration.option_parsing import Texts


def add_flags(parser: argparse._ActionsContainer, flags: Iterable[Flag]) -> None:
    """One argument per flag, taken as text: daemon/configuration/option_parsing.py reads it."""
    for flag in flags:
        explanation = flag.help.replace("%", "%%")
        if flag.switch:
            parser.add_argument(
                flag.name, dest=flag.key, help=explanation, action="store_const", const="yes"
            )
            continue
        parser.add_argument(
            flag.name,
            dest=flag.key,
            metavar=flag.metavar,
            help=explanation,
            action="append" if flag.repeat else "store",
        )


def add_groups(parser: argparse.ArgumentParser, groups: Mapping[str, Iterable[Flag]]) -> None:
    """Flags under headings, so that a long help can be read."""
    for title, flags in groups.items():
        add_flags(parser.add_argument_group(title), flags)


def texts(arguments: argparse.Namespace) -> Texts:
    """What was given, by the flags' keys."""
    return vars(arguments)
