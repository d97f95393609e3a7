cimport cython
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdlib cimport free as release_store, malloc
from libc.string cimport memcpy
from ratsnake.device.system_calls cimport time_of_day
from ratsnake.nat.rules.drop_reasons cimport TRANSLATED
from ratsnake.wire.ip cimport parse
from ratsnake.wire.byte_order cimport put32, put64
from ratsnake.wire.packet_fields cimport Packet, new_packet, release_packet
from ratsnake.wire.integer_types cimport Bytes, u32, u64

cdef enum:
    STORE = 4194304
    HEAD = 24
    BEFORE = 0
    AFTER = 1
    OWN = 2
    ANY_PROTOCOL = 255

cdef inline Bytes new_store(size_t n) except NULL:
    cdef void* p = malloc(n)
    if p == NULL:
        raise MemoryError
    return <Bytes>p

cdef inline Bytes no_store() noexcept nogil:
    return NULL

cdef inline void copy(Bytes to, u32 at, Bytes packet, u32 size) noexcept nogil:
    memcpy(to + at, packet, size)

cdef inline bytes copied(Bytes store, u32 size):
    return PyBytes_FromStringAndSize(<char*>store, size)

@cython.final
cdef class Capture:
    cdef readonly bint active
    cdef Packet packet
    cdef Bytes filling, idle
    cdef u32 filled, start, swapped
    cdef u64 number, missed
    cdef u32 protocol
    cdef u64 host_high, host_low, remote_high, remote_low
    cdef bint has_protocol, has_host, has_remote, has_room
    cdef void before(self, Bytes packet, u32 size) noexcept nogil
    cdef void after(self, Bytes packet, u32 size, u32 verdict) noexcept nogil
    cdef void own(self, Bytes packet, u32 size) noexcept nogil
    cdef void look(self, Bytes packet, u32 size) noexcept nogil
    cdef bint is_of(self, u64 high, u64 low) noexcept nogil
    cdef void store(self, Bytes packet, u32 size, u32 side, u32 verdict) noexcept nogil
