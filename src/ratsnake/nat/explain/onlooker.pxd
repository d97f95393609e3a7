cimport cython
from ratsnake.wire.icmpv6 cimport ECHO_REQUEST
from ratsnake.wire.packet cimport ICMP, IPPROTO_ICMP, OTHER, Packet, new_packet, release_packet
from ratsnake.wire.types cimport u32, u64
from ..rules.connection cimport KINDS
from ..translation.flows cimport Flows
from ..rules.policies cimport STATIC
from ..tables.records cimport Mappings, NONE32, Octets, Sessions, new_octets, release
from ..tables.sessions cimport INSIDE_SENT
from ..translation.pressure cimport may_give_way, patience_with, session_may_give_way
from ..translation.sharing cimport Sharing
from ..translation.stateless cimport Stateless
from ..rules.timers cimport TIMERS
from ..translation.translator cimport Translator

cdef enum:
    ROWS_LOOKED_AT = 4096

cdef class Onlooker:
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
