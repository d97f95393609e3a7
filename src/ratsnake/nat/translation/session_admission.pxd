from ratsnake.wire.packet_fields cimport ICMP, Packet
from ratsnake.wire.integer_types cimport u32, u64
from .flow_lifecycle cimport Flows
from .flow_eviction cimport half_open_gives_way, mapping_gives_way, session_gives_way
from ..tables.mapping_table cimport FREE
from ..rules.behaviour_codes cimport ADM, APDF, EIF, STATIC
from ..rules.drop_reasons cimport (
    CONFLICT, DESTINATION, FILTERED, HOST_LIMIT, HOST_RATE, INBOUND_LIMIT, MAPPING_LIMIT,
    NOT_SYN, NO_MAPPING, NO_PORT, NO_SESSION, SESSION_LIMIT, SOURCE, STATUS_REQUEST, TRANSLATED,
)
from ..tables.row_layouts cimport Mappings
from ..tables.session_table cimport COUNTED, OPENED_OUTSIDE
from ..rules.timeout_classes cimport ROOM

cdef enum:
    PORTS_LOOKED_AT = 8

cdef u32 not_opening(u32 protocol) noexcept nogil
cdef bint has_session_room(Flows flows, u64 now) noexcept nogil
cdef u32 admit_outbound(Flows flows, Packet p, bint opens, u64 now) noexcept nogil
cdef u32 outbound_mapping(Flows flows, Packet p, u64 now) noexcept nogil
cdef u32 make_static(Flows flows, u32 protocol, u32 forward, u32 external_port, u64 now) noexcept nogil
cdef u32 dynamic_mapping(Flows flows, Packet p, u32 host, u64 now) noexcept nogil
cdef bint reclaim(Flows flows, Packet p, u64 now) noexcept nogil
cdef bint passes_filter(Flows flows, u32 mapping, u64 remote_high, u64 remote_low, u64 now) noexcept nogil
cdef u32 admit_inbound(Flows flows, Packet p, u32 external, bint opens, u64 now) noexcept nogil
cdef u32 inbound_mapping(Flows flows, Packet p, u32 external, u64 now) noexcept nogil
