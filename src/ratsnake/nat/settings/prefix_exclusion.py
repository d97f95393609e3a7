"""Arithmetic of prefixes: some without others."""

from collections.abc import Iterable, Iterator

from .address_realm import Network


def without(prefixes: Iterable[Network], excepted: Iterable[Network]) -> Iterator[Network]:
    """As few prefixes as hold all of `prefixes` but nothing of `excepted`, in their order."""
    left = list(prefixes)
    for hole in excepted:
        left = [part for prefix in left for part in _around(prefix, hole)]
    yield from left


def _around(prefix: Network, hole: Network) -> Iterator[Network]:
    if prefix.version != hole.version or not prefix.overlaps(hole):
        yield prefix
    elif hole.subnet_of(prefix):  # type: ignore[arg-type]  # of one version
        parts: Iterable[Network] = prefix.address_exclude(hole)  # type: ignore[arg-type]
        yield from sorted(parts, key=lambda part: int(part.network_address))
