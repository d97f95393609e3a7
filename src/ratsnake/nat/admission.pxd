from ratsnake.wire.icmp cimport ECHO_REQUEST
from ratsnake.wire.packet cimport ICMP, Packet, TCP
from ratsnake.wire.types cimport u32, u64
from .flows cimport Flows
from .policies cimport APDF, EIF
from .reasons cimport (
    DESTINATION, FILTERED, INBOUND_LIMIT, NOT_SYN, NO_MAPPING, NO_SESSION, SESSION_LIMIT, SOURCE,
    STATUS_REQUEST, TRANSLATED,
)
from .records cimport Mappings
from .sessions cimport OPENED_OUTSIDE
from .timers cimport SWEEP
from .tcp cimport FLAG_ACK, FLAG_SYN

cdef u32 opens(Packet p) noexcept nogil
cdef bint passes_filter(Flows flows, u32 mapping, u64 remote_high, u64 remote_low, u64 now) noexcept nogil
cdef u32 admit_outbound(Flows flows, Packet p, u64 now) noexcept nogil
cdef u32 admit_inbound(Flows flows, Packet p, u32 external, u64 now) noexcept nogil
