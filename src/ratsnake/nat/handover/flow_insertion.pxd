cimport cython
from ratsnake.wire.byte_order cimport be16, be32, be64
from ratsnake.wire.packet_fields cimport ICMP, OTHER, PROTOCOLS, Packet, new_packet, release_packet
from ratsnake.wire.integer_types cimport Bytes, M40, M48, u32, u64
from ..translation.session_admission cimport make_static, passes_filter
from ..allocation.exact_endpoint_check cimport claim
from ..rules.connection_states cimport INIT, OPEN, STATES
from .flow_record cimport (
    AT_AGE, AT_BYTES_IN, AT_BYTES_OUT, AT_EXTERNAL, AT_EXTERNAL_PORT, AT_FLAGS, AT_IDLE,
    AT_INSIDE_NEXT, AT_INSIDE_WINDOW, AT_INTERNAL, AT_INTERNAL_PORT, AT_PACKETS_IN, AT_PACKETS_OUT,
    AT_PARTNER, AT_PARTNER_PORT, AT_PROTOCOL, AT_REMOTE, AT_REMOTE_PORT, AT_STATE, AT_TRAITS,
    FILTER_BITS, FILTER_SHIFT, IS_FORWARDED, SCALE_BITS,
)
from ..translation.flow_lifecycle cimport Flows
from ..rules.behaviour_codes cimport STATIC
from ..tables.row_layouts cimport (
    Mappings, NONE32, Numbers, Octets, Sessions, new_numbers, new_octets, release,
)
from ..tables.session_table cimport (
    COUNTED, INSIDE_SENT, INSIDE_SYN, OPENED_OUTSIDE, OUTSIDE_SCALES, WINDOW_OF_SYN,
)
from ..rules.timeout_classes cimport TIMERS
from ..translation.tcp_reset_window cimport LARGEST_SCALE

cdef bint is_ipv4(u64 high, u64 low) noexcept nogil

@cython.final
cdef class FlowInserter:
    cdef Flows flows
    cdef Packet packet
    cdef Octets timers
    cdef Numbers places
    cdef u32 external, external_port, partner_port
    cdef u64 partner_high, partner_low
    cdef void begin(self) noexcept nogil
    cdef u32 insert(self, Bytes b, u32 at, u64 now, u64 later) noexcept nogil
    cdef bint read(self, Bytes b, u32 at) noexcept nogil
    cdef bint may_be_remote(self, u64 high, u64 low) noexcept nogil
    cdef bint has_room(self, u32 opener) noexcept nogil
    cdef u32 mapping_of(self, u32 traits, u32 opener, bint confirmed, u64 now) noexcept nogil
    cdef bint is_known(self) noexcept nogil
    cdef u32 forwarded(self, u32 forward, u64 now) noexcept nogil
    cdef u32 found_inside(self) noexcept nogil
    cdef bint is_same(self, u32 m) noexcept nogil
    cdef u32 alike(self) noexcept nogil
    cdef u32 made_for_partner(self, u64 now) noexcept nogil
    cdef u32 claimed(self, u64 now) noexcept nogil
    cdef bint admits(self, u32 m, u32 traits, u64 now) noexcept nogil
    cdef void place(self, u32 i, u32 timer, u64 expires) noexcept nogil
