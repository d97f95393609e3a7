cimport cython
from libc.stdlib cimport free as release_buffer, malloc
from ratsnake.device.system_calls cimport EAGAIN, sys_read, sys_write, wait
from ratsnake.device.vnet_header cimport VNET_AT_FLAGS, VNET_F_NEEDS_CSUM, VNET_SIZE
from ratsnake.wire.checksum cimport adjust, difference32, fold
from ratsnake.wire.ipv4 cimport CHECKSUM, DESTINATION, PROTOCOL_FIELD, SOURCE
from ratsnake.wire.byte_order cimport be16, be32, put16, put32
from ratsnake.wire.packet_fields cimport IPPROTO_TCP, IPPROTO_UDP
from ratsnake.wire.integer_types cimport Bytes, M16, i32, i64, u32

cdef enum:
    BUFFER = 65545
    NOBODY = -1
    FOREVER = -1
    TCP_CHECKSUM = 16
    UDP_CHECKSUM = 6

cdef inline Bytes new_buffer(size_t n) except NULL:
    cdef void* p = malloc(n)
    if p == NULL:
        raise MemoryError
    return <Bytes>p

@cython.final
cdef class NullForwarder:
    cdef Bytes buffer
    cdef i32 fd
    cdef u32 internal, external, outward, inward
    cdef i64 loop(self) noexcept nogil
    cdef void exchange(self) noexcept nogil
