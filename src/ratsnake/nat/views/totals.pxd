from ratsnake.wire.packet cimport PROTOCOLS
from ratsnake.wire.types cimport u32, u64
from ..answers.answers cimport Answers
from .errand cimport Errand
from ..translation.flows cimport Flows
from ..rules.reasons cimport FRAGMENT_HELD, REASONS_COUNT
from ..tables.records cimport Words, new_words, release
from .traffic cimport Traffic

cdef class Totals(Errand):
    cdef Flows flows
    cdef Answers answers
    cdef Traffic traffic
    cdef Words drops, used, ports
    cdef u64 packets_out, bytes_out, packets_in, bytes_in, sent, made, opened, gave_way
    cdef u32 mappings, sessions, inbound_sessions, hosts
    cdef void run(self) noexcept nogil
