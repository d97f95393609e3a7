"""A set of ports for people, for programs, and for nftables."""

import textwrap
from collections.abc import Iterator
from typing import Any

from ..portset import PortSet

WIDTH = 80
GAP = 2  # between columns of ranges


def amount(ports: PortSet) -> str:
    """How many there are: `240 in 15 ranges`."""
    ranges = len(ports.ranges)
    return f"{len(ports)} in {ranges} range{'s' if ranges > 1 else ''}"


def table(ports: PortSet, indent: int) -> Iterator[str]:
    """The ranges in columns, read from left to right; the first column begins at `indent`."""
    cells = str(ports).split(",")
    width = max(map(len, cells))
    row = (WIDTH - indent + GAP) // (width + GAP)
    for first in range(0, len(cells), row):
        yield " " * indent + (" " * GAP).join(
            cell.rjust(width) for cell in cells[first : first + row]
        )


def fields(ports: PortSet) -> dict[str, Any]:
    """What JSON says of the ports; `ports` is text for `--ports`."""
    return {
        "count": len(ports),
        "ranges": [list(one) for one in ports.ranges],
        "ports": str(ports),
    }


def nft_set(ports: PortSet, comment: str) -> Iterator[str]:
    """A table for `nft -f` with the set `ports` in it."""
    yield "table inet ratsnake_ports {"
    yield f"\t# {comment}: {amount(ports)}"
    yield "\tset ports {"
    yield "\t\ttype inet_service"
    yield "\t\tflags interval"
    yield "\t\telements = {"
    elements = str(ports).replace(",", ", ")
    for line in textwrap.wrap(elements, WIDTH - 24, break_on_hyphens=False):
        yield f"\t\t\t{line}"
    yield "\t\t}"
    yield "\t}"
    yield "}"
