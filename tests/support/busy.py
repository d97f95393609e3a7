"""Sites whose NAT has flows of every kind, and all packets of these flows."""

from itertools import product
from typing import Any

from support import wire
from support.flavours import Engine
from support.packets import Endpoint
from support.site import V4, V6, Places, Site
from support.wire import WITH_PORTS

MAP_E = "4656-4671,8752-8767,12848-12863,16944-16959"
BLOCKS = {"port_block": 64, "ports": "2000-3023"}
IPV4 = {V4.external: "2000-4047"}
COMPUTED = {"deterministic": True, "internal": ("192.168.1.0/27",), "externals": IPV4}
TWO = {V4.external: "2000-2999", V4.other_external: "2000-2999", V6.external: "2000-2999"}
KINDS: dict[str, dict[str, Any]] = {
    **{name: {"behaviour": name} for name in ("full-cone", "restricted-cone", "symmetric")},
    "port-restricted-cone": {"behaviour": "port-restricted-cone"},
    "quasi-restricted-cone": {"behaviour": "quasi-restricted-cone", "ports": "2000-2009"},
    "quasi-port-restricted-cone": {"behaviour": "quasi-port-restricted-cone", "ports": "2000-2009"},
    "quasi-symmetric": {"behaviour": "quasi-symmetric", "ports": "2000-2009"},
    "symmetric-address": {"behaviour": "symmetric-address"},
    "preserve": {"behaviour": "eim/adf+preserve+parity"},
    "parity": {"behaviour": "apdm/apdf+overload+parity", "ports": "2000-2010"},
    "sequential": {"behaviour": "eim/eif+sequential"},
    "strangers": {"behaviour": "adm/eif"},
    "map-e": {"behaviour": "quasi-restricted-cone", "ports": MAP_E},
    "blocks": {"behaviour": "full-cone", **BLOCKS},
    "shared blocks": {"behaviour": "quasi-restricted-cone", **BLOCKS},
    "deterministic": {"behaviour": "full-cone", **COMPUTED},
    "shared deterministic": {"behaviour": "symmetric", **COMPUTED},
    "paired": {"externals": TWO},
    "arbitrary": {"externals": TWO, "pooling": "arbitrary", "behaviour": "adm/adf+sticky"},
    "types of hosts": {
        "behaviour": "quasi-restricted-cone",
        "ports": "2000-2031",
        "hosts": {
            V4.hosts[0]: "full-cone",
            V4.hosts[1]: "symmetric",
            V6.hosts[0]: "full-cone",
            V6.hosts[1]: "restricted-cone",
        },
    },
    "forwards": {
        "forwards": (
            *(
                f"{protocol}:{V4.external}:80=192.168.1.10:8080"
                for protocol in ("tcp", "udp", "sctp")
            ),
            f"tcp:[{V6.external}]:80=[2001:db8:1::a]:8080",
        )
    },
    "one-to-one": {
        "externals": {V4.external: "2000-2999", V4.other_external: None, V6.external: "1-9"},
        "one_to_one": (f"{V4.other_external}=192.168.1.12",),
    },
}


class Traffic:
    """Every packet of some flows, in both directions; `became` is what they are translated to."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.packets: list[bytearray] = []

    def open(self, protocol: str, inside: Endpoint, remote: Endpoint) -> None:
        """From inside, if there is room, with an answer."""
        site = self.site
        if site.send(first := wire.packet(protocol, inside, remote)) != "translated":
            return
        external = site.seen().source
        site.now += 37
        self.packets += [first, wire.packet(protocol, remote, external, "answer")]
        site.passes(self.packets[-1])
        if protocol == "tcp":
            self.packets.append(wire.packet(protocol, inside, remote, "data"))
            site.passes(self.packets[-1])

    def knock(self, protocol: str, remote: Endpoint, external: Endpoint, answers: bool) -> None:
        """From outside, where that is let in."""
        site = self.site
        if site.send(first := wire.packet(protocol, remote, external)) != "translated":
            return
        inside = site.seen().destination
        self.packets.append(first)
        if answers:
            self.packets.append(wire.packet(protocol, inside, remote, "answer"))
            site.passes(self.packets[-1])

    def make(self, places: Places) -> None:
        hosts = places.hosts[:3]
        for host, protocol, number in product(hosts, WITH_PORTS, range(4)):
            port = 0 if protocol == "icmp" else 80 + number % 2
            self.open(protocol, (host, 4000 + number // 3), (places.remotes[number % 3], port))
        for host in hosts:
            self.site.send(wire.packet("gre", (host, 0), (places.remotes[4], 0)))
            self.packets.append(wire.packet("gre", (host, 0), (places.remotes[4], 0)))
        for row in self.site.mappings()[::3]:
            external = row.external, row.external_port
            if (":" in row.external) != (places is V6) or row.protocol == "other":
                continue
            for number, remote in enumerate((row.remote or places.remotes[5], places.remotes[6])):
                port = 0 if row.protocol == "icmp" else 999
                self.knock(row.protocol, (remote, port), external, number == 0)
            # A hairpin: its packets go out and back in.
            self.knock(row.protocol, (places.hosts[0], 5000), external, False)
        for protocol in ("tcp", "udp", "sctp"):
            self.knock(protocol, (places.remotes[7], 999), (places.external, 80), False)
            self.knock(protocol, (places.remotes[8], 999), (places.external, 80), True)
            self.knock(protocol, (places.remotes[8], 999), (places.other_external, 90), True)

    def became(self) -> list[tuple[str, bytes]]:
        """Without the numbers of datagrams that may be fragmented, which never come again."""
        site, results = self.site, []
        for packet in self.packets:
            verdict = site.send(packet)
            results.append((verdict, bytes(site.packet)))
        return results


def busy(engine: Engine, kind: dict[str, Any]) -> Traffic:
    site = Site(engine, **kind)
    site.now = 10_000_000
    traffic = Traffic(site)
    traffic.make(V4)
    if not kind.get("deterministic"):
        traffic.make(V6)
    return traffic


def flows_of(engine: Engine, nat: Any, now: int, page: int = 1000) -> bytearray:
    """The flows of a NAT in their form outside the tables, copied in pages."""
    forms, start = bytearray(), 0
    while True:
        copied = engine.modules["nat.views.packet_loop_call"].done(
            nat.overview.flow_page(start, page, now)
        )
        some, start = copied.result()
        forms += some
        if not start:
            return forms
