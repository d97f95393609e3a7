"""`ratsnake map-e`: what a MAP-E line gives, from its IPv6 prefix."""

import argparse
import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from ..daemon.user_errors import UsageError
from ..portset.map_rule import TUNNEL_MSS, TUNNEL_MTU, CustomerEdge, MapRule
from ..portset.notation import read_end_user_prefix
from ..portset.providers import KnownRule, identify
from ..portset.rule_text import EXAMPLE, SYNTAX, read_rule
from . import port_set_output
from .init_templates import Line, map_e_lines

TITLE_WIDTH = 15  # of the words on the left
EXAMPLE_LAN = "br0"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "prefix",
        metavar="IPV6-PREFIX",
        help="the IPv6 prefix of your line (/56, /64), or an address in it",
    )
    parser.add_argument(
        "--rule",
        metavar="RULE",
        help=f"the provider's rule, if ratsnake does not know it (such as {EXAMPLE}): {SYNTAX}",
    )
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")


def run(arguments: argparse.Namespace) -> int:
    known, edge = _answer(arguments)
    if arguments.json:
        print(json.dumps(_fields(known, edge)))
        return 0
    for line in _lines(known, edge):
        print(line)
    for line in _proposal(arguments, edge):
        print(line)
    return 0


def _answer(arguments: argparse.Namespace) -> tuple[KnownRule | None, CustomerEdge]:
    """The rule, if it is one of the table's, and what it gives; raises UsageError."""
    try:
        line = read_end_user_prefix(arguments.prefix)
        if arguments.rule is None:
            return identify(line)
        rule = _rule(arguments.rule)
        return None, rule.customer_edge(line)
    except ValueError as error:
        raise UsageError(str(error)) from None


def _rule(text: str) -> MapRule:
    try:
        return read_rule(text)
    except ValueError as error:
        raise UsageError(f"--rule {text}: {error}") from None


def _lines(known: KnownRule | None, edge: CustomerEdge) -> Iterator[str]:
    """The answer for people, in 80 columns."""
    rule = edge.rule
    if known is not None:
        yield _line("provider", known.provider.title)
    yield _line("rule", f"{rule.ipv6} -> {rule.ipv4}, {rule.ea_len} EA bits")
    if known is not None and not known.confirmed:
        yield _line("", "only one source has this rule: compare with your present router")
    yield ""
    yield _line("IPv4 address", _ipv4(edge))
    if edge.psid is not None:
        place = f"{rule.psid_len} bits at offset {rule.offset}"
        yield _line("PSID", f"{edge.psid} (0x{edge.psid:x}), {place}")
    yield _line("CE address", str(edge.address))
    if rule.draft03:
        yield _line("  by RFC 7597", str(edge.address_rfc7597))
    else:
        yield _line("  by draft-03", str(edge.address_draft03))
    yield _line("border relay", "not in the rule" if rule.relay is None else str(rule.relay))
    yield _line("tunnel MTU", f"{TUNNEL_MTU}; clamp the TCP MSS to {TUNNEL_MSS}")
    yield _line("ports", port_set_output.amount(edge.ports))
    yield ""
    yield from port_set_output.table(edge.ports, indent=2)


def _proposal(arguments: argparse.Namespace, edge: CustomerEdge) -> Iterator[str]:
    """How to run the NAT on that line, if it has one address, and shares it."""
    if edge.psid is None:
        return
    answers = {"prefix": arguments.prefix, "lan": EXAMPLE_LAN}
    if arguments.rule is not None:
        answers["rule"] = arguments.rule
    lines = list(map_e_lines(answers))
    yield ""
    yield f"To run the NAT, with your LAN's interface for {EXAMPLE_LAN}:"
    yield ""
    yield from _command(lines)
    yield ""
    count = len(edge.ports)
    yield f"With this NAT type each of the {count} ports serves many remotes; others run out."
    yield "As a configuration file (`ratsnake init --setup map-e` writes it with comments):"
    yield ""
    yield from _file(lines)


def _command(lines: Iterable[Line]) -> Iterator[str]:
    """`ratsnake run` with the flags of the keys; the ports, which may be long, on a line alone."""
    flags = {line.key: f"--{line.key} {_flag_value(line)}" for line in lines}
    yield f"    ratsnake run {flags['external']} {flags['lan']} {flags['mtu']} \\"
    yield f"        {flags['nat']} \\"
    yield f"        {flags['ports']}"


def _flag_value(line: Line) -> str:
    return line.value[0] if isinstance(line.value, list) else str(line.value)


def _file(lines: Iterable[Line]) -> Iterator[str]:
    section = ""
    for line in lines:
        if line.section != section:
            section = line.section
            yield f"    [{section}]"
        yield f"    {replace(line, comment='')}".rstrip()


def _line(title: str, text: str) -> str:
    return f"{title:<{TITLE_WIDTH}}{text}"


def _ipv4(edge: CustomerEdge) -> str:
    """An address where it is one, else a prefix."""
    whole = edge.ipv4.prefixlen == edge.ipv4.max_prefixlen
    return str(edge.ipv4.network_address if whole else edge.ipv4)


def _fields(known: KnownRule | None, edge: CustomerEdge) -> dict[str, Any]:
    rule = edge.rule
    return {
        "provider": None if known is None else known.provider.name,
        "sources": [] if known is None else list(known.sources),
        "rule": {
            "ipv6": str(rule.ipv6),
            "ipv4": str(rule.ipv4),
            "ea_len": rule.ea_len,
            "offset": rule.offset,
            "psid_len": rule.psid_len,
        },
        "prefix": str(edge.prefix),
        "ipv4": _ipv4(edge),
        "psid": edge.psid,
        **port_set_output.fields(edge.ports),
        "ce_address": str(edge.address),
        "ce_address_rfc7597": str(edge.address_rfc7597),
        "ce_address_draft03": str(edge.address_draft03),
        "border_relay": None if rule.relay is None else str(rule.relay),
        "mtu": TUNNEL_MTU,
        "mss": TUNNEL_MSS,
    }
