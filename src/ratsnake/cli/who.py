"""`ratsnake who`: which inside address has an outside port, computed as RFC 7422 has it.

No running NAT is asked: the answer is as good for one that ran last year with the same flags.
"""

import argparse
import json
from ipaddress import IPv4Address

from ..daemon.configuration.flag_table import WHO_FLAGS
from ..daemon.configuration.option_parsing import deterministic
from ..daemon.user_errors import RunError, UsageError
from ..portset import FIRST_PORT, LAST_PORT, PortSet
from .argument_table import add_flags, texts

RIGHT = "right is an inside address, or an outside one with a port, such as 203.0.113.1:5000"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "subject",
        metavar="ADDRESS[:PORT]",
        help="an external address and port, to find their host; or an internal address, to find its"
        " ports",
    )
    add_flags(parser, WHO_FLAGS)
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")


def run(arguments: argparse.Namespace) -> int:
    subject: str = arguments.subject
    address, port = _subject(subject)
    shared = deterministic(texts(arguments))
    internal = address
    if port is not None:
        if shared.ports_of(address):
            raise UsageError(f"{subject}: {address} is an inside address; leave the port out")
        if address not in shared.externals:
            raise RunError(f"{subject}: {address} is none of the --external addresses")
        owner = shared.subscriber_of(address, port)
        if owner is None:
            raise RunError(
                f"{subject} is nobody's: the port is not in --ports, or was left over when they"
                " were shared out"
            )
        internal = owner
    elif address in shared.externals:
        raise UsageError(f"{subject}: an outside address needs a port, such as {address}:5000")
    has = shared.ports_of(internal)
    if has is None:
        raise RunError(f"{subject} has no ports: it is in none of the --internal prefixes")
    external, ranges = has
    ports = str(PortSet.of(ranges))
    if arguments.json:
        answer = {"internal": str(internal), "external": str(external), "ports": ports}
        print(json.dumps(answer, indent=2))
    elif port is None:
        print(f"{external} ports {ports}")
    else:
        print(internal)
    return 0


def _subject(text: str) -> tuple[IPv4Address, int | None]:
    address, colon, port = text.partition(":")
    try:
        parsed = IPv4Address(address)
    except ValueError:
        raise UsageError(f"{text}: {address!r} is not an IPv4 address; {RIGHT}") from None
    if not colon:
        return parsed, None
    # int() raises on more than 4,300 digits.
    if not (port.isascii() and port.isdigit() and len(port) <= 5):
        raise UsageError(f"{text}: {port!r} is not a port; {RIGHT}")
    if not FIRST_PORT <= int(port) <= LAST_PORT:
        raise UsageError(f"{text}: {port} is not a port; they go from {FIRST_PORT} to {LAST_PORT}")
    return parsed, int(port)
