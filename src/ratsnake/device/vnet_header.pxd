# C side of vnet_header.py: the same constants.  Header only, never compiled itself.
cdef enum:
    VNET_SIZE = 10

    VNET_AT_FLAGS = 0
    VNET_AT_GSO_TYPE = 1
    VNET_AT_HDR_LEN = 2
    VNET_AT_GSO_SIZE = 4
    VNET_AT_CSUM_START = 6
    VNET_AT_CSUM_OFFSET = 8

    VNET_F_NEEDS_CSUM = 1
    VNET_F_DATA_VALID = 2
    VNET_F_RSC_INFO = 4

    VNET_GSO_NONE = 0
    VNET_GSO_TCPV4 = 1
    VNET_GSO_UDP = 3
    VNET_GSO_TCPV6 = 4
    VNET_GSO_UDP_L4 = 5
    VNET_GSO_ECN = 0x80
