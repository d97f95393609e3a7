cimport cython
from ratsnake.wire.ipv4 cimport parse
from ratsnake.wire.packet cimport ICMP, Packet, TCP, new_packet, release_packet
from ratsnake.wire.types cimport Bytes, M16, M32, u32, u64
from .admission cimport admit_inbound, admit_outbound
from .errors cimport inbound_error, outbound_error
from .flows cimport Flows
from .reasons cimport NO_MAPPING, REASONS_COUNT, SOURCE, TCP_FLAGS, TRANSLATED
from .records cimport Octets, Sessions, Words, new_octets, new_words, release
from .rewrite cimport DESTINATION_PORT, IP_DESTINATION, IP_SOURCE, SOURCE_PORT, rewrite
from .sessions cimport INSIDE_SENT, OPENED_OUTSIDE
from .tcp cimport CLIENT, EVENTS, FLAG_COMBINATIONS, INVALID, RST, SERVER, STATES

@cython.final
cdef class Nat:
    cdef Flows flows
    cdef Packet packet
    cdef Octets transitions, events, timers
    cdef Words drops
    cdef u64 clock, packets_out, bytes_out, packets_in, bytes_in
    cdef readonly object settings
    cdef u32 process(self, Bytes b, u32 size, bint partial, u64 now) noexcept nogil
    cdef void refuse(self, u32 reason) noexcept nogil
    cdef u32 route(self, Bytes b, u32 size, bint partial) noexcept nogil
    cdef u32 error(self, Bytes b, u32 size, bint outbound, bint partial) noexcept nogil
    cdef u32 outbound(self, Bytes b, u32 size, bint partial) noexcept nogil
    cdef u32 inbound(self, Bytes b, u32 size, u32 external, bint partial) noexcept nogil
    cdef u32 hairpin(self, Bytes b, u32 size, u32 external, bint partial) noexcept nogil
    cdef void advance(self, u32 i, u32 event, u32 side) noexcept nogil
