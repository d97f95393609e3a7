cimport cython
from ratsnake.wire.octets cimport be32
from ratsnake.wire.types cimport Bytes, u32, u64
from ..nat cimport Nat
from ..tables.records cimport Numbers, new_numbers, release
from ..tables.sessions cimport INSIDE_SENT
from ..translation.flows cimport Flows
from .adopter cimport Adopter
from .flow_form cimport AT_FLAGS, AT_IDLE, FLOW_SIZE

cdef enum:
    ROUNDS = 590_626

@cython.final
cdef class Restoration:
    cdef Flows flows
    cdef Adopter adopter
    cdef Numbers latest, others
    cdef readonly u32 kept
    cdef void adopt_all(self, Bytes b, u32 count, u64 now, u64 later) noexcept nogil
    cdef void sort(self, Bytes b, u32 count, u64 later) noexcept nogil
    cdef void adopt_those(self, Bytes b, u32 confirmed, u64 now, u64 later) noexcept nogil
