cimport cython
from .row_layouts cimport Policies, new_policies, release

@cython.final
cdef class PolicyTable:
    cdef Policies rows
