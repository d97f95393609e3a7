"""STUN messages, held against RFC 5769's samples, scapy, and octets that are wrong."""

import random
import struct
import zlib
from contextlib import suppress

import pytest

from ratsnake.stun.stun_message import (
    Endpoint,
    MalformedMessage,
    read_response,
    read_transaction_id,
    write_request,
)
from support.stun_server import attribute, error, masked, message, success

ID = bytes(range(12))
MAPPED = ("203.0.113.1", 40000)

# RFC 5769 sections 2.2 and 2.3.
SAMPLES = {
    "192.0.2.1": (
        "0101003c2112a442b7e7a701bc34d686fa87dfae"
        "8022000b7465737420766563746f7220002000080001a147e112a643"
        "000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96"
    ),
    "2001:db8:1234:5678:11:2233:4455:6677": (
        "010100482112a442b7e7a701bc34d686fa87dfae"
        "8022000b7465737420766563746f7220002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9"
        "00080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb0b4c"
    ),
}


@pytest.mark.parametrize("address", SAMPLES)
def test_the_samples_of_rfc_5769(address: str) -> None:
    octets = bytes.fromhex(SAMPLES[address])
    response = read_response(octets)
    assert response.mapped == Endpoint(address, 32853)
    assert response.transaction_id == bytes.fromhex("b7e7a701bc34d686fa87dfae")
    for place in (*range(len(octets) - 8), len(octets) - 1):  # the fingerprint covers all of it
        changed = bytearray(octets)
        changed[place] ^= 1
        with pytest.raises(MalformedMessage):
            read_response(bytes(changed))


def test_a_request_as_scapy_reads_it() -> None:
    stun = pytest.importorskip("scapy.contrib.stun")
    read = stun.STUN(write_request(ID))
    assert (read.stun_message_type, read.magic_cookie, read.length) == (1, 0x2112A442, 0)
    assert read.transaction_id.to_bytes(12, "big") == ID and not read.attributes


def test_a_response_that_scapy_writes() -> None:
    stun = pytest.importorskip("scapy.contrib.stun")
    mapped = stun.STUNXorMappedAddress(xport=40000, xip="203.0.113.1")
    written = stun.STUN(
        stun_message_type=0x0101, transaction_id=int.from_bytes(ID, "big"), attributes=[mapped]
    )
    assert read_response(bytes(written)).mapped == MAPPED


def test_the_attributes_of_a_request() -> None:
    """RFC 5780 sections 7.2 and 7.5."""
    assert write_request(ID, change_ip=True, change_port=True)[20:].hex() == "0003000400000006"
    assert write_request(ID, change_ip=True)[20:].hex() == "0003000400000004"
    assert write_request(ID, change_port=True)[20:].hex() == "0003000400000002"
    assert write_request(ID, response_port=0x1234)[20:].hex() == "0027000412340000"
    assert read_transaction_id(write_request(ID)) == ID


def test_an_address_that_is_rewritten_on_the_way() -> None:
    plain = attribute(0x0001, bytes.fromhex("00010050c0a80101"))
    octets = message(0x0101, ID, plain, attribute(0x0020, masked(MAPPED, ID)))
    response = read_response(octets)
    assert (response.mapped, response.rewritten) == (MAPPED, True)
    assert not read_response(success(ID, MAPPED)).rewritten


def test_a_server_of_rfc_3489() -> None:
    octets = message(
        0x0101,
        ID,
        attribute(0x0001, bytes.fromhex("00019c40cb007101")),
        attribute(0x0005, bytes.fromhex("00010d97c6336402")),
    )
    response = read_response(octets)
    assert (response.mapped, response.other) == (MAPPED, ("198.51.100.2", 3479))


def test_an_error() -> None:
    response = read_response(error(ID, 420, "Unknown \N{SNOWMAN}".encode() + b"\xff"))
    assert (response.error, response.reason) == (
        420,
        "Unknown \N{SNOWMAN}\N{REPLACEMENT CHARACTER}",
    )
    assert len(read_response(error(ID, 500, b"x" * 500)).reason) == 100


