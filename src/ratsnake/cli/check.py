"""`ratsnake check`: whether a configuration file is right, and what it makes of everything."""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from ..daemon.configuration.configuration_dump import effective
from ..daemon.configuration.configuration_file import DEFAULT_FILE, options_of, read
from ..daemon.configuration.json_schema import schema
from ..daemon.configuration.option_parsing import RunOptions
from ..daemon.configuration.placeholder_addresses import sources
from ..host.kernel.interface_address import look
from ..host.processes.forked_call import ChildError
from .local_interfaces import missing_interfaces, nearest_interfaces


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file",
        metavar="FILE",
        nargs="?",
        default=str(DEFAULT_FILE),
        help=f"the configuration file (default: {DEFAULT_FILE})",
    )
    parser.add_argument(
        "--schema",
        action="store_true",
        help="print the JSON Schema of the file instead, for editors",
    )


def run(arguments: argparse.Namespace) -> int:
    if arguments.schema:
        print(json.dumps(schema(), indent=2))
        return 0
    configuration = read(Path(arguments.file))
    options = options_of(configuration, {})
    print(effective(configuration, options, list(_addresses(options))), end="", flush=True)
    for key, names in (("wan", [options.wan] if options.wan else []), ("lan", options.lans)):
        for name in missing_interfaces(names):
            print(
                f"ratsnake: note: {configuration.names[key]} {name}: there is no interface of this"
                f" name here now{nearest_interfaces(name)}",
                file=sys.stderr,
            )
    return 0


def _addresses(options: RunOptions) -> Iterator[str]:
    """What the interfaces' addresses are on this host, where the file need not be for."""
    wanted = sources(options.nat.settings)
    if not wanted:
        return
    try:
        found = look(wanted)
    except ChildError as error:
        yield f"the addresses of interfaces cannot be looked up here: {error}"
        return
    for source, there in found.items():
        address = there.choose(None)
        yield f"{source} is now {address or f'without address: {there.problem}'}"
