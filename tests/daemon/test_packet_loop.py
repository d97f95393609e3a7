"""The packet loop over a socket pair: stopping, its lock, expiry, and a device that dies."""

import errno
import os
import select
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from ratsnake.device.vnet_header import VnetHeader
from support import oracle
from support.bench import EXTERNAL, R1, R2, SEED, settings
from support.flavours import Engine, load
from support.packets import ip, seen, udp
from support.pieces import identification_of, offset_of, piece
from support.rig import HOST, PATIENCE, Rig, flood, running, until


def test_packets_are_translated_both_ways(engine: Engine) -> None:
    with running(engine) as rig:
        out = rig.exchange(udp(HOST, (R1, 53)))
        assert seen(out).source[0] == EXTERNAL
        back = rig.exchange(udp((R1, 53), seen(out).source))
        assert seen(back).destination == HOST
        assert oracle.is_right(out) and oracle.is_right(back)


@pytest.mark.parametrize("header", [b"", VnetHeader().build()], ids=["plain", "vnet"])
def test_beside_many_sessions_a_batch_is_announced_and_translated_as_ever(
    engine: Engine, header: bytes
) -> None:
    """Empty frames and nonsense among it."""
    with running(engine, bool(header)) as rig:
        with rig.packet_loop.locked():
            for port in range(4096):  # all the table's, from one internal endpoint
                assert rig.nat.translate(udp(HOST, (R2, 1 + port)), 0) == 0
            assert rig.nat.has_many_sessions()
        frames = [udp(HOST, (R2, 1 + port), bytes([port])) for port in range(100)]
        for frame in frames:
            rig.peer.send(header + b"\x45")
            rig.peer.send(header + frame)
        for frame in frames:
            out = rig.peer.recv(70_000)[len(header) :]
            assert out[28:] == frame[28:] and seen(out).source[0] == EXTERNAL
        assert rig.dropped() == {"ip-truncated": 100}


def test_a_dropped_packet_is_not_sent_and_is_counted(engine: Engine) -> None:
    with running(engine) as rig:
        rig.peer.send(udp(("10.9.9.9", 1), (R1, 53)))
        rig.barrier()
        assert rig.dropped() == {"source": 1}


def test_the_largest_packet_passes_with_and_without_a_vnet_header(engine: Engine) -> None:
    for header in (b"", VnetHeader().build()):
        with running(engine, bool(header)) as rig:
            largest = udp(HOST, (R1, 53), bytes(65535 - 28))
            assert len(rig.exchange(header + largest)) == len(header) + 65535
            rig.peer.send(header + largest + b"x")
            rig.barrier(header)
            assert rig.dropped() == {"ip-overlong": 1}


@pytest.mark.parametrize("header", [b"", VnetHeader().build()], ids=["plain", "vnet"])
def test_what_the_nat_sends_by_itself_is_written_too(engine: Engine, header: bytes) -> None:
    """A fragment that came before the first one leaves behind it, under a header of its own."""
    with running(engine, bool(header)) as rig:
        whole = udp(HOST, (R1, 53), bytes(24))
        rig.peer.send(header + ip(HOST[0], R1, 17, whole[36:], fragment=2))
        first = rig.exchange(header + ip(HOST[0], R1, 17, whole[20:36], fragment=0x2000))
        later = rig.peer.recv(70_000)
        assert later[: len(header)] == header
        first, later = first[len(header) :], later[len(header) :]
        assert seen(first).source[0] == EXTERNAL
        assert later[4:6] == first[4:6] and later[12:20] == first[12:20]
        assert later[20:] == whole[36:]


@pytest.mark.parametrize("header", [b"", VnetHeader().build()], ids=["plain", "vnet"])
def test_frames_that_wait_together_leave_whole_and_in_order(engine: Engine, header: bytes) -> None:
    """More small ones than a batch holds, and long ones that each end a batch, or nearly."""
    sizes = [*range(100), 32_600, 10, 40_000, 20_000, 10, 11, 12]
    contents = [bytes([k]) * size for k, size in enumerate(sizes)]
    frames = [header + udp(HOST, (R1, 53), content) for content in contents]
    with running(engine, bool(header), waiting=frames) as rig:
        for frame, content in zip(frames, contents, strict=True):
            out = rig.peer.recv(70_000)
            assert len(out) == len(frame)
            assert out[: len(header)] == header
            assert out[len(header) + 28 :] == content
            assert oracle.is_right(out[len(header) :])
        rig.barrier(header)
        assert rig.dropped() == {}


