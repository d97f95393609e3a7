from ratsnake.wire.packet_fields cimport Packet
from ratsnake.wire.integer_types cimport u32
from .endpoint_allocator cimport Allocator, BLOCKS, COMPUTED
from ..rules.behaviour_codes cimport DISTINCT, EXCLUSIVE
from ..tables.row_layouts cimport NONE32

cdef bint claim(Allocator a, Packet p, u32 external, u32 port, u32 host) noexcept nogil
cdef bint is_hosts(Allocator a, Packet p, u32 external, u32 port, u32 host) noexcept nogil
cdef bint computed_for(Allocator a, Packet p, u32 external, bint fixed, u32 port) noexcept nogil
