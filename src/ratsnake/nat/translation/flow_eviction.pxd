from ratsnake.wire.packet_fields cimport Packet
from ratsnake.wire.integer_types cimport u32, u64
from .flow_lifecycle cimport Flows
from ..rules.behaviour_codes cimport STATIC
from ..rules.drop_reasons cimport MAPPING_LIMIT, NO_PORT
from ..rules.timeout_classes cimport ROOM, TCP_OPENING, TIMERS
from ..tables.mapping_table cimport FREE
from ..tables.row_layouts cimport Mappings, Sessions
from ..tables.session_table cimport COUNTED

cdef enum:
    CANDIDATES = 16
    MOST_SESSIONS = 64

cdef u64 patience_with(Flows flows, Packet p) noexcept nogil
cdef bint may_give_way(Flows flows, u32 m, u64 patience, u64 now) noexcept nogil
cdef u32 some_mapping(Flows flows) noexcept nogil
cdef bint helps(Flows flows, Packet p) noexcept nogil
cdef bint is_anywhere(Flows flows, Packet p) noexcept nogil
cdef bint mapping_gives_way(Flows flows, Packet p, u64 now) noexcept nogil
cdef bint session_may_give_way(Flows flows, u32 i, u64 patience, u64 now) noexcept nogil
cdef bint session_gives_way(Flows flows, Packet p, u64 now) noexcept nogil
cdef u32 oldest_half_open(Flows flows, u64 now) noexcept nogil
cdef bint half_open_gives_way(Flows flows, u64 now) noexcept nogil
