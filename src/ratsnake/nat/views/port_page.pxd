from ratsnake.wire.packet cimport PROTOCOLS
from ratsnake.wire.types cimport u32
from .errand cimport Errand
from ..translation.flows cimport Flows
from ..tables.records cimport Numbers, new_numbers, release
from .row_filter cimport RowFilter

cdef class PortPage(Errand):
    cdef Flows flows
    cdef RowFilter wanted
    cdef Numbers used
    cdef u32 first, end
    cdef void run(self) noexcept nogil
