"""The flags of `ratsnake run`: what each is called, accepts, and is when not given.

This is the only place that knows a flag. The command line takes its arguments from here, the
configuration file its sections and keys, and the documentation its tables.
"""

from ...host.processes.user_accounts import account, group_number
from ...nat.rules.behaviour import parse_behaviour
from ...nat.settings.nptv6 import parse_prefix_pair
from ...nat.settings.setting_types import Limits, NoResources, Pooling, Timeouts, UnsolicitedSyn
from ...nat.settings.static_forward_text import parse_forward, parse_one_to_one
from ...nat.settings.unvalidated_settings import DEFAULT_PRESET, PRIVATE_PREFIXES
from ...portset import read_ports
from .event_kinds import KINDS, USUAL_KINDS
from .flag_definition import Flag
from .listen_address import parse_listen
from .value_parsers import (
    OneOf,
    device_name,
    external,
    file_path,
    known_kind,
    limit,
    names_of,
    prefix,
    sink,
    socket_mode,
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

EXTERNAL_FLAG = Flag(
    "external",
    "ADDR[=PORTS]",
    external,
    "an outside address, IPv4 or IPv6, with ports of its own if need be, or interface:IFACE for"
    " the one an interface has at the time; may repeat",
    required=True,
    repeat=True,
)
ADDRESS_FLAGS = (
    EXTERNAL_FLAG,
    Flag(
        "internal",
        "PREFIX",
        prefix,
        "an inside prefix; may repeat (default: the RFC 1918 and RFC 6598 prefixes)",
        default=tuple(map(str, PRIVATE_PREFIXES)),
        repeat=True,
    ),
    Flag(
        "internal-except",
        "PREFIX",
        prefix,
        "a part of an inside prefix that lies outside all the same, such as 192.168.100.1 of a"
        " modem behind the WAN; may repeat",
        default=(),
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
        unit="ports",
        rfc="RFC 6888 REQ-14",
    ),
)
TYPE_FLAGS = (
    Flag(
        "nat",
        "TYPE",
        parse_behaviour,
        f"the NAT type, one of `ratsnake types` or such as eim/adf (default: {DEFAULT_TYPE})",
        default=DEFAULT_TYPE,
        rfc="RFC 4787",
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
        OneOf(Pooling),
        "with several outside addresses: paired, one for each inside host, or arbitrary"
        " (default: paired)",
        default=Pooling.PAIRED.value,
        rfc="RFC 4787 REQ-2",
    ),
    Flag(
        "blocks-per-host",
        "N",
        whole_number,
        "how many blocks of --port-block a host may have, at most 64 (default: 4)",
        default="4",
        unit="blocks",
        rfc="RFC 6888 REQ-4",
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
FORWARD_FLAG = Flag(
    "forward",
    "RULE",
    parse_forward,
    "forward outside ports, such as tcp:8080=192.168.1.10:80; may repeat",
    default=(),
    repeat=True,
)
RULE_FLAGS = (
    FORWARD_FLAG,
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
        rfc="RFC 6888 REQ-6",
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
        OneOf(UnsolicitedSyn),
        "answer a TCP SYN nobody waits for after 6 s: icmp or drop (default: icmp)",
        default=UnsolicitedSyn.ICMP.value,
        rfc="RFC 5382 REQ-4",
    ),
    Flag(
        "no-resources",
        "HOW",
        OneOf(NoResources),
        "tell the inside when a flow finds no room: ICMP prohibited (3/13), unreachable (3/1), or"
        " drop (default: prohibited)",
        default=NoResources.PROHIBITED.value,
        rfc="RFC 5508 REQ-8",
    ),
    Flag(
        "inbound-refresh",
        "YES|NO",
        switch,
        "whether packets from outside keep UDP and ICMP sessions alive too (default: yes)",
        default="yes",
        rfc="RFC 4787 REQ-6",
    ),
    Flag(
        "mtu",
        "BYTES",
        whole_number,
        "the smallest MTU on the way out: lower the MSS of TCP to it (default: that of --wan"
        " if the LAN's is larger)",
        default="0",
        unit="bytes",
        rfc="RFC 4459",
    ),
    Flag(
        "decrement-ttl",
        "",
        switch,
        "count the NAT as a hop of its own, beside the kernel's",
        default="no",
        switch=True,
        rfc="RFC 791",
    ),
)
BOUND_FLAGS = (
    Flag(
        "timeout",
        "CLASS=SECONDS",
        timeout,
        f"how long something lives unused; may repeat. Classes: {names_of(Timeouts)}",
        default=(),
        repeat=True,
        table="timeouts",
        unit="seconds",
    ),
    Flag(
        "limit",
        "NAME=NUMBER",
        limit,
        f"the most there may be; may repeat. Names: {names_of(Limits)}",
        default=(),
        repeat=True,
        table="limits",
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
    "device",
    "NAME",
    device_name,
    "the TUN device's name (default: ratsnake)",
    default="ratsnake",
    restart=True,
)
CONTROL_FLAG = Flag(
    "control",
    "PATH",
    str,
    "the control socket (default: /run/ratsnake/DEVICE.sock for root, else"
    " $XDG_RUNTIME_DIR/ratsnake/DEVICE.sock)",
    restart=True,
)
LAN_FLAG = Flag(
    "lan",
    "IFACE",
    device_name,
    "route what comes in by this interface through the NAT, until exit; may repeat",
    default=(),
    repeat=True,
    single=True,
)
ACCESS_FLAGS = (
    Flag(
        "control-mode",
        "MODE",
        socket_mode,
        "the control socket's mode; who may write to it may ask (default: 0600, or 0660 with"
        " --control-group)",
        restart=True,
    ),
    Flag(
        "control-group",
        "GROUP",
        group_number,
        "the control socket's group (default: that of the NAT's process)",
        restart=True,
    ),
)
USER_FLAG = Flag(
    "user",
    "USER[:GROUP]",
    account,
    "become this user once all is set up, and hold no privilege (default: stay root)",
    restart=True,
)
WAN_FLAG = Flag(
    "wan",
    "IFACE",
    device_name,
    "the way out: answer on its link for outside addresses of its subnet (proxy ARP and NDP), and"
    " take --mtu from it; with --lan",
)
SHARE_FLAG = Flag(
    "share-address",
    "",
    switch,
    "an outside address may be this host's own too: the host keeps the ports it uses, and the NAT"
    " gets the rest; with --lan",
    default="no",
    switch=True,
)
CONFIG_FLAG = Flag(
    "config",
    "FILE",
    str,
    "a configuration file; flags win over it (default: /etc/ratsnake.toml, if it is there)",
)
EVENT_FLAGS = (
    Flag(
        "sink",
        "SINK",
        sink,
        "write events as JSON lines to a file (a path with a / in it), stdout, journald or syslog",
        flag="events",
        rfc="RFC 6888 REQ-12",
    ),
    Flag(
        "kinds",
        "KIND",
        known_kind,
        f"which events: {', '.join(KINDS)}; may repeat (default: all but session)",
        default=USUAL_KINDS,
        repeat=True,
        flag="event-kinds",
    ),
    Flag(
        "destinations",
        "YES|NO",
        switch,
        "whether remote endpoints are written too (default: no)",
        default="no",
        flag="event-destinations",
        rfc="RFC 6888 REQ-12",
    ),
)
STATE_FLAGS = (
    Flag(
        "file",
        "FILE",
        file_path,
        "keep flows in this file, so that they outlive a restart (default: do not)",
        flag="state",
        restart=True,
    ),
    Flag(
        "period",
        "SECONDS",
        whole_number,
        "seconds after which that file is written again, as it is at the end (default: 60)",
        default="60",
        unit="seconds",
        flag="state-period",
        restart=True,
    ),
)
METRICS_FLAG = Flag(
    "listen",
    "[ADDR:]PORT",
    parse_listen,
    "tell Prometheus at this port of the loopback, or of this address (default: do not)",
    flag="metrics",
    restart=True,
)
SOCKET_FLAGS = (DEVICE_FLAG, CONTROL_FLAG)
HOST_FLAGS = (LAN_FLAG, WAN_FLAG, SHARE_FLAG)
RUN_GROUPS = {
    **NAT_GROUPS,
    "this host": (DEVICE_FLAG, *HOST_FLAGS, CONTROL_FLAG, *ACCESS_FLAGS, USER_FLAG),
    "events": EVENT_FLAGS,
    "metrics": (METRICS_FLAG,),
    "state": STATE_FLAGS,
}
RUN_FLAGS = tuple(flag for group in RUN_GROUPS.values() for flag in group)
# The sections of a configuration file, and the groups whose flags are their keys; those with a
# table of their own (`Flag.table`) are sections themselves.
SECTIONS = {
    "nat": "addresses and ports",
    "types": "NAT types",
    "rules": "rules for some traffic",
    "packets": "packets",
    "host": "this host",
    "events": "events",
    "metrics": "metrics",
    "state": "state",
}
