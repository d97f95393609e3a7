cimport cython
from libc.string cimport memset
from ratsnake.device.offload cimport LIE, PARTIAL, check_offload
from ratsnake.device.system cimport (
    EBADFD, ENODEV, give_blocks_back, milliseconds, sys_write, wait,
)
from ratsnake.device.vnet_header cimport VNET_SIZE
from ratsnake.nat.views.errand cimport Errand
from ratsnake.nat.nat cimport Nat
from ratsnake.nat.rules.reasons cimport DEVICE_REFUSED, TRANSLATED
from ratsnake.nat.rules.timers cimport SWEEP
from ratsnake.wire.faults cimport OFFLOAD
from ratsnake.wire.types cimport Bytes, i32, i64, u32, u64
from .batch cimport Batch, behind
from .capture cimport Capture
from .desk cimport (
    Desk, answer, ask, await_answer, claim, close_desk, is_asked, new_desk, open_desk, release_desk,
    swallow,
)
from .lock cimport Lock, give, new_lock, release_lock, take

cdef enum:
    LINGER = 50
    IDLE = 1000

cdef inline void clear_header(Bytes frame, u32 size) noexcept nogil:
    memset(frame, 0, size)

@cython.final
cdef class Worker:
    cdef Nat nat
    cdef Batch batch
    cdef readonly Capture capture
    cdef Lock lock
    cdef Desk desk
    cdef Errand errand
    cdef object sending
    cdef i32 fd, stop_read, stop_write
    cdef u32 header
    cdef bint stopping
    cdef readonly u64 rounds
    cdef void await_errand(self) noexcept nogil
    cdef void run_errand(self) noexcept nogil
    cdef void leave_desk(self) noexcept nogil
    cdef i64 loop(self) noexcept nogil
    cdef void translate(self, u64 now) noexcept nogil
    cdef void announce(self, u64 now) noexcept nogil
    cdef void translate_copied(self, u64 now) noexcept nogil
    cdef u32 one(self, Bytes frame, u32 size, u64 now) noexcept nogil
    cdef bint collect(self) noexcept nogil
    cdef i64 transmit(self) noexcept nogil
