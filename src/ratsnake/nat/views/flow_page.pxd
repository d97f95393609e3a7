from cpython.bytes cimport PyBytes_FromStringAndSize
from ratsnake.wire.types cimport u32, u64
from ..rules.timers cimport TIMERS
from ..succession.flow_form cimport FLOW_SIZE, write_flow
from ..tables.records cimport Octets, Sessions, new_octets, release
from ..translation.flows cimport Flows
from .errand cimport Errand

cdef inline bytes octets_of(Octets b, u32 size):
    return PyBytes_FromStringAndSize(<char*>b, size)

cdef class FlowPage(Errand):
    cdef Flows flows
    cdef Octets forms
    cdef u32 first, count, size, next
    cdef u64 now
    cdef void run(self) noexcept nogil
