"""Events as the engine notes them: what is told of each, and that all of it is bounded."""

from support.bench import EXTERNAL, INSIDE, OTHER, R1, R2, SECOND, Bench
from support.flavours import Engine
from support.noted import LIMITS, MAPPINGS, REFUSALS, SESSIONS, endpoint, listening, read, taken
from support.packets import echo, ip, tcp, udp
from support.twin import numbers

HOST = (INSIDE, 4000)
PEER = (R1, 53)


def kinds(bench: Bench) -> list[str]:
    record = bench.engine.modules["nat.events.event_record"]
    names = {getattr(record, name): name for name in KINDS}
    return [names[event.kind] for event in taken(bench)]


KINDS = (
    *("MAPPING_MADE", "MAPPING_REMOVED", "SESSION_OPENED", "SESSION_ENDED"),
    *("REFUSAL", "REFUSALS_SUPPRESSED", "LIMIT"),
)


def test_nothing_is_noted_until_somebody_listens(engine: Engine) -> None:
    bench = Bench(engine)
    bench.open("udp", HOST, PEER)
    bench.knock("udp", (R2, 9), (EXTERNAL, 10000))
    bench.now += 1000 * SECOND
    bench.expire()
    assert bench.nat.take_events(100) == (b"", 0)


def test_a_mapping_from_first_to_last(engine: Engine) -> None:
    bench = listening(engine, MAPPINGS, "full-cone", timeouts={"udp": 100})
    bench.now = 5 * SECOND
    external = bench.open("udp", HOST, PEER)
    bench.passes(udp(HOST, (R2, 9), b"much more"))
    bench.now += 40 * SECOND
    bench.passes(udp(PEER, external, b"x"))
    bench.now += 500 * SECOND
    bench.expire()
    made, removed = taken(bench)
    for event in (made, removed):
        assert endpoint(bench, event.internal_high, event.internal_low, event.internal_port) == HOST
        external_port = event.external_port
        assert endpoint(bench, event.external_high, event.external_low, external_port) == external
        assert event.protocol == 1
    assert made.time == 5 * SECOND
    # The second session ended first; the first one, 100 s after the packet from outside.
    assert (removed.time, removed.duration) == (145 * SECOND, 140 * SECOND)
    assert (removed.packets_out, removed.bytes_out) == (2, 2 * 28 + len(b"data" + b"much more"))
    assert (removed.packets_in, removed.bytes_in) == (1, 29)


def test_a_mapping_tells_no_remote_unless_it_depends_on_one(engine: Engine) -> None:
    record = engine.modules["nat.events.event_record"]
    for preset, remote in (
        ("full-cone", None),
        ("quasi-restricted-cone", (R1, 0)),
        ("quasi-port-restricted-cone", PEER),
    ):
        bench = listening(engine, MAPPINGS, preset)
        bench.open("udp", HOST, PEER)
        (made,) = taken(bench)
        told = endpoint(bench, made.remote_high, made.remote_low, made.remote_port)
        assert (told if made.flags & record.HAS_REMOTE else None) == remote
        assert bool(made.flags & record.HAS_REMOTE_PORT) == (remote == PEER)


def test_a_reused_row_starts_from_zero(engine: Engine) -> None:
    bench = listening(engine, MAPPINGS, "full-cone", timeouts={"udp": 100, "rest": 0})
    for _ in range(2):
        bench.open("udp", HOST, PEER)
        bench.now += 200 * SECOND
        bench.expire()
        _, removed = taken(bench)
        assert removed.packets_out == 1


def test_sums_go_on_while_nobody_listens(engine: Engine) -> None:
    """Or a row would keep what belongs to the mapping that had it before."""
    bench = listening(engine, MAPPINGS, "full-cone", timeouts={"udp": 100, "rest": 0})
    bench.open("udp", HOST, PEER)
    bench.open("udp", HOST, (R2, 9))
    bench.now += 50 * SECOND
    bench.passes(udp(HOST, PEER))
    bench.now += 70 * SECOND
    bench.nat.listen(0)
    bench.expire()
    bench.now += 200 * SECOND
    bench.expire()
    bench.nat.listen(MAPPINGS)
    taken(bench)
    bench.open("udp", HOST, PEER)
    bench.now += 200 * SECOND
    bench.expire()
    _, removed = taken(bench)
    assert removed.packets_out == 1


def test_sessions_if_asked(engine: Engine) -> None:
    record = engine.modules["nat.events.event_record"]
    bench = listening(engine, SESSIONS, "full-cone", timeouts={"udp": 100})
    external = bench.open("udp", HOST, PEER)
    bench.now += 10 * SECOND
    assert bench.admits("udp", (R2, 9), external)
    bench.now += 500 * SECOND
    bench.expire()
    opened, called, *ended = taken(bench)
    assert [opened.kind, called.kind] == [record.SESSION_OPENED] * 2
    assert endpoint(bench, opened.remote_high, opened.remote_low, opened.remote_port) == PEER
    assert not opened.flags & record.OPENED_BY_OUTSIDE
    assert endpoint(bench, called.remote_high, called.remote_low, called.remote_port) == (R2, 9)
    assert called.flags & record.OPENED_BY_OUTSIDE
    assert [event.kind for event in ended] == [record.SESSION_ENDED] * 2
    first, second = sorted(ended, key=lambda event: event.remote_port, reverse=True)
    assert (first.time, first.duration, first.packets_out) == (100 * SECOND, 100 * SECOND, 1)
    # It goes with the mapping, which nobody inside used any more.
    assert (second.time, second.duration, second.packets_in) == (100 * SECOND, 90 * SECOND, 1)


