from .header_faults cimport NO_FAULT, UDP_LENGTH, UDP_TRUNCATED
from .byte_order cimport be16
from .packet_fields cimport Packet, WHOLE
from .integer_types cimport Bytes, u32

cdef enum:
    SOURCE_PORT = 0
    DESTINATION_PORT = 2
    COVERAGE = 4
    CHECKSUM = 6
    HEADER = 8

cdef u32 parse_udplite(Bytes b, Packet p) noexcept nogil
