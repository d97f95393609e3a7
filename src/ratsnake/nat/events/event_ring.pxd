cimport cython
from ratsnake.wire.integer_types cimport u32, u64
from .event_record cimport EventRows, clear, new_event_rows, poison_events, unpoison_events
from ..tables.row_layouts cimport NONE32, unreserve

cdef enum:
    RING = 16384

@cython.final
cdef class EventRing:
    cdef EventRows rows
    cdef u32 first, count
    cdef u64 lost
    cdef u32 new_row(self, u32 kind, u64 time) noexcept nogil
    cdef u32 take(self, u32 most) noexcept nogil
