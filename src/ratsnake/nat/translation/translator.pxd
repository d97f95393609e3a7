cimport cython
from ratsnake.wire.ip cimport parse
from ratsnake.wire.ipv4 cimport DONT_FRAGMENT, FRAGMENT_FIELD
from ratsnake.wire.octets cimport be16
from ratsnake.wire.packet cimport (
    ICMP, OTHER, Packet, TCP, WHOLE, new_packet, release_packet,
)
from ratsnake.wire.types cimport Bytes, M16, M40, M48, u32, u64
from .admission cimport admit_inbound, admit_outbound
from ..rules.connection cimport (
    CLIENT, EVENTS, FLAG_SYN, INVALID, KINDS, OPEN, RST, SERVER, STATES, SYN, SYN_ACK,
)
from ..rules.connection cimport OTHER as SEGMENT
from .errors cimport inbound_error, outbound_error, quoted_high, quoted_low
from .flows cimport Flows
from ..packets.identifications cimport Identifications
from ..rules.reasons cimport FILTERED, NO_MAPPING, SOURCE, TCP_FLAGS, TRANSLATED
from ..tables.records cimport Mappings, Octets, Sessions, new_octets, release
from ..packets.rewrite cimport RECEIVER, SENDER, renumber, rewrite
from ..packets.segment_size cimport clamp
from ..tables.sessions cimport ANSWERED, INSIDE_SENT, OPENED_OUTSIDE
from ..rules.timers cimport ROOM, TCP_ESTABLISHED
from .window cimport in_window, inside_sent, outside_synchronized

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
