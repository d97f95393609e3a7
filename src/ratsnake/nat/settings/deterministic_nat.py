"""Deterministic NAT (RFC 7422): which host has which external ports is computed, not logged.

The internal addresses, in the order of their prefixes, are shared out to the external ones in equal
numbers; each gets as many of the external address's ports as every other, again in order.  So a
port's host can be told from the configuration alone, years later, with no log at all.

All addresses of a prefix count, the network's and the broadcast one too: the prefix may be many
subnets, in which those are ordinary hosts.
"""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network

import cython

if not cython.compiled:
    from ratsnake.wire.integer_types import MAPPED_IPV4, u32, u64

    from ..tables.row_layouts import NONE32, Shorts, Words, new_shorts, new_words, release

from ratsnake.portset import PortSet


def _check_distinct(internal: Sequence[IPv4Network], externals: Sequence[IPv4Address]) -> None:
    """Raise ValueError unless every address is there once: only so has each port one host."""
    ordered = sorted(internal)
    for before, after in zip(ordered, ordered[1:], strict=False):
        if before.overlaps(after):
            raise ValueError(f"internal: {after} lies inside {before}; give every address once")
    for row, address in enumerate(externals):
        if address in externals[:row]:
            raise ValueError(f"external: {address} is given twice; give every address once")


class Deterministic:
    """Raises ValueError "key: what is wrong and what is right" for what cannot be shared out.

    `size` is the number of ports each host has, `hosts` the number of hosts (internal addresses),
    `hosts_per_external` how many of them one external address serves, the last ones perhaps fewer.
    Hosts are numbered from 0.
    """

    starts: Words
    ends: Words
    offsets: Words
    ports: Shorts

    def __init__(
        self,
        internal: Sequence[IPv4Network],
        externals: Sequence[tuple[IPv4Address, Sequence[int]]],
        size: int = 0,
    ) -> None:
        """Share `externals`, each with its permitted ports (ascending), out to `internal`.

        At least one of each, at most 65,535 externals.  A `size` of 0 is the most that fits.
        """
        self.externals = tuple([address for address, _ in externals])
        _check_distinct(internal, self.externals)
        # Python's integers until all is known to fit: there may be too many for 32 bits.
        hosts = sum([prefix.num_addresses for prefix in internal])
        sharers = (hosts + len(externals) - 1) // len(externals)
        poorest, permitted = min(externals, key=lambda external: len(external[1]))
        most = len(permitted) // sharers
        if most < 1:
            noun = "address" if len(externals) == 1 else "addresses"
            raise ValueError(
                f"internal: {hosts:,} addresses share {len(externals):,} external {noun} of"
                f" {len(permitted):,} ports: less than one port each. Give --internal a smaller"
                " prefix or more external addresses"
            )
        if size and not 1 <= size <= most:
            raise ValueError(
                f"port-block: {size:,} ports each do not fit: {sharers:,} hosts share the"
                f" {len(permitted):,} ports of {poorest}. Right is 1..{most:,}"
            )
        self.hosts = hosts
        self.hosts_per_external = sharers
        self.size = size or most
        self.prefixes = tuple(internal)
        self.internals = len(internal)
        self.starts = new_words(len(internal))
        self.ends = new_words(len(internal))
        self.offsets = new_words(len(internal))
        offset = 0
        for k, prefix in enumerate(internal):
            self.starts[k] = MAPPED_IPV4 | int(prefix.network_address)
            self.ends[k] = MAPPED_IPV4 | int(prefix.broadcast_address)
            self.offsets[k] = offset
            offset += prefix.num_addresses
        # The ports of host n are those at n * size and after: an external address's unused rest is
        # left out, so that one multiplication finds them.
        used = self.hosts_per_external * self.size
        self.ports = new_shorts(len(externals) * used)
        for row, (_, permitted) in enumerate(externals):
            for k in range(used):
                self.ports[row * used + k] = permitted[k]

    def __dealloc__(self) -> None:
        release(self.starts)
        release(self.ends)
        release(self.offsets)
        release(self.ports)

    def host_of(self, high: u64, low: u64) -> u32:
        """The number of an internal address, or NONE32."""
        k: u32
        for k in range(self.internals):
            if high == 0 and self.starts[k] <= low <= self.ends[k]:
                return self.offsets[k] + (low - self.starts[k])
        return NONE32

    def external_of(self, host: u32) -> u32:
        """The row of a host's external address."""
        return host // self.hosts_per_external

    def first_port(self, host: u32) -> u32:
        at: u64 = host
        return self.ports[at * self.size]

    def last_port(self, host: u32) -> u32:
        """The highest port; between it and the first, only permitted ports are the host's."""
        at: u64 = host
        return self.ports[at * self.size + self.size - 1]

    def host_at(self, external: u32, port: u32) -> u32:
        """The host that has a port of an external address (by its row), or NONE32."""
        used: u64 = self.hosts_per_external
        used *= self.size
        first: u64 = external * used
        low: u64 = first
        high: u64 = first + used
        middle: u64
        while low < high:
            middle = (low + high) >> 1
            if self.ports[middle] < port:
                low = middle + 1
            else:
                high = middle
        if low == first + used or self.ports[low] != port:
            return NONE32
        return low // self.size

    def ports_of(self, address: IPv4Address) -> tuple[IPv4Address, list[tuple[int, int]]] | None:
        """An internal address's external one and its ports, as inclusive ranges.

        None if the address is not internal.
        """
        host: u32 = self.host_of(0, MAPPED_IPV4 | int(address))
        if host == NONE32:
            return None
        start = int(host) * self.size
        permitted = [self.ports[at] for at in range(start, start + self.size)]
        ranges = PortSet.of([(port, port) for port in permitted]).ranges
        return self.externals[self.external_of(host)], list(ranges)

    def subscriber_of(self, external: IPv4Address, port: int) -> IPv4Address | None:
        """The internal address that has a port of an external one; None if nobody has."""
        if external not in self.externals:
            return None
        host: u32 = self.host_at(self.externals.index(external), port)
        if host == NONE32:
            return None
        for prefix in self.prefixes:
            if host < prefix.num_addresses:
                return prefix.network_address + host
            host -= prefix.num_addresses
        return None
