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
from .host_nat_types import SECTION as HOSTS_SECTION
from .host_nat_types import parse_host_types
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
    "an external address, IPv4 or IPv6, or interface:IFACE for the address that an interface"
    " has at the time; =PORTS gives it its own port set; may repeat",
    required=True,
    repeat=True,
)
ADDRESS_FLAGS = (
    EXTERNAL_FLAG,
    Flag(
        "internal",
        "PREFIX",
        prefix,
        "an internal prefix; may repeat (default: the RFC 1918 and RFC 6598 prefixes)",
        default=tuple(map(str, PRIVATE_PREFIXES)),
        repeat=True,
    ),
    Flag(
        "internal-except",
        "PREFIX",
        prefix,
        "a part of an internal prefix that is not internal, such as 192.168.100.1 for a modem"
        " behind the WAN; may repeat",
        default=(),
        repeat=True,
    ),
    Flag(
        "ports",
        "SPEC",
        read_ports,
        "the external ports to use: 5000-5999,7000, or v6plus:PSID, ocn:PSID, map-e:IPV6-PREFIX"
        " (default: 1024-65535)",
        default="1024-65535",
    ),
    Flag(
        "port-block",
        "SIZE",
        whole_number,
        "give each internal host its ports in blocks of SIZE (default: single ports)",
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
        "the NAT type: a name from `ratsnake types`, or a combination such as eim/adf"
        f" (default: {DEFAULT_TYPE})",
        default=DEFAULT_TYPE,
        rfc="RFC 4787",
    ),
    *(
        Flag(key, "TYPE", parse_behaviour, f"the NAT type for {name} (default: the type of --nat)")
        for key, name in PROTOCOLS.items()
    ),
    Flag(
        "other",
        "TYPE",
        parse_behaviour,
        "the NAT type for protocols without ports, such as GRE and ESP (default: one internal host"
        " for each remote)",
    ),
)
HOST_NAT_FLAG = Flag(
    "host-nat",
    "PREFIX=TYPE",
    parse_host_types,
    "a NAT type for some internal hosts, such as 192.168.1.50=full-cone, or one for each protocol,"
    " 192.168.1.0/28=udp:full-cone,tcp:symmetric; the longest prefix wins; may repeat",
    default=(),
    repeat=True,
    tables=HOSTS_SECTION,
    rfc="RFC 4787",
)
SHARING_FLAGS = (
    Flag(
        "pooling",
        "HOW",
        OneOf(Pooling),
        "how internal hosts use several external addresses: paired (always the same one) or"
        " arbitrary (default: paired)",
        default=Pooling.PAIRED.value,
        rfc="RFC 4787 REQ-2",
    ),
    Flag(
        "blocks-per-host",
        "N",
        whole_number,
        "how many port blocks (--port-block) a host may have, at most 64 (default: 4)",
        default="4",
        unit="blocks",
        rfc="RFC 6888 REQ-4",
    ),
    Flag(
        "deterministic",
        "",
        switch,
        "compute the ports of each internal address, so that `ratsnake who` needs no log"
        " (RFC 7422)",
        default="no",
        switch=True,
    ),
)
FORWARD_FLAG = Flag(
    "forward",
    "RULE",
    parse_forward,
    "forward external ports to an internal host, such as tcp:8080=192.168.1.10:80; may repeat",
    default=(),
    repeat=True,
)
RULE_FLAGS = (
    FORWARD_FLAG,
    Flag(
        "one-to-one",
        "EXT=INT",
        parse_one_to_one,
        "give an internal host an external address of its own, such as 203.0.113.5=192.168.1.5;"
        " may repeat",
        default=(),
        repeat=True,
    ),
    Flag(
        "no-nat",
        "PREFIX",
        prefix,
        "do not translate packets to and from this remote prefix; may repeat",
        default=(),
        repeat=True,
        rfc="RFC 6888 REQ-6",
    ),
    Flag(
        "nptv6",
        "INT=EXT",
        parse_prefix_pair,
        "translate one IPv6 prefix to another without state, such as"
        " fd01:203:405::/48=2001:db8:1::/48 (RFC 6296)",
    ),
)
PACKET_FLAGS = (
    Flag(
        "unsolicited-syn",
        "HOW",
        OneOf(UnsolicitedSyn),
        "what to do after 6 s with a TCP SYN from outside that nobody expects: icmp (send an"
        " error) or drop (default: icmp)",
        default=UnsolicitedSyn.ICMP.value,
        rfc="RFC 5382 REQ-4",
    ),
    Flag(
        "no-resources",
        "HOW",
        OneOf(NoResources),
        "what to tell an internal host when there is no room for its flow: ICMP prohibited (3/13),"
        " ICMP unreachable (3/1), or nothing (drop) (default: prohibited)",
        default=NoResources.PROHIBITED.value,
        rfc="RFC 5508 REQ-8",
    ),
    Flag(
        "inbound-refresh",
        "YES|NO",
        switch,
        "whether inbound packets also keep UDP and ICMP sessions alive (default: yes)",
        default="yes",
        rfc="RFC 4787 REQ-6",
    ),
    Flag(
        "mtu",
        "BYTES",
        whole_number,
        "the smallest MTU on the path to the internet; TCP's MSS is lowered to fit it, and 0 leaves"
        " the MSS alone (default: the MTU of --wan if the LAN's is larger)",
        default="0",
        unit="bytes",
        rfc="RFC 4459",
    ),
    Flag(
        "decrement-ttl",
        "",
        switch,
        "count the NAT as a hop of its own, in addition to the kernel's",
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
        f"a timeout for idle state; may repeat. Classes: {names_of(Timeouts)}",
        default=(),
        repeat=True,
        table="timeouts",
        unit="seconds",
    ),
    Flag(
        "limit",
        "NAME=NUMBER",
        limit,
        f"an upper limit; may repeat. Names: {names_of(Limits)}",
        default=(),
        repeat=True,
        table="limits",
    ),
)
NAT_GROUPS = {
    "addresses and ports": (*ADDRESS_FLAGS, *SHARING_FLAGS),
    "NAT types": TYPE_FLAGS,
    "NAT types of some hosts": (HOST_NAT_FLAG,),
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
    "the name of the NAT's TUN device (default: ratsnake)",
    default="ratsnake",
    restart=True,
)
CONTROL_FLAG = Flag(
    "control",
    "PATH",
    str,
    "the path of the control socket (default: /run/ratsnake/DEVICE.sock for root, otherwise"
    " $XDG_RUNTIME_DIR/ratsnake/DEVICE.sock)",
    restart=True,
)
LAN_FLAG = Flag(
    "lan",
    "IFACE",
    device_name,
    "send everything that arrives on this interface through the NAT while it runs; may repeat",
    default=(),
    repeat=True,
    single=True,
)
ACCESS_FLAGS = (
    Flag(
        "control-mode",
        "MODE",
        socket_mode,
        "the control socket's mode; users who may write to it may query the NAT (default: 0600, or"
        " 0660 with --control-group)",
        restart=True,
    ),
    Flag(
        "control-group",
        "GROUP",
        group_number,
        "the control socket's group (default: the group of the NAT's process)",
        restart=True,
    ),
)
USER_FLAG = Flag(
    "user",
    "USER[:GROUP]",
    account,
    "after set-up, change to this user and give up all privileges (default: stay root)",
    restart=True,
)
WAN_FLAG = Flag(
    "wan",
    "IFACE",
    device_name,
    "the interface to the internet: the NAT answers on its link for external addresses in its"
    " subnet (proxy ARP and NDP) and takes --mtu from it; needs --lan",
)
SHARE_FLAG = Flag(
    "share-address",
    "",
    switch,
    "share an external address that belongs to this host: the host keeps the ports it uses, and the"
    " NAT gets the others; needs --lan",
    default="no",
    switch=True,
)
CONFIG_FLAG = Flag(
    "config",
    "FILE",
    str,
    "the configuration file; flags override it (default: /etc/ratsnake.toml, if it exists)",
)
EVENT_FLAGS = (
    Flag(
        "sink",
        "SINK",
        sink,
        "write events as JSON lines to a file (a path that contains a /), stdout, journald or"
        " syslog",
        flag="events",
        rfc="RFC 6888 REQ-12",
    ),
    Flag(
        "kinds",
        "KIND",
        known_kind,
        f"the kinds of events to write: {', '.join(KINDS)}; may repeat (default: all except"
        " session)",
        default=USUAL_KINDS,
        repeat=True,
        flag="event-kinds",
    ),
    Flag(
        "destinations",
        "YES|NO",
        switch,
        "whether to write remote endpoints too (default: no)",
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
        "save flows in this file, so that they survive a restart (default: do not save them)",
        flag="state",
        restart=True,
    ),
    Flag(
        "period",
        "SECONDS",
        whole_number,
        "how often to save flows, in seconds; they are also saved at the end (default: 60)",
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
    "serve metrics for Prometheus on this port of the loopback address, or of ADDR"
    " (default: do not)",
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
# table or tables of their own (`Flag.table`, `Flag.tables`) are sections themselves.
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
