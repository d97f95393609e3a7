cimport cython
from ratsnake.wire.icmpv6 cimport ECHO_REQUEST
from ratsnake.wire.packet_fields cimport ICMP, IPPROTO_ICMP, OTHER, Packet, new_packet, release_packet
from ratsnake.wire.integer_types cimport u32, u64
from ..rules.connection_states cimport KINDS
from ..translation.flow_lifecycle cimport Flows
from ..rules.behaviour_codes cimport STATIC
from ..tables.row_layouts cimport Mappings, NONE32, Octets, Sessions, new_octets, release
from ..tables.session_table cimport INSIDE_SENT
from ..translation.flow_eviction cimport may_give_way, patience_with, session_may_give_way
from ..translation.shared_address cimport Sharing
from ..translation.stateless_translation cimport Stateless
from ..rules.timeout_classes cimport TIMERS
from ..translation.packet_translator cimport Translator

cdef enum:
    ROWS_LOOKED_AT = 4096

cdef class ReadOnlyLookup:
    cdef Translator translator
    cdef Stateless stateless
    cdef Sharing sharing
    cdef Flows flows
    cdef Packet packet
    cdef Octets scratch
    cdef object said, settings
    cdef u64 now
    cdef u32 external, port, mapping, more_sessions, more_mappings
    cdef bint outlived
