"""How rules divide the ports and remotes they cover: where each piece begins, and whose it is.

Plain Python that runs once at the start.  A rule is a number; of several the lowest comes first.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, collapse_addresses
from typing import TypeAlias, TypeVar

from ratsnake.wire.integer_types import MAPPED_IPV4

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network
# Address (or its row), protocol row, port: in this order.
Place: TypeAlias = tuple[int, int, int]
Point = TypeVar("Point", int, Place)

BEYOND_ADDRESSES = 1 << 128


def number(address: Address) -> int:
    """The address as 128 bits, an IPv4 address as IPv4-mapped."""
    return MAPPED_IPV4 | int(address) if address.version == 4 else int(address)


def sweep(intervals: Iterable[tuple[Point, Point, int]]) -> list[tuple[Point, tuple[int, ...]]]:
    """Cut the line wherever an interval begins or ends.

    An interval is (first, end, rule); `end` is not in it, and intervals of one rule do not
    overlap.  A piece is its first point and the rules that cover it, ascending; it ends where the
    next one begins.  Pieces ascend, and no rule covers the last.
    """
    begins: dict[Point, list[int]] = defaultdict(list)
    ends: dict[Point, list[int]] = defaultdict(list)
    for first, end, rule in intervals:
        begins[first].append(rule)
        ends[end].append(rule)
    covering: set[int] = set()
    pieces: list[tuple[Point, tuple[int, ...]]] = []
    points = set(begins)
    points.update(ends)
    for point in sorted(points):
        covering.difference_update(ends[point])
        covering.update(begins[point])
        pieces.append((point, tuple(sorted(covering))))
    return pieces


def by_place(
    rules: Iterable[tuple[int, Sequence[int], int, int, int]],
) -> list[tuple[Place, tuple[int, ...]]]:
    """The pieces of rules given as (rule, protocol rows, address, first port, last port)."""
    return sweep(
        ((address, protocol, first), (address, protocol, last + 1), rule)
        for rule, protocols, address, first, last in rules
        for protocol in protocols
    )


def by_remote(
    rules: Iterable[tuple[int, Sequence[Network]]],
) -> list[tuple[int, tuple[int, ...]]]:
    """The pieces of rules given with their remotes (none: every address), all of one family."""
    return sweep(
        (first, end, rule) for rule, remotes in rules for first, end in _intervals(remotes)
    )


def _intervals(remotes: Sequence[Network]) -> list[tuple[int, int]]:
    if not remotes:
        return [(0, BEYOND_ADDRESSES)]
    apart = collapse_addresses(remotes)  # type: ignore[type-var]
    return [(number(net[0]), number(net[0]) + net.num_addresses) for net in apart]
