"""`ratsnake status`: what the running NAT does."""

import argparse
import json
import textwrap
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from ..daemon.configuration.host_nat_types import WITH_PORTS
from ..daemon.user_errors import RunError
from ..nat.rules.drop_reasons import REASONS
from ..portset.port_summary import port_summary
from . import control_arguments
from .text_format import amount, duration

WIDTH = 80

# The keys of `usage` that have a limit, and what they are called here.
USUAL = ("tcp", "udp", "icmp")  # shown always; other protocols where they are in use
TABLES = {"mappings": "mappings", "sessions": "sessions", "inbound_sessions": "from outside"}
MADE = {"mappings": "mappings_made", "sessions": "sessions_opened"}
FEW_RANGES = 8  # of ports are written out
MEANINGS = {reason.name: reason.meaning for reason in REASONS}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    control_arguments.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    answer = list(control_arguments.rows(arguments))
    if len(answer) != 1:
        raise RunError(f"the NAT gave {len(answer)} status objects instead of one")
    status = answer[0]
    for line in [json.dumps(status, indent=2)] if arguments.json else lines(status):
        print(line)
    return 0


def lines(status: dict[str, Any]) -> Iterator[str]:
    """The status object (daemon/views/status_object.py) for people, in 80 columns."""
    yield (
        f"ratsnake {status['version']} on {status['device']}, up {duration(status['uptime'])}"
        f" since {_local(status['since'])}, process {status['pid']}"
    )
    for external in status["external"]:
        yield from _wrapped("external", _external(external))
    yield from _wrapped("NAT type", _types(status["types"]))
    for one in status["host_types"]:
        yield from _wrapped("", f"{one['prefix']}: {_host_types(one['types'])}")
    yield _line(
        "engine",
        f"{'compiled' if status['compiled'] else 'interpreted'},"
        f" {status['memory'] / 1000:.1f} MB of memory,"
        f" offload {' '.join(status['offload']) or 'none'}",
    )
    yield from host(status["host"])
    yield ""
    yield from _traffic(status["counters"], status["rates"])
    yield ""
    yield from _usage(status["usage"], status["rates"])
    yield ""
    yield from _drops(status["counters"]["dropped"], status["rates"])


def host(host: dict[str, Any]) -> Iterator[str]:
    """What is wrong on the host, and the command that helps; nothing where nothing is."""
    name = "wrong"
    for problem in host["problems"]:
        yield from _wrapped(name, problem["what"])
        if problem["command"]:
            yield _line("", f"  {problem['command']}")
        name = ""
    if host["restored"]:
        yield _line("made again", f"{host['restored']} changes to this host that others had undone")
    if host["guard_dropped"]:
        yield from _wrapped(
            "kept back",
            f"{host['guard_dropped']} packets with an inside source that were about to leave by the"
            " WAN untranslated",
        )
    if host["own_sockets"]:
        yield from _wrapped(
            "to this host",
            f"{host['own_sockets']} packets to a shared address, for its own programs",
        )


def _external(external: dict[str, Any]) -> str:
    """An address; of which interface it is, and what that has instead by now."""
    lost = f"; {external['lost']}" if external["lost"] else ""
    if external["address"] is None:
        return f"none yet of {external['follows']}{lost}"
    follows = f" of {external['follows']}" if external["follows"] else ""
    return f"{external['address']}{follows} {ports(external['ports'])}{lost}"


def ports(text: str | None) -> str:
    """An address's ports; a MAP-E line's are up to 63 ranges."""
    if text is None:
        return "forwards only"
    return port_summary(text, FEW_RANGES) or f"ports {text}"


def _traffic(counters: dict[str, Any], rates: dict[str, Any] | None) -> Iterator[str]:
    yield _line("traffic", f"{'packets':>12}{'bytes':>8}{'packets/s':>14}{'bit/s':>8}")
    for name in ("outbound", "inbound"):
        total = counters[name]
        now = f"{'-':>14}{'-':>8}"
        if rates:
            rate = rates[name]
            now = f"{rate['packets']:>14.0f}{amount(round(8 * rate['bytes'])):>8}"
        yield _line(f"  {name}", f"{total['packets']:>12}{amount(total['bytes']):>8}{now}")
    if counters["gave_way"]:
        yield _line(
            "  made room",
            f"{counters['gave_way']:>12} flows of hosts without an answer, ended for others",
        )
    if counters["icmp_errors_sent"]:
        yield _line("  own errors", f"{counters['icmp_errors_sent']:>12}")


def _usage(usage: dict[str, Any], rates: dict[str, Any] | None) -> Iterator[str]:
    yield _line("in use", f"{'now':>12}{'limit':>12}{'':>8}{'new/s':>10}")
    for name, title in TABLES.items():
        new = f"{rates[MADE[name]]:>10.1f}" if rates and name in MADE else ""
        yield _line(f"  {title}", _of(usage[name], usage["limits"][name]) + new)
    yield _line("  hosts", f"{usage['hosts']:>12}")
    yield from _of_one_host(usage["limits"])
    for protocol, use in usage["ports"].items():
        if protocol in USUAL or use["used"]:
            yield _line(f"  {protocol} ports", _of(use["used"], use["total"]))


def _of_one_host(limits: dict[str, Any]) -> Iterator[str]:
    """The most that one inside host may have: of protocols that differ each, else once."""
    most = {protocol: limits["host_mappings"][protocol] for protocol in USUAL}
    named = most if len(set(most.values())) > 1 else {"": most["tcp"]}
    for protocol, number in named.items():
        title = f"{protocol} " if protocol else ""
        yield _line("  each host", f"{'':>12}{number:>12}  {title}mappings")
    yield _line("  each host", f"{'':>12}{limits['host_sessions']:>12}  sessions")
    if limits["host_rate"]:
        yield _line("  each host", f"{'':>12}{limits['host_rate']:>12}  new sessions a second")


def _drops(dropped: dict[str, int], rates: dict[str, Any] | None) -> Iterator[str]:
    rate = f"{rates['dropped']:>10.1f} a second" if rates else ""
    yield _line("dropped", f"{sum(dropped.values()):>12} packets{rate}")
    for reason, count in sorted(dropped.items(), key=lambda item: -item[1]):
        if count:
            head = f"{count:>10} {reason:<16} "
            indent = " " * len(head)
            yield from textwrap.wrap(
                head + MEANINGS.get(reason, ""), WIDTH, subsequent_indent=indent
            )


def _local(moment: str) -> str:
    """A moment of the status object in the local time."""
    parsed = datetime.fromisoformat(moment.replace("Z", "+00:00"))
    return parsed.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _line(name: str, text: str) -> str:
    return f"{name:<14}{text}"


def _wrapped(name: str, text: str) -> Iterator[str]:
    """Port ranges break after commas."""
    breakable = textwrap.wrap(
        text.replace(",", ", ").replace("  ", " "),
        WIDTH - len(_line("", "")),
        break_on_hyphens=False,
    )
    for line in breakable:
        yield _line(name, line)
        name = ""


def _types(types: dict[str, str]) -> str:
    if len(set(types.values())) == 1:
        return next(iter(types.values()))
    return ",".join(f"{protocol} {name}" for protocol, name in types.items())


def _host_types(types: dict[str, str]) -> str:
    """Those that hosts have of their own; protocols that are not among them have the usual."""
    if types.keys() >= set(WITH_PORTS):
        return _types(types)
    return ",".join(f"{protocol} {name}" for protocol, name in types.items())


def _of(used: int, total: int) -> str:
    share = f"{100 * used // total:>6} %" if total else f"{'':>8}"
    return f"{used:>12}{total:>12}{share}"
