"""The set-ups `ratsnake init` knows: what each asks, and the keys and comments it writes.

An answer's text is what the file gets, so it is checked by what reads the file; only what a set-up
computes from is read here.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv6Network

from ..daemon.configuration.flag_table import RUN_FLAGS
from ..daemon.user_errors import near
from ..portset.map_rule import TUNNEL_MTU, CustomerEdge
from ..portset.notation import read_end_user_prefix
from ..portset.providers import identify, known_rules
from ..portset.rule_text import EXAMPLE, read_rule
from ..portset.specification import MAP_E
from .local_interfaces import default_lan, default_wan, interfaces_hint

Answers = Mapping[str, str]
Value = str | int | bool | list[str]
#: What reads a key of the file, by its flag's name; raises ValueError saying what would be right.
READ = {flag.key: flag.parse for flag in RUN_FLAGS}
BLOCKS_PER_HOST = 4


@dataclass(frozen=True)
class Question:
    """What is asked under the name `key` (and given as --KEY).

    `check` raises ValueError for an answer that cannot be right. `default` gives an answer that is
    likely, or "", and `hint` what may help to answer. It is asked only if it `applies` to the
    answers before; one that is `optional` may be answered by its flag all the same.  `interface`:
    the answer names interfaces.
    """

    key: str
    metavar: str
    text: str
    check: Callable[[str], object]
    default: Callable[[Answers], str] = lambda answers: ""
    hint: Callable[[], str] = str
    applies: Callable[[Answers], bool] = lambda answers: True
    optional: bool = False
    interface: bool = False


@dataclass(frozen=True)
class Line:
    """One key of the file, with what is said above it."""

    section: str
    key: str
    value: Value
    comment: str = ""

    def __str__(self) -> str:
        comment = "".join(f"# {line}\n" for line in self.comment.splitlines())
        return f"{comment}{self.key} = {json.dumps(self.value, ensure_ascii=False)}\n"


@dataclass(frozen=True)
class Setup:
    """A set-up: its questions in their order, the file's lines, and what is left to be typed.

    `lines` raises ValueError where the answers do not go together.
    """

    title: str
    questions: tuple[Question, ...]
    lines: Callable[[Answers], Iterator[Line]]
    left: Callable[[Answers], Iterator[str]]


def words(text: str) -> list[str]:
    """Several values of one answer, with commas or spaces between them."""
    return text.replace(",", " ").split()


def each_of(key: str) -> Callable[[str], None]:
    def check(text: str) -> None:
        if not words(text):
            raise ValueError("must be one at least")
        for word in words(text):
            READ[key](word)

    return check


def one_of(*known: str) -> Callable[[str], None]:
    def check(text: str) -> None:
        if text not in known:
            raise ValueError(f"must be one of {', '.join(known)}{near(text, known)}")

    return check


LAN = Question(
    "lan",
    "IFACE,...",
    "The interface of your LAN, or several",
    each_of("lan"),
    lambda answers: default_lan(answers.get("wan", "")),
    interfaces_hint,
    interface=True,
)
#: How the packets of an outside address come to this machine, and what the file says of it.
PLACES = {
    "routed": "It is routed to this machine, and must not be assigned to an interface.",
    "link": "It lies in the WAN's subnet, and must not be assigned to an interface.",
    "own": "It is the WAN's own; this machine keeps the ports it uses itself.",
}
WAYS_OUT = {
    "link": "The interface to the internet; ratsnake answers on its link for external addresses.",
    "own": "The interface to the internet; its MTU counts.",
}
FOLLOWED = "The address that the WAN has at the time; this machine keeps the ports it uses itself."
PLACE = Question(
    "place",
    "PLACE",
    "Is the external address routed to this machine (routed), in the WAN's subnet (link), or the"
    " WAN's own (own)",
    one_of(*PLACES),
    lambda answers: "routed",
)


def place(answers: Answers) -> str:
    """Where nobody asks, it is the WAN's own."""
    return answers.get("place", "own")


