from ratsnake.wire.types cimport u32, u64
from .errand cimport Errand
from ..tables.mappings cimport FREE
from ..tables.records cimport Mappings, Sessions
from .row_filter cimport RowFilter
from ..rules.timers cimport TIMERS
from ..translation.translator cimport Translator

cdef enum:
    MOST_ENDED = 64

cdef class FlushPage(Errand):
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
