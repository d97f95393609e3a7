"""What can be wrong with a packet's form: one number a fault, in the order parsing meets them."""

NO_FAULT = 0
EMPTY = 1
IP_VERSION = 2
IP_TRUNCATED = 3
IP_HEADER_LENGTH = 4
IP_LENGTH = 5
IP_OVERLONG = 6
EXTENSION_HEADER = 7
FRAGMENT = 8
PROTOCOL = 9
TCP_TRUNCATED = 10
TCP_HEADER_LENGTH = 11
UDP_TRUNCATED = 12
UDP_LENGTH = 13
ICMP_TRUNCATED = 14
ICMP_TYPE = 15
ICMP_EMBEDDED = 16
ICMP_CHECKSUM = 17
NEIGHBOUR_DISCOVERY = 18
DCCP_HEADER = 19
SCTP_HEADER = 20
OFFLOAD = 21
FAULTS = 22

MEANINGS: dict[int, tuple[str, str]] = {
    EMPTY: ("empty", "a read that returned no packet"),
    IP_VERSION: ("ip-version", "neither IPv4 nor IPv6, or IPv6 with an IPv4-mapped address"),
    IP_TRUNCATED: ("ip-truncated", "the packet ends before its IP header or stated length does"),
    IP_HEADER_LENGTH: ("ip-header-length", "IHL below 5 (RFC 791)"),
    IP_LENGTH: (
        "ip-length",
        "the total length is smaller than the header, or an IPv6 payload length of 0",
    ),
    IP_OVERLONG: ("ip-overlong", "bytes follow the length that the IP header states"),
    EXTENSION_HEADER: (
        "extension-header",
        "IPv6 extension headers: cut short, misplaced, more than 8, or segments left (RFC 5095)",
    ),
    FRAGMENT: ("fragment", "a malformed fragment, or an ICMP error in fragments"),
    PROTOCOL: (
        "protocol",
        "an Authentication Header, No Next Header, or ICMP of the other IP version",
    ),
    TCP_TRUNCATED: ("tcp-truncated", "shorter than a TCP header"),
    TCP_HEADER_LENGTH: ("tcp-header-length", "a data offset below 5 or beyond the packet"),
    UDP_TRUNCATED: ("udp-truncated", "shorter than a UDP or UDP-Lite header"),
    UDP_LENGTH: (
        "udp-length",
        "a UDP length, or UDP-Lite checksum coverage, below 8 or beyond the packet",
    ),
    ICMP_TRUNCATED: ("icmp-truncated", "shorter than an ICMP header, or than a Timestamp message"),
    ICMP_TYPE: ("icmp-type", "an ICMP message that is neither a query nor an error translated"),
    ICMP_EMBEDDED: ("icmp-embedded", "the packet inside an ICMP error is cut short or malformed"),
    ICMP_CHECKSUM: (
        "icmp-checksum",
        "a wrong checksum of an ICMP error or of the IP header it quotes (RFC 5508 REQ-3)",
    ),
    NEIGHBOUR_DISCOVERY: (
        "neighbour-discovery",
        "IPv6 Neighbour or Multicast Listener Discovery, which never leaves its link",
    ),
    DCCP_HEADER: ("dccp-header", "a DCCP header cut short or contradicting its data offset"),
    SCTP_HEADER: ("sctp-header", "shorter than an SCTP header with the head of a chunk"),
    OFFLOAD: ("offload", "the offload header contradicts the packet"),
}
