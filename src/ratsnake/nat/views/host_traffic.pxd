cimport cython
from ratsnake.wire.integer_types cimport u32, u64
from .packet_loop_call cimport PacketLoopCall
from ..translation.flow_lifecycle cimport Flows
from ..tables.row_layouts cimport (
    Hosts, Mappings, Numbers, Sessions, Words, new_numbers, new_words, release, reserved_words,
    unreserve,
)
from .row_filter cimport RowFilter
from ..rules.timeout_classes cimport TIMERS

@cython.final
cdef class HostTraffic:
    cdef Flows flows
    cdef RowFilter wanted
    cdef Words out_before, in_before, bytes_out, bytes_in, sessions, names
    cdef Numbers best
    cdef u32 most, found, hosts
    cpdef void begin(self) noexcept nogil
    cpdef u32 look(self, u32 start, u32 count, u64 now) noexcept nogil
    cdef void add(self, u32 i) noexcept nogil
    cdef u64 size(self, u32 host, bint by_sessions) noexcept nogil
    cpdef void rank(self, bint by_sessions) noexcept nogil
    cpdef void name(self) noexcept nogil

cdef class HostLook(PacketLoopCall):
    cdef HostTraffic traffic
    cdef u32 start, count
    cdef u64 now
    cdef void run(self) noexcept nogil

cdef class HostNaming(PacketLoopCall):
    cdef HostTraffic traffic
    cdef void run(self) noexcept nogil
