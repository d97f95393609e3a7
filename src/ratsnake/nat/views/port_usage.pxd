from ratsnake.wire.packet_fields cimport PROTOCOLS
from ratsnake.wire.integer_types cimport u32
from .packet_loop_call cimport PacketLoopCall
from ..translation.flow_lifecycle cimport Flows
from ..tables.row_layouts cimport Numbers, new_numbers, release
from .row_filter cimport RowFilter

cdef class PortPage(PacketLoopCall):
    cdef Flows flows
    cdef RowFilter wanted
    cdef Numbers used
    cdef u32 first, end
    cdef void run(self) noexcept nogil