EXTERNAL = Question(
    "external",
    "ADDR",
    "The external address",
    READ["external"],
    applies=lambda answers: place(answers) != "own",
    optional=True,
)
SEVERAL_EXTERNAL = replace(
    EXTERNAL,
    metavar="ADDR,...",
    text="The external addresses",
    check=each_of("external"),
)
WAN = Question(
    "wan",
    "IFACE",
    "The interface of your WAN",
    READ["wan"],
    lambda answers: default_wan(),
    interfaces_hint,
    applies=lambda answers: place(answers) != "routed",
    interface=True,
)
INTERNAL = Question(
    "internal",
    "PREFIX,...",
    "The prefixes that contain your subscribers' addresses",
    each_of("internal"),
    lambda answers: "100.64.0.0/10",
)


def check_line(text: str) -> None:
    line = read_end_user_prefix(text)
    if is_known(line):
        identify(line)  # raises where the rule needs more bits than the prefix has


def lan_line(answers: Answers) -> Line:
    names = words(answers["lan"])
    value: Value = names[0] if len(names) == 1 else names
    return Line("host", "lan", value, "Packets that arrive here are translated.")


def external_line(answers: Answers) -> Line:
    """The addresses that were answered, or the one the WAN has."""
    given = words(answers.get("external", ""))
    if not given:
        return Line("nat", "external", [f"interface:{answers['wan']}"], FOLLOWED)
    comment = PLACES[place(answers)]
    return Line(
        "nat",
        "external",
        given,
        comment if len(given) == 1 else comment.replace("It", "Each", 1),
    )


def host_lines(answers: Answers) -> Iterator[Line]:
    yield lan_line(answers)
    if place(answers) != "routed":
        yield Line("host", "wan", answers["wan"], WAYS_OUT[place(answers)])
    if place(answers) == "own":
        yield Line("host", "share-address", True, "The external address is also this machine's.")


def is_known(line: IPv6Network) -> bool:
    return any(known.rule.ipv6.overlaps(line) for known in known_rules())


def customer_edge(answers: Answers) -> tuple[str, CustomerEdge]:
    """What the line is called and gives; raises ValueError."""
    line = read_end_user_prefix(answers["prefix"])
    if "rule" in answers:
        return "your rule", read_rule(answers["rule"]).customer_edge(line)
    known, edge = identify(line)
    return known.provider.title, edge


def map_e_lines(answers: Answers) -> Iterator[Line]:
    name, edge = customer_edge(answers)
    if edge.ipv4.prefixlen != edge.ipv4.max_prefixlen or edge.psid is None:
        raise ValueError(
            f"the line has all ports of {edge.ipv4}: it is not for this set-up but for full-cone"
        )
    rule = f",{answers['rule'].replace(' ', '')}" if "rule" in answers else ""
    yield Line(
        "nat", "external", [str(edge.ipv4.network_address)], f"Your line's IPv4 address ({name})."
    )
    yield Line(
        "nat",
        "ports",
        f"{MAP_E}:{edge.prefix}{rule}",
        f"The {len(edge.ports)} ports of this address that are yours.",
    )
    yield Line(
        "types",
        "nat",
        "quasi-restricted-cone",
        "Each of the few ports serves many remotes.  `ratsnake types` explains the other types.",
    )
    yield Line("packets", "mtu", TUNNEL_MTU, "The tunnel's MTU: 1500 minus the IPv6 header.")
    yield lan_line(answers)


def map_e_left(answers: Answers) -> Iterator[str]:
    _, edge = customer_edge(answers)
    relay = edge.rule.relay or "BORDER-RELAY"
    yield "Create the tunnel, with your WAN in place of wan0 (docs/map-e.md):"
    yield f"    ip -6 address add {edge.address}/128 dev wan0"
    yield "    ip link add map-e type ip6tnl mode ipip6 encaplimit none dev wan0 \\"
    yield f"        local {edge.address} remote {relay}"
    yield f"    ip link set map-e mtu {TUNNEL_MTU} up"
    yield "    ip route add default dev map-e"


def forward_line() -> Line:
    return Line(
        "rules",
        "forward",
        [],
        'Ports to forward to hosts in the LAN, such as "tcp:8080=192.168.1.10:80".',
    )


