from .faults cimport NO_FAULT, SCTP_HEADER
from .octets cimport be16
from .packet cimport Packet, WHOLE
from .types cimport Bytes, u32

cdef enum:
    SOURCE_PORT = 0
    DESTINATION_PORT = 2
    VERIFICATION_TAG = 4
    CHECKSUM = 8
    HEADER = 12
    CHUNK_TYPE = 12
    CHUNK_LENGTH = 14
    CHUNK_HEAD = 4
    DATA = 0
    INIT = 1
    INIT_ACKNOWLEDGMENT = 2
    ABORT = 6
    SHUTDOWN = 7
    SHUTDOWN_ACKNOWLEDGMENT = 8
    SHUTDOWN_COMPLETE = 14

cdef u32 parse_sctp(Bytes b, Packet p) noexcept nogil
