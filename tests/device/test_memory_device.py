"""The in-memory pair: order, bound, copies, closing."""

import pytest

from ratsnake.device.memory_device import pair
from ratsnake.device.packet_device import Device, DeviceError


def test_what_one_writes_the_other_reads_in_order():
    near, far = pair()
    assert far.read() is None
    assert near.write(b"one")
    assert near.write(b"two")
    assert far.write(b"back")
    assert [far.read(), far.read(), far.read()] == [b"one", b"two", None]
    assert [near.read(), near.read()] == [b"back", None]


def test_is_bounded_each_way():
    near, far = pair(capacity=2)
    assert [near.write(b"x") for _ in range(3)] == [True, True, False]
    assert far.write(b"y")
    assert far.read() == b"x"
    assert near.write(b"z")
    assert [far.read(), far.read(), far.read()] == [b"x", b"z", None]


def test_keeps_no_reference_to_what_was_written():
    near, far = pair()
    packet = bytearray(b"before")
    near.write(packet)
    near.write(memoryview(packet)[:3])
    packet[:] = b"after!"
    assert [far.read(), far.read()] == [b"before", b"bef"]


def test_other_end_closed():
    near, far = pair()
    near.write(b"last")
    near.close()
    near.close()
    with pytest.raises(DeviceError, match="other end is closed"):
        far.write(b"x")
    assert far.read() == b"last"
    with pytest.raises(DeviceError, match="other end is closed"):
        far.read()


def test_this_end_closed():
    near, far = pair()
    far.write(b"lost")
    near.close()
    with pytest.raises(DeviceError, match="this end is closed"):
        near.read()
    with pytest.raises(DeviceError, match="this end is closed"):
        near.write(b"x")


def test_capacity_must_hold_something():
    with pytest.raises(ValueError, match="0 packets; right is 1 or more"):
        pair(0)


def test_is_a_device():
    device: Device = pair()[0]
    assert device.read() is None
