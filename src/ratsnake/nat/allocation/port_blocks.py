"""Port blocks: runs of external ports that one internal host has for itself.

With blocks a log line a block says who had which ports, instead of one a mapping (RFC 6888
REQ-14).  A block serves all protocols.  It is granted when a host needs a port and given back with
its last mapping.

As in the port pools, `order` holds an external address's blocks with the `left` free ones first, so
that drawing an unpredictable free block is O(1).  A host's blocks are a chain in the order of their
grant; `previous` of the first is the last, so that a block is linked and unlinked in O(1).
"""

from collections.abc import Sequence

import cython

if not cython.compiled:
    from ratsnake.wire.integer_types import u32

    from ..tables.row_layouts import Numbers, Shorts, new_numbers, new_shorts, release

from ..tables.random_generator import Generator


class PortBlocks:
    """Blocks are numbered from 1; 0 is none.  Arguments are not checked: all must be in range."""

    first_ids: Numbers
    left: Numbers
    order: Numbers
    place: Numbers
    owner: Numbers
    held: Numbers
    previous: Numbers
    next: Numbers
    heads: Numbers
    grants: Numbers
    external: Shorts
    lowest: Shorts
    highest: Shorts
    number: Shorts

    def __init__(
        self, ports: Sequence[Sequence[int]], size: int, generator: Generator, hosts: int
    ) -> None:
        """Blocks of `size` ports for host rows 1..`hosts`.

        `ports` are the permitted ports (ascending, 1..65535) of each external address, in the order
        of their rows.  Each `size` of them in a row are a block, those left over are unused.  Where
        permitted ports have gaps, so may a block: what is not permitted is in no block.
        """
        self.generator = generator
        self.externals = len(ports)
        self.count = sum(len(permitted) // size for permitted in ports)
        self.first_ids = new_numbers(self.externals + 1)
        self.left = new_numbers(self.externals)
        self.order = new_numbers(self.count + 1)
        self.place = new_numbers(self.count + 1)
        self.owner = new_numbers(self.count + 1)
        self.held = new_numbers(self.count + 1)
        self.previous = new_numbers(self.count + 1)
        self.next = new_numbers(self.count + 1)
        self.heads = new_numbers(hosts + 1)
        self.grants = new_numbers(hosts + 1)
        self.external = new_shorts(self.count + 1)
        self.lowest = new_shorts(self.count + 1)
        self.highest = new_shorts(self.count + 1)
        # Of each port the number of its block among those of its address, from 1.
        self.number = new_shorts(self.externals << 16)
        block = 1
        for row, permitted in enumerate(ports):
            self.first_ids[row] = block
            self.left[row] = len(permitted) // size
            for number in range(len(permitted) // size):
                run = permitted[number * size : (number + 1) * size]
                self.order[block] = self.place[block] = block
                self.external[block] = row
                self.lowest[block] = run[0]
                self.highest[block] = run[size - 1]
                for port in run:
                    self.number[row << 16 | port] = number + 1
                block += 1
        self.first_ids[self.externals] = block

    def __dealloc__(self) -> None:
        release(self.first_ids)
        release(self.left)
        release(self.order)
        release(self.place)
        release(self.owner)
        release(self.held)
        release(self.previous)
        release(self.next)
        release(self.heads)
        release(self.grants)
        release(self.external)
        release(self.lowest)
        release(self.highest)
        release(self.number)

    def total(self, external: u32) -> u32:
        """How many blocks an external address has."""
        return self.first_ids[external + 1] - self.first_ids[external]

    def free_blocks(self, external: u32) -> u32:
        """How many of them nobody has."""
        return self.left[external]

    def block_at(self, external: u32, port: u32) -> u32:
        """The block a port of an external address is in, or 0."""
        number: u32 = self.number[external << 16 | port]
        return self.first_ids[external] + number - 1 if number else 0

    def external_of(self, block: u32) -> u32:
        """The row of the block's external address."""
        return self.external[block]

    def first_port(self, block: u32) -> u32:
        return self.lowest[block]

    def last_port(self, block: u32) -> u32:
        """The highest port; between it and the first, only permitted ports are the block's."""
        return self.highest[block]

    def owner_of(self, block: u32) -> u32:
        """The row of the host that has the block, or 0."""
        return self.owner[block]

    def granted(self, host: u32) -> u32:
        """How many blocks a host has."""
        return self.grants[host]

    def first_of(self, host: u32) -> u32:
        """The block a host was granted first of those it has, or 0."""
        return self.heads[host]

    def next_of(self, block: u32) -> u32:
        """The block its host was granted next, or 0."""
        return self.next[block]

    def swap(self, a: u32, b: u32) -> None:
        """Exchange two places of the order."""
        x: u32 = self.order[a]
        y: u32 = self.order[b]
        self.order[a] = y
        self.order[b] = x
        self.place[y] = a
        self.place[x] = b

    def grant(self, host: u32, external: u32) -> u32:
        """Give a host an unpredictable free block of an external address; 0 if there is none.

        The block must be held at once: it is given back when it is dropped for the last time.
        """
        left: u32 = self.left[external]
        if left == 0:
            return 0
        block: u32 = self.order[self.first_ids[external] + self.generator.below(left)]
        self.assign(host, block)
        return block

    def assign(self, host: u32, block: u32) -> None:
        """Give a host this block, which is free; it must be held at once."""
        external: u32 = self.external[block]
        self.left[external] -= 1
        self.swap(self.place[block], self.first_ids[external] + self.left[external])
        self.owner[block] = host
        self.grants[host] += 1
        self.append(host, block)

    def append(self, host: u32, block: u32) -> None:
        """Link the block at the end of a host's chain."""
        head: u32 = self.heads[host]
        last: u32 = self.previous[head] if head else 0
        if head:
            self.next[last] = block
            self.previous[block] = last
            self.previous[head] = block
        else:
            self.heads[host] = block
            self.previous[block] = block
        self.next[block] = 0

    def unlink(self, host: u32, block: u32) -> None:
        before: u32 = self.previous[block]
        after: u32 = self.next[block]
        if self.heads[host] == block:
            self.heads[host] = after
        else:
            self.next[before] = after
        if after:
            self.previous[after] = before
        elif self.heads[host]:
            self.previous[self.heads[host]] = before

    def hold(self, block: u32) -> None:
        """A mapping got one of the block's ports; 0 is no block."""
        if block:
            self.held[block] += 1

    def drop(self, block: u32) -> None:
        """One of the block's mappings ended; without mappings it is free again.  0 is no block."""
        if block == 0:
            return
        self.held[block] -= 1
        if self.held[block]:
            return
        host: u32 = self.owner[block]
        external: u32 = self.external[block]
        self.unlink(host, block)
        self.grants[host] -= 1
        self.owner[block] = 0
        self.swap(self.place[block], self.first_ids[external] + self.left[external])
        self.left[external] += 1
