cimport cython
from libc.stdlib cimport free as release_buffer, malloc
from ratsnake.device.system_calls cimport EAGAIN, EINTR, ENODEV, hung_up, read_soon, sys_read
from ratsnake.nat.tables.row_layouts cimport Numbers, new_numbers, release
from ratsnake.wire.integer_types cimport Bytes, i32, i64, u32

cdef enum:
    FRAMES = 64
    ROOM = 32768
    LONGEST = 65600
    LINE = 64

cdef inline Bytes new_buffer(size_t n) except NULL:
    cdef void* p = malloc(n)
    if p == NULL:
        raise MemoryError
    return <Bytes>p

cdef inline Bytes no_frame() noexcept nogil:
    return NULL

cdef inline Bytes behind(Bytes buffer, u32 size) noexcept nogil:
    return buffer + size

@cython.final
cdef class Batch:
    cdef Bytes buffer
    cdef Numbers starts, sizes
    cdef readonly u32 count, end
    cpdef void clear(self) noexcept nogil
    cpdef bint is_full(self) noexcept nogil
    cdef Bytes frame(self, u32 k) noexcept nogil
    cdef Bytes next_frame(self) noexcept nogil
    cpdef bint add(self, u32 size) noexcept nogil
    cdef i64 receive(self, i32 fd, i32 linger) noexcept nogil
