# C side of faults.py: the same numbers.
cdef enum:
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
