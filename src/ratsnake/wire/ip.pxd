from .ipv6_extension_headers cimport OFFSET_BITS, OFFSET_FIELD, follow_extensions
from .header_faults cimport (
    EMPTY, EXTENSION_HEADER, FRAGMENT, IP_HEADER_LENGTH, IP_LENGTH, IP_OVERLONG, IP_TRUNCATED,
    IP_VERSION,
)
from .ipv4 cimport (
    DESTINATION as DESTINATION4, FRAGMENT_FIELD, FRAGMENT_OFFSET, HEADER as HEADER4,
    IDENTIFICATION as IDENTIFICATION4, MORE_FRAGMENTS as MORE_FRAGMENTS4, MORE_OR_OFFSET,
    PROTOCOL_FIELD, SOURCE as SOURCE4, TOTAL_LENGTH,
)
from .ipv6 cimport (
    DESTINATION as DESTINATION6, FRAGMENT_HEADER_SIZE, FRAGMENT_IDENTIFICATION, HEADER as HEADER6,
    MORE_FRAGMENTS as MORE_FRAGMENTS6, NEXT_HEADER, PAYLOAD_LENGTH, SOURCE as SOURCE6, is_mapped,
)
from .byte_order cimport be16, be32, be64
from .packet_fields cimport FIRST, LATER, Packet, WHOLE
from .upper_layer cimport parse_transport
from .integer_types cimport Bytes, M8, M16, MAPPED_IPV4, u32, u64

cdef enum:
    VERSION = 0

cdef u32 parse(Bytes b, u32 size, Packet p) noexcept nogil
cdef u32 parse_ipv4(Bytes b, u32 size, Packet p) noexcept nogil
cdef u32 parse_ipv6(Bytes b, u32 size, Packet p) noexcept nogil
cdef void set_whole(Packet p) noexcept nogil
cdef bint is_bad_fragment(Packet p, u32 start, u32 counted, u32 offset, u32 more) noexcept nogil