def test_a_frame_that_is_dropped_holds_back_none_of_its_batch(engine: Engine) -> None:
    good, bad = udp(HOST, (R1, 53)), udp(("10.9.9.9", 1), (R1, 53))
    with running(engine, waiting=[bad, good, bad, b"\x45", good, bad]) as rig:
        for _ in range(2):
            assert seen(rig.peer.recv(2048)).source[0] == EXTERNAL
        rig.barrier()
        assert rig.dropped() == {"source": 3, "ip-truncated": 1}


@pytest.mark.parametrize("header", [b"", VnetHeader().build()], ids=["plain", "vnet"])
def test_a_batch_is_announced_where_there_are_many_sessions(
    monkeypatch: pytest.MonkeyPatch, header: bytes
) -> None:
    """Whole, and before its first packet is translated; seen from outside nothing changes."""
    rig = Rig(load("interpreted"), bool(header), {})
    calls: list[object] = []

    def noted(name: str) -> Callable[..., Any]:
        original = getattr(rig.nat, name)

        def call(*arguments: Any) -> Any:
            first = arguments[0]
            calls.append((name, first if name == "prepare" else bytes(first[: arguments[1]])))
            return original(*arguments)

        return call

    for name in ("expect", "prepare", "process"):
        monkeypatch.setattr(rig.nat, name, noted(name))
    monkeypatch.setattr(rig.nat, "has_many_sessions", lambda: True)
    packets = [bytes(udp(HOST, (R1, port))) for port in (53, 54)]
    cut = header[:5] or b"E"
    for frame in (header + packets[0], cut, header + packets[1]):
        rig.peer.send(frame)
    rig.packet_loop.batch.receive(rig.device.fileno(), 0)
    rig.packet_loop.translate(0)
    short = b"" if header else cut
    assert calls == [
        ("expect", packets[0]),
        ("expect", short),
        ("expect", packets[1]),
        ("prepare", 3),
        ("process", packets[0]),
        *([] if header else [("process", short)]),
        ("process", packets[1]),
    ]
    rig.packet_loop.close()


def test_all_is_sent_that_the_nat_sends_by_itself_of_one_batch(engine: Engine) -> None:
    """The fragments that waited for their first one are more than a batch holds."""
    whole = udp(HOST, (R1, 53), bytes(40 - 8))
    waiting = [piece(whole, at, at + 8, k) for at in (32, 24, 16, 8, 0) for k in range(20)]
    with running(engine, waiting=waiting) as rig:
        out = [rig.peer.recv(2048) for _ in waiting]
        assert rig.dropped() == {}
    assert all(seen(packet).source[0] == EXTERNAL for packet in out if offset_of(packet) == 0)
    parts = [(identification_of(packet), offset_of(packet)) for packet in out]
    assert len(set(parts)) == len(waiting)
    assert len({number for number, _ in parts}) == 20


@pytest.mark.parametrize("vnet_header", [False, True])
def test_an_empty_read_is_survived_and_counted(engine: Engine, vnet_header: bool) -> None:
    with running(engine, vnet_header) as rig:
        rig.peer.send(b"")
        rig.barrier(VnetHeader().build() if vnet_header else b"")
        assert rig.dropped() == {"empty": 1}


def test_stop_from_another_thread_ends_run_with_0(engine: Engine) -> None:
    with running(engine) as rig:
        rig.barrier()
        rig.packet_loop.stop()
        assert rig.result() == 0


def test_its_rounds_go_on_while_nothing_arrives(engine: Engine) -> None:
    with running(engine) as rig:
        seen = rig.packet_loop.rounds
        until(lambda: rig.packet_loop.rounds > seen + 1)


def test_stop_before_run_is_not_lost(engine: Engine) -> None:
    rig = Rig(engine, False, {})
    rig.packet_loop.stop()
    rig.packet_loop.stop()
    assert rig.packet_loop.run() == 0
    rig.packet_loop.close()


def test_stop_under_a_flood_is_heard(engine: Engine) -> None:
    with running(engine) as rig, flood(rig):
        until(lambda: rig.read(lambda nat: nat.counters()["outbound"]["packets"]) > 500)
        rig.packet_loop.stop()
        assert rig.result() == 0


def test_the_lock_gets_its_turn_under_a_flood_and_stops_translation(engine: Engine) -> None:
    with running(engine) as rig, flood(rig):
        counted = -1
        for _ in range(20):
            with rig.packet_loop.locked():
                before = rig.nat.counters()
                os.sched_yield()
                select.select([], [], [], 0.005)
                assert rig.nat.counters() == before
            assert before["outbound"]["packets"] >= counted
            counted = before["outbound"]["packets"]
        until(lambda: rig.read(lambda nat: nat.counters()["outbound"]["packets"]) > counted)


