from libc.string cimport memcpy
from ratsnake.wire.integer_types cimport u32, u64
from .packet_loop_call cimport PacketLoopCall
from ..events.event_record cimport EventFields, EventRows, copied, new_event_rows
from ..events.event_ring cimport EventRing, RING
from ..events.event_recorder cimport Events
from ..tables.row_layouts cimport unreserve

cdef inline void copy_events(EventRows to, EventRows rows, u32 first, u32 count) noexcept nogil:
    memcpy(to, rows + first, count * sizeof(EventFields))

cdef class EventBatch(PacketLoopCall):
    cdef EventRing ring
    cdef EventRows rows
    cdef u32 most, count
    cdef u64 lost
    cdef void run(self) noexcept nogil

cdef class Listening(PacketLoopCall):
    cdef Events events
    cdef u32 wanted
    cdef void run(self) noexcept nogil
