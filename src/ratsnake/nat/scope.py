"""Where an address belongs: inside, one of the external addresses, or a remote host."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network

import cython

if not cython.compiled:
    from ratsnake.wire.types import MAPPED_IPV4, u32, u64

    from .records import Words, new_words, release

# What is never the address of one remote host (RFC 6890): this network, loopback, link-local
# (which RFC 3927 section 7 forbids to forward), multicast, and reserved with broadcast.
UNROUTABLE = tuple(
    IPv4Network(prefix)
    for prefix in ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4")
)
# The address whose packets ask for the status, as in the programs ratsnake descends from.
STATUS_ADDRESS = IPv4Address("192.0.2.2")
# The source of ICMP errors that the router itself sends by the NAT's device (RFC 7600 section 4.8).
ROUTER_ADDRESS = IPv4Address("192.0.0.8")


class Prefixes:
    """A few prefixes, tried one after the other; only packets that open a session come here."""

    rows: Words

    def __init__(self, prefixes: Sequence[IPv4Network]) -> None:
        self.count = len(prefixes)
        self.rows = new_words(2 * self.count)
        for number, prefix in enumerate(prefixes):
            self.rows[2 * number] = MAPPED_IPV4 | int(prefix.network_address)
            self.rows[2 * number + 1] = 0xFFFFFFFF_00000000 | int(prefix.netmask)

    def __dealloc__(self) -> None:
        release(self.rows)

    def contain(self, high: u64, low: u64) -> bool:
        k: u32
        for k in range(self.count):
            if high == 0 and low & self.rows[2 * k + 1] == self.rows[2 * k]:
                return True
        return False


class Scope:
    external_high: Words
    external_low: Words

    def __init__(self, external: Sequence[IPv4Address], internal: Sequence[IPv4Network]) -> None:
        self.externals = len(external)
        self.external_high = new_words(self.externals)
        self.external_low = new_words(self.externals)
        for row, address in enumerate(external):
            self.external_low[row] = MAPPED_IPV4 | int(address)
        self.internal = Prefixes(internal)
        self.unroutable = Prefixes(UNROUTABLE)
        self.status = MAPPED_IPV4 | int(STATUS_ADDRESS)
        self.router = MAPPED_IPV4 | int(ROUTER_ADDRESS)

    def __dealloc__(self) -> None:
        release(self.external_high)
        release(self.external_low)

    def external_row(self, high: u64, low: u64) -> u32:
        """The row of an external address, or `externals` if it is none."""
        k: u32
        for k in range(self.externals):
            if self.external_low[k] == low and self.external_high[k] == high:
                return k
        return self.externals

    def is_external(self, high: u64, low: u64) -> bool:
        return self.external_row(high, low) != self.externals

    def is_router(self, high: u64, low: u64) -> bool:
        return high == 0 and low == self.router

    def is_internal(self, high: u64, low: u64) -> bool:
        return self.internal.contain(high, low)

    def is_remote(self, high: u64, low: u64) -> bool:
        """Whether the address may be that of a host on the outside."""
        return not self.unroutable.contain(high, low) and not self.internal.contain(high, low)

    def asks_status(self, high: u64, low: u64) -> bool:
        return high == 0 and low == self.status
