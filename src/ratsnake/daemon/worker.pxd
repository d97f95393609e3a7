cimport cython
from libc.stdlib cimport free as release_buffer, malloc
from libc.string cimport memset
from ratsnake.device.offload cimport LIE, PARTIAL, check_offload
from ratsnake.device.system cimport (
    EAGAIN, EBADFD, EINTR, ENODEV, hung_up, milliseconds, sys_read, sys_write, wait,
)
from ratsnake.device.vnet_header cimport VNET_SIZE
from ratsnake.nat.nat cimport Nat
from ratsnake.nat.reasons cimport DEVICE_REFUSED, TRANSLATED
from ratsnake.nat.timers cimport SWEEP
from ratsnake.wire.faults cimport OFFLOAD
from ratsnake.wire.types cimport Bytes, i32, i64, u32, u64
from .lock cimport Lock, give, new_lock, release_lock, take

cdef enum:
    BUFFER = 65586
    BATCH = 64
    LINGER = 50
    IDLE = 1000

cdef inline Bytes new_buffer(size_t n) except NULL:
    cdef void* p = malloc(n)
    if p == NULL:
        raise MemoryError
    return <Bytes>p

cdef inline void clear(Bytes buffer, u32 size) noexcept nogil:
    memset(buffer, 0, size)

cdef inline Bytes behind(Bytes buffer, u32 header) noexcept nogil:
    return buffer + header

@cython.final
cdef class Worker:
    cdef Nat nat
    cdef Bytes buffer
    cdef Lock lock
    cdef i32 fd, stop_read, stop_write
    cdef u32 header
    cdef bint stopping
    cdef i64 loop(self) noexcept nogil
    cdef i64 batch(self, u64 now) noexcept nogil
    cdef i64 send(self, u32 size) noexcept nogil
    cdef i64 send_outgoing(self, i64 moved) noexcept nogil
    cdef i64 one(self, u32 size, u64 now) noexcept nogil
