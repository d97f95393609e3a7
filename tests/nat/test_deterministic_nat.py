"""Deterministic NAT: forward and back are each other's inverse, and what does not fit is told."""

from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.flavours import Engine
from support.properties import examples

NONE32 = 0xFFFFFFFF
MAPPED = 0xFFFF << 32
FIRST, SECOND, THIRD = (IPv4Address(f"203.0.113.{n}") for n in (1, 2, 3))
HOME = IPv4Network("192.168.1.0/29")
ALL = tuple(range(1024, 65536))
GAPPED = (*range(5136, 5152), *range(9232, 9248))

Externals = list[tuple[IPv4Address, tuple[int, ...]]]


def plan(engine: Engine, internal: list[IPv4Network], externals: Externals, size: int = 0) -> Any:
    return engine.modules["nat.settings.deterministic_nat"].Deterministic(internal, externals, size)


def low(address: IPv4Address) -> int:
    return MAPPED | int(address)


def expand(ranges: list[tuple[int, int]]) -> list[int]:
    return [port for first, last in ranges for port in range(first, last + 1)]


def test_hosts_share_an_address_in_order_and_its_rest_is_nobodys(engine: Engine) -> None:
    shared = plan(engine, [HOME], [(FIRST, tuple(range(1000, 1050)))])
    assert (shared.hosts, shared.hosts_per_external, shared.size) == (8, 8, 6)
    assert shared.ports_of(IPv4Address("192.168.1.0")) == (FIRST, [(1000, 1005)])
    assert shared.ports_of(IPv4Address("192.168.1.7")) == (FIRST, [(1042, 1047)])
    assert shared.subscriber_of(FIRST, 1047) == IPv4Address("192.168.1.7")
    assert shared.subscriber_of(FIRST, 1048) is None
    assert shared.subscriber_of(FIRST, 999) is None


def test_each_external_address_takes_its_share_of_hosts_before_the_next(engine: Engine) -> None:
    """Eight hosts on three addresses: three, three and two; the third address's last run is free.

    The smallest address decides how many ports each host has.
    """
    externals: Externals = [(THIRD, ALL), (FIRST, GAPPED), (SECOND, ALL)]
    shared = plan(engine, [HOME], externals)
    assert (shared.hosts_per_external, shared.size) == (3, 10)
    assert shared.ports_of(HOME[0]) == (THIRD, [(1024, 1033)])
    assert shared.ports_of(HOME[4]) == (FIRST, [(5146, 5151), (9232, 9235)])
    assert shared.ports_of(HOME[7]) == (SECOND, [(1034, 1043)])
    assert shared.subscriber_of(SECOND, 1043) == HOME[7]
    assert shared.subscriber_of(SECOND, 1044) is None
    assert shared.subscriber_of(FIRST, 7000) is None
    assert shared.subscriber_of(IPv4Address("203.0.113.9"), 1024) is None


def test_more_external_addresses_than_hosts(engine: Engine) -> None:
    shared = plan(engine, [IPv4Network("192.168.1.5/32")], [(FIRST, ALL), (SECOND, ALL)])
    assert shared.ports_of(IPv4Address("192.168.1.5")) == (FIRST, [(1024, 65535)])
    assert shared.subscriber_of(SECOND, 1024) is None


def test_a_given_size_leaves_the_rest_unused(engine: Engine) -> None:
    shared = plan(engine, [HOME], [(FIRST, ALL)], 100)
    assert shared.size == 100
    assert shared.ports_of(HOME[1]) == (FIRST, [(1124, 1223)])
    assert shared.subscriber_of(FIRST, 1024 + 799) == HOME[7]
    assert shared.subscriber_of(FIRST, 1024 + 800) is None


def test_addresses_that_are_not_internal(engine: Engine) -> None:
    shared = plan(engine, [HOME], [(FIRST, ALL)])
    for address in (HOME[0] - 1, HOME[7] + 1, FIRST):
        assert shared.ports_of(address) is None
        assert shared.host_of(0, low(address)) == NONE32
    assert shared.host_of(1, low(HOME[0])) == NONE32
    assert shared.host_of(0, int(HOME[0])) == NONE32


PREFIXES = st.lists(
    st.sampled_from(["192.168.1.0/30", "10.0.0.0/29", "192.168.0.8/31", "172.16.0.255/32"]),
    min_size=1,
    unique=True,
)
PORTS = st.sets(st.integers(1, 65535), min_size=15, max_size=40).map(lambda s: tuple(sorted(s)))


