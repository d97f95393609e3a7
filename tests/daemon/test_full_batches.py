"""Batches that are full with what was received, while the NAT has packets of its own to send."""

import pytest

from ratsnake.device.vnet_header import VnetHeader
from support.bench import R1
from support.flavours import Engine, load
from support.packets import seen, udp
from support.pieces import offset_of, piece
from support.rig import HOST, Rig, running

FRAMES = 64  # of a full batch
LONGEST = 65600  # bytes of a frame
VNET = VnetHeader().build()
HEADERS = pytest.mark.parametrize("header", [b"", VNET], ids=["plain", "vnet"])


@HEADERS
@pytest.mark.parametrize("own", [1, 2, 63, 64, 65, 127])
def test_a_full_batch_takes_no_packet_of_the_nats_own(
    engine: Engine, header: bytes, own: int
) -> None:
    """That many fragments wait for the one that is the last frame of a full batch."""
    whole = udp(HOST, (R1, 53), bytes(8 * (own + 1) - 8))
    later = [piece(whole, 8 * k, 8 * k + 8, 7) for k in range(1, own + 1)]
    others = [udp(HOST, (R1, 1 + k), b"x") for k in range(-(own + 1) % FRAMES)]
    frames = [*others, *later, piece(whole, 0, 8, 7)]
    assert len(frames) % FRAMES == 0
    with running(engine, bool(header), waiting=[header + frame for frame in frames]) as rig:
        out = [rig.peer.recv(70_000) for _ in frames]
        assert rig.dropped() == {}
        assert rig.read(lambda nat: nat.outgoing()) is None
    assert [offset_of(frame[len(header) :]) for frame in out] == [
        *[0] * len(others),
        *range(0, 8 * (own + 1), 8),
    ]
    assert all(frame.startswith(header) for frame in out)


@HEADERS
def test_a_full_batch_of_refusals_leaves_the_errors_to_the_next(
    engine: Engine, header: bytes
) -> None:
    """Flows that find no port, and an error about each."""
    frames = [udp((HOST[0], 2000 + k), (R1, 53)) for k in range(5 * FRAMES)]
    few = {"ports": "5000", "limits": {"icmp_errors": 1_000_000}}
    with running(engine, bool(header), waiting=[header + f for f in frames], **few) as rig:
        out = [rig.peer.recv(70_000)[len(header) :] for _ in frames]
        assert rig.dropped() == {"no-port": len(frames) - 1}
    assert sorted(packet[9] for packet in out) == [1] * (len(frames) - 1) + [17]
    assert {seen(packet).destination[0] for packet in out if packet[9] == 1} == {HOST[0]}


@HEADERS
@pytest.mark.parametrize("size", [32_760, 60_000, 65_480])
def test_own_packets_of_any_size_leave_one_batch_after_the_other(
    engine: Engine, header: bytes, size: int
) -> None:
    """Each is about as long as a batch, or longer."""
    whole = udp(HOST, (R1, 53), bytes(size))
    waiting = [piece(whole, 8, len(whole) - 20, number) for number in range(10)]
    firsts = [piece(whole, 0, 8, number) for number in range(10)]
    others = [udp(HOST, (R1, 1 + k)) for k in range(FRAMES - 10)]
    with running(engine, bool(header)) as rig:
        for frame in waiting:
            rig.peer.send(header + frame)
        rig.barrier(header)
        with rig.packet_loop.locked():  # so that the rest is read together
            for frame in (*others, *firsts):
                rig.peer.send(header + frame)
        out = [rig.peer.recv(70_000)[len(header) :] for _ in (*others, *firsts, *waiting)]
    assert [len(packet) for packet in out[-10:]] == [len(packet) for packet in waiting]
    assert all(seen(packet).source[0] != HOST[0] for packet in out[:-10])


def test_captured_own_packets_of_a_full_batch_are_all_there(engine: Engine) -> None:
    whole = udp(HOST, (R1, 53), bytes(8 * FRAMES - 8))
    frames = [piece(whole, 8 * k, 8 * k + 8, 7) for k in range(FRAMES - 1, -1, -1)]
    rig = Rig(engine, False, {})
    for frame in frames:
        rig.peer.send(frame)
    rig.packet_loop.capture.begin(255, (0, 0), (0, 0))
    rig.thread.start()
    for _ in frames:
        rig.peer.recv(70_000)
    with rig.packet_loop.locked():
        size, missed = rig.packet_loop.capture.swap()
    records = rig.packet_loop.capture.taken(size)
    rig.packet_loop.stop()
    assert rig.result() == 0
    rig.packet_loop.capture.end()
    rig.packet_loop.close()
    sides, at = [], 0
    while at < size:
        sides.append(records[at + 20])
        at += 24 + int.from_bytes(records[at + 16 : at + 20], "big")
    assert missed == 0
    assert sides.count(2) == FRAMES - 1  # the NAT's own
    assert sides.count(0) == FRAMES


def test_a_batch_refuses_what_does_not_fit(engine: Engine) -> None:
    batch = engine.modules["daemon.loop.frame_batch"].Batch()
    for size in (0, 1, 63, 64, 500, 511, 512, 600, 32_767, 32_768, LONGEST):
        batch.clear()
        taken = 0
        while batch.add(size):
            taken += 1
            assert taken == batch.count <= FRAMES
        assert taken == (FRAMES if size < 512 else -(-32_768 // (size // 64 * 64 + 64)))
        assert batch.is_full() and not batch.add(0)
        assert batch.count == taken
        assert batch.end <= 32_768 + LONGEST
    batch.clear()
    assert not batch.add(LONGEST + 1)
    assert batch.count == batch.end == 0


def test_a_full_batch_has_no_room_to_write_to() -> None:
    batch = load("interpreted").modules["daemon.loop.frame_batch"].Batch()
    while batch.add(100):
        pass
    with pytest.raises(IndexError, match="full batch"):
        batch.next_frame()


def test_the_largest_packet_of_the_nats_own_fits_behind_a_header() -> None:
    largest = load("interpreted").modules["nat.packets.packet_pool"].LARGEST
    assert len(VNET) + largest <= LONGEST
