"""Each link type's way of carrying IP, over frames built byte by byte."""

import struct

import pytest

from ratsnake.device.capture_link_types import LINK_TYPES, Frame, ip_length

IPV4 = (
    bytes.fromhex("4500001c00010000401100000a000001c0000201") + b"\x04\x00\x00\x35\x00\x08\x00\x00"
)
IPV6 = bytes.fromhex("6000000000083a40") + bytes(32) + b"\x80\x00\x00\x00\x00\x01\x00\x01"
ARP = bytes.fromhex("0001080006040001") + bytes(20)

MACS = bytes(range(12))
SLL = bytes.fromhex("0000000100060242ac1100020000")
SLL2 = bytes.fromhex("000000000002000100060242ac1100020000")


def tags(*ethertypes):
    """The Ethertype field and the VLAN tags (TCI 5) that lead to the last of them."""
    return struct.pack("!H", ethertypes[0]) + b"".join(
        struct.pack("!HH", 5, ethertype) for ethertype in ethertypes[1:]
    )


@pytest.mark.parametrize(
    ("number", "link", "packet"),
    [
        (1, MACS + tags(0x0800), IPV4),
        (1, MACS + tags(0x86DD), IPV6),
        (1, MACS + tags(0x8100, 0x0800), IPV4),
        (1, MACS + tags(0x88A8, 0x8100, 0x86DD), IPV6),
        (1, MACS + tags(0x9100, 0x8100, 0x8100, 0x0800), IPV4),
        (12, b"", IPV4),
        (14, b"", IPV6),
        (101, b"", IPV4),
        (101, b"", IPV6),
        (228, b"", IPV4),
        (229, b"", IPV6),
        (0, struct.pack("<I", 2), IPV4),
        (0, struct.pack(">I", 2), IPV4),
        (0, struct.pack("<I", 10), IPV6),
        (0, struct.pack("<I", 24), IPV6),
        (0, struct.pack(">I", 28), IPV6),
        (0, struct.pack("<I", 30), IPV6),
        (108, struct.pack(">I", 2), IPV4),
        (108, struct.pack(">I", 24), IPV6),
        (113, SLL + tags(0x0800), IPV4),
        (113, SLL + tags(0x8100, 0x86DD), IPV6),
        (276, struct.pack("!H", 0x0800) + SLL2, IPV4),
        (276, struct.pack("!H", 0x86DD) + SLL2, IPV6),
        (276, struct.pack("!H", 0x8100) + SLL2 + struct.pack("!HH", 5, 0x0800), IPV4),
    ],
)
@pytest.mark.parametrize("padding", [b"", bytes(18)])
def test_splits(number, link, packet, padding):
    assert LINK_TYPES[number].split(link + packet + padding) == Frame(link, packet)


@pytest.mark.parametrize(
    ("number", "frame"),
    [
        (1, MACS + tags(0x0806) + ARP),
        (1, MACS + tags(0x8100, 0x0806) + ARP),
        (1, MACS + b"\x00\x26" + bytes(38)),  # 802.3 length and LLC
        (1, MACS + tags(0x8100)),
        (1, MACS + tags(0x8100) + b"\x00\x05\x08"),
        (1, MACS + b"\x08"),
        (1, b""),
        (0, struct.pack("<I", 7) + IPV4),
        (0, b"\x02\x00\x00"),
        (108, struct.pack("<I", 2) + IPV4),
        (113, SLL + tags(0x0806) + ARP),
        (113, SLL),
        (276, struct.pack("!H", 0x0806) + SLL2 + ARP),
        (276, struct.pack("!H", 0x0800) + SLL2[:-1]),
    ],
)
def test_not_ip_is_passed_as_it_is(number, frame):
    assert LINK_TYPES[number].split(frame) == Frame(frame, None)


@pytest.mark.parametrize("number", LINK_TYPES)
def test_loses_no_byte_of_any_frame(number):
    """Whatever a frame's first bytes and length are, link + packet is a prefix of it."""
    samples = [MACS + tags(0x8100, 0x0800) + IPV4, struct.pack("<I", 2) + IPV6, IPV4, IPV6, SLL2]
    for sample in samples:
        for size in range(len(sample) + 1):
            frame = sample[:size]
            link, packet = LINK_TYPES[number].split(frame)
            if packet is None:
                assert link == frame
            else:
                assert frame.startswith(link + packet)


@pytest.mark.parametrize(
    ("packet", "length"),
    [
        (IPV4, 28),
        (IPV4[:20], 28),
        (IPV4[:19], None),
        (IPV6, 48),
        (IPV6[:39], None),
        (b"", None),
        (b"\x55" + IPV4[1:], None),
        (b"\x45\x00\x00\x13" + IPV4[4:], None),  # total length 19
        (b"\x45\x00\xff\xff" + IPV4[4:], 65535),
        (bytes.fromhex("6000000000003b40") + bytes(32), 40),  # no next header
        (bytes.fromhex("6000000000000040") + bytes(32), None),  # jumbogram
    ],
)
def test_stated_length(packet, length):
    assert ip_length(packet) == length


def test_overlong_statement_is_kept_for_the_translator_to_refuse():
    packet = b"\x45\x00\xff\xff" + IPV4[4:]
    assert LINK_TYPES[101].split(packet) == Frame(b"", packet)
