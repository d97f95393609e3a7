"""What the control plane sees: rows by the page, with names, and counters of every reason."""

from ipaddress import IPv4Address, ip_address, ip_network

from support.bench import EXTERNAL, INSIDE, R1, R2, SECOND, Bench
from support.flavours import Engine
from support.layers import dccp, sctp, udplite
from support.packets import ip, udp

MORE_FRAGMENTS = 0x2000
OTHERS = {"udplite": (136, udplite()), "dccp": (33, dccp()), "sctp": (132, sctp())}


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


def listed(bench: Bench) -> tuple[list[int], int]:
    """The internal ports of all mappings shown, and the number of pages they came on."""
    ports, pages, start = [], 0, 0
    while True:
        rows, start = bench.nat.mapping_rows(start, 256, bench.now)
        ports += [row.internal_port for row in rows]
        pages += 1
        if start == 0:
            return ports, pages


def test_a_page_of_mappings_ends_where_too_many_expired_sessions_were_looked_at(
    engine: Engine,
) -> None:
    bench = Bench(engine, "full-cone")
    for port in range(1, 41):
        for remote in range(1, 65):
            bench.open("udp", (INSIDE, port), (R1, remote))
    bench.now = 200 * SECOND
    bench.open("udp", (INSIDE, 50), (R1, 1))
    assert listed(bench) == ([*range(1, 41), 50], 1)
    bench.now = 300 * SECOND
    assert listed(bench) == ([50], 3)  # of 1,024 looks each


def test_a_mapping_with_more_expired_sessions_than_are_looked_at_is_shown(engine: Engine) -> None:
    bench = Bench(engine, "full-cone")
    for remote in range(1, 1100):
        bench.open("udp", (INSIDE, 1), (R1, remote))
    bench.open("udp", (INSIDE, 2), (R1, 1))
    bench.now = 300 * SECOND
    assert listed(bench) == ([1], 2)


def test_addresses_are_shown_as_ipaddress_writes_them(engine: Engine) -> None:
    text = engine.modules["nat.views.table_pages"].address_text
    for address in ("192.0.2.1", "2001:db8::1", "2001:db8:0:1::", "::", "::1", "::c000:201"):
        given = ip_address(address)
        number = int(given) | (0xFFFF << 32 if given.version == 4 else 0)
        assert text(number >> 64, number & (1 << 64) - 1) == address


def test_counters_tell_directions_bytes_and_every_reason(engine: Engine) -> None:
    bench = Bench(engine, "full-cone")
    counters = bench.nat.counters()
    reasons = [reason.name for reason in engine.REASONS[1:]]
    # A fragment that is held is not dropped, and has a counter of its own.
    assert list(counters["dropped"]) == [name for name in reasons if name != "fragment-held"]
    assert not any(counters["dropped"].values())
    assert (counters["icmp_errors_sent"], counters["fragments_held"]) == (0, 0)
    external = bench.open("udp", (INSIDE, 1), (R1, 53))
    bench.knock("udp", (R1, 53), external)
    bench.knock("udp", (R1, 53), (EXTERNAL, 1))
    counters = bench.nat.counters()
    assert counters["outbound"] == counters["inbound"] == {"packets": 1, "bytes": 32}
    assert bench.dropped() == {"no-mapping": 1}


def test_a_held_fragment_and_an_error_sent_are_counted(engine: Engine) -> None:
    bench = Bench(engine, "full-cone", ports="5000")
    whole = udp((INSIDE, 1), (R1, 53), bytes(24))
    first = ip(INSIDE, R1, 17, whole[20:36], fragment=MORE_FRAGMENTS)
    later = ip(INSIDE, R1, 17, whole[36:], fragment=2)
    assert bench.send(later) == "fragment-held"
    assert (bench.nat.counters()["fragments_held"], bench.dropped()) == (1, {})
    assert bench.send(first) == "translated"
    assert len(bench.outgoing()) == 1
    assert bench.nat.counters()["outbound"] == {"packets": 2, "bytes": len(first) + len(later)}
    assert bench.try_open("udp", (INSIDE, 2), (R1, 53)) == "no-port"
    assert bench.nat.counters()["icmp_errors_sent"] == len(bench.outgoing()) == 1


def test_no_mapping_of_a_packet_is_called_static(engine: Engine) -> None:
    bench = Bench(engine, "full-cone")
    bench.open("udp", (INSIDE, 4000), (R1, 53))
    assert [row.static for row in bench.mappings()] == [False]


def test_the_protocols_of_rows_have_names(engine: Engine) -> None:
    bench = Bench(engine, "full-cone")
    for number, payload in OTHERS.values():
        bench.passes(ip(INSIDE, R1, number, payload))
    bench.passes(ip(INSIDE, R1, 47, bytes(20)))
    names = [*OTHERS, "other"]
    assert [row.protocol for row in bench.mappings()] == names
    assert [row.protocol for row in bench.sessions()] == names
    assert list(bench.nat.usage()["ports"]) == ["tcp", "udp", "icmp", *OTHERS]


def test_usage_counts_hosts(engine: Engine) -> None:
    bench = Bench(engine, "full-cone")
    for host in ("192.168.1.1", "192.168.1.2", "192.168.1.1"):
        bench.open("udp", (host, 4000), (R1, 53))
    assert bench.nat.usage()["hosts"] == 2
    bench.now = 300 * SECOND
    bench.expire()
    assert bench.nat.usage()["hosts"] == 0


def test_what_was_made_is_counted_and_not_what_is_left(engine: Engine) -> None:
    bench = Bench(engine, "full-cone")
    for remote in (R1, R2):
        bench.open("udp", (INSIDE, 1), (remote, 53))
    bench.now = 300 * SECOND
    bench.expire()
    bench.open("udp", (INSIDE, 1), (R1, 53))
    counters = bench.nat.counters()
    assert (counters["mappings_made"], counters["sessions_opened"]) == (2, 3)
    assert bench.nat.usage()["sessions"] == 1


def test_port_rows_are_by_address_and_protocol(engine: Engine) -> None:
    addresses = [f"203.0.113.{number}" for number in range(1, 11)]
    externals = tuple(
        engine.External(IPv4Address(address), engine.PortSet.parse("5000-5009"))
        for address in addresses
    )
    bench = Bench(engine, "full-cone", externals=externals)
    used = [bench.open("udp", (INSIDE, port), (R1, 53))[0] for port in (1, 2, 3)]
    rows, following = bench.nat.port_rows(0, 8, 0)
    more, end = bench.nat.port_rows(following, 8, 0)
    assert (following, end) == (8, 0)
    names = ("tcp", "udp", "icmp", *OTHERS)
    assert [(row.external, row.protocol) for row in rows + more] == [
        (address, name) for address in addresses for name in names
    ]
    assert {row.total for row in rows} == {10}
    assert [row for row in rows + more if row.used] == [(used[0], "udp", 3, 10)]


def test_port_rows_are_filtered_by_address_and_protocol(engine: Engine) -> None:
    filters = engine.modules["nat.views.row_filter"]
    bench = Bench(engine, "full-cone")
    for prefix, protocol, count in (("203.0.113.0/24", 1, 1), ("203.0.113.9", None, 0)):
        wanted = filters.RowFilter(protocol, external=filters.EndpointRange(ip_network(prefix)))
        assert len(bench.nat.port_rows(0, 256, 0, wanted)[0]) == count
