"""Where an address belongs: inside, one of the external addresses, or a remote host."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

import cython

if not cython.compiled:
    from ratsnake.wire.integer_types import M32, u32, u64

    from ..tables.row_layouts import Numbers, Words, new_numbers, new_words, release

    MULTIPLIER = 0x9E3779B1  # 2**32 over the golden ratio (Knuth, volume 3, section 6.4)

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# What is never the address of one remote host (RFC 6890): this network, loopback, link-local
# (which RFC 3927 section 7 forbids to forward), multicast, and reserved with broadcast; of IPv6
# the unspecified address, loopback, what embeds IPv4 (::/96, ::ffff:0:0/96), link-local (RFC 4291
# section 2.5.6) and multicast.
UNROUTABLE: tuple[Network, ...] = (
    IPv4Network("0.0.0.0/8"),
    IPv4Network("127.0.0.0/8"),
    IPv4Network("169.254.0.0/16"),
    IPv4Network("224.0.0.0/4"),
    IPv4Network("240.0.0.0/4"),
    IPv6Network("::/96"),
    IPv6Network("fe80::/10"),
    IPv6Network("ff00::/8"),
)
# The address whose packets ask for the status, as in the programs ratsnake descends from.
STATUS_ADDRESS = IPv4Address("192.0.2.2")
# The sources of ICMP errors that the router itself sends by the NAT's device: the dummy address of
# RFC 7600 section 4.8, and one of the discard prefix of RFC 6666, which is no host's either.
ROUTER_ADDRESS = IPv4Address("192.0.0.8")
ROUTER_ADDRESS_6 = IPv6Address("100::8")


def halves(address: Address) -> tuple[int, int]:
    """An address as the engine holds it: 128 bits in two halves, IPv4 as IPv4-mapped."""
    if isinstance(address, IPv4Address):
        return 0, 0x0000FFFF_00000000 | int(address)
    return int(address) >> 64, int(address) & 0xFFFFFFFF_FFFFFFFF


def mask_words(prefix: Network) -> tuple[int, int, int, int]:
    """The halves of a prefix's address, then those of its mask."""
    length = prefix.prefixlen + (96 if prefix.version == 4 else 0)
    mask = (1 << 128) - (1 << (128 - length))
    return (*halves(prefix.network_address), mask >> 64, mask & 0xFFFFFFFF_FFFFFFFF)


class Prefixes:
    """A few prefixes, tried one after the other; only packets that open a session come here."""

    rows: Words

    def __init__(self, prefixes: Sequence[Network]) -> None:
        self.count = len(prefixes)
        self.rows = new_words(4 * self.count)
        for number, prefix in enumerate(prefixes):
            for word, value in enumerate(mask_words(prefix)):
                self.rows[4 * number + word] = value

    def __dealloc__(self) -> None:
        release(self.rows)

    def contain(self, high: u64, low: u64) -> bool:
        k: u32
        for k in range(self.count):
            if (
                low & self.rows[4 * k + 3] == self.rows[4 * k + 1]
                and high & self.rows[4 * k + 2] == self.rows[4 * k]
            ):
                return True
        return False


class AddressRealm:
    external_high: Words
    external_low: Words
    slots: Numbers

    def __init__(
        self, external: Sequence[Address], internal: Sequence[Network], bypass: Sequence[Network]
    ) -> None:
        """`bypass`: remotes whose traffic is not translated (RFC 6888 REQ-6)."""
        self.externals = len(external)
        self.external_high = new_words(self.externals)
        self.external_low = new_words(self.externals)
        # Open addressing with room to spare; the addresses are ours, so no key is needed.
        self.slot_mask = (1 << (4 * self.externals).bit_length()) - 1
        self.slots = new_numbers(self.slot_mask + 1)
        for row, address in enumerate(external):
            self.external_high[row], self.external_low[row] = halves(address)
            at = self.slot_of(self.external_high[row], self.external_low[row])
            while self.slots[at]:
                at = at + 1 & self.slot_mask
            self.slots[at] = row + 1
        self.internal = Prefixes(internal)
        self.unroutable = Prefixes(UNROUTABLE)
        self.bypass = Prefixes(bypass)
        self.status = halves(STATUS_ADDRESS)[1]
        self.router = halves(ROUTER_ADDRESS)[1]
        self.router_high, self.router_low = halves(ROUTER_ADDRESS_6)

    def __dealloc__(self) -> None:
        release(self.external_high)
        release(self.external_low)
        release(self.slots)

    def slot_of(self, high: u64, low: u64) -> u32:
        mixed: u64 = low ^ high >> 7 ^ low >> 19
        return (mixed & M32) * MULTIPLIER >> 12 & self.slot_mask

    def external_row(self, high: u64, low: u64) -> u32:
        """The row of an external address, or `externals` if it is none."""
        at: u32 = self.slot_of(high, low)
        row: u32 = self.slots[at]
        while row:
            if self.external_low[row - 1] == low and self.external_high[row - 1] == high:
                return row - 1
            at = at + 1 & self.slot_mask
            row = self.slots[at]
        return self.externals

    def is_external(self, high: u64, low: u64) -> bool:
        return self.external_row(high, low) != self.externals

    def is_router(self, high: u64, low: u64) -> bool:
        return (high == 0 and low == self.router) or (
            high == self.router_high and low == self.router_low
        )

    def is_internal(self, high: u64, low: u64) -> bool:
        return self.internal.contain(high, low)

    def is_remote(self, high: u64, low: u64) -> bool:
        """Whether the address may be that of a host on the outside."""
        return not self.unroutable.contain(high, low) and not self.internal.contain(high, low)

    def is_unroutable(self, high: u64, low: u64) -> bool:
        return self.unroutable.contain(high, low)

    def may_report(self, high: u64, low: u64) -> bool:
        """Whether an ICMP error from outside may have this source.

        A router on the way may have any address a host can have, even a private one that is used
        inside as well (RFC 4787 REQ-12a), but none of the NAT's.
        """
        return not self.unroutable.contain(high, low) and not self.is_external(high, low)

    def is_bypassed(self, high: u64, low: u64) -> bool:
        """Whether traffic with this remote is not translated."""
        return self.bypass.contain(high, low)

    def asks_status(self, high: u64, low: u64) -> bool:
        return high == 0 and low == self.status
