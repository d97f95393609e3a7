from ratsnake.wire.byte_order cimport put16, put32, put64
from ratsnake.wire.integer_types cimport Bytes, u32, u64
from ..translation.flow_lifecycle cimport Flows
from ..rules.behaviour_codes cimport EIM, STATIC
from ..tables.row_layouts cimport Mappings, Partners, Sessions

cdef enum:
    FLOW_SIZE = 126
    AT_INTERNAL = 0
    AT_REMOTE = 16
    AT_EXTERNAL = 32
    AT_PARTNER = 48
    AT_PACKETS_OUT = 64
    AT_BYTES_OUT = 72
    AT_PACKETS_IN = 80
    AT_BYTES_IN = 88
    AT_AGE = 96
    AT_IDLE = 104
    AT_INSIDE_NEXT = 108
    AT_INTERNAL_PORT = 112
    AT_EXTERNAL_PORT = 114
    AT_REMOTE_PORT = 116
    AT_PARTNER_PORT = 118
    AT_INSIDE_WINDOW = 120
    AT_PROTOCOL = 122
    AT_STATE = 123
    AT_FLAGS = 124
    AT_TRAITS = 125
    SCALE_BITS = 0x0F
    FILTER_SHIFT = 4
    FILTER_BITS = 3
    IS_FORWARDED = 0x80

cdef void write_flow(Flows flows, u32 i, u64 now, Bytes b, u32 at) noexcept nogil
