cimport cython
from ratsnake.wire.header_faults cimport FAULTS
from ratsnake.wire.packet_fields cimport LATER, Packet
from ratsnake.wire.integer_types cimport u32, u64
from .event_record cimport (
    EventRows, HAS_DURATION, HAS_REMOTE, HAS_REMOTE_PORT, IS_STATIC, LIMIT, LIMITS_WANTED,
    MAPPING_MADE, MAPPING_REMOVED, MAPPINGS_WANTED, NO_PROTOCOL, OPENED_BY_OUTSIDE, OUTBOUND,
    REFUSAL, REFUSALS_SUPPRESSED, REFUSALS_WANTED, SESSION_ENDED, SESSION_OPENED, SESSIONS_WANTED,
    Sums, new_sums,
)
from .event_ring cimport EventRing
from ..tables.mapping_table cimport MappingTable
from ..rules.behaviour_codes cimport ADM, APDM, STATIC
from ..rules.drop_reasons cimport REASONS_COUNT
from ..tables.row_layouts cimport (
    Mappings, NONE32, Octets, Sessions, Words, new_octets, new_words, release, reserved_words,
    unreserve,
)
from ..settings.address_realm cimport AddressRealm
from ..tables.session_table cimport OPENED_OUTSIDE, SessionTable

cdef enum:
    REFUSAL_INTERVAL = 500
    REFUSAL_BURST = 20
    SUMMARY_INTERVAL = 5000
    EPISODE = 60000

@cython.final
cdef class Events:
    cdef AddressRealm realm
    cdef MappingTable mappings
    cdef SessionTable sessions
    cdef readonly EventRing ring
    cdef Sums sums
    cdef Words opened, paid_until, suppressed, reached_at
    cdef Octets limits
    cdef readonly u32 wanted
    cdef readonly bint counts
    cdef bint dates, silenced
    cdef u64 summary_due
    cdef void listen(self, u32 wanted) noexcept nogil
    cdef void describe(self, u32 at, u32 m) noexcept nogil
    cdef void describe_remote(self, u32 at, u32 i) noexcept nogil
    cdef void mapping_made(self, u32 m, u64 now) noexcept nogil
    cdef void mapping_removed(self, u32 m, u64 ended) noexcept nogil
    cdef void session_opened(self, u32 i, u64 now) noexcept nogil
    cdef void session_ended(self, u32 i, u64 ended) noexcept nogil
    cdef void refused(self, Packet p, u32 reason, bint is_sound, bint outbound, u64 now) noexcept nogil
    cdef void limit_reached(self, Packet p, u32 reason, bint is_sound, bint outbound, u64 now) noexcept nogil
    cdef void describe_packet(self, u32 at, Packet p, u32 reason, bint is_sound, bint outbound) noexcept nogil
    cdef void tell_suppressed(self, u64 now) noexcept nogil
