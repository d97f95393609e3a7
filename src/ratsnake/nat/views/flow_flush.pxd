from ratsnake.wire.integer_types cimport u32, u64
from .packet_loop_call cimport PacketLoopCall
from ..tables.mapping_table cimport FREE
from ..tables.row_layouts cimport Mappings, Sessions
from .row_filter cimport RowFilter
from ..rules.timeout_classes cimport TIMERS
from ..translation.packet_translator cimport Translator

cdef enum:
    MOST_ENDED = 64

cdef class FlushPage(PacketLoopCall):
    cdef Translator translator
    cdef RowFilter wanted
    cdef u64 began, now
    cdef u32 first, count, next, mappings, sessions, sessions_before
    cdef void run(self) noexcept nogil
    cdef u32 end_rows(self) noexcept nogil
    cdef bint is_done(self) noexcept nogil

cdef class MappingFlush(FlushPage):
    cdef u32 end_rows(self) noexcept nogil

cdef class SessionFlush(FlushPage):
    cdef u32 end_rows(self) noexcept nogil
