"""The busiest hosts: sums over sessions, from look to look."""

from typing import Any

import pytest

from support.bench import INSIDE, OTHER, R1, R2, SECOND, Bench
from support.flavours import Engine
from support.packets import udp

THIRD = "192.168.1.12"


def look(bench: Bench, traffic: Any, by_sessions: bool = False, page: int = 2) -> list[Any]:
    traffic.begin()
    start = traffic.look(0, page, bench.now)
    while start:
        start = traffic.look(start, page, bench.now)
    traffic.rank(by_sessions)
    traffic.name()
    return [tuple(row) for row in traffic.busiest()]


def wanted(engine: Engine, protocol: int | None = None) -> Any:
    return engine.modules["nat.views.row_filter"].RowFilter(protocol)


def send(bench: Bench, host: str, port: int, size: int, remote: str = R1) -> None:
    """A UDP datagram of `size` bytes, headers included."""
    bench.passes(udp((host, port), (remote, 53), bytes(size - 28)))


def test_hosts_by_what_they_moved_since_the_last_look(engine: Engine) -> None:
    bench = Bench(engine, "full-cone")
    traffic = bench.nat.overview.host_traffic(wanted(engine), 10)
    send(bench, INSIDE, 1, 100)
    send(bench, OTHER, 1, 200)
    send(bench, INSIDE, 2, 50)
    external = bench.open("udp", (OTHER, 1), (R1, 53))
    bench.passes(udp((R1, 53), external, bytes(372)))
    assert look(bench, traffic) == [(OTHER, 1, 232, 400), (INSIDE, 2, 150, 0)]
    send(bench, INSIDE, 1, 60)
    assert look(bench, traffic) == [(INSIDE, 2, 60, 0), (OTHER, 1, 0, 0)]
    assert look(bench, traffic, by_sessions=True) == [(INSIDE, 2, 0, 0), (OTHER, 1, 0, 0)]


def test_as_many_as_wanted_the_largest_first(engine: Engine) -> None:
    bench = Bench(engine, "full-cone")
    traffic = bench.nat.overview.host_traffic(wanted(engine), 2)
    for host, size in ((INSIDE, 100), (OTHER, 300), (THIRD, 200)):
        send(bench, host, 1, size)
    send(bench, INSIDE, 2, 30)
    assert [host for host, *_ in look(bench, traffic)] == [OTHER, THIRD]
    assert [host for host, *_ in look(bench, traffic, by_sessions=True)][0] == INSIDE


def test_only_wanted_sessions_that_live(engine: Engine) -> None:
    bench = Bench(engine, "full-cone")
    traffic = bench.nat.overview.host_traffic(wanted(engine, protocol=1), 10)
    bench.open("tcp", (OTHER, 1), (R1, 80))
    send(bench, INSIDE, 1, 100)
    send(bench, INSIDE, 1, 100, R2)
    assert look(bench, traffic) == [(INSIDE, 2, 200, 0)]
    bench.now = 300 * SECOND
    assert look(bench, traffic) == []


def test_a_row_used_again_starts_anew(engine: Engine) -> None:
    bench = Bench(engine, "full-cone")
    traffic = bench.nat.overview.host_traffic(wanted(engine), 10)
    send(bench, INSIDE, 1, 1000)
    assert look(bench, traffic) == [(INSIDE, 1, 1000, 0)]
    bench.now = 300 * SECOND
    bench.expire()
    send(bench, OTHER, 1, 40)
    assert look(bench, traffic) == [(OTHER, 1, 40, 0)]


@pytest.mark.parametrize("page", [1, 7, 1000])
def test_a_look_in_pages_misses_and_repeats_none(page: int, engine: Engine) -> None:
    bench = Bench(engine, "full-cone")
    traffic = bench.nat.overview.host_traffic(wanted(engine), 10)
    for port in range(1, 30):
        send(bench, INSIDE, port, 100)
    assert look(bench, traffic, page=page) == [(INSIDE, 29, 2900, 0)]
