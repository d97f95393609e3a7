"""An in-memory pair of devices: what one end writes the other reads.  For tests and embedding."""

from collections import deque
from threading import Lock

from .packet_device import DeviceError, Packet


class MemoryDevice:
    """One end of `pair()`.  Both ends may be used from several threads.

    After one end is closed the other still reads what had been written to it, and only then
    fails; writing to it fails at once.
    """

    def __init__(self, lock: Lock, capacity: int) -> None:
        self._lock = lock
        self._capacity = capacity
        self._arrived: deque[bytes] = deque()
        self._peer = self
        self._closed = False

    def read(self) -> bytes | None:
        """The oldest packet not yet read, or None; raises DeviceError as Device says."""
        with self._lock:
            self._check_open()
            if self._arrived:
                return self._arrived.popleft()
            if self._peer._closed:
                raise DeviceError("in-memory device: the other end is closed")
            return None

    def write(self, packet: Packet) -> bool:
        """Copy a packet to the other end; False when `capacity` packets already wait there."""
        with self._lock:
            self._check_open()
            if self._peer._closed:
                raise DeviceError("in-memory device: the other end is closed")
            if len(self._peer._arrived) >= self._capacity:
                return False
            self._peer._arrived.append(bytes(packet))
            return True

    def close(self) -> None:
        """Close this end and drop what it had not read."""
        with self._lock:
            self._closed = True
            self._arrived.clear()

    def _check_open(self) -> None:
        if self._closed:
            raise DeviceError("in-memory device: this end is closed")


def pair(capacity: int = 1024) -> tuple[MemoryDevice, MemoryDevice]:
    """Two connected ends, each holding up to `capacity` (>= 1) unread packets.

    Raises ValueError for a smaller capacity.
    """
    if capacity < 1:
        raise ValueError(f"capacity: {capacity} packets; right is 1 or more")
    lock = Lock()
    near, far = MemoryDevice(lock, capacity), MemoryDevice(lock, capacity)
    near._peer, far._peer = far, near
    return near, far
