"""Identifications for IPv4 datagrams that may be or are fragmented (RFC 6864 section 5.3.1).

Hosts behind one external address may choose the same number, and their fragments would be mixed up
by who reassembles them: so the NAT numbers them anew (RFC 7857 section 10).  A number comes again
only after all 65,536 others; their order is a secret permutation (a Feistel network over secret
tables), so that nobody can count a NAT's packets by them.
"""

import cython

if not cython.compiled:
    from ratsnake.wire.integer_types import u32

    from ..tables.row_layouts import Octets, new_octets, release

    ROUNDS = 4

from ..tables.random_generator import Generator


class Identifications:
    tables: Octets

    def __init__(self, generator: Generator) -> None:
        self.tables = new_octets(ROUNDS << 8)
        for at in range(ROUNDS << 8):
            self.tables[at] = generator.below(256)
        self.counter = 0

    def __dealloc__(self) -> None:
        release(self.tables)

    def next(self) -> u32:
        """A number in 0..65535."""
        left: u32 = self.counter >> 8
        right: u32 = self.counter & 0xFF
        self.counter = self.counter + 1 & 0xFFFF
        mixed: u32
        k: u32
        for k in range(ROUNDS):
            mixed = left ^ self.tables[k << 8 | right]
            left = right
            right = mixed
        return left << 8 | right
