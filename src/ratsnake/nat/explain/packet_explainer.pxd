cimport cython
from ratsnake.wire.ipv6 cimport DESTINATION as DESTINATION_AT, SOURCE as SOURCE_AT
from ratsnake.wire.byte_order cimport be64, put64
from ratsnake.wire.packet_fields cimport ICMP, OTHER, Packet
from ratsnake.wire.integer_types cimport u32, u64
from ..translation.session_admission cimport not_opening, passes_filter
from ..rules.connection_states cimport INVALID, KINDS
from ..translation.flow_lifecycle cimport Flows
from ..translation.flow_eviction cimport oldest_half_open
from .read_only_lookup cimport ReadOnlyLookup
from ..rules.behaviour_codes cimport STATIC
from .allocation_preview cimport AllocationPreview
from ..rules.drop_reasons cimport (
    ADDRESS_LOST, CONFLICT, DESTINATION, FILTERED, HOST_LIMIT, HOST_RATE, INBOUND_LIMIT,
    MAPPING_LIMIT, NO_MAPPING, NO_PORT, REASONS_COUNT, SESSION_LIMIT, SOURCE, STATUS_REQUEST, TCP_FLAGS,
    TRANSLATED,
)
from ..tables.row_layouts cimport Mappings

@cython.final
cdef class Walk(ReadOnlyLookup):
    pass
