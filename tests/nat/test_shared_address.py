"""An external address that is the host's own too: ICMP that the NAT does not translate is given
back as it came, and nothing else is."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest

from support.bench import SEED
from support.dual import Dual
from support.families import V4, V6, echo, error, message, packet, tcp, udp
from support.flavours import Engine
from support.packets import Buffer
from support.pieces import split

HOSTS_PORT = 40000  # none of the NAT's
INSIDE = (V4.inside, 12000)
SHARED = V4.external
REMOTE = (V4.r1, 80)
UNREACHABLE, TIMESTAMP, REDIRECT = 3, 13, 5


def sharing(engine: Engine, externals: Any = (), **keywords: Any) -> Dual:
    ports = engine.PortSet.parse("10000-19999")
    given = (
        engine.External(ip_address(SHARED), ports, True),
        engine.External(ip_address("203.0.113.2"), ports),
        engine.External(ip_address(V6.external), ports),
    )
    bench = Dual(engine, **keywords)
    bench.nat = engine.Nat(replace(bench.nat.settings, externals=externals or given), SEED)
    return bench


def given_back(bench: Dual, whole: Buffer) -> bool:
    before = bytes(whole)
    return (
        bench.send(whole) == "translated"
        and bytes(bench.packet) == before
        and bench.outgoing() == []
    )


HOSTS = {
    "request": echo(V4.r1, SHARED, 12345),
    "reply": echo(V4.r1, SHARED, 12345, reply=True),
    "reply to an identifier that is no port": echo(V4.r1, SHARED, 5, reply=True),
    "error about its own": error(
        V4.r2, SHARED, udp((SHARED, HOSTS_PORT), (V4.r1, 53)), UNREACHABLE
    ),
    "error about its own ping": error(V4.r2, SHARED, echo(SHARED, V4.r1, 9), UNREACHABLE),
    "error that quotes little": error(V4.r2, SHARED, bytes(28), UNREACHABLE),
    "another type": message(V4.r2, SHARED, bytes([REDIRECT, *bytes(7)])),
    "request of the LAN": echo(V4.inside, SHARED, 12000),
}


@pytest.mark.parametrize("what", HOSTS)
def test_icmp_of_the_host_is_given_back(engine: Engine, what: str) -> None:
    bench = sharing(engine)
    assert given_back(bench, HOSTS[what])
    assert bench.nat.counters()["inbound"]["packets"] == 1
    assert bench.nat.usage()["mappings"] == 0


def test_in_fragments_too(engine: Engine) -> None:
    bench = sharing(engine)
    for one in split(echo(V4.r1, SHARED, 7, True, bytes(2000)), 800):
        assert given_back(bench, one)


def test_what_the_nat_knows_it_translates(engine: Engine) -> None:
    ports = engine.PortSet.parse("10000-19999")
    bench = sharing(
        engine,
        externals=(
            engine.External(ip_address(SHARED), ports, True),
            engine.External(ip_address(V6.external), ports),
        ),
    )
    external = bench.open("icmp", INSIDE, (V4.r1, 0))
    assert external[0] == SHARED
    assert bench.passes(echo(V4.r1, SHARED, external[1], True)).destination == INSIDE
    out = bench.open("udp", INSIDE, REMOTE)
    seen = bench.passes(error(V4.r2, SHARED, udp(out, REMOTE), UNREACHABLE))
    assert seen.destination[0] == V4.inside


def test_an_identifier_in_use_toward_another_remote_is_the_hosts(engine: Engine) -> None:
    bench = sharing(engine)
    external = bench.open("icmp", INSIDE, (V4.r1, 0))
    assert given_back(bench, echo(V4.r2, SHARED, external[1], True))


@pytest.mark.parametrize("flags", ["S", "A", "R"])
def test_tcp_and_udp_are_never_given_back(engine: Engine, flags: str) -> None:
    bench = sharing(engine)
    for port in (15000, HOSTS_PORT):
        assert bench.send(tcp(REMOTE, (SHARED, port), flags)) != "translated"
        assert bench.send(udp(REMOTE, (SHARED, port))) == "no-mapping"
    assert bench.send(packet(V4.r1, SHARED, 47, bytes(32))) == "no-mapping"


@pytest.mark.parametrize("external", ["203.0.113.2", V6.external])
def test_other_addresses_give_nothing_back(engine: Engine, external: str) -> None:
    source = V4.r1 if "." in external else V6.r1
    assert sharing(engine).send(echo(source, external, 12345)) == "no-mapping"


@pytest.mark.parametrize("source", ["127.0.0.1", "203.0.113.1", "203.0.113.2"])
def test_forged_sources_are_not_given_back(engine: Engine, source: str) -> None:
    bench = sharing(engine)
    assert bench.send(echo(source, SHARED, 12345)) == "source"
    assert bench.send(message(source, SHARED, bytes([REDIRECT, *bytes(7)]))) == "icmp-type"


def test_hops_are_counted(engine: Engine) -> None:
    bench = sharing(engine, decrement_ttl=True)
    assert bench.send(HOSTS["another type"]) == "translated"
    assert bench.packet[8] == HOSTS["another type"][8] - 1


@pytest.mark.parametrize("address", [V6.external, SHARED])
def test_what_cannot_be_shared(engine: Engine, address: str) -> None:
    ports = engine.PortSet.parse("1024-65535") if ":" in address else None
    with pytest.raises(ValueError, match=f"{address} cannot be shared with the host"):
        sharing(engine, externals=(engine.External(ip_address(address), ports, True),))
