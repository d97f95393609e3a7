"""Which ports of an external address mappings may get, and what blocks are made of."""

from ratsnake.wire.packet_fields import OTHER

from ..settings.setting_types import External
from .port_positions import Ranges

# A protocol without ports has its IANA number in their place.
PROTOCOL_NUMBERS = ((0, 255),)


def pool_ranges(
    protocol: int,
    row: int,
    external: External,
    reserved: set[tuple[int, int, int, int]],
    in_blocks: bool,
) -> Ranges:
    """The ports of an external address that mappings of a protocol may get.

    `in_blocks`: they are those of blocks (`block_ports`), so that each lies in one.
    """
    if external.ports is None:
        return ()
    if protocol == OTHER:
        return PROTOCOL_NUMBERS
    taken = [
        (first, last) for p, x, first, last in reserved if x == row and (p == protocol or in_blocks)
    ]
    return external.ports.without(taken)


def block_ports(
    row: int, external: External, reserved: set[tuple[int, int, int, int]]
) -> tuple[int, ...]:
    """The ports of an external address that blocks are made of: those no forward has, for blocks
    serve all protocols."""
    if external.ports is None:
        return ()
    taken = [(first, last) for _, x, first, last in reserved if x == row]
    return tuple(
        [port for start, end in external.ports.without(taken) for port in range(start, end + 1)]
    )