@examples(60)
@given(prefixes=PREFIXES, ports=st.lists(PORTS, min_size=1, max_size=3), data=st.data())
def test_every_port_has_the_host_that_has_it(
    engine: Engine, prefixes: list[str], ports: list[tuple[int, ...]], data: st.DataObject
) -> None:
    internal = [IPv4Network(prefix) for prefix in prefixes]
    externals: Externals = list(zip((FIRST, SECOND, THIRD), ports, strict=False))
    most = plan(engine, internal, externals).size
    shared = plan(engine, internal, externals, data.draw(st.integers(0, most)))
    owners: dict[tuple[IPv4Address, int], IPv4Address] = {}
    addresses = [address for prefix in internal for address in prefix]
    for host, address in enumerate(addresses):
        external, ranges = shared.ports_of(address)
        mine = expand(ranges)
        assert len(mine) == shared.size
        assert shared.host_of(0, low(address)) == host
        assert externals[shared.external_of(host)][0] == external
        assert (shared.first_port(host), shared.last_port(host)) == (mine[0], mine[-1])
        for port in mine:
            assert (external, port) not in owners
            owners[external, port] = address
    for external, permitted in externals:
        for port in {1, 65535, *permitted, *(port + 1 for port in permitted)}:
            assert shared.subscriber_of(external, port) == owners.get((external, port))
            assert (external, port) not in owners or port in permitted


def test_as_many_hosts_as_ports_and_one_more(engine: Engine) -> None:
    internal = [IPv4Network("10.0.0.0/18"), IPv4Network("10.1.0.0/16")]
    shared = plan(engine, internal[:1], [(FIRST, ALL[:16384])])
    assert shared.size == 1
    assert shared.subscriber_of(FIRST, ALL[16383]) == IPv4Address("10.0.63.255")
    assert shared.last_port(16383) == ALL[16383]
    with pytest.raises(ValueError, match="16,384 addresses share 1 external address of 16,383"):
        plan(engine, internal[:1], [(FIRST, ALL[:16383])])
    with pytest.raises(ValueError, match="81,920 addresses share 1 external address of 64,512"):
        plan(engine, internal, [(FIRST, ALL)])
    assert plan(engine, internal, [(FIRST, ALL), (SECOND, ALL)]).size == 1


@pytest.mark.parametrize(
    ("internal", "externals", "size", "message"),
    [
        (
            ["10.0.0.0/16"],
            [(FIRST, ALL)],
            0,
            "internal: 65,536 addresses share 1 external address of 64,512 ports: less than one "
            "port each. Give --internal a smaller prefix or more external addresses",
        ),
        (
            ["0.0.0.0/0"],
            [(FIRST, ALL), (SECOND, GAPPED)],
            1,
            "internal: 4,294,967,296 addresses share 2 external addresses of 32 ports",
        ),
        (
            ["192.168.1.0/24"],
            [(FIRST, ALL)],
            253,
            "port-block: 253 ports each do not fit: 256 hosts share the 64,512 ports of"
            " 203.0.113.1. Right is 1..252",
        ),
        (["192.168.1.0/29"], [(FIRST, ALL), (SECOND, GAPPED)], 9, "32 ports of 203.0.113.2"),
        (["192.168.1.0/29"], [(FIRST, ALL)], -1, "port-block: -1 ports each do not fit"),
        (["192.168.1.0/29"], [(FIRST, ALL)], 1 << 40, "Right is 1..8,064"),
        (
            ["10.0.0.8/29", "192.168.1.0/24", "10.0.0.0/28"],
            [(FIRST, ALL)],
            0,
            "internal: 10.0.0.8/29 lies inside 10.0.0.0/28; give every address once",
        ),
        (["10.0.0.0/28"] * 2, [(FIRST, ALL)], 0, "internal: 10.0.0.0/28 lies inside"),
        (
            ["10.0.0.0/28"],
            [(FIRST, ALL), (SECOND, ALL), (FIRST, ALL)],
            0,
            "external: 203.0.113.1 is given twice",
        ),
    ],
)
def test_what_cannot_be_shared_out(
    engine: Engine, internal: list[str], externals: Externals, size: int, message: str
) -> None:
    with pytest.raises(ValueError) as failure:
        plan(engine, [IPv4Network(prefix) for prefix in internal], externals, size)
    assert message in str(failure.value)
    assert "\n" not in str(failure.value)
