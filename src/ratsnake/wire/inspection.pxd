from .checksum cimport difference128, pseudo_header_sum, sum_octets
from .ip cimport parse
from .octets cimport be64, put64
from .packet cimport IPPROTO_ICMPV6, Packet, fields_of, new_packet, release_packet
from .types cimport u32, u64
