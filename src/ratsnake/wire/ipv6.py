"""The IPv6 header (RFC 8200 section 3): where its fields are, in bytes from its start."""

from .integer_types import MAPPED_IPV4, u64

PAYLOAD_LENGTH = 4
NEXT_HEADER = 6
HOP_LIMIT = 7
SOURCE = 8
DESTINATION = 24
HEADER = 40
# In the fragment header, which is 8 bytes long.
FRAGMENT_IDENTIFICATION = 4
FRAGMENT_HEADER_SIZE = 8
MORE_FRAGMENTS = 1


def is_mapped(high: u64, low: u64) -> bool:
    """Whether an address is IPv4-mapped: inside the engine it stands for an IPv4 host, on the wire
    for nothing (RFC 4291 section 2.5.5.2)."""
    return high == 0 and low >> 32 == MAPPED_IPV4 >> 32
