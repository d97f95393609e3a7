"""RFC 5597: DCCP, where TCP's rules are not enough."""

import struct

import pytest

from support import judge
from support.dual import EACH_FAMILY, Dual
from support.families import DCCP_DATA, REQUEST, RESPONSE, Family, dccp, packet, sealed
from support.flavours import Engine
from support.packets import Endpoint

LISTEN, ACKNOWLEDGMENT, SYNC = 10, 3, 8
SILENCE = 6_000
DCCP = 33


def request(source: Endpoint, destination: Endpoint, service: bytes) -> bytearray:
    """A Request for a service, whose code is the last word of its header (RFC 4340 5.2)."""
    head = struct.pack("!HHBBHBBHI", source[1], destination[1], 5, 0, 0, REQUEST << 1 | 1, 0, 0, 9)
    segment = sealed(source[0], destination[0], DCCP, head + service, 6)
    return packet(source[0], destination[0], DCCP, segment)


@EACH_FAMILY
def test_a_simultaneous_open_with_the_server_inside_establishes(
    engine: Engine, family: Family
) -> None:
    """REQ-2, RFC 5596: the server's Listen opens the way for the client's Request."""
    bench = Dual(engine)
    server, client = (family.inside, 5000), (family.r1, 6000)
    external = bench.passes(dccp(server, client, LISTEN)).source
    for kind in (REQUEST, ACKNOWLEDGMENT):
        assert bench.passes(dccp(client, external, kind)) == (client, server)
        if kind == REQUEST:
            assert bench.passes(dccp(server, client, RESPONSE)) == (external, client)
    assert [row.state for row in bench.sessions()] == ["established"]


@EACH_FAMILY
def test_a_simultaneous_open_with_the_client_inside_establishes(
    engine: Engine, family: Family
) -> None:
    """REQ-2 and REQ-4: the server's Listen came too early, and is forgotten."""
    bench = Dual(engine, ports="10000")
    client, server = (family.inside, 6000), (family.r1, 5000)
    external = (family.external, 10000)
    assert bench.send(dccp(server, external, LISTEN)) == "no-mapping"
    assert bench.passes(dccp(client, server, REQUEST)) == (external, server)
    assert bench.passes(dccp(server, external, LISTEN)) == (server, client)
    assert bench.passes(dccp(server, external, RESPONSE)) == (server, client)
    assert bench.passes(dccp(client, server, ACKNOWLEDGMENT)) == (external, server)
    assert [row.state for row in bench.sessions()] == ["established"]
    bench.now = 10 * SILENCE
    bench.expire()
    assert bench.outgoing() == []


@EACH_FAMILY
@pytest.mark.parametrize("kind", [REQUEST, LISTEN, SYNC])
@pytest.mark.parametrize("mapped", [False, True])
def test_strangers_get_no_answer(engine: Engine, kind: int, mapped: bool, family: Family) -> None:
    """REQ-4: within 6 s nobody may, and later nobody does."""
    bench = Dual(engine, ports="10000")
    if mapped:
        bench.open("dccp", (family.inside, 5000), (family.r2, 6000))
    stranger = dccp((family.r1, 6000), (family.external, 10000), kind)
    assert bench.send(stranger) in ("no-mapping", "filtered", "not-syn")
    for bench.now in (0, SILENCE - 1, SILENCE, 10 * SILENCE):
        bench.expire()
        assert bench.outgoing() == []


@EACH_FAMILY
@pytest.mark.parametrize("coverage", [0, 1, 2, 15])
def test_the_checksum_stays_valid_and_its_coverage_as_it_is(
    engine: Engine, coverage: int, family: Family
) -> None:
    """REQ-11 and REQ-12, in both directions."""
    bench = Dual(engine)
    host, remote, data = (family.inside, 4000), (family.r1, 80), bytes(range(60))
    external = bench.open("dccp", host, remote)
    bench.passes(dccp(host, remote, DCCP_DATA, data, coverage))
    assert judge.is_right(bench.packet)
    assert bench.packet == dccp(external, remote, DCCP_DATA, data, coverage)
    bench.passes(dccp(remote, external, DCCP_DATA, data, coverage))
    assert judge.is_right(bench.packet)
    assert bench.packet == dccp(remote, host, DCCP_DATA, data, coverage)


@EACH_FAMILY
@pytest.mark.parametrize("service", [b"RTPA", bytes(4), b"\xff\xff\xff\xff"])
def test_the_service_code_stays(engine: Engine, service: bytes, family: Family) -> None:
    """REQ-13."""
    bench = Dual(engine)
    host, remote = (family.inside, 4000), (family.r1, 80)
    external = bench.passes(request(host, remote, service)).source
    assert bench.packet == request(external, remote, service)
