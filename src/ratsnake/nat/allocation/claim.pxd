from ratsnake.wire.packet cimport Packet
from ratsnake.wire.types cimport u32
from .allocator cimport Allocator, BLOCKS, COMPUTED
from ..rules.policies cimport DISTINCT, EXCLUSIVE
from ..tables.records cimport NONE32

cdef bint claim(Allocator a, Packet p, u32 external, u32 port, u32 host) noexcept nogil
cdef bint is_hosts(Allocator a, Packet p, u32 external, u32 port, u32 host) noexcept nogil
cdef bint computed_for(Allocator a, Packet p, u32 external, bint fixed, u32 port) noexcept nogil
