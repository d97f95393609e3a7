cimport cython
from ratsnake.wire.ipv6 cimport DESTINATION as DESTINATION_AT, SOURCE as SOURCE_AT
from ratsnake.wire.packet cimport Packet
from ratsnake.wire.types cimport Bytes, u32
from .errors cimport quoted_high, quoted_low
from ..settings.nptv6 cimport PrefixTranslator
from ..rules.reasons cimport DESTINATION, REASONS_COUNT, SOURCE, TRANSLATED, UNMAPPABLE
from ..packets.rewrite cimport RECEIVER, SENDER
from ..settings.scope cimport Scope

@cython.final
cdef class Stateless:
    cdef Scope scope
    cdef PrefixTranslator translator
    cdef bint prefixes, active, is_outbound
    cdef u32 process(self, Bytes b, Packet p) noexcept nogil
    cdef bint passes(self, Bytes b, Packet p) noexcept nogil
    cdef bint comes_from_inside(self, Bytes b, Packet p) noexcept nogil
    cdef u32 exchange(self, Bytes b, Packet p) noexcept nogil
    cdef bint restore(self, Bytes b, Packet p, bint out, bint back) noexcept nogil
