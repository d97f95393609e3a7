"""`ratsnake run`: the NAT in the foreground."""

import argparse
import contextlib

from ..daemon.configuration.configuration_file import sources_of
from ..daemon.configuration.flag_table import CONFIG_FLAG, RUN_GROUPS
from ..daemon.user_errors import UsageError
from .argument_table import add_flags, add_groups, texts


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_flags(parser, [CONFIG_FLAG])
    add_groups(parser, RUN_GROUPS)


def run(arguments: argparse.Namespace) -> int:
    sources = sources_of(texts(arguments))
    if sources.file is None and not sources.flags.get("external"):
        raise UsageError(
            "--external ADDR[=PORTS] is needed, or a configuration file: `ratsnake init` writes one"
            " after a few questions"
        )
    asked = sources.read()
    # Only now: a mistake in the options is told without waiting for the engine to load.
    from ..daemon import logging_setup
    from ..daemon.startup import serve

    logging_setup.start()
    serve(sources, asked, _announce)
    return 0


def _announce(line: str) -> None:
    # Whoever started us may have no interest in the line; the NAT goes on.
    with contextlib.suppress(BrokenPipeError):
        print(line, flush=True)
