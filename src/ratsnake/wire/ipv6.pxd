# C side of ipv6.py.
from .integer_types cimport MAPPED_IPV4, u64

cdef enum:
    PAYLOAD_LENGTH = 4
    NEXT_HEADER = 6
    HOP_LIMIT = 7
    SOURCE = 8
    DESTINATION = 24
    HEADER = 40
    FRAGMENT_IDENTIFICATION = 4
    FRAGMENT_HEADER_SIZE = 8
    MORE_FRAGMENTS = 1

cdef inline bint is_mapped(u64 high, u64 low) noexcept nogil:
    return high == 0 and (low >> 32) == (MAPPED_IPV4 >> 32)
