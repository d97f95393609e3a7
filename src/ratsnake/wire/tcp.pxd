from .header_faults cimport NO_FAULT, TCP_HEADER_LENGTH, TCP_TRUNCATED
from .byte_order cimport be16
from .packet_fields cimport Packet, TCP
from .integer_types cimport Bytes, u32

cdef enum:
    SOURCE_PORT = 0
    DESTINATION_PORT = 2
    SEQUENCE = 4
    ACKNOWLEDGMENT = 8
    DATA_OFFSET = 12
    FLAGS = 13
    WINDOW = 14
    CHECKSUM = 16
    HEADER = 20

cdef u32 parse_tcp(Bytes b, Packet p) noexcept nogil
