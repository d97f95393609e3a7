cimport cython
from ratsnake.wire.types cimport M64, u16, u32, u64
from .generator cimport Generator
from .records cimport (
    NONE32, Numbers, Octets, Shorts, Words, lowest_bit, new_numbers, new_octets, new_shorts,
    new_words, release,
)

cdef extern from *:
    """
    #define RATSNAKE_EVENS 0x5555555555555555ULL
    """
    u64 EVENS "RATSNAKE_EVENS"

cdef enum:
    ANY = 0
    EVEN = 1
    ODD = 2

@cython.final
cdef class PortPools:
    cdef Generator generator
    cdef Numbers ranges, first_range, sizes, left, resting, users
    cdef Octets ready
    cdef Shorts order, place, sorted, older, younger
    cdef Words unused, permitted, rests_until
    cdef readonly u32 pools
    cpdef void prepare(self, u32 pool) noexcept nogil
    cpdef bint has(self, u32 pool, u32 port) noexcept nogil
    cpdef u32 size(self, u32 pool) noexcept nogil
    cpdef u32 users_of(self, u32 pool, u32 port) noexcept nogil
    cpdef u32 used_ports(self, u32 pool) noexcept nogil
    cpdef bint is_unused(self, u32 pool, u32 port) noexcept nogil
    cdef void swap(self, u32 pool, u32 a, u32 b) noexcept nogil
    cdef void leave_unused(self, u32 pool, u32 port) noexcept nogil
    cdef void enter_unused(self, u32 pool, u32 port) noexcept nogil
    cpdef void take(self, u32 pool, u32 port) noexcept nogil
    cpdef void give(self, u32 pool, u32 port, u64 rests_until) noexcept nogil
    cdef void end_rest(self, u32 pool, u32 port) noexcept nogil
    cpdef bint wake_within(self, u32 pool, u32 first, u32 last) noexcept nogil
    cpdef u64 first_waking(self, u32 pool) noexcept nogil
    cpdef bint rests(self, u32 pool, u32 port) noexcept nogil
    cpdef void wake(self, u32 pool, u64 now) noexcept nogil
    cpdef u32 random_unused(self, u32 pool) noexcept nogil
    cdef u32 rank(self, u32 pool, u32 port) noexcept nogil
    cpdef u32 random_within(self, u32 pool, u32 first, u32 last) noexcept nogil
    cdef u32 scan(self, Words bits, u32 pool, u32 start, u32 last, u32 parity) noexcept nogil
    cpdef u32 next_unused(self, u32 pool, u32 start, u32 first, u32 last, u32 parity) noexcept nogil
    cpdef u32 next_port(self, u32 pool, u32 port, u32 first, u32 last, u32 parity) noexcept nogil
