"""Link types of capture files, as a table: where in a frame the IP packet starts.

Numbers and layouts: https://www.tcpdump.org/linktypes.html.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal, NamedTuple, TypeAlias

_ETHERTYPE_IP = frozenset({0x0800, 0x86DD})
_ETHERTYPE_TAG = frozenset({0x8100, 0x88A8, 0x9100})  # 802.1Q, 802.1ad and its forerunner

# AF_INET, then AF_INET6 of Linux, NetBSD and OpenBSD, FreeBSD, Darwin.
_FAMILY_IP = frozenset({2, 10, 24, 28, 30})

_Order: TypeAlias = Literal["little", "big"]
_Find: TypeAlias = Callable[[bytes], int | None]


class Frame(NamedTuple):
    """A captured frame, split."""

    link: bytes  # what stood before the packet; the whole frame when packet is None
    packet: bytes | None  # from the IP header to the length it states; None: not IP


class LinkType(NamedTuple):
    """How one link type carries IP."""

    name: str
    find: _Find  # the offset of the IP packet in a frame, None when it has none

    def split(self, frame: bytes) -> Frame:
        """Part link header and IP packet, and leave off what lies behind the packet.

        A packet whose header is malformed or states more than is there is kept as it is.
        """
        start = self.find(frame)
        if start is None:
            return Frame(frame, None)
        packet = frame[start:]
        return Frame(frame[:start], packet[: ip_length(packet)])


def ip_length(packet: bytes) -> int | None:
    """The length in bytes that an IP header states for its packet; None when it states none.

    None: header cut, version neither 4 nor 6, IPv4 total length below 20 (RFC 791), or an IPv6
    jumbogram (RFC 2675: payload length 0 and a hop-by-hop header).
    """
    version = packet[0] >> 4 if packet else 0
    if version == 4 and len(packet) >= 20:
        total = int.from_bytes(packet[2:4], "big")
        return total if total >= 20 else None
    if version == 6 and len(packet) >= 40:
        payload = int.from_bytes(packet[4:6], "big")
        return 40 + payload if payload or packet[6] else None
    return None


def _at_once(frame: bytes) -> int | None:
    return 0


def _by_ethertype(frame: bytes, at: int, length: int) -> int | None:
    """`length` bytes of header with an Ethertype at `at`; VLAN tags follow the header."""
    if len(frame) < length:
        return None
    ethertype = int.from_bytes(frame[at : at + 2], "big")
    end = length
    while ethertype in _ETHERTYPE_TAG and len(frame) >= end + 4:
        ethertype = int.from_bytes(frame[end + 2 : end + 4], "big")
        end += 4
    return end if ethertype in _ETHERTYPE_IP else None


def _by_family(frame: bytes, orders: Sequence[_Order]) -> int | None:
    """A four-byte address family, in one of the byte orders."""
    if len(frame) < 4:
        return None
    families = {int.from_bytes(frame[:4], order) for order in orders}
    return 4 if families & _FAMILY_IP else None


LINK_TYPES: dict[int, LinkType] = {
    # NULL: in the byte order of whatever machine captured, which the file need not share.
    0: LinkType("NULL", partial(_by_family, orders=("little", "big"))),
    1: LinkType("EN10MB", partial(_by_ethertype, at=12, length=14)),
    12: LinkType("RAW", _at_once),  # historic: DLT_RAW written as it is, most systems
    14: LinkType("RAW", _at_once),  # historic: the same, OpenBSD
    101: LinkType("RAW", _at_once),
    108: LinkType("LOOP", partial(_by_family, orders=("big",))),
    113: LinkType("LINUX_SLL", partial(_by_ethertype, at=14, length=16)),
    228: LinkType("IPV4", _at_once),
    229: LinkType("IPV6", _at_once),
    276: LinkType("LINUX_SLL2", partial(_by_ethertype, at=0, length=20)),
}
