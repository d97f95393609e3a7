from ratsnake.wire.byte_order cimport be16, be32
from ratsnake.wire.packet_fields cimport Packet
from ratsnake.wire.tcp cimport ACKNOWLEDGMENT, SEQUENCE, WINDOW
from ratsnake.wire.tcp_options cimport WINDOW_SCALE, WINDOW_SCALE_LENGTH, find_option
from ratsnake.wire.integer_types cimport Bytes, M32, u32
from ..rules.connection_states cimport FLAG_ACK, FLAG_SYN
from ..tables.row_layouts cimport Sessions
from ..tables.session_table cimport INSIDE_SYN, OUTSIDE_SCALES, WINDOW_OF_SYN
from ..rules.timeout_classes cimport TCP_ESTABLISHED

cdef enum:
    LARGEST_SCALE = 14

cdef u32 scale_of(Bytes b, Packet p) noexcept nogil
cdef void inside_sent(Sessions s, u32 i, Bytes b, Packet p) noexcept nogil
cdef void outside_synchronized(Sessions s, u32 i, Bytes b, Packet p) noexcept nogil
cdef void note_outside_scale(Sessions s, u32 i, Bytes b, Packet p) noexcept nogil
cdef bint in_window(Sessions s, u32 i, Bytes b, Packet p) noexcept nogil
