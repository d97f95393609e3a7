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
    "The interface your LAN is on, or several",
    each_of("lan"),
    lambda answers: default_lan(answers.get("wan", "")),
    interfaces_hint,
    interface=True,
)
#: How the packets of an outside address come to this machine, and what the file says of it.
PLACES = {
    "routed": "It is routed to this machine, and must not be assigned to an interface.",
    "link": "It is of the WAN's subnet, and must not be assigned to an interface.",
    "own": "It is the WAN's own: this machine keeps the ports it uses.",
}
WAYS_OUT = {
    "link": "The way out; ratsnake answers there for outside addresses of its subnet.",
    "own": "The way out, whose MTU counts.",
}
FOLLOWED = (
    "It is the WAN's own, whatever that is at the time: this machine keeps the ports it uses."
)
PLACE = Question(
    "place",
    "PLACE",
    "Is the outside address routed to this machine (routed), of the WAN's subnet (link), or the"
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
    "The outside address",
    READ["external"],
    applies=lambda answers: place(answers) != "own",
    optional=True,
)
SEVERAL_EXTERNAL = replace(
    EXTERNAL,
    metavar="ADDR,...",
    text="The outside addresses",
    check=each_of("external"),
)
WAN = Question(
    "wan",
    "IFACE",
    "The interface your WAN is on",
    READ["wan"],
    lambda answers: default_wan(),
    interfaces_hint,
    applies=lambda answers: place(answers) != "routed",
    interface=True,
)
INTERNAL = Question(
    "internal",
    "PREFIX,...",
    "The prefixes your subscribers have their addresses from",
    each_of("internal"),
    lambda answers: "100.64.0.0/10",
)


def check_line(text: str) -> None:
    line = read_end_user_prefix(text)
    if is_known(line):
        identify(line)  # raises where the rule needs more bits than the prefix has


def lan_line(answers: Answers) -> Line:
    names = words(answers["lan"])
    if len(names) == 1:
        return Line("host", "lan", names[0], "What comes in by this interface is translated.")
    return Line("host", "lan", names, "What comes in by these interfaces is translated.")


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
        comment if len(given) == 1 else comment.replace("It is", "Each is"),
    )


def host_lines(answers: Answers) -> Iterator[Line]:
    yield lan_line(answers)
    if place(answers) != "routed":
        yield Line("host", "wan", answers["wan"], WAYS_OUT[place(answers)])
    if place(answers) == "own":
        yield Line("host", "share-address", True, "The outside address is this machine's too.")


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
        f"The {len(edge.ports)} of its ports that are yours.",
    )
    yield Line(
        "types",
        "nat",
        "quasi-restricted-cone",
        "With so few ports, each serves many remotes.  `ratsnake types` explains the others.",
    )
    yield Line("packets", "mtu", TUNNEL_MTU, "What the tunnel leaves of Ethernet's 1500.")
    yield lan_line(answers)


def map_e_left(answers: Answers) -> Iterator[str]:
    _, edge = customer_edge(answers)
    relay = edge.rule.relay or "BORDER-RELAY"
    yield "Make the tunnel, with your WAN for wan0 (docs/map-e.md):"
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
        'As many as you like, such as "tcp:8080=192.168.1.10:80".',
    )


def home_router_lines(answers: Answers) -> Iterator[Line]:
    yield external_line(answers)
    yield Line(
        "types",
        "nat",
        "port-restricted-cone",
        "As most home routers are.  `ratsnake types` explains the others; for games, full-cone.",
    )
    yield forward_line()
    yield from host_lines(answers)


def full_cone_lines(answers: Answers) -> Iterator[Line]:
    yield external_line(answers)
    yield Line(
        "types",
        "udp",
        "full-cone",
        "Games and peer-to-peer programs use UDP: whoever learns a port of theirs may send to it.\n"
        "So may a stranger; a host's own firewall is still the host's.",
    )
    yield Line("types", "icmp", "full-cone")
    yield Line(
        "types",
        "tcp",
        "port-restricted-cone",
        "TCP is let in only from where it was sent to; forward ports for servers, as below.",
    )
    yield forward_line()
    yield from host_lines(answers)


def subscribers_lines(answers: Answers) -> Iterator[Line]:
    yield external_line(answers)
    yield Line("nat", "internal", words(answers["internal"]), "Where your subscribers are.")
    if answers["deterministic"] == "yes":
        yield Line(
            "nat",
            "deterministic",
            True,
            "The ports of each address of these prefixes follow from it (RFC 7422), and `ratsnake\n"
            "who` tells whose a port is, without a log.  Keep the order of addresses and prefixes.",
        )
    else:
        yield Line(
            "nat",
            "port-block",
            int(answers["block"]),
            "Ports are given in blocks (RFC 6888 REQ-14): one line of log for each is enough.",
        )
        yield Line(
            "nat", "blocks-per-host", BLOCKS_PER_HOST, "The most that one subscriber may have."
        )
    yield from host_lines(answers)
    yield Line(
        "limits",
        "host-sessions",
        4000,
        "The sessions a subscriber may have, so that none takes all there is (RFC 6888 REQ-4),\n"
        "and how many it may open a second.",
    )
    yield Line("limits", "host-rate", 200)


#: What every file has besides.
STATE = Line(
    "state",
    "file",
    "/var/lib/ratsnake/state",
    "Flows are kept here, so that connections outlive a restart.",
)


def nothing_left(answers: Answers) -> Iterator[str]:
    return iter(())


SETUPS = {
    "home-router": Setup(
        "a home router whose WAN has the address, by DHCP or PPPoE or for good",
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
                "The IPv6 prefix of your line, or any address of it",
                check_line,
            ),
            Question(
                "rule",
                "RULE",
                f"The provider's rule, where it is not known, such as {EXAMPLE}",
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
        "a router for games and peer-to-peer programs, which are to be reachable",
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
                "Compute each subscriber's ports, so that no log is needed: yes or no",
                one_of("yes", "no"),
                lambda answers: "no",
            ),
            Question(
                "block",
                "PORTS",
                f"How many ports a subscriber gets at a time, {BLOCKS_PER_HOST} times at most",
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
