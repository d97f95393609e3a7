from .header_faults cimport NO_FAULT, SCTP_HEADER
from .byte_order cimport be16
from .packet_fields cimport Packet, WHOLE
from .integer_types cimport Bytes, u32

cdef enum:
    SOURCE_PORT = 0
    DESTINATION_PORT = 2
    CHECKSUM = 8
    HEADER = 12
    CHUNK_TYPE = 12
    CHUNK_LENGTH = 14
    CHUNK_HEAD = 4

cdef u32 parse_sctp(Bytes b, Packet p) noexcept nogil
