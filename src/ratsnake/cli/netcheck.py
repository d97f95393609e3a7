"""`ratsnake netcheck`: which NAT is in front of this machine."""

import argparse
import json
import shutil
from collections.abc import Sequence

from ..daemon.user_errors import STATUS_RUN, UsageError
from ..stun.nat_check import CheckResult, check_network
from ..stun.server_addresses import SYNTAX, Server, find_servers
from ..stun.stun_client import StunClient
from ..stun.stun_message import Endpoint
from ..stun.udp_sockets import UdpNetwork
from .netcheck_report import fields, lines
from .progress import Line

MORE = (
    "It asks the STUN servers that you name, and no others, how the machine looks from outside, and"
    " needs no privileges. One server that implements RFC 5780 shows mapping and filtering."
    " Ordinary servers show only the mapping, and you need two of them. The exit status is 1 if no"
    " server answers."
)
NO_SERVER = (
    "name a STUN server, HOST[:PORT]: one that implements RFC 5780 (it has two addresses, as coturn"
    " can) shows mapping and filtering, two ordinary ones show the mapping; there is no default"
)
_LONGEST = 86400  # seconds
_MOST_SERVERS = 8
_WIDEST = 100  # columns: longer lines are hard to read


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = f"{parser.description} {MORE}"
    parser.add_argument("servers", metavar="SERVER", nargs="*", help=f"a STUN server: {SYNTAX}")
    parser.add_argument(
        "--lifetime",
        metavar="SECONDS",
        help="also measure how long an idle UDP mapping lives, up to this limit; takes up to three"
        " times as long",
    )
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")


def run(arguments: argparse.Namespace) -> int:
    limit = _seconds(arguments.lifetime)
    servers = _servers(arguments.servers)
    with Line() as line:
        results = [
            _check(version, endpoints, limit, line)
            for version in (4, 6)
            if (endpoints := _endpoints(servers, version))
        ]
    if arguments.json:
        print(json.dumps(fields(servers, results), indent=2))
    else:
        width = min(shutil.get_terminal_size().columns, _WIDEST)
        for text in lines(servers, results, width):
            print(text)
    return 0 if any(result.answered for result in results) else STATUS_RUN


def _check(
    version: int, endpoints: Sequence[Endpoint], limit: float | None, line: Line
) -> CheckResult:
    doing = ""

    def report(text: str) -> None:
        nonlocal doing
        doing = text
        line.show(text)

    def waiting(seconds: float) -> None:
        if seconds >= 1:
            line.show(f"{doing} ({seconds:.0f} s)")

    client = StunClient(UdpNetwork(), waiting)
    return check_network(client, version, endpoints, limit, report=report)


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= _LONGEST):
        raise UsageError(f"--lifetime {text}: right is a number of seconds in 1..{_LONGEST}")
    return float(text)


def _servers(names: Sequence[str]) -> list[Server]:
    if not names:
        raise UsageError(NO_SERVER)
    if len(names) > _MOST_SERVERS:
        raise UsageError(f"{len(names)} servers: at most {_MOST_SERVERS} can be asked")
    try:
        return find_servers(names)
    except ValueError as error:
        raise UsageError(str(error)) from None


def _endpoints(servers: Sequence[Server], version: int) -> list[Endpoint]:
    """Each once: two names may be one server."""
    found = (server.endpoints.get(version) for server in servers)
    return list(dict.fromkeys(endpoint for endpoint in found if endpoint is not None))
