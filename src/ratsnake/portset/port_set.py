"""PortSet: ports as sorted ranges, and the `5000-5999,7000` notation for them."""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

FIRST_PORT = 1  # RFC 6335 section 6: port 0 is reserved and never assigned
LAST_PORT = 65535

_PART = re.compile(r"([0-9]{1,5})(?:\s*-\s*([0-9]{1,5}))?", re.ASCII)
_RIGHT = "right is a port or FIRST-LAST, for example 7000 or 5000-5999"


def _check_range(first: int, last: int, shown: str) -> None:
    """Raise ValueError, quoting `shown`, unless first-last is a range of ports."""
    for port in (first, last):
        if not FIRST_PORT <= port <= LAST_PORT:
            raise ValueError(
                f"{shown!r}: {port} is not a port; ports go from {FIRST_PORT} to {LAST_PORT}"
            )
    if first > last:
        raise ValueError(f"{shown!r}: the range runs backwards; right is {last}-{first}")


def _parse_part(part: str, spec: str) -> tuple[int, int]:
    if not part:
        raise ValueError(f"{spec!r}: there is an empty part; {_RIGHT}, separated by commas")
    match = _PART.fullmatch(part)
    if match is None:
        raise ValueError(f"{part!r} is not a port or a range; {_RIGHT}")
    first = int(match[1])
    last = first if match[2] is None else int(match[2])
    _check_range(first, last, part)
    return first, last


@dataclass(frozen=True, slots=True)
class PortSet:
    """A set of at least one port from 1 to 65535.

    `ranges` holds inclusive (first, last) pairs, ascending, with at least one port missing
    between neighbours, so that equal sets compare equal.  Raises ValueError for anything else;
    `PortSet.of` takes ranges in any order.
    """

    ranges: tuple[tuple[int, int], ...]

    def __post_init__(self) -> None:
        if not self.ranges:
            raise ValueError("the port set is empty; it needs at least one port")
        for first, last in self.ranges:
            _check_range(first, last, f"{first}-{last}")
        for (_, before), (after, _) in zip(self.ranges, self.ranges[1:], strict=False):
            if after <= before + 1:
                raise ValueError(
                    f"the range at {after} does not lie beyond {before}; "
                    "ranges must be ascending with a gap between them"
                )

    @classmethod
    def of(cls, ranges: Iterable[tuple[int, int]]) -> "PortSet":
        """The set of all ports in `ranges`, inclusive pairs in any order, which may overlap.

        Raises ValueError as the class does.
        """
        merged: list[tuple[int, int]] = []
        for first, last in sorted(ranges):
            _check_range(first, last, f"{first}-{last}")
            if merged and first <= merged[-1][1] + 1:
                merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
            else:
                merged.append((first, last))
        return cls(tuple(merged))

    @classmethod
    def parse(cls, spec: str) -> "PortSet":
        """Read ports and ranges separated by commas, in any order: `5000-5999,7000`.

        Spaces around numbers are ignored; parts that overlap or touch are joined.  Raises
        ValueError with one line that names the bad part and says what is right.
        """
        return cls.of([_parse_part(part.strip(), spec) for part in spec.split(",")])

    def without(self, ranges: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
        """The ranges that are left, perhaps none, without the ports of inclusive `ranges`."""
        left = list(self.ranges)
        for first, last in ranges:
            left = [
                (low, high)
                for start, end in left
                for low, high in ((start, min(end, first - 1)), (max(start, last + 1), end))
                if low <= high
            ]
        return tuple(left)

    def __len__(self) -> int:
        return sum(last - first + 1 for first, last in self.ranges)

    def __contains__(self, port: object) -> bool:
        if not isinstance(port, int):
            return False
        at = bisect_right(self.ranges, (port, LAST_PORT))
        return at > 0 and port <= self.ranges[at - 1][1]

    def __iter__(self) -> Iterator[int]:
        for first, last in self.ranges:
            yield from range(first, last + 1)

    def __str__(self) -> str:
        """The set in the notation `parse` reads, in its shortest form."""
        return ",".join(
            str(first) if first == last else f"{first}-{last}" for first, last in self.ranges
        )
