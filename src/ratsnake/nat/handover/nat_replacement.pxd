cimport cython
from ratsnake.wire.integer_types cimport u32, u64
from .flow_insertion cimport FlowInserter
from .flow_record cimport FLOW_SIZE, write_flow
from ..translation.flow_lifecycle cimport Flows
from ..tables.mapping_table cimport FREE
from ..nat cimport Nat
from ..rules.drop_reasons cimport REASONS_COUNT
from ..tables.row_layouts cimport Mappings, Numbers, Octets, Sessions, new_numbers, new_octets, release
from .auxiliary_state cimport leave_auxiliary_state
from ..tables.session_table cimport INSIDE_SENT
from ..rules.timeout_classes cimport TIMERS

cdef enum:
    ALL = 0xFFFFFFFF

@cython.final
cdef class NatReplacement:
    cdef Nat old, new
    cdef Flows before, after
    cdef FlowInserter inserter
    cdef Octets form
    cdef Numbers heirs
    cdef readonly u32 kept, ended
    cdef u32 wanted
    cdef bint counts, dates
    cdef void take_over(self, u64 now) noexcept nogil
    cdef void go_on_alike(self) noexcept nogil
    cdef void hush(self) noexcept nogil
    cdef void expect(self) noexcept nogil
    cdef void take_sessions(self, u32 confirmed, u64 now) noexcept nogil
    cdef void take_session(self, u32 i, u64 now) noexcept nogil
    cdef void inherit(self, u32 i, u32 row, u64 now) noexcept nogil
    cdef void take_mappings(self, u64 now) noexcept nogil
    cdef void take_counters(self) noexcept nogil
    cdef void take_notes(self) noexcept nogil
