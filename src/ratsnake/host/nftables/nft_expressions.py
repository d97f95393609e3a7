"""The few expressions of nftables that our rules are made of, as nf_tables.h lays them out.

A value goes into register 1, and what follows compares it.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from ipaddress import IPv4Network, IPv6Network

from .nft_messages import IPV4, IPV6, attribute, attributes, text, word

_REGISTER = 1
_ELEMENT = 1  # NFTA_LIST_ELEM
_NAME, _DATA = 1, 2  # NFTA_EXPR_…
_VALUE, _VERDICT = 1, 2  # NFTA_DATA_…
_LONGEST_NAME = 16  # IFNAMSIZ
#: Where a header has its source and its destination, by the version of IP.
_OFFSETS = {4: (12, 16), 6: (8, 24)}
_PROTOCOLS = {4: IPV4, 6: IPV6}
_META_MARK, _META_OIFNAME, _META_NFPROTO = 3, 7, 15
_SOCKET_TRANSPARENT = 0  # NFT_SOCKET_TRANSPARENT: the key that sockets of every state have
_RT_IPSEC = 4  # NFT_RT_XFRM
_FIB_ADDRESS_TYPE = 3  # NFT_FIB_RESULT_ADDRTYPE
_FIB_SOURCE_AT_OUTPUT = 1 << 0 | 1 << 4  # NFTA_FIB_F_SADDR, NFTA_FIB_F_OIF
_LOCAL = 2  # RTN_LOCAL
_COUNTER = b"counter\0"


class Verdict(IntEnum):
    DROP = 0  # NF_DROP
    GOTO = -4  # NFT_GOTO
    RETURN = -5  # NFT_RETURN


def leaves_by(interface: str) -> bytes:
    """oifname INTERFACE"""
    name = interface.encode().ljust(_LONGEST_NAME, b"\0")
    return _meta(_META_OIFNAME) + _equals(name)


def source(prefix: IPv4Network | IPv6Network) -> bytes:
    """ip saddr PREFIX"""
    return _address(prefix, 0)


def destination(prefix: IPv4Network | IPv6Network) -> bytes:
    """ip daddr PREFIX"""
    return _address(prefix, 1)


def is_encrypted() -> bytes:
    """rt ipsec exists"""
    return _expression("rt", word(1, _REGISTER) + word(2, _RT_IPSEC)) + _equals(b"\1")


def source_is_own_there() -> bytes:
    """fib saddr . oif type local: the source is an address of the interface it leaves by."""
    data = word(1, _REGISTER) + word(2, _FIB_ADDRESS_TYPE) + word(3, _FIB_SOURCE_AT_OUTPUT)
    return _expression("fib", data) + _equals(struct.pack("=I", _LOCAL))


def has_socket() -> bytes:
    """socket transparent 0: a socket waits for it, no transparent proxy's."""
    data = word(1, _SOCKET_TRANSPARENT) + word(2, _REGISTER)
    return _expression("socket", data) + _equals(bytes(1))


def mark(mask: int, bits: int) -> bytes:
    """meta mark set meta mark & MASK | BITS, of bits outside the mask."""
    both = [attribute(_VALUE, struct.pack("=I", one)) for one in (mask, bits)]
    changed = word(1, _REGISTER) + word(2, _REGISTER) + word(3, 4)
    changed += attribute(4, both[0]) + attribute(5, both[1])
    stored = word(2, _META_MARK) + word(3, _REGISTER)
    return _meta(_META_MARK) + _expression("bitwise", changed) + _expression("meta", stored)


def counter(packets: int = 0, octets: int = 0) -> bytes:
    data = attribute(1, struct.pack("!Q", octets)) + attribute(2, struct.pack("!Q", packets))
    return _expression("counter", data)


def verdict(code: Verdict, chain: str = "") -> bytes:
    told = word(1, code) + (text(2, chain) if chain else b"")
    return _expression(
        "immediate", word(1, 0) + attribute(2, attribute(_VERDICT, told))
    )  # register 0 is that of verdicts


def count_in(expressions: bytes) -> tuple[int, int] | None:
    """Packets and octets of the counter among the expressions, None if there is none."""
    for name, data in _read(expressions):
        if name == _COUNTER:
            octets, packets = (struct.unpack("!Q", data[number])[0] for number in (1, 2))
            return packets, octets
    return None


def same(found: bytes, wanted: bytes) -> bool:
    """Whether the kernel's expressions are the ones wanted, whatever has been counted.

    The kernel tells more of some than it was asked for.
    """
    there, here = list(_read(found)), list(_read(wanted))
    return len(there) == len(here) and all(
        name == other and (name == _COUNTER or data.items() <= more.items())
        for (other, more), (name, data) in zip(there, here, strict=True)
    )


def _meta(key: int) -> bytes:
    return _expression("meta", word(1, _REGISTER) + word(2, key))


def _address(prefix: IPv4Network | IPv6Network, side: int) -> bytes:
    mask, value = prefix.netmask.packed, prefix.network_address.packed
    length = len(value)
    offset = _OFFSETS[prefix.version][side]
    load = (
        word(1, _REGISTER)
        + word(2, 1)  # NFT_PAYLOAD_NETWORK_HEADER
        + word(3, offset)
        + word(4, length)
    )
    masked = (
        word(1, _REGISTER)
        + word(2, _REGISTER)
        + word(3, length)
        + attribute(4, attribute(_VALUE, mask))
        + attribute(5, attribute(_VALUE, bytes(length)))
    )
    return (
        _meta(_META_NFPROTO)
        + _equals(bytes([_PROTOCOLS[prefix.version]]))
        + _expression("payload", load)
        + (_expression("bitwise", masked) if prefix.prefixlen < prefix.max_prefixlen else b"")
        + _equals(value)
    )


def _equals(value: bytes) -> bytes:
    data = word(1, _REGISTER) + word(2, 0) + attribute(3, attribute(_VALUE, value))
    return _expression("cmp", data)


def _expression(name: str, data: bytes) -> bytes:
    return attribute(_ELEMENT, text(_NAME, name) + attribute(_DATA, data))


def _read(expressions: bytes) -> list[tuple[bytes, dict[int, bytes]]]:
    """Name and attributes of each expression."""
    found = []
    for _, element in attributes(expressions):
        parts = dict(attributes(element))
        found.append((parts.get(_NAME, b""), dict(attributes(parts.get(_DATA, b"")))))
    return found
