cimport cython
from ratsnake.wire.checksum cimport difference128, difference16
from ratsnake.wire.packet_fields cimport PROTOCOLS, Packet
from ratsnake.wire.integer_types cimport u32, u64
from ..allocation.endpoint_allocator cimport Allocator
from ..events.event_recorder cimport Events
from ..settings.forward_table cimport Forwards
from ..settings.host_policies cimport HostPolicies
from ..tables.random_generator cimport Generator
from ..tables.host_table cimport HostTable
from ..tables.mapping_table cimport MappingTable
from ..rules.behaviour_codes cimport STATIC
from ..tables.behaviour_by_protocol cimport PolicyTable
from ..rules.drop_reasons cimport (
    ADDRESS_LOST, HOST_LIMIT, MAPPING_LIMIT, NO_PORT, SESSION_LIMIT, TRANSLATED,
)
from ..tables.row_layouts cimport Mappings, Sessions, Words, new_words, release
from ..settings.address_realm cimport AddressRealm
from ..tables.hash_secret cimport Secret
from ..tables.session_table cimport ANSWERED, COUNTED, INSIDE_SENT, OPENED_OUTSIDE, SessionTable
from ..allocation.counter_table cimport PERMITTED_ADDRESS, CounterTable, owner_of
from ..rules.timeout_classes cimport ROOM, TIMERS

cdef enum:
    MOST_LOOKED_AT = 64

@cython.final
cdef class Flows:
    cdef Secret secret
    cdef Generator generator
    cdef PolicyTable policies
    cdef HostPolicies host_policies
    cdef Words timeouts
    cdef AddressRealm realm
    cdef Forwards forwards
    cdef MappingTable mappings
    cdef SessionTable sessions
    cdef HostTable hosts
    cdef CounterTable counters
    cdef Allocator allocator
    cdef Events events
    cdef readonly u32 inbound_sessions, inbound_limit, unanswered_limit
    cdef u32 host_mappings, host_sessions, host_rate
    cdef u32 refusal
    cdef u64 rest, patience
    cdef readonly u64 gave_way
    cdef u32 host_share[STATIC]
    cdef u32 timer_of_protocol[PROTOCOLS]
    cdef u32 first_state[PROTOCOLS]
    cdef u32 policy_of(self, Packet p) noexcept nogil
    cdef u32 share_of(self, Packet p) noexcept nogil
    cdef u32 make_mapping(self, Packet p, u32 host, u64 now) noexcept nogil
    cdef u32 enter_mapping(self, Packet p, u32 host, u64 now) noexcept nogil
    cdef void complete(self, u32 m, u32 host, u64 now) noexcept nogil
    cdef u32 open_session(self, u32 mapping, u64 remote_high, u64 remote_low, u32 remote_port, u32 opener, u64 now) noexcept nogil
    cdef void confirm(self, u32 i) noexcept nogil
    cdef void count_confirmed(self, u32 i) noexcept nogil
    cdef void join(self, u32 i) noexcept nogil
    cdef void leave(self, u32 i) noexcept nogil
    cdef void answer(self, u32 i) noexcept nogil
    cdef void detach(self, u32 i, u64 ended) noexcept nogil
    cdef u32 end_session(self, u32 i, u64 now) noexcept nogil
    cdef void end_mapping(self, u32 m, u64 ended) noexcept nogil
    cdef bint alive(self, u32 m, u64 now) noexcept nogil
    cdef bint meets(self, u32 i, u64 now) noexcept nogil
    cdef bint shows_life(self, u32 m, u64 now) noexcept nogil
    cdef bint permits(self, u32 m, u64 remote_high, u64 remote_low, u64 now) noexcept nogil
    cdef u32 expire(self, u64 now, u32 budget) noexcept nogil
