from .tcp cimport DATA_OFFSET, HEADER
from .integer_types cimport Bytes, u32

cdef enum:
    END_OF_OPTIONS = 0
    NO_OPERATION = 1
    MAXIMUM_SEGMENT_SIZE = 2
    MAXIMUM_SEGMENT_SIZE_LENGTH = 4
    WINDOW_SCALE = 3
    WINDOW_SCALE_LENGTH = 3

cdef u32 find_option(Bytes b, u32 t, u32 kind, u32 length) noexcept nogil
