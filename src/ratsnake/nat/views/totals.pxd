from ratsnake.wire.packet_fields cimport PROTOCOLS
from ratsnake.wire.integer_types cimport u32, u64
from ..error_responses.error_policy cimport ErrorPolicy
from .packet_loop_call cimport PacketLoopCall
from ..translation.flow_lifecycle cimport Flows
from ..rules.drop_reasons cimport FRAGMENT_HELD, REASONS_COUNT
from ..tables.row_layouts cimport Words, new_words, release
from .traffic_counters cimport Traffic

cdef class Totals(PacketLoopCall):
    cdef Flows flows
    cdef ErrorPolicy error_policy
    cdef Traffic traffic
    cdef Words drops, used, ports
    cdef u64 packets_out, bytes_out, packets_in, bytes_in, sent, made, opened, gave_way
    cdef u32 mappings, sessions, inbound_sessions, hosts
    cdef void run(self) noexcept nogil
