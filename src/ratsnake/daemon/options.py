"""What a user may ask of the NAT: a table of flags, and what each accepts.

The tables are the only place that knows a flag's meaning; the command line takes its arguments
from them and hands back text. Every complaint is a UsageError that names flag and value.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..nat.behaviour import Behaviour, parse_behaviour
from ..nat.deterministic import Deterministic
from ..nat.forward_text import parse_forward, parse_one_to_one
from ..nat.nptv6 import parse_prefix_pair
from ..nat.settings import (
    DEFAULT_PRESET,
    PRIVATE_PREFIXES,
    External,
    Limits,
    NoResources,
    Pooling,
    Settings,
    Timeouts,
    UnsolicitedSyn,
    deterministic_table,
)
from ..portset import read_ports
from .errors import UsageError
from .flag import Flag
from .protocol import default_path
from .values import (
    device_name,
    external,
    limit,
    names_of,
    one_of,
    prefix,
    switch,
    timeout,
    whole_number,
)

# Endpoint-independent mapping is RFC 4787 REQ-1's MUST; APDF is the strictest filter to go with
# it. REQ-8 recommends EIF or ADF where openness matters more: full-cone, restricted-cone.
DEFAULT_TYPE = DEFAULT_PRESET

# The protocols that may have a NAT type of their own, and what to call them.
PROTOCOLS = {
    "tcp": "TCP",
    "udp": "UDP",
    "icmp": "ICMP Echo",
    "udplite": "UDP-Lite",
    "dccp": "DCCP",
    "sctp": "SCTP",
}

ADDRESS_FLAGS = (
    Flag(
        "external",
        "ADDR[=PORTS]",
        external,
        "an outside address, IPv4 or IPv6, with ports of its own if need be; may repeat",
        required=True,
        repeat=True,
    ),
    Flag(
        "internal",
        "PREFIX",
        prefix,
        "an inside prefix; may repeat (default: the RFC 1918 and RFC 6598 prefixes)",
        default=tuple(map(str, PRIVATE_PREFIXES)),
        repeat=True,
    ),
    Flag(
        "ports",
        "SPEC",
        read_ports,
        "the outside ports to use: 5000-5999,7000, or v6plus:PSID, ocn:PSID, map-e:IPV6-PREFIX"
        " (default: 1024-65535)",
        default="1024-65535",
    ),
    Flag(
        "port-block",
        "SIZE",
        whole_number,
        "give each inside host ports in blocks of SIZE (default: single ports)",
        default="0",
    ),
)
TYPE_FLAGS = (
    Flag(
        "nat",
        "TYPE",
        parse_behaviour,
        f"the NAT type, one of `ratsnake types` or such as eim/adf (default: {DEFAULT_TYPE})",
        default=DEFAULT_TYPE,
    ),
    *(
        Flag(key, "TYPE", parse_behaviour, f"the NAT type for {name} (default: that of --nat)")
        for key, name in PROTOCOLS.items()
    ),
    Flag(
        "other",
        "TYPE",
        parse_behaviour,
        "the NAT type for protocols without ports, such as GRE and ESP (default: one inside host"
        " per remote)",
    ),
)
SHARING_FLAGS = (
    Flag(
        "pooling",
        "HOW",
        one_of(Pooling),
        "with several outside addresses: paired, one for each inside host, or arbitrary"
        " (default: paired)",
        default=Pooling.PAIRED.value,
    ),
    Flag(
        "blocks-per-host",
        "N",
        whole_number,
        "how many blocks of --port-block a host may have, at most 64 (default: 4)",
        default="4",
    ),
    Flag(
        "deterministic",
        "",
        switch,
        "compute each inside address's ports, so that `ratsnake who` needs no log (RFC 7422)",
        default="no",
        switch=True,
    ),
)
RULE_FLAGS = (
    Flag(
        "forward",
        "RULE",
        parse_forward,
        "forward outside ports, such as tcp:8080=192.168.1.10:80; may repeat",
        default=(),
        repeat=True,
    ),
    Flag(
        "one-to-one",
        "EXT=INT",
        parse_one_to_one,
        "give an inside host a whole outside address, such as 203.0.113.5=192.168.1.5; may repeat",
        default=(),
        repeat=True,
    ),
    Flag(
        "no-nat",
        "PREFIX",
        prefix,
        "a remote prefix whose packets are not translated; may repeat",
        default=(),
        repeat=True,
    ),
    Flag(
        "nptv6",
        "INT=EXT",
        parse_prefix_pair,
        "exchange IPv6 prefixes without state, such as fd01:203:405::/48=2001:db8:1::/48"
        " (RFC 6296)",
    ),
)
PACKET_FLAGS = (
    Flag(
        "unsolicited-syn",
        "HOW",
        one_of(UnsolicitedSyn),
        "answer a TCP SYN nobody waits for after 6 s: icmp or drop (default: icmp)",
        default=UnsolicitedSyn.ICMP.value,
    ),
    Flag(
        "no-resources",
        "HOW",
        one_of(NoResources),
        "tell the inside when a flow finds no room: ICMP prohibited (3/13), unreachable (3/1), or"
        " drop (default: prohibited)",
        default=NoResources.PROHIBITED.value,
    ),
    Flag(
        "mtu",
        "BYTES",
        whole_number,
        "the smallest MTU on the way out: lower the MSS of TCP to it (default: leave it)",
        default="0",
    ),
    Flag(
        "decrement-ttl",
        "",
        switch,
        "count the NAT as a hop of its own, beside the kernel's",
        default="no",
        switch=True,
    ),
)
BOUND_FLAGS = (
    Flag(
        "inbound-refresh",
        "YES|NO",
        switch,
        "whether packets from outside keep UDP and ICMP sessions alive too (default: yes)",
        default="yes",
    ),
    Flag(
        "timeout",
        "CLASS=SECONDS",
        timeout,
        f"how long something lives unused; may repeat. Classes: {names_of(Timeouts)}",
        default=(),
        repeat=True,
    ),
    Flag(
        "limit",
        "NAME=NUMBER",
        limit,
        f"the most there may be; may repeat. Names: {names_of(Limits)}",
        default=(),
        repeat=True,
    ),
)
NAT_GROUPS = {
    "addresses and ports": (*ADDRESS_FLAGS, *SHARING_FLAGS),
    "NAT types": TYPE_FLAGS,
    "rules for some traffic": RULE_FLAGS,
    "packets": PACKET_FLAGS,
    "timeouts and limits": BOUND_FLAGS,
}
NAT_FLAGS = tuple(flag for group in NAT_GROUPS.values() for flag in group)
# What `ratsnake who` needs to know of a NAT with deterministic ports.
WHO_FLAGS = ADDRESS_FLAGS

DEVICE_FLAG = Flag(
    "device", "NAME", device_name, "the TUN device's name (default: ratsnake)", default="ratsnake"
)
CONTROL_FLAG = Flag(
    "control",
    "PATH",
    str,
    "the control socket (default: /run/ratsnake/DEVICE.sock for root, else"
    " $XDG_RUNTIME_DIR/ratsnake/DEVICE.sock)",
)
LAN_FLAG = Flag(
    "lan",
    "IFACE",
    device_name,
    "route what comes in by this interface through the NAT, until exit",
)
SOCKET_FLAGS = (DEVICE_FLAG, CONTROL_FLAG)
RUN_GROUPS = {**NAT_GROUPS, "this host": (DEVICE_FLAG, LAN_FLAG, CONTROL_FLAG)}
RUN_FLAGS = tuple(flag for group in RUN_GROUPS.values() for flag in group)

Texts = Mapping[str, str | list[str] | None]


@dataclass(frozen=True)
class NatOptions:
    """Settings for the engine, and the name of the type chosen for each protocol."""

    settings: Settings
    types: dict[str, str]


@dataclass(frozen=True)
class RunOptions:
    """All that `ratsnake run` was told."""

    nat: NatOptions
    device: str
    lan: str | None
    control: str


def read_flags(flags: Iterable[Flag], texts: Texts) -> dict[str, Any]:
    """The value of every flag, by key; raises UsageError."""
    values: dict[str, Any] = {}
    for flag in flags:
        given = texts.get(flag.key)
        text = flag.default if given is None else given
        if text is None and flag.required:
            raise UsageError(f"{flag.name} {flag.metavar} is needed: {flag.help}")
        if text is None:
            values[flag.key] = None
        elif isinstance(text, str):
            values[flag.key] = flag.read(text)
        else:
            values[flag.key] = tuple(flag.read(one) for one in text)
    return values


def externals(values: Mapping[str, Any], one_to_one: Iterable[Any] = ()) -> tuple[External, ...]:
    """The outside addresses with their ports, those of one-to-one addresses last."""
    shared = [
        replace(one, ports=values["ports"] if one.ports is None else one.ports)
        for one in values["external"]
    ]
    given = {one.address for one in shared}
    own = [External(rule.external, None) for rule in one_to_one if rule.external not in given]
    return (*shared, *own)


def nat_options(texts: Texts) -> NatOptions:
    """What NAT_FLAGS say; raises UsageError."""
    values = read_flags(NAT_FLAGS, texts)
    general = texts.get("nat") or DEFAULT_TYPE
    types = {protocol: str(texts.get(protocol) or general) for protocol in PROTOCOLS}
    behaviours: dict[str, Behaviour] = {
        protocol: values[protocol] or values["nat"] for protocol in PROTOCOLS
    }
    if values["other"] is not None:
        behaviours["other"] = values["other"]
    try:
        timeouts = Timeouts(**dict(values["timeout"]))
    except ValueError as error:
        raise UsageError(f"--timeout {error}") from None
    try:
        limits = Limits(**dict(values["limit"]))
    except ValueError as error:
        raise UsageError(f"--limit {error}") from None
    try:
        settings = Settings(
            externals=externals(values, values["one-to-one"]),
            internal=values["internal"],
            pooling=values["pooling"],
            port_block=values["port-block"],
            blocks_per_host=values["blocks-per-host"],
            deterministic=values["deterministic"],
            forwards=(*values["forward"], *values["one-to-one"]),
            no_nat=values["no-nat"],
            nptv6=values["nptv6"],
            unsolicited_syn=values["unsolicited-syn"],
            no_resources=values["no-resources"],
            mtu=values["mtu"],
            decrement_ttl=values["decrement-ttl"],
            inbound_refresh=values["inbound-refresh"],
            timeouts=timeouts,
            limits=limits,
            **behaviours,
        )
    except ValueError as error:  # "key: message", the keys being the flags'
        raise UsageError(f"--{error}") from None
    return NatOptions(settings, types)


def deterministic(texts: Texts) -> Deterministic:
    """Who has which ports, as WHO_FLAGS say; raises UsageError."""
    values = read_flags(WHO_FLAGS, texts)
    try:
        return deterministic_table(
            Settings(
                externals=externals(values),
                internal=values["internal"],
                port_block=values["port-block"],
                deterministic=True,
            )
        )
    except ValueError as error:  # "key: message", the keys being the flags'
        raise UsageError(f"--{error}") from None


def socket_path(texts: Texts) -> str:
    """Where SOCKET_FLAGS say the control socket is; raises UsageError."""
    values = read_flags(SOCKET_FLAGS, texts)
    return values["control"] or default_path(values["device"])


def run_options(texts: Texts) -> RunOptions:
    """What RUN_FLAGS say; raises UsageError."""
    values = read_flags((DEVICE_FLAG, LAN_FLAG), texts)
    return RunOptions(
        nat=nat_options(texts),
        device=values["device"],
        lan=values["lan"],
        control=socket_path(texts),
    )