def test_what_stands_twice_or_behind_the_integrity_does_not_count() -> None:
    """RFC 8489 sections 14 and 14.5."""
    second = attribute(0x0020, masked(("198.51.100.66", 1), ID))
    assert read_response(success(ID, MAPPED, second)).mapped == MAPPED
    other = attribute(0x802C, bytes.fromhex("00010d97c6336402"))
    signed = success(ID, MAPPED, attribute(0x0008, bytes(20)), other)
    assert read_response(signed).other is None


def behind_the_fingerprint() -> bytes:
    """The fingerprint itself is right (RFC 8489 section 14.7)."""
    octets = success(ID, MAPPED, attribute(0x8028, bytes(4)), attribute(0x8022, b"late"))
    value = zlib.crc32(octets[:-16]) ^ 0x5354554E
    return octets[:-12] + struct.pack("!I", value) + octets[-8:]


WRONG = {
    "empty": b"",
    "cut short": success(ID, MAPPED)[:19],
    "a request": write_request(ID),
    "an indication": message(0x0011, ID),
    "another method": message(0x0103, ID),
    "no cookie": success(ID, MAPPED).replace(bytes.fromhex("2112a442"), bytes(4), 1),
    "length too small": bytes.fromhex("01010000") + success(ID, MAPPED)[4:],
    "length too big": bytes.fromhex("0101ffff") + success(ID, MAPPED)[4:],
    "length not of words": success(ID, MAPPED)[:2]
    + b"\0\x05"
    + success(ID, MAPPED)[4:20]
    + bytes(5),
    "no address": message(0x0101, ID),
    "an attribute longer than the message": message(0x0101, ID, struct.pack("!HH", 0x20, 0xFFFF)),
    "an address cut short": message(0x0101, ID, attribute(0x0020, bytes.fromhex("00019c40"))),
    "an address too long": message(0x0101, ID, attribute(0x0020, b"\0\1" + bytes(18))),
    "IPv6 of IPv4's length": message(0x0101, ID, attribute(0x0020, b"\0\2" + bytes(6))),
    "an unknown family": message(0x0101, ID, attribute(0x0020, b"\0\7" + bytes(6))),
    "port 0": success(ID, ("203.0.113.1", 0)),
    "no host": success(ID, ("0.0.0.0", 40000)),
    "multicast": success(ID, ("224.0.0.1", 40000)),
    "broadcast": success(ID, ("255.255.255.255", 40000)),
    "IPv6 multicast": success(ID, ("ff02::1", 40000)),
    "unknown and required": success(ID, MAPPED, attribute(0x7FFF, b"")),
    "a wrong fingerprint": success(ID, MAPPED, attribute(0x8028, bytes(4))),
    "an attribute behind the fingerprint": behind_the_fingerprint(),
    "a short fingerprint": success(ID, MAPPED, attribute(0x8028, b"")),
    "an error without a code": message(0x0111, ID),
    "an error of class 0": message(0x0111, ID, attribute(0x0009, bytes(4))),
    "an error of number 255": message(0x0111, ID, attribute(0x0009, bytes([0, 0, 4, 255]))),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong(what: str) -> None:
    with pytest.raises(MalformedMessage):
        read_response(WRONG[what])


def test_another_address_that_is_nobodys_is_none() -> None:
    other = attribute(0x802C, bytes.fromhex("00010d97e0000001"))
    assert read_response(success(ID, MAPPED, other)).other is None


def test_no_octets_do_worse_than_be_refused() -> None:
    chance = random.Random(5780)
    seeds = [success(ID, MAPPED, attribute(0x802C, bytes(8))), error(ID, 420), *WRONG.values()]
    for _ in range(20_000):
        octets = bytearray(chance.choice(seeds))
        for _ in range(chance.randrange(4)):
            if octets:
                octets[chance.randrange(len(octets))] = chance.choice((0, 1, 0x20, 0x80, 255))
        cut = chance.randrange(len(octets) + 1) if chance.random() < 0.2 else len(octets)
        read_transaction_id(bytes(octets[:cut]))
        with suppress(MalformedMessage):
            read_response(bytes(octets[:cut]))