def test_a_session_older_than_the_question_has_no_duration(engine: Engine) -> None:
    record = engine.modules["nat.events.event_record"]
    bench = Bench(engine, timeouts={"udp": 100})
    bench.open("udp", HOST, PEER)
    bench.nat.listen(SESSIONS)
    bench.now += 200 * SECOND
    bench.expire()
    (ended,) = taken(bench)
    assert not ended.flags & record.HAS_DURATION
    assert ended.packets_out == 1


def test_refusals_name_the_packet(engine: Engine) -> None:
    record = engine.modules["nat.events.event_record"]
    bench = listening(engine, REFUSALS)
    bench.now = 7
    assert bench.knock("udp", (R2, 9), (EXTERNAL, 10000)) == "no-mapping"
    assert bench.send(tcp(HOST, PEER, "A")) == "not-syn"
    assert bench.send(ip(INSIDE, R1, 51, b"12345678")) == "protocol"
    assert bench.send(bytearray(b"\x00")) == "ip-version"
    inbound, outbound, strange, broken = taken(bench)
    reasons = [engine.REASONS[event.reason].name for event in (inbound, outbound, strange, broken)]
    assert reasons == ["no-mapping", "not-syn", "protocol", "ip-version"]
    assert inbound.time == 7
    assert not inbound.flags & record.OUTBOUND
    assert endpoint(bench, inbound.remote_high, inbound.remote_low, inbound.remote_port) == (R2, 9)
    external = inbound.external_high, inbound.external_low, inbound.external_port
    assert endpoint(bench, *external) == (EXTERNAL, 10000)
    assert outbound.flags & record.OUTBOUND
    internal = outbound.internal_high, outbound.internal_low, outbound.internal_port
    assert endpoint(bench, *internal) == HOST
    assert strange.flags & record.HAS_REMOTE and not strange.flags & record.HAS_REMOTE_PORT
    assert (strange.protocol, broken.protocol) == (record.NO_PROTOCOL, record.NO_PROTOCOL)
    assert not broken.flags & record.HAS_REMOTE


def test_a_fragment_that_waits_is_no_refusal(engine: Engine) -> None:
    bench = listening(engine, REFUSALS)
    assert bench.send(ip(INSIDE, R1, 17, b"12345678", fragment=1)) == "fragment-held"
    assert taken(bench) == []


def test_a_flood_of_refusals_is_told_in_a_few(engine: Engine) -> None:
    """100,000 a second for 60 seconds, thinned to what the engine can be shown here."""
    record = engine.modules["nat.events.event_record"]
    bench = listening(engine, REFUSALS)
    packet, told, counted = udp((R2, 9), (EXTERNAL, 10000)), 0, 0
    per_second, seconds = 500, 60
    for _ in range(seconds):
        for _ in range(10):
            bench.now += 100
            for _ in range(per_second // 10):
                bench.send(packet)
            bench.expire()
        for event in taken(bench):
            told += event.kind == record.REFUSAL
            counted += event.packets_out
    bench.now += 10 * SECOND
    bench.expire()
    counted += sum(event.packets_out for event in taken(bench))
    assert told <= 20 + 2 * seconds
    assert told + counted == per_second * seconds
    bench.now += 10 * SECOND
    bench.expire()
    assert taken(bench) == []


def test_each_reason_has_its_own_share(engine: Engine) -> None:
    bench = listening(engine, REFUSALS)
    for _ in range(100):
        bench.knock("udp", (R2, 9), (EXTERNAL, 10000))
    assert len(taken(bench)) == 20
    bench.send(tcp(HOST, PEER, "A"))
    assert len(taken(bench)) == 1


def test_a_limit_is_told_once_until_it_was_left_for_long(engine: Engine) -> None:
    record = engine.modules["nat.events.event_record"]
    bench = listening(engine, LIMITS, limits={"host_sessions": 1}, timeouts={"udp": 600})
    bench.open("udp", HOST, PEER)
    for _ in range(10):
        assert bench.try_open("udp", HOST, (R2, 9)) == "host-limit"
        bench.now += 50 * SECOND
    (event,) = taken(bench)
    assert (event.kind, engine.REASONS[event.reason].name) == (record.LIMIT, "host-limit")
    assert endpoint(bench, event.internal_high, event.internal_low, event.internal_port) == HOST
    bench.now += 60 * SECOND
    assert bench.try_open("udp", HOST, (R2, 9)) == "host-limit"
    assert kinds(bench) == ["LIMIT"]


def test_a_refusal_that_is_no_limit_is_none(engine: Engine) -> None:
    bench = listening(engine, LIMITS)
    bench.knock("udp", (R2, 9), (EXTERNAL, 10000))
    assert taken(bench) == []


def test_what_does_not_fit_is_lost_and_counted(engine: Engine) -> None:
    """And what is told afterwards is whole again."""
    ring, excess = 16384, 5
    assert numbers("nat.events.event_ring")["RING"] == ring
    bench = listening(engine, MAPPINGS, "full-cone", timeouts={"icmp": 10, "rest": 0})
    total = 0
    while total < ring + excess:
        for number in range(min(1000, ring + excess - total)):
            bench.send(echo(INSIDE, R1, number))
            total += 1
        bench.nat.listen(0)
        bench.now += 20 * SECOND
        bench.expire()
        bench.nat.listen(MAPPINGS)
    raw, lost = bench.nat.take_events(ring - 1)
    assert (len(read(engine, raw)), lost) == (ring - 1, excess)
    bench.open("udp", (OTHER, 1), PEER)
    # The end of the ring and its start come in two pieces.
    assert len(taken(bench)) == 1
    (last,) = taken(bench)
    assert endpoint(bench, last.internal_high, last.internal_low, last.internal_port) == (OTHER, 1)
    assert taken(bench) == []
