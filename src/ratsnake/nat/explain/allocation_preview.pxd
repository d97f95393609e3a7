cimport cython
from ratsnake.wire.packet_fields cimport Packet
from ratsnake.wire.integer_types cimport M64, u32, u64
from ..allocation.endpoint_allocator cimport Allocator, BLOCKS, COMPUTED, LOST
from ..translation.flow_lifecycle cimport Flows
from ..rules.behaviour_codes cimport EXCLUSIVE, PRESERVE
from ..tables.row_layouts cimport NONE32, Policies
from ..allocation.port_selection cimport HIGHEST, PortSelector

@cython.final
cdef class AllocationPreview:
    cdef Flows flows
    cdef Allocator allocator
    cdef PortSelector selector
    cdef u32 endpoint
    cdef u64 now
    cdef bint waking, waits
    cdef u32 external, port
    cdef str how
    cdef bint find(self, Packet p, u32 host, u64 now)
    cdef bint look(self, Packet p, u32 base, u32 count, u32 host)
    cdef bint look_anywhere(self, Packet p, u32 base, u32 count)
    cdef bint look_in_blocks(self, Packet p, u32 external, u32 host)
    cdef bint look_in(self, Packet p, u32 external, u32 ports, u32 first, u32 last)
    cdef bint looks(self, Packet p, u32 external, u32 first, u32 last)
    cdef bint is_last(self, u32 holder)
    cdef bint fits(self, u32 position)
    cdef bint any_fits(self, Packet p, u32 first, u32 last)
    cdef str preference(self, Packet p)
