cimport cython
from ratsnake.wire.integer_types cimport Bytes, u32, u64
from .fragment_coverage cimport Coverage, PIECES
from ..tables.keyed_hash cimport hash5
from ..tables.hash_index cimport Index
from .packet_pool cimport PacketPool
from ..rules.drop_reasons cimport TRANSLATED
from ..tables.row_layouts cimport (
    Datagrams, new_datagrams, poison_datagram, release, unpoison_datagram,
)
from ..tables.hash_secret cimport Secret

cdef enum:
    UNLEARNT = 1
    LEARNT = 2
    WAITING = 1
    KNOWN = 2
    REFUSED = 3

@cython.final
cdef class Fragments:
    cdef Datagrams rows
    cdef Coverage coverage
    cdef Index index
    cdef PacketPool packet_pool
    cdef Secret secret
    cdef u64 lifetime
    cdef u32 free, unlearnt_limit
    cdef readonly u32 capacity, count, unlearnt, waiting, fresh
    cdef u64 datagram_of(self, u32 version, u32 number, u32 identification) noexcept nogil
    cdef u32 tag_of(self, u32 row) noexcept nogil
    cpdef u32 find(self, u64 source_high, u64 source_low, u64 destination_high, u64 destination_low, u32 version, u32 number, u32 identification, u64 now) noexcept nogil
    cpdef u32 make(self, u64 source_high, u64 source_low, u64 destination_high, u64 destination_low, u32 version, u32 number, u32 identification, u64 now) noexcept nogil
    cpdef void end(self, u32 row) noexcept nogil
    cpdef u32 expire(self, u64 now, u32 budget) noexcept nogil
    cpdef u32 state_of(self, u32 row) noexcept nogil
    cpdef u32 note(self, u32 row, u32 start, u32 end, bint last) noexcept nogil
    cpdef bint complete(self, u32 row) noexcept nogil
    cpdef bint hold(self, u32 row, Bytes b, u32 size) noexcept nogil
    cpdef u32 next_held(self, u32 row) noexcept nogil
    cdef void drop_held(self, u32 row) noexcept nogil
    cpdef void learn(self, u32 row, u32 outbound, u64 source_high, u64 source_low, u64 destination_high, u64 destination_low, u32 identification) noexcept nogil
    cpdef void refuse(self, u32 row) noexcept nogil
    cpdef u32 outbound_of(self, u32 row) noexcept nogil
    cpdef u64 source_high(self, u32 row) noexcept nogil
    cpdef u64 source_low(self, u32 row) noexcept nogil
    cpdef u64 destination_high(self, u32 row) noexcept nogil
    cpdef u64 destination_low(self, u32 row) noexcept nogil
    cpdef u32 identification_of(self, u32 row) noexcept nogil
    cdef u32 oldest(self, u32 ring) noexcept nogil
    cdef void unlink(self, u32 row) noexcept nogil
    cdef void append(self, u32 row, u32 ring) noexcept nogil
