"""`ratsnake explain`: what the running NAT would do with a packet, and why."""

import argparse
import json
from typing import Any

from ..daemon.user_errors import RunError, UsageError, near
from ..nat.views.row_tuples import PROTOCOL_NAMES
from . import control_arguments

RIGHT = "right is ADDRESS:PORT, such as 192.168.1.10:4000 or [2001:db8::1]:443"
WITH_PORTS = ("tcp", "udp", "udplite", "dccp", "sctp")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("protocol", metavar="PROTOCOL", help="tcp, udp, icmp, udplite, dccp, sctp")
    parser.add_argument(
        "source", metavar="SRC:PORT", help="the sender; for icmp the port is the identifier"
    )
    parser.add_argument("destination", metavar="DST:PORT", help="the destination")
    parser.add_argument(
        "--in",
        dest="inbound",
        action="store_true",
        help="ask about the packet that comes back, from DST to the external endpoint of SRC",
    )
    control_arguments.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    if arguments.protocol not in PROTOCOL_NAMES:
        known = near(arguments.protocol, PROTOCOL_NAMES)
        hint = known or f"; there are {', '.join(PROTOCOL_NAMES)}"
        raise UsageError(f"{arguments.protocol}: no such protocol{hint}")
    ports = arguments.protocol in WITH_PORTS
    source, destination = (
        _endpoint(arguments.source, ports),
        _endpoint(arguments.destination, ports),
    )
    question = {
        "protocol": arguments.protocol,
        "source": source[0],
        "source_port": source[1],
        "destination": destination[0],
        "destination_port": destination[1],
        "inbound": arguments.inbound,
    }
    answer = list(control_arguments.rows(arguments, question))
    if len(answer) != 1:
        raise RunError(f"the NAT gave {len(answer)} explanations instead of one")
    said = answer[0]
    for line in [json.dumps(said, indent=2)] if arguments.json else _lines(said):
        print(line)
    return 0


def _lines(said: dict[str, Any]) -> list[str]:
    doubt = "" if said["certain"] else ", unless chance gives the sender a special port"
    verdict = "translated" if said["verdict"] == "translated" else "dropped"
    return [f"{said['direction']}: {verdict}{doubt}", *(f"  {step}" for step in said["steps"])]


def _endpoint(text: str, with_port: bool) -> tuple[str, int]:
    """An address, and a port, 0 where it may have none; the NAT checks both further."""
    if text.startswith("["):
        address, bracket, rest = text[1:].partition("]")
        if not bracket or rest and not rest.startswith(":"):
            raise UsageError(f"{text}: {RIGHT}")
        port = rest[1:]
    elif text.count(":") > 1:
        raise UsageError(f"{text}: an IPv6 address stands in brackets; {RIGHT}")
    else:
        address, _, port = text.partition(":")
    if port and not (port.isascii() and port.isdigit() and len(port) <= 5):
        raise UsageError(f"{text}: {port!r} is not a port; {RIGHT}")
    if with_port and not port:
        raise UsageError(f"{text}: has no port; {RIGHT}")
    return address, int(port or 0)
