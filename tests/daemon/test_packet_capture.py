"""Copies of packets from the packet loop: both sides, the verdict, conditions, what is missed."""

import json
import struct
from base64 import b64decode
from contextlib import nullcontext
from ipaddress import ip_address
from typing import Any, NamedTuple

import pytest

from ratsnake.daemon.views.capture_stream import HEAD, WAITING, Capturing
from ratsnake.nat.settings.address_realm import halves
from support.bench import EXTERNAL, INSIDE, OTHER, R1, R2
from support.flavours import Engine
from support.packets import checksum, echo, seen, udp
from support.rig import HOST, Rig, running, until
from support.twin import numbers

ANY_PROTOCOL = 255
ANY = (0, 0)
STORE = numbers("daemon.loop.packet_capture")["STORE"]
BEFORE, AFTER, OWN = 0, 1, 2


class Copy(NamedTuple):
    time: int
    number: int
    side: int
    verdict: str
    packet: bytes


def half(address: str) -> tuple[int, int]:
    return halves(ip_address(address))


def begin(rig: Rig, protocol: int = ANY_PROTOCOL, host: Any = ANY, remote: Any = ANY) -> None:
    with rig.packet_loop.locked():
        rig.packet_loop.capture.begin(protocol, host, remote)


def taken(engine: Engine, rig: Rig) -> tuple[list[Copy], int]:
    with rig.packet_loop.locked():
        size, missed = rig.packet_loop.capture.swap()
    raw, copies, at = rig.packet_loop.capture.taken(size), [], 0
    while at < len(raw):
        stamp, number, length, side, verdict = HEAD.unpack_from(raw, at)
        at += HEAD.size
        name = engine.REASONS[verdict].name
        copies.append(Copy(stamp, number, side, name, raw[at : at + length]))
        at += length
    return copies, missed


@pytest.mark.parametrize("header", [b"", bytes(10)], ids=["bare", "vnet"])
def test_both_sides_and_the_verdict(engine: Engine, header: bytes) -> None:
    with running(engine, vnet_header=bool(header)) as rig:
        begin(rig)
        sent = udp(HOST, (R1, 53))
        became = rig.exchange(header + sent)[len(header) :]
        stray = udp((R2, 9), (EXTERNAL, 9))
        rig.peer.send(header + stray)
        until(lambda: sum(rig.dropped().values()) == 1)
        copies, missed = taken(engine, rig)
    assert missed == 0
    before, after, dropped = copies
    assert (before.side, before.verdict, before.packet) == (BEFORE, "translated", sent)
    assert (after.side, after.verdict, after.packet) == (AFTER, "translated", became)
    assert before.number == after.number != dropped.number
    assert all(copy.time >> 60 == 1 for copy in copies)  # 2006 to 2043, in nanoseconds
    assert (dropped.side, dropped.verdict, dropped.packet) == (BEFORE, "no-mapping", stray)


def test_only_what_was_asked_for(engine: Engine) -> None:
    """A host is told by the address it has inside, on the way in too."""
    with running(engine) as rig:
        begin(rig, protocol=1, host=half(INSIDE), remote=half(R1))
        external = seen(bytearray(rig.exchange(udp(HOST, (R1, 53))))).source
        rig.exchange(udp((R1, 53), external))
        rig.exchange(udp((R2, 53), external))
        rig.exchange(udp((OTHER, 1), (R1, 53)))
        rig.exchange(echo(INSIDE, R1, 7))
        rig.peer.send(b"\x45")
        until(lambda: sum(rig.dropped().values()) == 1)
        copies, missed = taken(engine, rig)
    assert [(copy.side, seen(bytearray(copy.packet)).destination) for copy in copies] == [
        (BEFORE, (R1, 53)),
        (AFTER, (R1, 53)),
        (BEFORE, external),
        (AFTER, HOST),
    ]
    assert missed == 0


