from ratsnake.wire.integer_types cimport M32, u32, u64
from .row_copies cimport (
    MappingCopies, SessionCopies, new_mapping_copies, new_session_copies,
)
from .packet_loop_call cimport PacketLoopCall
from ..translation.flow_lifecycle cimport Flows
from ..tables.mapping_table cimport FREE
from ..rules.behaviour_codes cimport ADM, APDM, EIM, STATIC
from ..tables.row_layouts cimport Mappings, Partners, Sessions, release
from .row_filter cimport RowFilter
from ..tables.session_table cimport OPENED_OUTSIDE
from ..rules.timeout_classes cimport TIMERS

cdef enum:
    PATIENCE = 1024

cdef class SessionPage(PacketLoopCall):
    cdef Flows flows
    cdef RowFilter wanted
    cdef SessionCopies copies
    cdef u64 now
    cdef u32 first, count, copied, next
    cdef void run(self) noexcept nogil
    cdef void copy_row(self, u32 i) noexcept nogil

cdef class MappingPage(PacketLoopCall):
    cdef Flows flows
    cdef RowFilter wanted
    cdef MappingCopies copies
    cdef u64 now
    cdef u32 first, count, copied, next, patience
    cdef void run(self) noexcept nogil
    cdef void copy_row(self, u32 i) noexcept nogil
    cdef bint shows_life(self, u32 i) noexcept nogil
