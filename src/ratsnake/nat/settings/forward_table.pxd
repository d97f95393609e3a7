cimport cython
from ratsnake.wire.integer_types cimport M64, u32, u64
from ..tables.row_layouts cimport ForwardRows, Steps, new_forwards, new_steps, release

@cython.final
cdef class Forwards:
    cdef ForwardRows rows
    cdef Steps steps
    cdef readonly u32 count
    cdef u32 inside, remotes
    cdef bint lies_after(self, u32 step, u64 high, u64 low, u32 protocol, u32 port) noexcept nogil
    cdef u32 search(
        self, u32 first, u32 end, u64 high, u64 low, u32 protocol, u32 port
    ) noexcept nogil
    cdef u32 forward_for(self, u32 step, u64 remote_high, u64 remote_low) noexcept nogil
    cpdef u32 inbound(
        self, u32 protocol, u32 external, u32 port, u64 remote_high, u64 remote_low
    ) noexcept nogil
    cpdef u32 outbound(
        self, u32 protocol, u64 high, u64 low, u32 port, u64 remote_high, u64 remote_low
    ) noexcept nogil
    cpdef bint claims(self, u32 protocol, u32 external, u32 port) noexcept nogil
    cpdef u64 internal_high(self, u32 row) noexcept nogil
    cpdef u64 internal_low(self, u32 row) noexcept nogil
    cpdef u32 internal_port(self, u32 row, u32 external_port) noexcept nogil
    cpdef u32 external_port(self, u32 row, u32 internal_port) noexcept nogil
    cpdef u32 external_of(self, u32 row) noexcept nogil
