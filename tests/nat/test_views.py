"""What the control plane sees: rows by the page, with names, and counters of every reason."""

from support.bench import EXTERNAL, INSIDE, R1, R2, SECOND, Bench
from support.flavours import Engine
from support.packets import udp


def test_mapping_rows_show_as_much_of_the_remote_as_the_mapping_depends_on(
    engine: Engine,
) -> None:
    bench = Bench(engine, "full-cone", udp="quasi-restricted-cone", icmp="symmetric")
    for protocol, port in (("tcp", 80), ("udp", 53), ("icmp", 0)):
        bench.open(protocol, (INSIDE, 4000), (R1, port))
    shown = {row.protocol: (row.remote, row.remote_port) for row in bench.mappings()}
    assert shown == {"tcp": (None, None), "udp": (R1, None), "icmp": (R1, 0)}
    assert all((row.internal, row.internal_port) == (INSIDE, 4000) for row in bench.mappings())
    assert all((row.external, row.sessions) == (EXTERNAL, 1) for row in bench.mappings())


def test_a_session_row_shows_both_rewrites_and_what_passed(engine: Engine) -> None:
    bench = Bench(engine, "full-cone")
    external = bench.open("udp", (INSIDE, 4000), (R1, 53))
    bench.passes(udp((R1, 53), external, bytes(100)))
    bench.passes(udp((R1, 53), external, bytes(50)))
    bench.now = 5 * SECOND
    bench.knock("udp", (R2, 9), external)
    first, second = bench.sessions()
    assert first == (
        *("udp", INSIDE, 4000, *external, R1, 53, "open", 295),
        *(1, 32, 2, 128 + 78, "inside"),
    )
    assert (second.remote, second.remote_port, second.opened) == (R2, 9, "outside")
    assert (second.packets_out, second.packets_in, second.expires) == (0, 1, 300)
    assert bench.mappings()[0].sessions == 2


def test_rows_come_in_pages_that_miss_and_repeat_none(engine: Engine) -> None:
    bench = Bench(engine, "full-cone")
    for port in range(1, 101):
        bench.open("udp", (INSIDE, port), (R1, 53))
    for rows in (bench.nat.mapping_rows, bench.nat.session_rows):
        ports, start, pages = [], 0, 0
        while True:
            page, start = rows(start, 7, 0)
            assert len(page) <= 7
            ports += [row.internal_port for row in page]
            pages += 1
            if start == 0:
                break
        assert sorted(ports) == list(range(1, 101))
        assert pages == 15
        assert rows(5000, 7, 0) == ([], 0)


def test_no_expired_row_is_shown_although_nothing_swept(engine: Engine) -> None:
    bench = Bench(engine, "full-cone")
    bench.open("udp", (INSIDE, 1), (R1, 53))
    bench.now = 300 * SECOND
    assert bench.sessions() == []
    assert bench.mappings() == []


def test_counters_tell_directions_bytes_and_every_reason(engine: Engine) -> None:
    bench = Bench(engine, "full-cone")
    counters = bench.nat.counters()
    assert list(counters["dropped"]) == [reason.name for reason in engine.REASONS[1:]]
    assert not any(counters["dropped"].values())
    external = bench.open("udp", (INSIDE, 1), (R1, 53))
    bench.knock("udp", (R1, 53), external)
    bench.knock("udp", (R1, 53), (EXTERNAL, 1))
    counters = bench.nat.counters()
    assert counters["outbound"] == counters["inbound"] == {"packets": 1, "bytes": 32}
    assert bench.dropped() == {"no-mapping": 1}