def home_router_lines(answers: Answers) -> Iterator[Line]:
    yield external_line(answers)
    yield Line(
        "types",
        "nat",
        "port-restricted-cone",
        "The type of most home routers; for games use full-cone (see `ratsnake types`).",
    )
    yield forward_line()
    yield from host_lines(answers)


def full_cone_lines(answers: Answers) -> Iterator[Line]:
    yield external_line(answers)
    yield Line(
        "types",
        "udp",
        "full-cone",
        "Games and peer-to-peer programs use UDP.  Anybody who learns one of their ports may send\n"
        "to it, even a stranger; a firewall on the host itself still applies.",
    )
    yield Line("types", "icmp", "full-cone")
    yield Line(
        "types",
        "tcp",
        "port-restricted-cone",
        "TCP gets in only from where the host has sent to; for servers, forward ports below.",
    )
    yield forward_line()
    yield from host_lines(answers)


def subscribers_lines(answers: Answers) -> Iterator[Line]:
    yield external_line(answers)
    yield Line("nat", "internal", words(answers["internal"]), "The addresses of your subscribers.")
    if answers["deterministic"] == "yes":
        yield Line(
            "nat",
            "deterministic",
            True,
            "The ports of each address are computed from it (RFC 7422), so `ratsnake who` finds\n"
            "a port's subscriber without a log.  Keep the order of addresses and prefixes.",
        )
    else:
        yield Line(
            "nat",
            "port-block",
            int(answers["block"]),
            "Ports are assigned in blocks (RFC 6888 REQ-14): the log needs one line for each.",
        )
        yield Line(
            "nat", "blocks-per-host", BLOCKS_PER_HOST, "How many blocks a subscriber may have."
        )
    yield from host_lines(answers)
    yield Line(
        "limits",
        "host-sessions",
        4000,
        "How many sessions one subscriber may have, so that nobody uses up all of them (RFC 6888\n"
        "REQ-4), and how many it may open a second.",
    )
    yield Line("limits", "host-rate", 200)


#: What every file has besides.
STATE = Line(
    "state",
    "file",
    "/var/lib/ratsnake/state",
    "Flows are saved here, so that connections survive a restart.",
)


def nothing_left(answers: Answers) -> Iterator[str]:
    return iter(())


SETUPS = {
    "home-router": Setup(
        "a home router whose WAN has a fixed address, or one from DHCP or PPPoE",
        (WAN, LAN),
        home_router_lines,
        nothing_left,
    ),
    "map-e": Setup(
        "a home router on a MAP-E line, such as v6plus or OCN Virtual Connect",
        (
            Question(
                "prefix",
                "IPV6-PREFIX",
                "The IPv6 prefix of your line, or any address in it",
                check_line,
            ),
            Question(
                "rule",
                "RULE",
                f"The provider's rule, if ratsnake does not know it, such as {EXAMPLE}",
                read_rule,
                applies=lambda answers: not is_known(read_end_user_prefix(answers["prefix"])),
                optional=True,
            ),
            LAN,
        ),
        map_e_lines,
        map_e_left,
    ),
    "full-cone": Setup(
        "a router that makes games and peer-to-peer programs reachable",
        (PLACE, EXTERNAL, WAN, LAN),
        full_cone_lines,
        nothing_left,
    ),
    "subscribers": Setup(
        "many subscribers behind few addresses",
        (
            PLACE,
            SEVERAL_EXTERNAL,
            WAN,
            INTERNAL,
            LAN,
            Question(
                "deterministic",
                "YES|NO",
                "Compute each subscriber's ports, so that you need no log: yes or no",
                one_of("yes", "no"),
                lambda answers: "no",
            ),
            Question(
                "block",
                "PORTS",
                f"How many ports a block has; a subscriber gets at most {BLOCKS_PER_HOST} blocks",
                READ["port-block"],
                lambda answers: "512",
                applies=lambda answers: answers["deterministic"] == "no",
            ),
        ),
        subscribers_lines,
        nothing_left,
    ),
}
QUESTIONS = {question.key: question for setup in SETUPS.values() for question in setup.questions}
