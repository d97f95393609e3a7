"""scapy's opinion about the checksums of both IP versions and every protocol."""

import logging
import struct

logging.getLogger("scapy").setLevel(logging.ERROR)

from scapy.layers.inet import IP, in4_chksum  # noqa: E402
from scapy.layers.inet6 import IPv6, in6_chksum  # noqa: E402
from scapy.layers.sctp import crc32c  # noqa: E402
from scapy.utils import checksum  # noqa: E402

from .families import addresses, upper_layer  # noqa: E402
from .packets import Buffer  # noqa: E402

TCP, UDP, DCCP, ICMP, ICMPV6, SCTP, UDPLITE = 6, 17, 33, 1, 58, 132, 136


def covered(number: int, segment: bytes) -> bytes:
    """The segment with nothing but zeros where its checksum does not reach."""
    size = len(segment)
    if number == UDP:
        size = struct.unpack_from("!H", segment, 4)[0]
        return segment[:size]
    if number == UDPLITE:
        size = struct.unpack_from("!H", segment, 4)[0] or size
    elif number == DCCP and segment[5] & 15:
        size = segment[4] * 4 + 4 * ((segment[5] & 15) - 1)
    return segment[:size] + bytes(len(segment) - size)


def header_is_right(whole: Buffer) -> bool:
    """Whether the IP header's checksum is right; that of IPv6 has none."""
    return whole[0] >> 4 == 6 or checksum(bytes(whole[: (whole[0] & 15) * 4])) == 0


def is_right(whole: Buffer) -> bool:
    """Whether the checksums of the IP header and of the transport are right."""
    number, at = upper_layer(whole)
    segment = bytes(whole[at:])
    if not header_is_right(whole):
        return False
    if number == SCTP:
        return bool(crc32c(segment[:8] + bytes(4) + segment[12:]) == _word(segment, 8))
    if number == ICMP:
        return bool(checksum(segment) == 0)
    if number not in (TCP, UDP, UDPLITE, DCCP, ICMPV6):
        return True
    if number == UDP and segment[6:8] == b"\0\0":
        return True
    source, destination = addresses(whole)
    if whole[0] >> 4 == 4:
        upper = IP(src=source, dst=destination, proto=number)
        return bool(in4_chksum(number, upper, covered(number, segment)) == 0)
    wide = IPv6(src=source, dst=destination, nh=number)
    return bool(in6_chksum(number, wide, covered(number, segment)) == 0)


def _word(segment: bytes, at: int) -> int:
    return int.from_bytes(segment[at : at + 4], "big")
