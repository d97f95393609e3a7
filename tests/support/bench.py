"""A NAT on a bench: packets go in, and a test reads who they came out from and to.

INSIDE and OTHER are hosts of the LAN, R1 and R2 remote hosts, EXTERNAL the NAT's address.
"""

from ipaddress import IPv4Address, IPv4Network
from typing import Any

from . import packets
from .flavours import Engine
from .packets import Endpoint, Seen

EXTERNAL = "203.0.113.1"
INTERNAL = "192.168.1.0/24"
INSIDE, OTHER = "192.168.1.10", "192.168.1.11"
R1, R2, R3 = "198.51.100.1", "198.51.100.2", "198.51.100.3"
SEED = bytes(range(80))
SECOND = 1000  # the clock counts milliseconds
PROTOCOLS = ("tcp", "udp", "icmp")
TYPED = (*PROTOCOLS, "udplite", "dccp", "sctp")  # protocols that get the preset


def settings(
    engine: Engine,
    preset: str = "port-restricted-cone",
    ports: str = "10000-19999",
    timeouts: dict[str, int] | None = None,
    limits: dict[str, int] | None = None,
    **keywords: Any,
) -> Any:
    """Settings with one preset for all protocols but those named, and tables that are small.

    `tcp="symmetric"` gives a protocol a preset of its own, or a behaviour; other keywords are those
    of Settings.
    """
    types = {p: keywords.pop(p, preset) for p in TYPED}
    behaviours = {
        p: engine.PRESETS[given].behaviour if isinstance(given, str) else given
        for p, given in types.items()
    }
    small = {"mappings": 4096, "sessions": 4096, "inbound_sessions": 1024, "host_share": 100}
    chosen = {
        "externals": (engine.External(IPv4Address(EXTERNAL), engine.PortSet.parse(ports)),),
        "internal": (IPv4Network(INTERNAL),),
        "timeouts": engine.Timeouts(**{"unanswered": 0, **(timeouts or {})}),
        "limits": engine.Limits(**{**small, **(limits or {})}),
    }
    return engine.Settings(**{**chosen, **behaviours, **keywords})


class Bench:
    """`now` is the clock; `packet` is what the last packet became."""

    def __init__(self, engine: Engine, *arguments: Any, **keywords: Any) -> None:
        self.engine = engine
        self.nat = engine.Nat(settings(engine, *arguments, **keywords), SEED)
        self.now = 0
        self.packet = bytearray()

    def send(self, packet: bytes | bytearray) -> str:
        """Translate a copy; the verdict by name, "translated" or why it was dropped."""
        self.packet = bytearray(packet)
        code = self.nat.translate(self.packet, self.now)
        return str(self.engine.REASONS[code].name)

    def passes(self, packet: bytes | bytearray) -> Seen:
        """Translate a packet that must get through; who it is from and to now."""
        verdict = self.send(packet)
        assert verdict == "translated", verdict
        return packets.seen(self.packet)

    def open(self, protocol: str, inside: Endpoint, remote: Endpoint) -> Endpoint:
        """Open a session from inside; the external endpoint it got."""
        return self.passes(packets.opening(protocol, inside, remote)).source

    def try_open(self, protocol: str, inside: Endpoint, remote: Endpoint) -> str:
        return self.send(packets.opening(protocol, inside, remote))

    def reply(self, protocol: str, remote: Endpoint, external: Endpoint) -> str:
        """The verdict on a remote endpoint's answer to an external one."""
        return self.send(packets.answer(protocol, remote, external))

    def knock(self, protocol: str, remote: Endpoint, external: Endpoint) -> str:
        """The verdict on a remote endpoint's attempt to open a session."""
        if protocol == "icmp":
            return self.send(packets.echo(remote[0], external[0], external[1]))
        return self.send(packets.opening(protocol, remote, external))

    def admits(self, protocol: str, remote: Endpoint, external: Endpoint) -> bool:
        """Whether a remote endpoint may open a session."""
        return self.knock(protocol, remote, external) == "translated"

    def answer(self, protocol: str, inside: Endpoint, remote: Endpoint) -> str:
        """The verdict on an internal endpoint's answer to a remote one."""
        return self.send(packets.answer(protocol, inside, remote))

    def seen(self) -> Seen:
        """Who the last packet is from and to."""
        return packets.seen(self.packet)

    def connect(self, inside: Endpoint, remote: Endpoint) -> Endpoint:
        """A TCP handshake from inside; the external endpoint."""
        external = self.open("tcp", inside, remote)
        self.passes(packets.tcp(remote, external, "SA"))
        self.passes(packets.tcp(inside, remote, "A"))
        return external

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

    def outgoing(self) -> list[bytes]:
        """The packets the NAT sends by itself, which it then has no more."""
        return list(iter(self.nat.outgoing, None))

    def is_empty(self) -> bool:
        """Whether everything was given back."""
        usage = self.nat.usage()
        ports = usage["ports"].values()
        rows = [usage[table] for table in ("mappings", "sessions", "inbound_sessions", "hosts")]
        return not any(rows) and all(port["used"] == 0 for port in ports)
