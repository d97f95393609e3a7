"""`ratsnake watch`: what happens in the running NAT, as it happens."""

import argparse
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from ..daemon.configuration.event_kinds import KINDS
from . import control_arguments
from .text_format import amount, duration, endpoint

Event = dict[str, Any]
NAME_WIDTH = 19  # of the longest event's name
PROTOCOL_WIDTH = 7


def add_arguments(parser: argparse.ArgumentParser) -> None:
    control_arguments.add_arguments(parser)
    parser.add_argument(
        "--kind",
        action="append",
        metavar="KIND",
        help=f"only events of this kind: {', '.join(KINDS)}; may repeat (default: all except"
        " session)",
    )
    parser.add_argument(
        "--protocol", metavar="NAME", help="only events of this protocol, such as udp"
    )
    parser.add_argument("--host", metavar="ADDR", help="only events of this internal address")
    parser.add_argument(
        "--destinations", action="store_true", help="show remote endpoints too (RFC 6888 REQ-12)"
    )


def run(arguments: argparse.Namespace) -> int:
    given = {
        "kinds": arguments.kind,
        "protocol": arguments.protocol,
        "host": arguments.host,
        "destinations": arguments.destinations or None,
    }
    asked = {name: value for name, value in given.items() if value is not None}
    for event in control_arguments.rows(arguments, asked, patient=True):
        print(json.dumps(event) if arguments.json else _shown(event), flush=True)
    return 0


def _shown(event: Event) -> str:
    """One line, with the local time of day."""
    moment = datetime.fromisoformat(event["time"].replace("Z", "+00:00")).astimezone()
    clock = moment.strftime("%H:%M:%S.") + f"{moment.microsecond // 1000:03}"
    name: str = event["event"]
    told = " ".join(part(event) for part in PARTS.get(name, ()))
    return f"{clock} {name:<{NAME_WIDTH}} {told}".rstrip()


def _protocol(event: Event) -> str:
    return f"{event['protocol'] or '-':<{PROTOCOL_WIDTH}}"


def _ends(event: Event) -> str:
    shown = f"{_end(event, 'internal')} = {_end(event, 'external')}"
    return f"{shown} to {_end(event, 'remote')}" if event.get("remote") else shown


def _end(event: Event, name: str) -> str:
    return endpoint(event[name], event[f"{name}_port"])


def _counters(event: Event) -> str:
    lasted = "" if event["duration"] is None else f"after {duration(int(event['duration']))}: "
    return (
        f"{lasted}{event['packets_out']} packets {amount(event['bytes_out'])} bytes out,"
        f" {event['packets_in']} packets {amount(event['bytes_in'])} bytes in"
    )


def _opened(event: Event) -> str:
    return f"from {event['opened']}"


def _refused(event: Event) -> str:
    """Who sent what where; the remote end is only there if it was asked for."""
    if event["direction"] is None:
        return ""
    local = "internal" if event["direction"] == "outbound" else "external"
    ends = [_end(event, local), _end(event, "remote") if event.get("remote") else "remote"]
    sender, receiver = ends if local == "internal" else reversed(ends)
    return f"{_protocol(event)} {sender} -> {receiver}"


def _reason(event: Event) -> str:
    return f"{event['reason']:<15}"


def _packets(event: Event) -> str:
    return f"{event['packets']} more packets"


def _lost(event: Event) -> str:
    return f"{event['events']} events"


def _address(event: Event) -> str:
    return f"{event['old'] or 'no address'} -> {event['new']}"


def _external(event: Event) -> str:
    return str(event["external"])


def _change(event: Event) -> str:
    return str(event["change"])


def _problem(event: Event) -> str:
    command = event.get("command")
    return f"{event['problem']}: type `{command}`" if command else str(event["problem"])


PARTS: Mapping[str, tuple[Callable[[Event], str], ...]] = {
    "mapping-made": (_protocol, _ends),
    "mapping-removed": (_protocol, _ends, _counters),
    "session-opened": (_protocol, _ends, _opened),
    "session-ended": (_protocol, _ends, _counters),
    "refusal": (_reason, _refused),
    "refusals-suppressed": (_reason, _packets),
    "limit": (_reason, _refused),
    "address": (_address,),
    "address-lost": (_external,),
    "address-given-up": (_external,),
    "address-back": (_external,),
    "host-restored": (_change,),
    "host-problem": (_problem,),
    "host-right": (_problem,),
    "lost": (_lost,),
}
