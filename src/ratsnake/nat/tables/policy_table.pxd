cimport cython
from .records cimport Policies, new_policies, release

@cython.final
cdef class PolicyTable:
    cdef Policies rows
