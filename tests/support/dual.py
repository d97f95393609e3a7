"""A NAT on a bench with an external address of each IP version, and all protocols."""

from collections.abc import Sequence
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from . import families
from .bench import SEED, Bench
from .families import PROTOCOLS, V4, V6, Family
from .flavours import Engine
from .packets import Buffer, Endpoint, Seen

EACH_FAMILY = pytest.mark.parametrize("family", [V4, V6], ids=["ipv4", "ipv6"])
EACH_PROTOCOL = pytest.mark.parametrize("protocol", PROTOCOLS)


def far(protocol: str, address: str) -> Endpoint:
    """A remote endpoint, without a port where the protocol has none."""
    return address, 0 if protocol == "icmp" else 80


class Dual(Bench):
    """`send` and what is built on it take packets of both versions."""

    def __init__(
        self,
        engine: Engine,
        preset: str = "port-restricted-cone",
        ports: str = "10000-19999",
        externals: Sequence[Family] = (V4, V6),
        without_ports: Sequence[str] = (),
        timeouts: dict[str, int] | None = None,
        limits: dict[str, int] | None = None,
        **keywords: Any,
    ) -> None:
        """`without_ports`: external addresses for forwards only.  `keywords` go to the settings."""
        self.engine = engine
        behaviour = engine.PRESETS[preset].behaviour
        pool = engine.PortSet.parse(ports)
        given = {
            "externals": (
                *(engine.External(ip_address(family.external), pool) for family in externals),
                *(engine.External(ip_address(address), None) for address in without_ports),
            ),
            "internal": tuple(ip_network(family.internal) for family in (V4, V6)),
            "timeouts": engine.Timeouts(**{"unanswered": 0, **(timeouts or {})}),
            "limits": engine.Limits(
                **{
                    **{"mappings": 4096, "sessions": 4096, "inbound_sessions": 1024},
                    **{"host_share": 100, **(limits or {})},
                }
            ),
        }
        every = {protocol: behaviour for protocol in PROTOCOLS}
        self.nat = engine.Nat(engine.Settings(**{**every, **given, **keywords}), SEED)
        self.now = 0
        self.packet = bytearray()

    def send(self, packet: Buffer, partial: bool = False) -> str:
        self.packet = bytearray(packet)
        code = self.nat.translate(self.packet, self.now, partial)
        return str(self.engine.REASONS[code].name)

    def passes(self, packet: Buffer, partial: bool = False) -> Seen:
        verdict = self.send(packet, partial)
        assert verdict == "translated", verdict
        return self.seen()

    def seen(self) -> Seen:
        return families.seen(self.packet)

    def open(self, protocol: str, inside: Endpoint, remote: Endpoint) -> Endpoint:
        return self.passes(families.opening(protocol, inside, remote)).source

    def try_open(self, protocol: str, inside: Endpoint, remote: Endpoint) -> str:
        return self.send(families.opening(protocol, inside, remote))

    def reply(self, protocol: str, remote: Endpoint, external: Endpoint) -> str:
        return self.send(families.answer(protocol, remote, external))

    def connect(self, inside: Endpoint, remote: Endpoint) -> Endpoint:
        external = self.open("tcp", inside, remote)
        self.passes(families.tcp(remote, external, "SA"))
        self.passes(families.tcp(inside, remote, "A"))
        return external

    def knock(self, protocol: str, remote: Endpoint, external: Endpoint) -> str:
        if protocol == "icmp":
            return self.send(families.echo(remote[0], external[0], external[1]))
        return self.send(families.opening(protocol, remote, external))

    def answer(self, protocol: str, inside: Endpoint, remote: Endpoint) -> str:
        return self.send(families.answer(protocol, inside, remote))

    def outgoing(self) -> list[bytes]:
        """All that the NAT sends by itself now."""
        packets = []
        while packet := self.nat.outgoing():
            packets.append(packet)
        return packets

    def emitted(self, packet: Buffer) -> list[bytes]:
        """All that leaves because this packet came: itself if it is translated, and more."""
        sent = [bytes(self.packet)] if self.send(packet) == "translated" else []
        return sent + self.outgoing()
