cimport cython
from ratsnake.wire.byte_order cimport be32
from ratsnake.wire.integer_types cimport Bytes, u32, u64
from ..nat cimport Nat
from ..tables.row_layouts cimport Numbers, new_numbers, release
from ..tables.session_table cimport INSIDE_SENT
from ..translation.flow_lifecycle cimport Flows
from .flow_insertion cimport FlowInserter
from .flow_record cimport AT_FLAGS, AT_IDLE, FLOW_SIZE

cdef enum:
    ROUNDS = 590_626

@cython.final
cdef class Restoration:
    cdef Flows flows
    cdef FlowInserter inserter
    cdef Numbers latest, others
    cdef readonly u32 kept
    cdef void insert_all(self, Bytes b, u32 count, u64 now, u64 later) noexcept nogil
    cdef void sort(self, Bytes b, u32 count, u64 later) noexcept nogil
    cdef void insert_those(self, Bytes b, u32 confirmed, u64 now, u64 later) noexcept nogil
