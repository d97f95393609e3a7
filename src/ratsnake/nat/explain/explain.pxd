cimport cython
from ratsnake.wire.ipv6 cimport DESTINATION as DESTINATION_AT, SOURCE as SOURCE_AT
from ratsnake.wire.octets cimport be64, put64
from ratsnake.wire.packet cimport ICMP, OTHER, Packet
from ratsnake.wire.types cimport u32, u64
from ..translation.admission cimport not_opening, passes_filter
from ..rules.connection cimport INVALID, KINDS
from ..translation.flows cimport Flows
from ..translation.pressure cimport oldest_half_open
from .onlooker cimport Onlooker
from ..rules.policies cimport STATIC
from .prospect cimport Prospect
from ..rules.reasons cimport (
    ADDRESS_LOST, CONFLICT, DESTINATION, FILTERED, HOST_LIMIT, HOST_RATE, INBOUND_LIMIT,
    MAPPING_LIMIT, NO_MAPPING, NO_PORT, REASONS_COUNT, SESSION_LIMIT, SOURCE, STATUS_REQUEST, TCP_FLAGS,
    TRANSLATED,
)
from ..tables.records cimport Mappings

@cython.final
cdef class Walk(Onlooker):
    pass
