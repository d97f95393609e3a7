cimport cython
from ratsnake.wire.checksum cimport difference16, difference32
from ratsnake.wire.packet cimport Packet, TCP
from ratsnake.wire.types cimport M32, u32, u64
from .endpoints cimport EndpointMemory
from .generator cimport Generator
from .mappings cimport MappingTable
from .policies cimport ADF, DISTINCT, EIM, EXCLUSIVE, SEQUENTIAL
from .policy_table cimport PolicyTable
from .ports cimport PortPools
from .reasons cimport MAPPING_LIMIT, NO_PORT, TRANSLATED
from .records cimport Mappings, NONE32, Sessions, Words, new_words, release
from .scope cimport Scope
from .secret cimport Secret
from .selection cimport PortSelector
from .sessions cimport INSIDE_SENT, LIVE, OPENED_OUTSIDE, SessionTable
from .tally cimport PERMITTED_ADDRESS, PORTS_TOWARD_REMOTE, PORT_OF_ENDPOINT, Tally
from .tcp cimport INIT, OPEN
from .timers cimport SWEEP, TIMERS

@cython.final
cdef class Flows:
    cdef Secret secret
    cdef PolicyTable policies
    cdef Words timeouts
    cdef Scope scope
    cdef Generator generator
    cdef PortPools pools
    cdef MappingTable mappings
    cdef SessionTable sessions
    cdef EndpointMemory endpoints
    cdef Tally tally
    cdef PortSelector selector
    cdef readonly u32 inbound_sessions, inbound_limit, unanswered_limit
    cdef u32 refusal
    cdef u32 timer_of_protocol[3]
    cdef bint remembers(self, u32 protocol) noexcept nogil
    cdef bint permits_by_address(self, u32 protocol) noexcept nogil
    cdef u32 pool_of(self, u32 protocol, u32 external) noexcept nogil
    cdef u32 make_mapping(self, Packet p, u32 remote_port, u64 now) noexcept nogil
    cdef u32 open_session(self, u32 mapping, u64 remote_high, u64 remote_low, u32 remote_port, u32 opener, u64 now) noexcept nogil
    cdef u32 try_mapping(self, Packet p, u32 remote_port, u64 now) noexcept nogil
    cdef void confirm(self, u32 i) noexcept nogil
    cdef void join(self, u32 i) noexcept nogil
    cdef void leave(self, u32 i) noexcept nogil
    cdef void detach(self, u32 i) noexcept nogil
    cdef void end_session(self, u32 i) noexcept nogil
    cdef void end_mapping(self, u32 m) noexcept nogil
    cdef bint alive(self, u32 m, u64 now) noexcept nogil
    cdef bint shows_life(self, u32 m, u64 now) noexcept nogil
    cdef bint permits(self, u32 m, u64 remote_high, u64 remote_low, u64 now) noexcept nogil
    cdef u32 expire(self, u64 now, u32 budget) noexcept nogil
