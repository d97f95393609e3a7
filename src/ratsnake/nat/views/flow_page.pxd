from cpython.bytes cimport PyBytes_FromStringAndSize
from ratsnake.wire.integer_types cimport u32, u64
from ..rules.timeout_classes cimport TIMERS
from ..handover.flow_record cimport FLOW_SIZE, write_flow
from ..tables.row_layouts cimport Octets, Sessions, new_octets, release
from ..translation.flow_lifecycle cimport Flows
from .packet_loop_call cimport PacketLoopCall

cdef inline bytes octets_of(Octets b, u32 size):
    return PyBytes_FromStringAndSize(<char*>b, size)

cdef class FlowPage(PacketLoopCall):
    cdef Flows flows
    cdef Octets forms
    cdef u32 first, count, size, next
    cdef u64 now
    cdef void run(self) noexcept nogil
