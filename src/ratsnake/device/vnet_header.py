"""struct virtio_net_hdr, which precedes every packet of a TUN with IFF_VNET_HDR.

The layout as linux/virtio_net.h has it; vnet_header.pxd holds the same constants for compiled
modules, and a test holds the two against each other.  The 16-bit fields are in the machine's own
byte order: a TUN uses virtio's legacy format unless TUNSETVNETLE or TUNSETVNETBE is called.
"""

import struct
from typing import NamedTuple

VNET_SIZE = 10

# Offsets of the fields; FLAGS and GSO_TYPE are one byte, the others two.
VNET_AT_FLAGS = 0
VNET_AT_GSO_TYPE = 1
VNET_AT_HDR_LEN = 2
VNET_AT_GSO_SIZE = 4
VNET_AT_CSUM_START = 6
VNET_AT_CSUM_OFFSET = 8

# flags.  NEEDS_CSUM: the 16 bits at csum_start + csum_offset, counted from the start of the
# packet, hold the sum of the pseudo-header only.
VNET_F_NEEDS_CSUM = 1
VNET_F_DATA_VALID = 2
VNET_F_RSC_INFO = 4

# gso_type.  UDP (3) is the old UFO, UDP_L4 (5) is USO; ECN is a bit beside the TCP types.
VNET_GSO_NONE = 0
VNET_GSO_TCPV4 = 1
VNET_GSO_UDP = 3
VNET_GSO_TCPV6 = 4
VNET_GSO_UDP_L4 = 5
VNET_GSO_ECN = 0x80

_LAYOUT = struct.Struct("=BBHHHH")


class VnetHeader(NamedTuple):
    """The header's fields; the lengths and offsets are bytes, 0 to 65535."""

    flags: int = 0
    gso_type: int = VNET_GSO_NONE
    hdr_len: int = 0
    gso_size: int = 0
    csum_start: int = 0
    csum_offset: int = 0

    @classmethod
    def parse(cls, frame: bytes | bytearray | memoryview) -> "VnetHeader":
        """Read the header at the start of a frame; ValueError when it has under 10 bytes."""
        if len(frame) < VNET_SIZE:
            raise ValueError(f"a vnet header has {VNET_SIZE} bytes, this frame has {len(frame)}")
        return cls(*_LAYOUT.unpack_from(frame))

    def build(self) -> bytes:
        """The header's 10 bytes; struct.error when a field does not fit."""
        return _LAYOUT.pack(*self)
