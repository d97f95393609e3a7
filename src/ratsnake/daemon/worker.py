"""The packet loop: read, translate, write, without the GIL; and the lock other threads wait for."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import cython

if not cython.compiled:
    from typing import cast

    from ratsnake.device.offload import LIE, PARTIAL, check_offload
    from ratsnake.device.system import (
        EAGAIN,
        EBADFD,
        EINTR,
        ENODEV,
        hung_up,
        milliseconds,
        sys_read,
        sys_write,
        wait,
    )
    from ratsnake.device.vnet_header import VNET_SIZE
    from ratsnake.nat.reasons import DEVICE_REFUSED, TRANSLATED
    from ratsnake.nat.timers import SWEEP
    from ratsnake.wire.faults import OFFLOAD
    from ratsnake.wire.types import Bytes, i32, i64, u32, u64

    from .lock import Lock, give, new_lock, release_lock, take

    BUFFER = 65586  # the largest IPv6 packet, its vnet header, and a byte more would show
    BATCH = 64  # packets under one hold of the lock
    LINGER = 50  # microseconds without packets until it sleeps
    IDLE = 1000  # milliseconds without packets until the next look for expired sessions

    def new_buffer(size: int) -> Bytes:
        return bytearray(size)

    def behind(buffer: Bytes, header: u32) -> Bytes:
        """The buffer without its first bytes, not a copy."""
        return cast(Bytes, memoryview(buffer)[header:])

    def clear(buffer: Bytes, size: u32) -> None:
        """Zero the first bytes: a vnet header that asks for nothing."""
        buffer[:size] = bytes(size)

    def release_buffer(buffer: Bytes) -> None:
        """Give the buffer back; the garbage collector does it here."""


from ratsnake.nat.nat import Nat


class Worker:
    buffer: Bytes
    lock: Lock

    def __init__(self, nat: Nat, fd: int, vnet_header: bool) -> None:
        """Move packets between `nat` and a non-blocking descriptor of packets.

        `vnet_header`: every packet is preceded by struct virtio_net_hdr.  The descriptor stays the
        caller's.
        """
        self.nat = nat
        self.fd = fd
        self.header = VNET_SIZE if vnet_header else 0
        self.stopping = False
        self.buffer = new_buffer(BUFFER)
        self.lock = new_lock()
        self.stop_read, self.stop_write = os.pipe()

    def __dealloc__(self) -> None:
        release_buffer(self.buffer)
        release_lock(self.lock)

    def close(self) -> None:
        """Give the stop pipe back; for after `run` has returned."""
        os.close(self.stop_read)
        os.close(self.stop_write)

    def run(self) -> int:
        """Move packets until `stop`: 0 then, or the errno with which the device failed."""
        result: i64
        with cython.nogil:
            result = self.loop()
        return int(result)

    def stop(self) -> None:
        """End `run`; from any thread or a signal handler, also before `run` has begun."""
        self.stopping = True
        os.write(self.stop_write, b"x")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """While entered, no packet is translated: the tables stand still."""
        self.hold()
        try:
            yield
        finally:
            self.let_go()

    def hold(self) -> None:
        with cython.nogil:
            take(self.lock)

    def let_go(self) -> None:
        give(self.lock)

    def loop(self) -> i64:
        moved: i64
        ended: u32
        now: u64
        broken: i32
        while not self.stopping:
            now = milliseconds()
            take(self.lock)
            moved = self.batch(now)
            ended = self.nat.sweep(now, SWEEP)
            if moved >= 0:
                moved = self.send_outgoing(moved)
            give(self.lock)
            if moved < 0:
                return -moved
            if moved == BATCH:
                continue
            broken = wait(self.fd, self.stop_read, LINGER, 0 if ended == SWEEP else IDLE)
            if broken < 0:
                return -broken
        return 0

    def batch(self, now: u64) -> i64:
        """Move up to BATCH packets: how many there were, or the negative errno of a dead device."""
        k: i64
        got: i64
        result: i64
        for k in range(BATCH):
            got = sys_read(self.fd, self.buffer, BUFFER)
            if got == -EAGAIN:
                return k
            if got < 0 and got != -EINTR:
                return got
            if got >= 0:
                result = self.one(got, now)
                if result < 0:
                    return result
            if got == 0:
                return -ENODEV if hung_up(self.fd) else k
        return BATCH

    def one(self, size: u32, now: u64) -> i64:
        """Translate and send the packet in the buffer; a negative errno if the device is dead."""
        partial: u32 = 0
        if self.header and size:
            partial = check_offload(self.buffer, size)
            if partial == LIE:
                self.nat.refuse(OFFLOAD)
                return 0
            size -= VNET_SIZE
        if (
            self.nat.process(behind(self.buffer, self.header), size, partial == PARTIAL, now)
            != TRANSLATED
        ):
            return 0
        return self.send(size)

    def send(self, size: u32) -> i64:
        """Write the packet in the buffer; a negative errno if the device is dead."""
        written: i64 = sys_write(self.fd, self.buffer, self.header + size)
        if written == -EBADFD or written == -ENODEV:
            return written
        if written < 0:
            self.nat.refuse(DEVICE_REFUSED)
        return 0

    def send_outgoing(self, moved: i64) -> i64:
        """Send what the NAT itself has to send: `moved`, or a negative errno."""
        size: u32 = self.nat.next_outgoing(behind(self.buffer, self.header))
        result: i64
        while size:
            clear(self.buffer, self.header)
            result = self.send(size)
            if result < 0:
                return result
            size = self.nat.next_outgoing(behind(self.buffer, self.header))
        return moved
