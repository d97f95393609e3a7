cimport cython
from ratsnake.wire.header_faults cimport FAULTS, FRAGMENT, ICMP_EMBEDDED, OFFLOAD, PROTOCOL
from ratsnake.wire.ip cimport parse
from ratsnake.wire.ipv6 cimport FRAGMENT_HEADER_SIZE, FRAGMENT_IDENTIFICATION
from ratsnake.wire.byte_order cimport be32, put32
from ratsnake.wire.packet_fields cimport FIRST, Packet, SCTP, TCP, WHOLE
from ratsnake.wire.integer_types cimport Bytes, M32, u32, u64
from .error_responses.error_policy cimport ErrorPolicy
from .events.event_recorder cimport Events
from .translation.prefetch cimport Prefetcher
from .packets.fragment_tracking cimport Fragments, KNOWN, REFUSED
from .packets.output_queue cimport OutputQueue
from .packets.packet_pool cimport LARGEST, PacketPool
from .rules.drop_reasons cimport (
    FRAGMENT_HELD, FRAGMENT_LIMIT, FRAGMENT_REFUSED, HOP_LIMIT as HOPS_USED_UP, REASONS_COUNT,
    TRANSLATED, UNMAPPABLE,
)
from .tables.row_layouts cimport Octets, new_octets, release
from .packets.header_rewrite cimport RECEIVER, SENDER, readdress, renumber, take_hop
from .translation.shared_address cimport Sharing
from .translation.stateless_translation cimport Stateless
from .views.traffic_counters cimport Traffic
from .translation.packet_translator cimport Translator

cdef extern from *:
    """
    #define RATSNAKE_LATEST ((uint64_t)1 << 44)
    """
    u64 LATEST "RATSNAKE_LATEST"

@cython.final
cdef class Nat:
    cdef Translator translator
    cdef readonly Events events
    cdef readonly Prefetcher prefetcher
    cdef Stateless stateless
    cdef Sharing sharing
    cdef PacketPool packet_pool
    cdef OutputQueue output_queue
    cdef Fragments fragments
    cdef ErrorPolicy error_policy
    cdef Octets scratch
    cdef bint decrements
    cdef Traffic traffic
    cdef u64 clock
    cdef readonly object settings, overview
    cdef u32 process(self, Bytes b, u32 size, bint partial, u64 now) noexcept nogil
    cpdef bint has_many_sessions(self) noexcept nogil
    cdef void expect(self, Bytes b, u32 size, u32 k) noexcept nogil
    cdef void prepare(self, u32 count, u64 now) noexcept nogil
    cdef void refuse(self, u32 reason) noexcept nogil
    cdef void note_refusal(self, u32 reason) noexcept nogil
    cdef u32 next_outgoing(self, Bytes b) noexcept nogil
    cdef u32 sweep(self, u64 now, u32 budget) noexcept nogil
    cdef u32 carry(self, Bytes b, u32 size, bint partial) noexcept nogil
    cdef u32 unparsed(self, Bytes b, u32 size, u32 reason) noexcept nogil
    cdef u32 pass_by(self, Bytes b, u32 size, u32 otherwise) noexcept nogil
    cdef u32 whole(self, Bytes b, u32 size, bint partial) noexcept nogil
    cdef u32 fragment(self, Bytes b, u32 size) noexcept nogil
    cdef u32 first_fragment(self, u32 row, Bytes b, u32 size) noexcept nogil
    cdef void later_fragment(self, u32 row, Bytes b, u32 size) noexcept nogil
