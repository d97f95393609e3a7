"""Command-line arguments made from the tables of daemon/options.py."""

import argparse
from collections.abc import Iterable

from ..daemon.options import Flag, Texts


def add_flags(parser: argparse.ArgumentParser, flags: Iterable[Flag]) -> None:
    """One argument per flag, taken as text: daemon/options.py reads it."""
    for flag in flags:
        parser.add_argument(
            flag.name,
            dest=flag.key,
            metavar=flag.metavar,
            help=flag.help.replace("%", "%%"),
            action="append" if flag.repeat else "store",
        )


def texts(arguments: argparse.Namespace) -> Texts:
    """What was given, by the flags' keys."""
    return vars(arguments)
