"""A site with a NAT of any settings: hosts, remotes and the NAT's addresses in both families."""

from ipaddress import ip_address, ip_network
from typing import Any, NamedTuple

from . import wire
from .bench import SEED
from .flavours import Engine
from .packets import Buffer, Endpoint, Seen
from .wire import WITH_PORTS


class Places(NamedTuple):
    """The addresses of one family; `hosts` are inside, `remotes` outside."""

    external: str
    other_external: str
    hosts: tuple[str, ...]
    remotes: tuple[str, ...]


V4 = Places(
    "203.0.113.1",
    "203.0.113.2",
    tuple(f"192.168.1.{n}" for n in range(10, 30)),
    tuple(f"198.51.100.{n}" for n in range(1, 200)),
)
V6 = Places(
    "2001:db8:ffff::1",
    "2001:db8:ffff::2",
    tuple(f"2001:db8:1::{n:x}" for n in range(10, 30)),
    tuple(f"2001:db8:2::{n:x}" for n in range(1, 200)),
)
INTERNAL = ("192.168.0.0/16", "2001:db8:1::/48")
PORTS = "1-9999"
SMALL = {"mappings": 2048, "sessions": 2048, "inbound_sessions": 1024, "host_share": 100}


def settings(
    engine: Engine,
    behaviour: str = "eim/apdf",
    ports: str = PORTS,
    externals: dict[str, str | None] | None = None,
    internal: tuple[str, ...] = INTERNAL,
    timeouts: dict[str, int] | None = None,
    limits: dict[str, int] | None = None,
    forwards: tuple[str, ...] = (),
    one_to_one: tuple[str, ...] = (),
    hosts: dict[str, Any] | None = None,
    **keywords: Any,
) -> Any:
    """`behaviour`, in its notation, is that of all protocols with ports; `externals` has the ports
    of each address, None for static forwards only; by default there is one a family with `ports`.

    `hosts` has the behaviour of all protocols with ports, or behaviours by protocol, for hosts or
    prefixes.  `pooling`, `unsolicited_syn` and `no_resources` are given by value, the rest as it
    is.
    """
    module = engine.modules["nat.settings.setting_types"]
    text = engine.modules["nat.settings.static_forward_text"]
    given = {V4.external: ports, V6.external: ports} if externals is None else externals
    for name, kind in (
        ("pooling", module.Pooling),
        ("unsolicited_syn", module.UnsolicitedSyn),
        ("no_resources", module.NoResources),
    ):
        if name in keywords:
            keywords[name] = kind(keywords[name])
    parse = engine.modules["nat.rules.behaviour"].parse_behaviour
    host_types = engine.modules["nat.settings.host_types"].HostTypes
    of_hosts = [
        (ip_network(prefix), said if isinstance(said, dict) else dict.fromkeys(WITH_PORTS, said))
        for prefix, said in (hosts or {}).items()
    ]
    return engine.Settings(
        externals=tuple(
            engine.External(ip_address(address), ports and engine.PortSet.parse(ports))
            for address, ports in given.items()
        ),
        internal=tuple(map(ip_network, internal)),
        timeouts=engine.Timeouts(**{"unanswered": 0, **(timeouts or {})}),
        limits=engine.Limits(**{**SMALL, **(limits or {})}),
        forwards=(
            *map(text.parse_forward, forwards),
            *map(text.parse_one_to_one, one_to_one),
        ),
        hosts=tuple(
            host_types(prefix, **{protocol: parse(name) for protocol, name in said.items()})
            for prefix, said in of_hosts
        ),
        **{**dict.fromkeys(WITH_PORTS, parse(behaviour)), **keywords},
    )


class Site:
    """`now` is the clock in milliseconds; `packet` is what the last packet became."""

    def __init__(self, engine: Engine, *arguments: Any, **keywords: Any) -> None:
        self.engine = engine
        self.settings = settings(engine, *arguments, **keywords)
        self.nat = engine.Nat(self.settings, SEED)
        self.now = 0
        self.packet = bytearray()

    def send(self, packet: Buffer) -> str:
        """Translate a copy; "translated", with every checksum right, or why it was dropped."""
        self.packet = bytearray(packet)
        code = self.nat.translate(self.packet, self.now)
        assert code or wire.is_sound(self.packet)
        return str(self.engine.REASONS[code].name)

    def passes(self, packet: Buffer) -> Seen:
        """Translate a packet that must get through; who it is from and to now."""
        verdict = self.send(packet)
        assert verdict == "translated", verdict
        return self.seen()

    def seen(self) -> Seen:
        """Who the last packet is from and to."""
        return wire.seen(self.packet)

    def open(self, protocol: str, inside: Endpoint, remote: Endpoint) -> Endpoint:
        """Open a session from inside; the external endpoint it got."""
        return self.passes(wire.packet(protocol, inside, remote)).source

    def attempt(self, protocol: str, source: Endpoint, destination: Endpoint) -> str:
        """The verdict on a packet that would open a session, from wherever."""
        return self.send(wire.packet(protocol, source, destination))

    def admits(self, protocol: str, remote: Endpoint, external: Endpoint) -> bool:
        """Whether a remote endpoint may open a session."""
        return self.attempt(protocol, remote, external) == "translated"

    def answer(self, protocol: str, source: Endpoint, destination: Endpoint) -> str:
        """The verdict on an answer, from wherever."""
        return self.send(wire.packet(protocol, source, destination, "answer"))

    def connect(self, inside: Endpoint, remote: Endpoint) -> Endpoint:
        """A TCP handshake from inside; the external endpoint."""
        external = self.open("tcp", inside, remote)
        self.passes(wire.tcp(remote, external, "SA"))
        self.passes(wire.tcp(inside, remote, "A"))
        return external

    def outgoing(self) -> list[bytes]:
        """The packets the NAT sends itself; every checksum in them is right."""
        sent = []
        while packet := self.nat.outgoing():
            assert wire.is_sound(packet)
            sent.append(packet)
        return sent

    def sessions(self) -> list[Any]:
        return list(self.nat.session_rows(0, 100_000, self.now)[0])

    def mappings(self) -> list[Any]:
        return list(self.nat.mapping_rows(0, 100_000, self.now)[0])

    def dropped(self) -> dict[str, int]:
        """The reasons that have been counted, with their counts."""
        return {name: n for name, n in self.nat.counters()["dropped"].items() if n}

    def expire(self) -> None:
        """Sweep until nothing expired is left."""
        while self.nat.expire(self.now):
            pass

    def is_empty(self) -> bool:
        """Whether everything was given back."""
        usage = self.nat.usage()
        rows = [usage[name] for name in ("mappings", "sessions", "inbound_sessions", "hosts")]
        return not any(rows) and all(ports["used"] == 0 for ports in usage["ports"].values())
