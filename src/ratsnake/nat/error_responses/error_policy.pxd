cimport cython
from ratsnake.wire.packet_fields cimport LATER, Packet, TCP
from ratsnake.wire.integer_types cimport Bytes, u32, u64
from .token_bucket cimport TokenBucket
from ..translation.flow_lifecycle cimport Flows
from ..packets.output_queue cimport OutputQueue
from ..packets.packet_pool cimport PacketPool
from ..rules.drop_reasons cimport FILTERED, NO_MAPPING, REASONS_COUNT
from ..tables.row_layouts cimport Mappings, Octets, Sessions, new_octets, release
from .icmp_errors cimport (
    ERROR_SIZE, HOST_UNREACHABLE, NO_ROUTE, PORT_UNREACHABLE, PROHIBITED, TIME_EXCEEDED, error_about,
)
from ..settings.address_realm cimport AddressRealm
from .unsolicited_syns cimport UnsolicitedSyns

@cython.final
cdef class ErrorPolicy:
    cdef AddressRealm realm
    cdef PacketPool packet_pool
    cdef OutputQueue output_queue
    cdef TokenBucket inside, outside
    cdef UnsolicitedSyns syns
    cdef Octets told, error, kept
    cdef u32 refused, source_ipv4, source_ipv6
    cdef bint muted, hold_syns
    cdef readonly u64 sent
    cdef void refuse_outbound(self, Bytes b, Packet p, u32 reason, u64 now) noexcept nogil
    cdef void refuse_inbound(self, Bytes b, Packet p, u32 reason, u32 external, u64 now) noexcept nogil
    cdef void connecting(self, Flows flows, u32 i) noexcept nogil
    cdef void hops_used_up(self, Bytes b, Packet p, u64 now) noexcept nogil
    cdef void no_way(self, Bytes b, Packet p, u64 now) noexcept nogil
    cdef u32 row_for(self, u32 version) noexcept nogil
    cdef void send(self, Bytes b, Packet p, u32 reply, u32 row, u64 now) noexcept nogil
    cdef void push(self, u32 size) noexcept nogil
    cdef void answer_syns(self, u64 now) noexcept nogil
