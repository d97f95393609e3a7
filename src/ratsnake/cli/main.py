"""The entry point: which command there is, and how a failure is told.

A command's module is imported only when the command is asked for. It offers
`add_arguments(parser)` and `run(arguments) -> exit status`.
"""

import argparse
import os
import sys
from collections.abc import Collection, Sequence
from importlib import import_module
from typing import Any, NoReturn

from .. import __version__
from ..daemon.user_errors import (
    STATUS_RUN,
    STATUS_USAGE,
    RunError,
    UsageError,
    messages_of,
    near,
    shown,
)
from ..device.packet_device import DeviceError

COMMANDS = {
    "run": "run the NAT in the foreground",
    "init": "ask a few questions and write a configuration file for a common set-up",
    "check": "check a configuration file and show all its settings",
    "reload": "apply a changed configuration file to the running NAT",
    "forward": "add, remove or list static forwards of the running NAT",
    "host": "show what the NAT changes on this host, or remove what a killed NAT left",
    "doctor": "list problems of this host, with the commands that solve them",
    "status": "show the state of the running NAT: traffic, usage, drops",
    "mappings": "list the mappings of the running NAT",
    "sessions": "list the sessions of the running NAT",
    "top": "watch the running NAT live: traffic, busiest hosts, ports, drops",
    "watch": "show events of the running NAT as they happen",
    "capture": "save packets before and after translation in a pcapng file",
    "explain": "say what the running NAT would do with a packet, and why",
    "flush": "end selected flows of the running NAT",
    "types": "explain the NAT types",
    "netcheck": "find out which NAT is in front of this machine, with STUN servers",
    "ports": "show which ports of a shared address belong to a PSID",
    "map-e": "compute the address and ports of a MAP-E line from its IPv6 prefix",
    "who": "say which host an external port belongs to, with deterministic ports",
    "demo": "show each NAT type at work, in network namespaces",
    "replay": "translate a capture file, without a network",
    "bench": "measure the NAT and compare it with other ways of forwarding",
}

#: Modules that an incomplete installation lacks: what needs them, and the package they are in.
MISSING = {
    "cython": (
        "this installation is not compiled, and to be interpreted it needs Cython",
        "cython",
    ),
    "pyroute2": ("ratsnake needs pyroute2", "pyroute2"),
    "prometheus_client": ("--metrics needs the library prometheus-client", "prometheus-client"),
    "matplotlib": ("--plot needs matplotlib", "matplotlib"),
}

STATUS_INTERRUPTED = 130  # 128 + SIGINT, as shells have it


class Parser(argparse.ArgumentParser):
    """Complains as everything else here does: by an exception."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (see `{self.prog} --help`)")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command `argv` (default: the process's arguments) asks for; returns its status.

    0 is success, 1 a failure at run time, 2 a request that cannot be right.
    """
    try:
        status = _run(sys.argv[1:] if argv is None else argv)
        sys.stdout.flush()
        return status
    except UsageError as error:
        return _complain(error, STATUS_USAGE)
    except (RunError, DeviceError) as error:
        return _complain(error, STATUS_RUN)
    except BrokenPipeError:
        return _reader_left()
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _complain(f"{where}{error.strerror or error}", STATUS_RUN)
    except KeyboardInterrupt:
        return STATUS_INTERRUPTED
    except ModuleNotFoundError as error:
        return _complain(_missing(error), STATUS_RUN)
    except Exception as error:
        return _complain(_defect(error), STATUS_RUN)


def make_parser(names: Collection[str]) -> tuple[Parser, dict[str, Parser]]:
    """The command line's parser, and those of all commands by name.

    Only the commands that are named have their arguments, because their modules are imported.
    """
    parser = Parser(
        prog="ratsnake",
        description="A NAT in user space whose behaviour (RFC 4787) you choose.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"ratsnake {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    made = {}
    for name, summary in COMMANDS.items():
        made[name] = commands.add_parser(name, help=summary, description=_sentence(summary))
        made[name].allow_abbrev = False
        if name in names:
            _module(name).add_arguments(made[name])
    return parser, made


def _run(argv: Sequence[str]) -> int:
    if argv and not argv[0].startswith("-") and argv[0] not in COMMANDS:
        raise UsageError(
            f"{argv[0]}: no such command{near(argv[0], COMMANDS)} (see `ratsnake --help`)"
        )
    parser, commands = make_parser(argv)
    try:
        arguments, unknown = parser.parse_known_args(argv)
    except SystemExit:  # --help and --version, which argparse answers itself
        return 0
    if unknown:
        command = commands[arguments.command]
        known = [name for action in command._actions for name in action.option_strings]
        hint = near(unknown[0].split("=")[0], known)
        command.error(f"unrecognized arguments: {' '.join(unknown)}{hint}")
    status: int = _module(arguments.command).run(arguments)
    return status


def _module(command: str) -> Any:
    return import_module(f".{command.replace('-', '_')}", __package__)


def _sentence(summary: str) -> str:
    return summary[0].upper() + summary[1:] + "."


def _complain(error: Exception | str, status: int) -> int:
    for message in (error,) if isinstance(error, str) else messages_of(error):
        print(f"ratsnake: error: {shown(message)}", file=sys.stderr)
    return status


def _reader_left() -> int:
    """Be quiet when `ratsnake mappings | head` has seen enough.

    What is still buffered would be complained about at exit: it goes nowhere instead.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _missing(error: ModuleNotFoundError) -> str:
    """With the command that installs it where this program looks for it."""
    if error.name not in MISSING:
        return _defect(error)
    what, package = MISSING[error.name]
    return f"{what}: {sys.executable} -m pip install {package}"


def _defect(error: Exception) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else "nowhere"
    what = f"{type(error).__name__}: {error} ({where})"
    return f"a defect of ratsnake, please report it: {what}"
