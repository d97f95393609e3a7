cimport cython
from libc.string cimport memset
from ratsnake.device.vnet_header_validation cimport LIE, PARTIAL, check_offload
from ratsnake.device.system_calls cimport (
    EBADFD, ENODEV, give_blocks_back, milliseconds, sys_write, wait,
)
from ratsnake.device.vnet_header cimport VNET_SIZE
from ratsnake.nat.views.packet_loop_call cimport PacketLoopCall
from ratsnake.nat.nat cimport Nat
from ratsnake.nat.rules.drop_reasons cimport DEVICE_REFUSED, TRANSLATED
from ratsnake.nat.rules.timeout_classes cimport SWEEP
from ratsnake.wire.header_faults cimport OFFLOAD
from ratsnake.wire.integer_types cimport Bytes, i32, i64, u32, u64
from .frame_batch cimport Batch, behind
from .packet_capture cimport Capture
from .request_mailbox cimport (
    Mailbox, answer, ask, await_answer, claim, close_mailbox, is_asked, new_mailbox, open_mailbox, release_mailbox,
    read_one_byte,
)
from .fair_lock cimport Lock, give, new_lock, release_lock, take

cdef enum:
    LINGER = 50
    IDLE = 1000

cdef inline void clear_header(Bytes frame, u32 size) noexcept nogil:
    memset(frame, 0, size)

@cython.final
cdef class PacketLoop:
    cdef Nat nat
    cdef Batch batch
    cdef readonly Capture capture
    cdef Lock lock
    cdef Mailbox mailbox
    cdef PacketLoopCall packet_loop_call
    cdef object sending
    cdef i32 fd, stop_read, stop_write
    cdef u32 header
    cdef bint stopping
    cdef readonly u64 rounds
    cdef void await_request(self) noexcept nogil
    cdef void run_request(self) noexcept nogil
    cdef void leave_mailbox(self) noexcept nogil
    cdef i64 loop(self) noexcept nogil
    cdef void translate(self, u64 now) noexcept nogil
    cdef void announce(self, u64 now) noexcept nogil
    cdef void translate_copied(self, u64 now) noexcept nogil
    cdef u32 one(self, Bytes frame, u32 size, u64 now) noexcept nogil
    cdef bint collect(self) noexcept nogil
    cdef i64 transmit(self) noexcept nogil
