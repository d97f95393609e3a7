cimport cython
from ratsnake.wire.packet_fields cimport PROTOCOLS
from ..rules.behaviour_codes cimport POLICIES_OF_CLASS, SHARES, STATIC
from .row_layouts cimport (
    NONE32, Numbers, Policies, new_numbers, new_policies, release,
)

@cython.final
cdef class PolicyTable:
    cdef Policies rows
    cdef Numbers groups
