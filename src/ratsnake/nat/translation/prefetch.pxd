cimport cython
from ratsnake.wire.ipv4 cimport (
    DESTINATION as DESTINATION4, FRAGMENT_FIELD, HEADER as HEADER4, MORE_OR_OFFSET, PROTOCOL_FIELD,
    SOURCE as SOURCE4,
)
from ratsnake.wire.ipv6 cimport (
    DESTINATION as DESTINATION6, HEADER as HEADER6, NEXT_HEADER, SOURCE as SOURCE6,
)
from ratsnake.wire.byte_order cimport be16, be32, be64
from ratsnake.wire.packet_fields cimport IPPROTO_TCP, IPPROTO_UDP, TCP, UDP
from ratsnake.wire.integer_types cimport Bytes, MAPPED_IPV4, u32, u64
from .flow_lifecycle cimport Flows
from ..tables.row_layouts cimport (
    Numbers, Octets, Sessions, Words, new_numbers, new_octets, new_words, prefetch_mapping,
    prefetch_session, release,
)

cdef enum:
    MOST = 64
    WORTHWHILE = 4096
    UNKNOWN = 0
    OUTBOUND = 1
    INBOUND = 2

@cython.final
cdef class Prefetcher:
    cdef Flows flows
    cdef Numbers tags, rows, ports
    cdef Words addresses
    cdef Octets ways, protocols
    cdef bint is_worthwhile(self) noexcept nogil
    cpdef void note(self, Bytes b, u32 size, u32 k) noexcept nogil
    cdef void announce(self, u32 k, u32 number, u64 source_high, u64 source_low, u64 destination_high, u64 destination_low, u32 ports) noexcept nogil
    cdef void announce_new(self, u32 k) noexcept nogil
    cpdef void fetch(self, u32 count, u64 now) noexcept nogil
