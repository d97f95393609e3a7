"""`ratsnake check`: whether a configuration file is right, and what it makes of everything."""

import argparse
import json
from pathlib import Path

from ..daemon.configuration.effective import effective
from ..daemon.configuration.file import DEFAULT_FILE, options_of, read
from ..daemon.configuration.schema import schema


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file",
        metavar="FILE",
        nargs="?",
        default=str(DEFAULT_FILE),
        help=f"the configuration file (default: {DEFAULT_FILE})",
    )
    parser.add_argument(
        "--schema", action="store_true", help="print the file's JSON Schema, for editors, instead"
    )


def run(arguments: argparse.Namespace) -> int:
    if arguments.schema:
        print(json.dumps(schema(), indent=2))
        return 0
    configuration = read(Path(arguments.file))
    options = options_of(configuration, {})
    print(effective(configuration, options), end="")
    return 0
