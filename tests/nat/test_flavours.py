"""The compiled engine and its source are one program: all they do is equal, bit by bit."""

import random
import struct
from dataclasses import replace

import pytest

from support.bench import SECOND, SEED, settings
from support.flavours import Engine, load
from support.packets import checksum
from support.traffic import Traffic

PRESETS = tuple(load("interpreted").PRESETS)
PACKETS = 5000
# Small, so that refusals, evictions and reuse of rows happen.
SMALL = {"mappings": 60, "sessions": 100, "inbound_sessions": 10}


def fragmented(packet: bytearray, chance: random.Random) -> list[bytearray]:
    """The packet in two fragments of any order, the second perhaps twice."""
    header = (packet[0] & 15) * 4 if packet else 0
    if packet[:1] == b"" or packet[0] >> 4 != 4 or len(packet) < header + 16 or header < 20:
        return [packet]
    cut = header + 8 * chance.randint(1, (len(packet) - header - 1) // 8)
    first, second = packet[:cut], packet[:header] + packet[cut:]
    number = chance.randrange(65536)
    for piece, field in ((first, 0x2000), (second, (cut - header) // 8)):
        struct.pack_into("!HHH", piece, 2, len(piece), number, field)
        struct.pack_into("!H", piece, 10, 0)
        struct.pack_into("!H", piece, 10, checksum(piece[:header]))
    pieces = [first, second, second][: chance.choice((2, 2, 2, 3))]
    chance.shuffle(pieces)
    return pieces


def run_both(engines: tuple[Engine, Engine], preset: str, seed: int, ports: str) -> None:
    nats = [e.Nat(settings(e, preset, ports, {"udp": 20}, SMALL), SEED) for e in engines]
    for nat in nats:
        nat.listen(15)
    traffic, chance, now = Traffic(seed), random.Random(seed), 0
    sent = 0
    for turn in range(PACKETS):
        now = max(0, now + chance.choice((0, 0, 1, 40, 999, -5, 3 * SECOND)))
        packet = traffic.packet()
        partial = chance.random() < 0.1
        for piece in fragmented(packet, chance) if chance.random() < 0.1 else [packet]:
            results = []
            for nat in nats:
                buffer = bytearray(piece)
                results.append((nat.translate(buffer, now, partial), bytes(buffer)))
            assert results[0] == results[1]
            code, changed = results[0]
            if code == 0 and piece is packet:
                traffic.learn(changed)
        if turn % 50 == 0:
            assert nats[0].expire(now, 7) == nats[1].expire(now, 7)
            assert nats[0].take_events(1 << 20) == nats[1].take_events(1 << 20)
        own = [list(iter(nat.outgoing, None)) for nat in nats]
        assert own[0] == own[1]
        sent += len(own[0])
        if turn % 200 == 0:
            assert_same_tables(nats, now)
    assert_same_tables(nats, now)
    counters = nats[0].counters()
    assert sent >= counters["icmp_errors_sent"]
    assert counters["fragments_held"] > 10 < sent
    assert counters["outbound"]["packets"] > 20 < counters["inbound"]["packets"]
    assert sum(1 for count in counters["dropped"].values() if count) > 12


def assert_same_tables(nats: list, now: int) -> None:  # type: ignore[type-arg]
    first, second = nats
    assert first.counters() == second.counters()
    assert first.usage() == second.usage()
    for rows in ("mapping_rows", "session_rows"):
        start = 0
        while True:
            pages = [getattr(nat, rows)(start, 16, now) for nat in nats]
            assert [tuple(row) for row in pages[0][0]] == [tuple(row) for row in pages[1][0]]
            assert pages[0][1] == pages[1][1]
            start = pages[0][1]
            if start == 0:
                break


@pytest.mark.parametrize("preset", PRESETS)
def test_verdicts_bytes_counters_and_rows_are_equal(
    engines: tuple[Engine, Engine], preset: str
) -> None:
    run_both(engines, preset, PRESETS.index(preset), "2000-2029,3000")


@pytest.mark.parametrize("ports", ["1-65535", "4242"])
def test_they_are_equal_with_all_ports_and_with_one(
    engines: tuple[Engine, Engine], ports: str
) -> None:
    run_both(engines, "full-cone", 77, ports)
    run_both(engines, "quasi-restricted-cone", 78, ports)


def test_the_whole_of_mapping_by_filtering_is_equal(engines: tuple[Engine, Engine]) -> None:
    """Combinations no preset has, each protocol with another, among them port preservation."""
    combined = ((0, 2, 0, 0, True), (2, 0, 0, 2, False), (2, 1, 1, 0, True))
    nats = []
    for engine in engines:
        module = engine.modules["nat.rules.behaviour"]
        kinds = (module.Mapping, module.Filtering, module.Sharing, module.Selection, bool)
        behaviours = [
            engine.Behaviour(*(kind(n) for kind, n in zip(kinds, row, strict=True)))
            for row in combined
        ]
        base = settings(engine, ports="80,443,5000-5009", limits=SMALL)
        names = ("tcp", "udp", "icmp")
        chosen = replace(base, **dict(zip(names, behaviours, strict=True)))
        nats.append(engine.Nat(chosen, SEED))
    traffic = Traffic(5)
    for turn in range(PACKETS):
        packet = traffic.packet()
        buffers = [bytearray(packet), bytearray(packet)]
        codes = [nat.translate(b, turn * 60) for nat, b in zip(nats, buffers, strict=True)]
        assert codes[0] == codes[1]
        assert buffers[0] == buffers[1]
        if codes[0] == 0:
            traffic.learn(buffers[0])
    assert_same_tables(nats, PACKETS * 60)


def test_the_same_seed_makes_the_same_nat_and_another_another(engine: Engine) -> None:
    def ports(seed: bytes) -> list[int]:
        nat = engine.Nat(settings(engine, "quasi-symmetric"), seed)
        traffic = Traffic(1)
        for _ in range(60):
            nat.translate(traffic.packet(), 0)
        return [row.external_port for row in nat.mapping_rows(0, 100, 0)[0]]

    assert ports(SEED) == ports(SEED) != ports(SEED[::-1])


def test_a_seed_of_another_length_is_refused(engine: Engine) -> None:
    with pytest.raises(ValueError, match="seed: 79 bytes given, 80 are needed"):
        engine.Nat(settings(engine), bytes(79))
