cimport cython
from ratsnake.wire.ipv6 cimport DESTINATION as DESTINATION_AT, SOURCE as SOURCE_AT
from ratsnake.wire.packet_fields cimport Packet
from ratsnake.wire.integer_types cimport Bytes, u32
from .icmp_error_translation cimport quoted_high, quoted_low
from ..settings.nptv6 cimport PrefixTranslator
from ..rules.drop_reasons cimport DESTINATION, REASONS_COUNT, SOURCE, TRANSLATED, UNMAPPABLE
from ..packets.header_rewrite cimport RECEIVER, SENDER
from ..settings.address_realm cimport AddressRealm

@cython.final
cdef class Stateless:
    cdef AddressRealm realm
    cdef PrefixTranslator translator
    cdef bint prefixes, active, is_outbound
    cdef u32 process(self, Bytes b, Packet p) noexcept nogil
    cdef bint passes(self, Bytes b, Packet p) noexcept nogil
    cdef bint comes_from_inside(self, Bytes b, Packet p) noexcept nogil
    cdef u32 exchange(self, Bytes b, Packet p) noexcept nogil
    cdef bint restore(self, Bytes b, Packet p, bint out, bint back) noexcept nogil
