from ratsnake.wire.types cimport M32, u32, u64
from .copies cimport (
    MappingCopies, SessionCopies, new_mapping_copies, new_session_copies,
)
from .errand cimport Errand
from ..translation.flows cimport Flows
from ..tables.mappings cimport FREE
from ..rules.policies cimport ADM, APDM, EIM, STATIC
from ..tables.records cimport Mappings, Partners, Sessions, release
from .row_filter cimport RowFilter
from ..tables.sessions cimport OPENED_OUTSIDE
from ..rules.timers cimport TIMERS

cdef enum:
    PATIENCE = 1024

cdef class SessionPage(Errand):
    cdef Flows flows
    cdef RowFilter wanted
    cdef SessionCopies copies
    cdef u64 now
    cdef u32 first, count, copied, next
    cdef void run(self) noexcept nogil
    cdef void copy_row(self, u32 i) noexcept nogil

cdef class MappingPage(Errand):
    cdef Flows flows
    cdef RowFilter wanted
    cdef MappingCopies copies
    cdef u64 now
    cdef u32 first, count, copied, next, patience
    cdef void run(self) noexcept nogil
    cdef void copy_row(self, u32 i) noexcept nogil
    cdef bint shows_life(self, u32 i) noexcept nogil
