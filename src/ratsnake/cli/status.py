"""`ratsnake status`: what the running NAT does."""

import argparse
import json
import textwrap
from collections.abc import Iterator
from typing import Any

from ..daemon.errors import RunError
from . import inquiry
from .text import amount, duration

WIDTH = 80

# The keys of `usage` that have a limit, and what they are called here.
USUAL = ("tcp", "udp", "icmp")  # shown always; other protocols where they are in use
TABLES = {"mappings": "mappings", "sessions": "sessions", "inbound_sessions": "from outside"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    inquiry.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    answer = list(inquiry.rows(arguments))
    if len(answer) != 1:
        raise RunError(f"the NAT gave {len(answer)} status objects instead of one")
    status = answer[0]
    for line in [json.dumps(status, indent=2)] if arguments.json else lines(status):
        print(line)
    return 0


def lines(status: dict[str, Any]) -> Iterator[str]:
    """The status object (daemon/status.py) for people, in 80 columns."""
    usage, counters = status["usage"], status["counters"]
    engine = "compiled" if status["compiled"] else "interpreted"
    yield (
        f"ratsnake {status['version']} on {status['device']}, process {status['pid']},"
        f" up {duration(status['uptime'])}, {engine} engine"
    )
    for external in status["external"]:
        ports = f"ports {external['ports']}" if external["ports"] else "forwards only"
        yield from _wrapped("external", f"{external['address']} {ports}")
    yield from _wrapped("NAT type", _types(status["types"]))
    yield _line("offload", ", ".join(status["offload"]) or "none")
    yield _line("memory", f"{status['memory'] / 1000:.1f} MB")
    yield ""
    for name, title in TABLES.items():
        yield _line(title, _of(usage[name], usage["limits"][name]))
    yield _line("hosts", f"{usage['hosts']:>10}")
    for protocol, use in usage["ports"].items():
        if protocol in USUAL or use["used"]:
            yield _line(f"{protocol} ports", _of(use["used"], use["total"]))
    yield ""
    for name in ("outbound", "inbound"):
        packets, octets = counters[name]["packets"], counters[name]["bytes"]
        yield _line(name, f"{packets:>10} packets {amount(octets):>6} bytes")
    if counters["icmp_errors_sent"]:
        yield _line("own errors", f"{counters['icmp_errors_sent']:>10} packets")
    dropped = counters["dropped"]
    yield _line("dropped", f"{sum(dropped.values()):>10} packets")
    for reason, count in dropped.items():
        if count:
            yield _line("", f"{count:>10} {reason}")


def _line(name: str, text: str) -> str:
    return f"{name:<14}{text}"


def _wrapped(name: str, text: str) -> Iterator[str]:
    """A MAP-E line's ports are 63 ranges: they break after commas."""
    breakable = textwrap.wrap(
        text.replace(",", ", "), WIDTH - len(_line("", "")), break_on_hyphens=False
    )
    for line in breakable:
        yield _line(name, line)
        name = ""


def _types(types: dict[str, str]) -> str:
    if len(set(types.values())) == 1:
        return next(iter(types.values()))
    return ",".join(f"{protocol} {name}" for protocol, name in types.items())


def _of(used: int, total: int) -> str:
    return f"{used:>10} of {total}"
