"""What nftables' expressions make of a packet that is known in part (nf_tables.h): their registers,
octet by octet.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence

from ..nftables.nft_messages import attributes
from .filter_chains import Packet

#: An octet's value, None where it is not known, and OTHER where it is of an address that is nobody
#: in particular: it equals none that a rule names.
Octet = int | None
OTHER = -1
Data = Mapping[int, bytes]
#: A set's elements: key, data, and whether it ends an interval.
Element = tuple[bytes, bytes, bool]

_SIZE = 64
_NAME_SIZE = 16  # IFNAMSIZ
_ETHERTYPES = {4: 0x0800, 6: 0x86DD}
_PROTOCOLS = {4: 2, 6: 10}  # NFPROTO_IPV4, NFPROTO_IPV6
#: Offset of source and destination in the header, and their length, by the version of IP.
_ADDRESSES = {4: (12, 16, 4), 6: (8, 24, 16)}
_NETWORK_HEADER = 1  # NFT_PAYLOAD_NETWORK_HEADER
_CT_NEW = 1 << 3  # NF_CT_STATE_BIT(IP_CT_NEW), in nftables' numbers
_FIB_SOURCE, _FIB_INTO = 1 << 0, 1 << 3  # NFTA_FIB_F_SADDR, NFTA_FIB_F_IIF


class Registers:
    """`indices` are the numbers of interfaces."""

    def __init__(self, packet: Packet, indices: Mapping[str, int]) -> None:
        self.packet = packet
        self._indices = indices
        self._octets: list[Octet] = [None] * _SIZE

    def follow(self, name: str, data: Data) -> bool | None:
        """Whether the packet goes on after the expression, None where that is not known."""
        if name in _LOADS:
            register = number(data, 1)  # none for what sets something
            if register:
                self._put(register, _LOADS[name](self.packet, self._indices, data))
            return True
        if name in _TESTS:
            return _TESTS[name](self, data)
        if name in _ASIDE:
            return True
        self._octets = [None] * _SIZE  # whatever it may have put there
        return None

    def read(self, register: int, length: int) -> Sequence[Octet]:
        at = _offset(register)
        return self._octets[at : at + length]

    def _put(self, register: int, octets: Sequence[Octet]) -> None:
        at = _offset(register)
        self._octets[at : at + len(octets)] = octets
        del self._octets[_SIZE:]

    def mask(self, data: Data) -> bool | None:
        """bitwise"""
        length = number(data, 3)
        masks, others = value(data, 4), value(data, 5)
        found = self.read(number(data, 1), length)
        if len(masks) < length or len(others) < length:  # a shift
            self._put(number(data, 2), [None] * length)
            return True
        self._put(
            number(data, 2),
            [
                other if mask == 0 else one if one in (None, OTHER) else one & mask ^ other
                for one, mask, other in zip(found, masks, others, strict=False)
            ],
        )
        return True

    def compare(self, data: Data) -> bool | None:
        """cmp"""
        wanted = value(data, 3)
        found = known(self.read(number(data, 1), len(wanted)))
        operator = number(data, 2)
        if found is None:
            return None
        if found is OTHER:
            return {0: False, 1: True}.get(operator)
        assert isinstance(found, bytes)
        return (
            found == wanted,
            found != wanted,
            found < wanted,
            found <= wanted,
            found > wanted,
            found >= wanted,
        )[operator]

    def within(self, data: Data) -> bool | None:
        """range"""
        first, last = value(data, 3), value(data, 4)
        found = known(self.read(number(data, 1), len(first)))
        if found is None:
            return None
        inside = isinstance(found, bytes) and first <= found <= last
        return inside != bool(number(data, 2))


_ASIDE = {"counter", "log", "notrack", "objref", "quota", "last", "target"}
_TESTS: Mapping[str, Callable[[Registers, Data], bool | None]] = {
    "bitwise": Registers.mask,
    "cmp": Registers.compare,
    "range": Registers.within,
}


def found_in(key: Sequence[Octet], elements: Sequence[Element]) -> Element | bool | None:
    """The element that holds the key, False if none does, None where it is not known."""
    there = known(key)
    if there is None:
        return None
    if there is OTHER:
        return False
    assert isinstance(there, bytes)
    for one in elements:
        if one[0] == there and not one[2]:
            return one
    if not any(ends for _, _, ends in elements):
        return False
    before = [one for one in elements if one[0] <= there]
    last = max(before, key=lambda one: (one[0], not one[2]), default=None)
    return last if last is not None and not last[2] else False


def known(octets: Sequence[Octet]) -> bytes | int | None:
    """As octets; OTHER where one of them is, None where one is not known."""
    if None in octets:
        return None
    if OTHER in octets:
        return OTHER
    return bytes(one for one in octets if one is not None)


def number(data: Data, key: int) -> int:
    return int.from_bytes(data.get(key, b""), "big")


def value(data: Data, key: int) -> bytes:
    """NFTA_DATA_VALUE in a nested attribute."""
    return dict(attributes(data.get(key, b""))).get(1, b"")


def _offset(register: int) -> int:
    """NFT_REG_1… are of 16 octets, NFT_REG32_00… of 4."""
    return (register - 8) * 4 if register >= 8 else max(register - 1, 0) * _NAME_SIZE


def _meta(packet: Packet, indices: Mapping[str, int], data: Data) -> Sequence[Octet]:
    key = number(data, 2)
    names = {4: packet.into, 5: packet.out, 6: packet.into, 7: packet.out}
    if key in names:
        name = names[key]
        if name is None:
            return [None] * _NAME_SIZE
        if key in (6, 7):
            return name.encode().ljust(_NAME_SIZE, b"\0")
        return struct.pack("=I", indices[name]) if name in indices else [None] * 4
    plain = {
        1: struct.pack("!H", _ETHERTYPES[packet.version]),  # NFT_META_PROTOCOL
        3: bytes(4),  # NFT_META_MARK
        15: bytes([_PROTOCOLS[packet.version]]),  # NFT_META_NFPROTO
        19: b"\0",  # NFT_META_PKTTYPE: for this host
    }
    return plain.get(key, [None] * _NAME_SIZE)


def _payload(packet: Packet, indices: Mapping[str, int], data: Data) -> Sequence[Octet]:
    offset, length = number(data, 3), number(data, 4)
    source, destination, size = _ADDRESSES[packet.version]
    if number(data, 2) != _NETWORK_HEADER:
        return [None] * length
    header: list[Octet] = [None] * 64
    header[source : source + size] = packet.source or [OTHER] * size
    header[destination : destination + size] = [OTHER] * size
    return header[offset : offset + length]


def _connection(packet: Packet, indices: Mapping[str, int], data: Data) -> Sequence[Octet]:
    states = {0: struct.pack("=I", _CT_NEW), 1: b"\0", 2: bytes(4), 3: bytes(4)}
    return states.get(number(data, 2), [None] * _NAME_SIZE)  # state, direction, status, mark


def _way_back(packet: Packet, indices: Mapping[str, int], data: Data) -> Sequence[Octet]:
    flags = number(data, 3)
    asked = _FIB_SOURCE | _FIB_INTO
    if flags & asked == asked and not packet.is_answered_there:
        return bytes(_NAME_SIZE)  # 0: no interface, or not present
    return [None] * _NAME_SIZE


_LOADS: Mapping[str, Callable[[Packet, Mapping[str, int], Data], Sequence[Octet]]] = {
    "meta": _meta,
    "payload": _payload,
    "ct": _connection,
    "fib": _way_back,
}