def test_the_lock_is_given_back_after_an_exception(engine: Engine) -> None:
    with running(engine) as rig:
        with pytest.raises(ZeroDivisionError), rig.packet_loop.locked():
            raise ZeroDivisionError
        rig.barrier()


def test_rows_and_totals_are_those_of_the_nat(engine: Engine) -> None:
    with running(engine) as rig:
        rig.exchange(udp(HOST, (R1, 53)))
        for _ in range(3):  # each time the loop is asleep
            for name in ("session_rows", "mapping_rows"):
                ask = (0, 256, 0)
                expected = rig.read(lambda nat, name=name, ask=ask: getattr(nat, name)(*ask))
                assert getattr(rig.live, name)(*ask) == expected
                assert [row.internal for row in expected[0]] == [HOST[0]]
        totals = rig.live.totals()
        assert totals.counters() == rig.read(lambda nat: nat.counters())
        assert totals.usage() == rig.read(lambda nat: nat.usage())
        assert totals.usage()["sessions"] == 1


def test_what_is_asked_is_answered_with_and_without_a_running_loop(engine: Engine) -> None:
    rig = Rig(engine, False, {})
    assert rig.live.totals().usage()["sessions"] == 0
    rig.thread.start()
    rig.barrier()
    assert rig.live.totals().usage()["sessions"] == 1
    rig.packet_loop.stop()
    assert rig.result() == 0
    for _ in range(3):
        assert len(rig.live.session_rows(0, 256, 0)[0]) == 1
    rig.packet_loop.close()


def test_questions_are_answered_under_a_flood(engine: Engine) -> None:
    with running(engine) as rig, flood(rig):
        counted = 0
        for _ in range(20):
            packets = rig.live.totals().counters()["outbound"]["packets"]
            assert packets >= counted
            counted = packets
        until(lambda: rig.live.totals().counters()["outbound"]["packets"] > counted)


def test_flows_are_ended_under_a_flood_and_come_again(engine: Engine) -> None:
    wanted = engine.modules["nat.views.row_filter"].RowFilter()
    with running(engine) as rig:
        ended = 0
        with flood(rig):
            while ended < 20:
                now = time.monotonic_ns() // 1_000_000
                mappings, sessions, following = rig.live.flush(0, 256, now, now, wanted, False)
                assert (mappings, following) == (sessions, 0)
                ended += sessions
        totals = rig.live.totals()
        opened = totals.counters()["sessions_opened"]
        assert opened == ended + totals.usage()["sessions"] == totals.counters()["mappings_made"]


def test_no_question_is_lost_when_the_loop_ends(engine: Engine) -> None:
    for _ in range(10):
        rig = Rig(engine, False, {})
        asked = threading.Barrier(3)

        def ask(rig: Rig = rig, asked: threading.Barrier = asked) -> None:
            asked.wait(PATIENCE)
            for _ in range(50):
                rig.results.append(rig.live.totals().usage()["sessions"])

        askers = [threading.Thread(target=ask) for _ in range(2)]
        for thread in (rig.thread, *askers):
            thread.start()
        asked.wait(PATIENCE)
        rig.packet_loop.stop()
        for thread in (rig.thread, *askers):
            thread.join(PATIENCE)
            assert not thread.is_alive()
        assert rig.results == [0] * 101
        rig.packet_loop.close()


def test_a_peer_that_is_gone_ends_run_with_an_errno(engine: Engine) -> None:
    with running(engine) as rig:
        rig.barrier()
        rig.peer.close()
        assert rig.result() in (errno.ENODEV, errno.EPIPE, errno.ECONNRESET)


def test_a_descriptor_that_cannot_be_read_ends_run_with_its_errno(engine: Engine) -> None:
    nat = engine.Nat(settings(engine), SEED)
    folder = os.open("/", os.O_RDONLY)
    packet_loop = engine.PacketLoop(nat, folder, False)
    assert packet_loop.run() == errno.EISDIR
    packet_loop.close()
    os.close(folder)


def test_sessions_expire_while_nothing_arrives(engine: Engine) -> None:
    with running(engine, timeouts={"udp": 1}) as rig:
        rig.barrier()
        assert rig.read(lambda nat: nat.usage()["sessions"]) == 1
        until(lambda: rig.read(lambda nat: nat.usage()["sessions"]) == 0)
        assert rig.read(lambda nat: nat.usage()["mappings"]) == 0


def test_a_device_that_takes_no_more_costs_packets_and_is_counted(engine: Engine) -> None:
    with running(engine) as rig:
        rig.device.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        packet = udp(HOST, (R1, 53), bytes(1000))
        until(lambda: bool(rig.peer.send(packet)) and "device-refused" in rig.dropped())
        assert set(rig.dropped()) == {"device-refused"}
