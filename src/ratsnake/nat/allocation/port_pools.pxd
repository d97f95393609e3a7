cimport cython
from ratsnake.wire.integer_types cimport M64, u32, u64
from ..tables.bit_operations cimport count_bits, lowest_bit, nth_bit
from ..tables.random_generator cimport Generator
from .port_positions cimport Positions
from ..tables.row_layouts cimport (
    NONE32, Numbers, Octets, Ports, Shorts, Words, new_numbers, new_octets, new_ports, new_shorts,
    new_words, prefetch_port, release,
)

cdef enum:
    WOKEN_AT_ONCE = 32
    GUESSES = 2
    MIXED = 1
    SPARING = 2

@cython.final
cdef class PortPools:
    cdef Positions positions
    cdef Generator generator
    cdef Octets shared, mixed
    cdef Numbers first_group, counts, resting
    cdef Words taken, levels
    cdef Ports rows
    cdef Shorts sections, groups, oldest, youngest
    cdef u32 at(self, u32 pool, u32 position) noexcept nogil
    cpdef u32 used_ports(self, u32 pool) noexcept nogil
    cpdef u32 unused_ports(self, u32 pool) noexcept nogil
    cpdef bint is_unused(self, u32 pool, u32 position) noexcept nogil
    cpdef bint is_used(self, u32 pool, u32 position) noexcept nogil
    cdef void mark(self, u32 pool, u32 position, bint taken) noexcept nogil
    cpdef void take(self, u32 pool, u32 position) noexcept nogil
    cdef void end_sharing(self, u32 at) noexcept nogil
    cpdef void share(self, u32 pool, u32 position, u32 level) noexcept nogil
    cpdef u64 barred(self, u32 pool, u32 word, u32 level, bint sparing) noexcept nogil
    cpdef bint spares(self, u32 pool) noexcept nogil
    cpdef void give(self, u32 pool, u32 position) noexcept nogil
    cpdef void rest(self, u32 pool, u32 position, u32 ring, u64 until) noexcept nogil
    cpdef bint rests(self, u32 pool, u32 position) noexcept nogil
    cdef void end_rest(self, u32 pool, u32 ring, u32 position) noexcept nogil
    cpdef u64 first_waking(self, u32 pool, u32 ring) noexcept nogil
    cpdef void wake(self, u32 pool, u32 ring, u64 now) noexcept nogil
    cpdef void wake_port(self, u32 pool, u32 ring, u32 position, u64 now) noexcept nogil
    cpdef bint wake_oldest(self, u32 pool, u32 ring) noexcept nogil
    cdef u32 unused_before(self, u32 pool, u32 position) noexcept nogil
    cdef u32 nth_unused(self, u32 pool, u32 n) noexcept nogil
    cpdef u32 random_unused(self, u32 pool, u32 begin, u32 end) noexcept nogil
    cpdef u32 next_unused(self, u32 pool, u32 start, u32 begin, u32 end) noexcept nogil
