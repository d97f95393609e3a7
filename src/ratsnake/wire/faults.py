"""What can be wrong with a packet's form: one number a fault, in the order parsing meets them."""

NO_FAULT = 0
EMPTY = 1
IP_VERSION = 2
IPV6 = 3
IP_TRUNCATED = 4
IP_HEADER_LENGTH = 5
IP_LENGTH = 6
IP_OVERLONG = 7
FRAGMENT = 8
PROTOCOL = 9
TCP_TRUNCATED = 10
TCP_HEADER_LENGTH = 11
UDP_TRUNCATED = 12
UDP_LENGTH = 13
ICMP_TRUNCATED = 14
ICMP_TYPE = 15
ICMP_EMBEDDED = 16
OFFLOAD = 17
FAULTS = 18

MEANINGS: dict[int, tuple[str, str]] = {
    EMPTY: ("empty", "a read that returned no packet"),
    IP_VERSION: ("ip-version", "the version is neither 4 nor 6"),
    IPV6: ("ipv6", "IPv6 is not translated"),
    IP_TRUNCATED: ("ip-truncated", "the packet ends before its IP header or total length does"),
    IP_HEADER_LENGTH: ("ip-header-length", "IHL below 5 (RFC 791)"),
    IP_LENGTH: ("ip-length", "the total length is smaller than the header"),
    IP_OVERLONG: ("ip-overlong", "bytes follow the total length"),
    FRAGMENT: ("fragment", "an IPv4 fragment: its ports are not in it"),
    PROTOCOL: ("protocol", "neither TCP, UDP nor ICMP"),
    TCP_TRUNCATED: ("tcp-truncated", "shorter than a TCP header"),
    TCP_HEADER_LENGTH: ("tcp-header-length", "a data offset below 5 or beyond the packet"),
    UDP_TRUNCATED: ("udp-truncated", "shorter than a UDP header"),
    UDP_LENGTH: ("udp-length", "a UDP length below 8 or beyond the packet"),
    ICMP_TRUNCATED: ("icmp-truncated", "shorter than an ICMP header"),
    ICMP_TYPE: ("icmp-type", "neither Echo nor an error of type 3, 11 or 12"),
    ICMP_EMBEDDED: ("icmp-embedded", "the packet inside an ICMP error is cut short or malformed"),
    OFFLOAD: ("offload", "the offload header contradicts the packet"),
}
