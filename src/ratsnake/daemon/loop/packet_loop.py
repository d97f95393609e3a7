"""The packet loop: read, translate, write, without the GIL; and how others come to the tables.

A batch of frames is read, then translated, then written.  Between two batches the loop runs the
packet-loop call another thread may have for it.  Who has more to do than to copy takes the lock,
and keeps packets waiting.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import cython

if not cython.compiled:
    from ratsnake.device.system_calls import (
        EBADFD,
        ENODEV,
        give_blocks_back,
        milliseconds,
        sys_write,
        wait,
    )
    from ratsnake.device.vnet_header import VNET_SIZE
    from ratsnake.device.vnet_header_validation import LIE, PARTIAL, check_offload
    from ratsnake.nat.rules.drop_reasons import DEVICE_REFUSED, TRANSLATED
    from ratsnake.nat.rules.timeout_classes import SWEEP
    from ratsnake.wire.header_faults import OFFLOAD
    from ratsnake.wire.integer_types import Bytes, i64, u32, u64

    from .fair_lock import Lock, give, new_lock, release_lock, take
    from .frame_batch import behind
    from .request_mailbox import (
        Mailbox,
        answer,
        ask,
        await_answer,
        claim,
        close_mailbox,
        is_asked,
        new_mailbox,
        open_mailbox,
        read_one_byte,
        release_mailbox,
    )

    LINGER = 50  # microseconds without packets until it sleeps
    IDLE = 1000  # milliseconds without packets until the next look for expired sessions

    def clear_header(frame: Bytes, size: u32) -> None:
        """Zero the first bytes: a vnet header that asks for nothing."""
        frame[:size] = bytes(size)


from ratsnake.nat.nat import Nat
from ratsnake.nat.views.packet_loop_call import PacketLoopCall

from .frame_batch import Batch
from .packet_capture import Capture

Sent = TypeVar("Sent", bound=PacketLoopCall)


class PacketLoop:
    lock: Lock
    mailbox: Mailbox

    def __init__(self, nat: Nat, fd: int, vnet_header: bool) -> None:
        """Move packets between `nat` and a non-blocking descriptor of packets.

        `vnet_header`: every packet is preceded by struct virtio_net_hdr.  The descriptor stays the
        caller's.  `rounds` grows while the loop is alive, at least once in IDLE milliseconds.
        """
        give_blocks_back()  # the tables of a NAT that was replaced
        self.nat = nat
        self.fd = fd
        self.header = VNET_SIZE if vnet_header else 0
        self.stopping = False
        self.rounds = 0
        self.batch = Batch()
        self.capture = Capture()
        self.lock = new_lock()
        self.mailbox = new_mailbox()
        self.packet_loop_call = PacketLoopCall()
        self.sending = threading.Lock()
        self.stop_read, self.stop_write = os.pipe()

    def __dealloc__(self) -> None:
        release_lock(self.lock)
        release_mailbox(self.mailbox)

    def close(self) -> None:
        """Give the stop pipe back; for after `run` has returned."""
        os.close(self.stop_read)
        os.close(self.stop_write)

    def run(self) -> int:
        """Move packets until `stop`: 0 then, or the errno with which the device failed."""
        result: i64
        open_mailbox(self.mailbox)
        try:
            with cython.nogil:
                result = self.loop()
        finally:
            self.leave_mailbox()
        return int(result)

    def stop(self) -> None:
        """End `run`; from any thread or a signal handler, also before `run` has begun."""
        self.stopping = True
        os.write(self.stop_write, b"x")

    def send(self, packet_loop_call: Sent) -> Sent:
        """The call, once the packet loop has run it; where no loop runs, it is run here."""
        with self.sending:
            self.packet_loop_call = packet_loop_call
            os.write(self.stop_write, b"?")  # wakes the loop
            with cython.nogil:
                self.await_request()
        return packet_loop_call

    def await_request(self) -> None:
        if ask(self.mailbox):
            await_answer(self.mailbox)
            return
        take(self.lock)
        self.packet_loop_call.run()
        give(self.lock)
        read_one_byte(self.stop_read)

    def run_request(self) -> None:
        """Run the packet-loop call, if there is one."""
        if claim(self.mailbox):
            self.packet_loop_call.run()
            read_one_byte(self.stop_read)
            answer(self.mailbox)

    def leave_mailbox(self) -> None:
        close_mailbox(self.mailbox)
        self.run_request()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """While entered, no packet is translated: the tables stand still."""
        self.hold()
        try:
            yield
        finally:
            self.let_go()

    def replace(self, nat: Nat) -> None:
        """Translate by another NAT from now on; only while `locked`."""
        self.nat = nat

    def hold(self) -> None:
        with cython.nogil:
            take(self.lock)

    def let_go(self) -> None:
        give(self.lock)

    def loop(self) -> i64:
        failed: i64 = 0
        now: u64
        arrived: u32
        ended: u32 = 0
        more: u32
        while failed >= 0 and not self.stopping:
            self.rounds += 1
            failed = self.batch.receive(self.fd, 0 if ended >= SWEEP else LINGER)
            if failed < 0:
                break
            arrived = self.batch.count
            now = milliseconds()
            take(self.lock)
            self.translate(now)
            ended = self.nat.sweep(now, SWEEP)
            if is_asked(self.mailbox):
                self.run_request()
            more = self.collect()
            give(self.lock)
            failed = self.transmit()
            while more and failed >= 0:
                self.batch.clear()
                take(self.lock)
                more = self.collect()
                give(self.lock)
                failed = self.transmit()
            if arrived == 0 and ended < SWEEP and failed >= 0:
                failed = wait(self.fd, self.stop_read, IDLE)
        return -failed

    def translate(self, now: u64) -> None:
        """Translate every frame of the batch; one that is not to be sent has then no size."""
        k: u32
        if self.nat.has_many_sessions():
            self.announce(now)
        if self.capture.active:
            self.translate_copied(now)
            return
        for k in range(self.batch.count):
            if self.one(self.batch.frame(k), self.batch.sizes[k], now) != TRANSLATED:
                self.batch.sizes[k] = 0

    def translate_copied(self, now: u64) -> None:
        """`translate` with copies of what comes and of what becomes of it."""
        k: u32
        size: u32
        verdict: u32
        for k in range(self.batch.count):
            size = self.batch.sizes[k]
            size = size - self.header if size > self.header else 0
            self.capture.before(behind(self.batch.frame(k), self.header), size)
            verdict = self.one(self.batch.frame(k), self.batch.sizes[k], now)
            self.capture.after(behind(self.batch.frame(k), self.header), size, verdict)
            if verdict != TRANSLATED:
                self.batch.sizes[k] = 0

    def announce(self, now: u64) -> None:
        """Tell the NAT the packets of the batch before the first is translated."""
        k: u32
        size: u32
        for k in range(self.batch.count):
            size = self.batch.sizes[k]
            size = size - self.header if size > self.header else 0
            self.nat.expect(behind(self.batch.frame(k), self.header), size, k)
        self.nat.prepare(self.batch.count, now)

    def one(self, frame: Bytes, size: u32, now: u64) -> u32:
        """Translate a frame: TRANSLATED, or the reason not to send it."""
        partial: u32 = 0
        if self.header and size:
            partial = check_offload(frame, size)
            if partial == LIE:
                self.nat.refuse(OFFLOAD)
                return OFFLOAD
            size -= VNET_SIZE
        return self.nat.process(behind(frame, self.header), size, partial == PARTIAL, now)

    def collect(self) -> bool:
        """Add to the batch what the NAT itself has to send: whether there may be more of it.

        What does not fit stays with the NAT, for the next batch.
        """
        frame: Bytes
        size: u32
        while not self.batch.is_full():
            frame = self.batch.next_frame()
            size = self.nat.next_outgoing(behind(frame, self.header))
            if size == 0:
                return False
            if self.capture.active:
                self.capture.own(behind(frame, self.header), size)
            clear_header(frame, self.header)
            self.batch.add(self.header + size)
        return True

    def transmit(self) -> i64:
        """Write the frames of the batch; a negative errno if the device is dead."""
        k: u32
        written: i64
        for k in range(self.batch.count):
            if self.batch.sizes[k] == 0:
                continue
            written = sys_write(self.fd, self.batch.frame(k), self.batch.sizes[k])
            if written == -EBADFD or written == -ENODEV:
                return written
            if written < 0:
                take(self.lock)
                self.nat.refuse(DEVICE_REFUSED)
                give(self.lock)
        return 0
