"""A batch of frames in one buffer, read one behind the other; and what is sent of it.

A frame takes the room it needs: small ones stay in the first-level cache, and a super-packet ends
its batch, so that the next one is read into memory that the second level still holds.
"""

import cython

if not cython.compiled:
    from typing import cast

    from ratsnake.device.system_calls import EAGAIN, EINTR, ENODEV, hung_up, read_soon, sys_read
    from ratsnake.nat.tables.row_layouts import Numbers, new_numbers, release
    from ratsnake.wire.integer_types import Bytes, i32, i64, u32

    FRAMES = 64  # a batch is full with this one,
    ROOM = 32768  # or with the one that passes this many bytes
    LONGEST = 65600  # the largest IPv6 packet, its vnet header, and a byte more would show
    LINE = 64  # bytes of a cache line; every frame starts at one

    def new_buffer(size: int) -> Bytes:
        return bytearray(size)

    def release_buffer(buffer: Bytes) -> None:
        """Give the buffer back; the garbage collector does it here."""

    def behind(buffer: Bytes, size: u32) -> Bytes:
        """The buffer without its first bytes, not a copy."""
        return cast(Bytes, memoryview(buffer)[size:])

    def no_frame() -> Bytes:
        """Where there is no room to write to; C gives a null pointer, which no write survives."""
        raise IndexError("a full batch takes no frame")


class Batch:
    """A full batch takes no frame: what more there is waits for the next, which is empty.

    Every frame is written where `next_frame` says and counted by `add`; both bound it.
    """

    buffer: Bytes
    starts: Numbers
    sizes: Numbers

    def __init__(self) -> None:
        self.buffer = new_buffer(ROOM + LONGEST)
        self.starts = new_numbers(FRAMES)
        self.sizes = new_numbers(FRAMES)
        self.count = 0
        self.end = 0

    def __dealloc__(self) -> None:
        release_buffer(self.buffer)
        release(self.starts)
        release(self.sizes)

    def clear(self) -> None:
        """Forget all frames."""
        self.count = 0
        self.end = 0

    def is_full(self) -> bool:
        return self.count >= FRAMES or self.end >= ROOM

    def frame(self, k: u32) -> Bytes:
        """The frame of that number, from 0."""
        return behind(self.buffer, self.starts[k])

    def next_frame(self) -> Bytes:
        """Room for one more frame, LONGEST bytes; none (see `no_frame`) in a full batch."""
        return no_frame() if self.is_full() else behind(self.buffer, self.end)

    def add(self, size: u32) -> bool:
        """The next frame is there, so many bytes; False, and it is not, where there was no room."""
        if self.is_full() or size > LONGEST:
            return False
        self.starts[self.count] = self.end
        self.sizes[self.count] = size
        self.count += 1
        self.end = (self.end + size + LINE) & ~(LINE - 1)
        return True

    def receive(self, fd: i32, linger: i32) -> i64:
        """Read anew until nothing is there or the batch is full.

        Waits for the first frame `linger` microseconds at most.  0, or the negative errno of a
        dead descriptor.
        """
        got: i64
        self.clear()
        got = read_soon(fd, self.next_frame(), LONGEST, linger)
        while got >= 0:
            self.add(got)
            if got == 0:
                return -ENODEV if hung_up(fd) else 0
            if self.is_full():
                return 0
            got = sys_read(fd, self.next_frame(), LONGEST)
        return 0 if got == -EAGAIN or got == -EINTR else got