def test_what_the_nat_sends_itself(engine: Engine) -> None:
    with running(engine, decrement_ttl=True) as rig:
        begin(rig)
        last_hop = bytearray(udp(HOST, (R1, 53)))
        last_hop[8] = 1
        struct.pack_into("!H", last_hop, 10, 0)
        struct.pack_into("!H", last_hop, 10, checksum(last_hop[:20]))
        error = rig.exchange(last_hop)
        copies, _ = taken(engine, rig)
    dropped, own = copies
    assert (dropped.side, dropped.verdict) == (BEFORE, "hop-limit")
    assert (own.side, own.packet) == (OWN, error)


def test_what_does_not_fit_is_missed_and_counted(engine: Engine) -> None:
    large = udp(HOST, (R1, 53), bytes(60_000))
    fit = STORE // (2 * (len(large) + HEAD.size))
    with running(engine) as rig:
        begin(rig)
        for _ in range(fit + 3):
            rig.exchange(large)
        copies, missed = taken(engine, rig)
        assert (len(copies), missed) == (2 * fit, 3)
        rig.exchange(large)
        copies, missed = taken(engine, rig)
        assert (len(copies), missed) == (2, 0)
        with rig.packet_loop.locked():
            rig.packet_loop.capture.end()
        rig.exchange(large)
        assert not rig.packet_loop.capture.active


class FakeCopies:
    def __init__(self) -> None:
        self.active = False
        self.asked: tuple[Any, ...] = ()
        self.records = b""
        self.missed = 0

    def begin(self, *asked: Any) -> None:
        self.active, self.asked = True, asked

    def end(self) -> None:
        self.active = False

    def swap(self) -> tuple[int, int]:
        return len(self.records), self.missed

    def taken(self, size: int) -> bytes:
        taken, self.records = self.records, b""
        return taken


def test_a_stream_of_rows_until_it_is_closed() -> None:
    copies = FakeCopies()
    capturing = Capturing(copies, nullcontext)
    assert capturing.due == float("inf")
    stream = capturing.start({"protocol": "udp", "host": INSIDE, "remote": "2001:db8::1"})
    assert copies.asked == (1, half(INSIDE), half("2001:db8::1"))
    assert capturing.due < float("inf")
    with pytest.raises(ValueError, match="somebody captures already"):
        capturing.start({})
    woken: list[None] = []
    stream.wake = lambda: woken.append(None)
    assert stream.take() == b'{"missed":0}\n'
    capturing.pump()
    assert not woken
    copies.records = HEAD.pack(5, 1, 3, 0, 29) + b"abc" + HEAD.pack(6, 2, 1, 2, 0) + b"d"
    copies.missed = 4
    capturing.pump()
    assert woken
    first, second, missed = map(json.loads, stream.take().splitlines())
    assert b64decode(first.pop("packet")) == b"abc"
    assert first == {"number": 1, "time_ns": 5, "side": "before", "verdict": "filtered"}
    assert (second["side"], second["verdict"]) == ("own", "translated")
    assert missed == {"missed": 4}
    stream.close()
    assert not copies.active and capturing.due == float("inf")
    capturing.pump()


def test_a_client_that_does_not_read_leaves_the_rest_where_it_is() -> None:
    copies = FakeCopies()
    capturing = Capturing(copies, nullcontext)
    stream = capturing.start({})
    assert copies.asked == (ANY_PROTOCOL, ANY, ANY)
    copies.records = (HEAD.pack(5, 1, 60_000, 0, 0) + bytes(60_000)) * (WAITING // 60_000)
    capturing.pump()
    copies.records = HEAD.pack(5, 1, 1, 0, 0) + b"x"
    capturing.pump()
    assert copies.records
    stream.take()
    capturing.pump()
    assert not copies.records


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"protocol": "gre"}, "protocol gre: must be one of tcp"),
        ({"host": "nobody"}, "host nobody: must be an IPv4 or IPv6 address"),
        ({"remote": 7.5}, "remote 7.5: must be"),
    ],
)
def test_wrong_questions(request_: dict[str, Any], message: str) -> None:
    copies = FakeCopies()
    with pytest.raises(ValueError, match=message):
        Capturing(copies, nullcontext).start(request_)
    assert not copies.active
