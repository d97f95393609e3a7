cimport cython
from ratsnake.wire.ip cimport parse
from ratsnake.wire.ipv4 cimport DONT_FRAGMENT, FRAGMENT_FIELD
from ratsnake.wire.byte_order cimport be16
from ratsnake.wire.packet_fields cimport (
    ICMP, OTHER, Packet, TCP, WHOLE, new_packet, release_packet,
)
from ratsnake.wire.integer_types cimport Bytes, M16, M40, M48, u32, u64
from .session_admission cimport admit_inbound, admit_outbound
from ..rules.connection_states cimport (
    CLIENT, EVENTS, FLAG_SYN, INVALID, KINDS, OPEN, RST, SERVER, STATES, SYN, SYN_ACK,
)
from ..rules.connection_states cimport OTHER as SEGMENT
from .icmp_error_translation cimport inbound_error, outbound_error, quoted_high, quoted_low
from .flow_lifecycle cimport Flows
from ..packets.ipv4_identification cimport Identifications
from ..rules.drop_reasons cimport FILTERED, NO_MAPPING, SOURCE, TCP_FLAGS, TRANSLATED
from ..tables.row_layouts cimport Mappings, Octets, Sessions, new_octets, release
from ..packets.header_rewrite cimport RECEIVER, SENDER, renumber, rewrite
from ..packets.mss_clamping cimport clamp
from ..tables.session_table cimport ANSWERED, INSIDE_SENT, OPENED_OUTSIDE
from ..rules.timeout_classes cimport ROOM, TCP_ESTABLISHED
from .tcp_reset_window cimport in_window, inside_sent, outside_synchronized

@cython.final
cdef class Translator:
    cdef Flows flows
    cdef Identifications identifications
    cdef Packet packet
    cdef Octets transitions, events, openers, timers
    cdef u32 most_ipv4, most_ipv6
    cdef u64 clock
    cdef u32 external, session
    cdef bint is_outbound, departed, intact, inbound_refresh
    cdef u32 route(self, Bytes b, u32 size, bint partial) noexcept nogil
    cdef u32 error(self, Bytes b, u32 size, bint partial) noexcept nogil
    cdef u32 outbound(self, Bytes b, bint partial) noexcept nogil
    cdef void renumber_outbound(self, Bytes b) noexcept nogil
    cdef u32 inbound(self, Bytes b, u32 size, u32 external, bint partial) noexcept nogil
    cdef u32 hairpin(self, Bytes b, u32 size, u32 external, bint partial) noexcept nogil
    cdef bint opens(self) noexcept nogil
    cdef void advance(self, u32 i, u32 event, u32 side) noexcept nogil
    cdef void clamp_segments(self, Bytes b, bint partial) noexcept nogil
