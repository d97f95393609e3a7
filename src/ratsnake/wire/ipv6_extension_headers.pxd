from .byte_order cimport be16
from .integer_types cimport Bytes, u32, u64

cdef enum:
    HOP_BY_HOP = 0
    ROUTING = 43
    FRAGMENT_HEADER = 44
    DESTINATION_OPTIONS = 60
    NEXT_HEADER = 0
    LENGTH = 1
    UNIT = 8
    SEGMENTS_LEFT = 3
    OFFSET_FIELD = 2
    OFFSET_BITS = 0xFFF8
    MOST = 8

cdef u64 follow_extensions(Bytes b, u32 first, u32 end, u32 number) noexcept nogil
