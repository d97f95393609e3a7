cimport cython
from ratsnake.wire.types cimport u32, u64
from .adopter cimport Adopter
from .flow_form cimport FLOW_SIZE, write_flow
from ..translation.flows cimport Flows
from ..tables.mappings cimport FREE
from ..nat cimport Nat
from ..rules.reasons cimport REASONS_COUNT
from ..tables.records cimport Mappings, Numbers, Octets, Sessions, new_numbers, new_octets, release
from .remnants cimport leave_remnants
from ..tables.sessions cimport INSIDE_SENT
from ..rules.timers cimport TIMERS

cdef enum:
    ALL = 0xFFFFFFFF

@cython.final
cdef class Succession:
    cdef Nat old, new
    cdef Flows before, after
    cdef Adopter adopter
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
