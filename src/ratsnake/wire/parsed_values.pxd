from .checksum cimport difference128, pseudo_header_sum, sum_octets
from .ip cimport parse
from .byte_order cimport be64, put64
from .packet_fields cimport IPPROTO_ICMPV6, Packet, fields_of, new_packet, release_packet
from .integer_types cimport u32, u64
