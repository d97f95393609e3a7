"""Which rows a filter lets through: by protocol and by the ranges of their three endpoints."""

from ipaddress import IPv6Address, ip_network
from typing import Any

import pytest

from support import families
from support.bench import EXTERNAL, INSIDE, OTHER, R1, R2, Bench
from support.filters import row_filter
from support.flavours import Engine

FLOWS = (
    ("tcp", (INSIDE, 1), (R1, 80)),
    ("udp", (INSIDE, 2), (R1, 53)),
    ("udp", (OTHER, 3), (R2, 53)),
)


def ports(bench: Bench, table: str, wanted: Any) -> list[int]:
    """The internal ports of the wanted rows: 1, 2 and 3 are those of FLOWS."""
    rows, _ = getattr(bench.nat, f"{table}_rows")(0, 100, bench.now, wanted)
    return [row.internal_port for row in rows]


@pytest.mark.parametrize("table", ["mapping", "session"])
@pytest.mark.parametrize(
    ("keywords", "expected"),
    [
        ({}, [1, 2, 3]),
        ({"protocol": 0}, [1]),
        ({"protocol": 1}, [2, 3]),
        ({"protocol": 2}, []),
        ({"internal": (f"{INSIDE}/32", None)}, [1, 2]),
        ({"internal": ("192.168.1.0/24", None)}, [1, 2, 3]),
        ({"internal": ("192.168.1.0/24", 3)}, [3]),
        ({"internal": ("0.0.0.0/0", None)}, [1, 2, 3]),
        ({"internal": ("::/0", None)}, [1, 2, 3]),
        ({"internal": ("2001:db8::/32", None)}, []),
        ({"external": (EXTERNAL, None)}, [1, 2, 3]),
        ({"external": ("203.0.113.2", None)}, []),
        ({"remote": (R1, None)}, [1, 2]),
        ({"remote": (None, 53)}, [2, 3]),
        ({"remote": (R1, 53), "protocol": 1}, [2]),
        ({"remote": (R2, None), "internal": (INSIDE, None)}, []),
    ],
)
def test_what_is_wanted(
    table: str, keywords: dict[str, Any], expected: list[int], engine: Engine
) -> None:
    bench = Bench(engine, "symmetric")
    for flow in FLOWS:
        bench.open(*flow)
    assert ports(bench, table, row_filter(engine, **keywords)) == expected


def test_an_external_port_tells_mappings_apart(engine: Engine) -> None:
    bench = Bench(engine, "symmetric")
    external = [bench.open(*flow) for flow in FLOWS]
    for number, (_, port) in enumerate(external, 1):
        wanted = row_filter(engine, external=(EXTERNAL, port), protocol=min(number - 1, 1))
        assert ports(bench, "mapping", wanted) == ports(bench, "session", wanted) == [number]


@pytest.mark.parametrize(
    ("preset", "remote", "expected"),
    [
        ("full-cone", (R2, 9), [1, 2, 3]),
        ("quasi-restricted-cone", (R1, 9), [1, 2]),
        ("symmetric", (R1, 9), []),
    ],
)
def test_a_mapping_is_for_every_remote_it_does_not_depend_on(
    preset: str, remote: tuple[str, int], expected: list[int], engine: Engine
) -> None:
    bench = Bench(engine, preset)
    for flow in FLOWS:
        bench.open(*flow)
    assert ports(bench, "mapping", row_filter(engine, remote=remote)) == expected


def test_a_page_without_wanted_rows_is_no_end(engine: Engine) -> None:
    bench = Bench(engine, "full-cone")
    for port in range(1, 51):
        bench.open("udp", (INSIDE, port), (R1, 53))
    wanted = row_filter(engine, internal=(None, 50))
    for rows in (bench.nat.mapping_rows, bench.nat.session_rows):
        found, following = rows(0, 7, 0, wanted)
        assert found == []
        while following:
            page, following = rows(following, 7, 0, wanted)
            found += page
        assert [row.internal_port for row in found] == [50]


def test_ipv6_prefixes(engine: Engine) -> None:
    ours = engine.External(IPv6Address("2001:db8:3::1"), engine.PortSet.parse("5000-5999"))
    inside = ip_network("2001:db8:1::/48")
    bench = Bench(engine, "full-cone", externals=(ours,), internal=(inside,))
    assert (
        bench.send(families.opening("udp", (str(inside[16]), 1), ("2001:db8:2::1", 53)))
        == "translated"
    )
    for prefix, expected in (("2001:db8:1::/64", [1]), ("2001:db8:1:1::/64", []), ("::/1", [1])):
        assert ports(bench, "session", row_filter(engine, internal=(prefix, None))) == expected
    assert ports(bench, "mapping", row_filter(engine, internal=("0.0.0.0/0", None))) == []
    assert ports(bench, "session", row_filter(engine, remote=("2001:db8:2::/63", 53))) == [1]
