# C side of row_copies.py.
from libc.stdlib cimport calloc
from ratsnake.wire.integer_types cimport u8, u16, u32, u64

ctypedef struct SessionCopyFields:
    u64 internal_high, internal_low, remote_high, remote_low
    u64 expires, packets_out, bytes_out, packets_in, bytes_in
    u16 internal_port, external, external_port, remote_port
    u8 protocol, state, flags

ctypedef struct MappingCopyFields:
    u64 internal_high, internal_low, remote_high, remote_low
    u64 created
    u32 sessions
    u16 internal_port, external, external_port, remote_port
    u8 protocol, depends, is_static

ctypedef SessionCopyFields* SessionCopies
ctypedef MappingCopyFields* MappingCopies

cdef inline SessionCopies new_session_copies(size_t n) except NULL:
    cdef void* p = calloc(n if n else 1, sizeof(SessionCopyFields))
    if p == NULL:
        raise MemoryError
    return <SessionCopies>p

cdef inline MappingCopies new_mapping_copies(size_t n) except NULL:
    cdef void* p = calloc(n if n else 1, sizeof(MappingCopyFields))
    if p == NULL:
        raise MemoryError
    return <MappingCopies>p
