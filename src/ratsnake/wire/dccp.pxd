from .header_faults cimport DCCP_HEADER, NO_FAULT
from .byte_order cimport be16
from .packet_fields cimport Packet
from .integer_types cimport Bytes, u32

cdef enum:
    SOURCE_PORT = 0
    DESTINATION_PORT = 2
    DATA_OFFSET = 4
    CHECKSUM = 6
    TYPE = 8
    HEADER = 12
    LONG_HEADER = 16
    EXTENDED = 1
    DATA = 2
    ACKNOWLEDGMENT = 3
    DATA_ACKNOWLEDGMENT = 4

cdef u32 parse_dccp(Bytes b, Packet p) noexcept nogil
