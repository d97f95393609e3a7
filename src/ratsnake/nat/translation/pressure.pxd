from ratsnake.wire.packet cimport Packet
from ratsnake.wire.types cimport u32, u64
from .flows cimport Flows
from ..rules.policies cimport STATIC
from ..rules.reasons cimport MAPPING_LIMIT, NO_PORT
from ..rules.timers cimport ROOM, TCP_OPENING, TIMERS
from ..tables.mappings cimport FREE
from ..tables.records cimport Mappings, Sessions
from ..tables.sessions cimport COUNTED

cdef enum:
    CANDIDATES = 16
    MOST_SESSIONS = 64

cdef u64 patience_with(Flows flows, Packet p) noexcept nogil
cdef bint may_give_way(Flows flows, u32 m, u64 patience, u64 now) noexcept nogil
cdef u32 some_mapping(Flows flows) noexcept nogil
cdef bint helps(Flows flows) noexcept nogil
cdef bint is_anywhere(Flows flows, Packet p) noexcept nogil
cdef bint mapping_gives_way(Flows flows, Packet p, u64 now) noexcept nogil
cdef bint session_may_give_way(Flows flows, u32 i, u64 patience, u64 now) noexcept nogil
cdef bint session_gives_way(Flows flows, Packet p, u64 now) noexcept nogil
cdef u32 oldest_half_open(Flows flows, u64 now) noexcept nogil
cdef bint half_open_gives_way(Flows flows, u64 now) noexcept nogil
