"""Packets of numbered flows, written a batch at a time and sent through a NAT, with the time taken.

Flow `k` has its internal and its remote endpoint by arithmetic; the external one is what the NAT
chose.  A batch is written into one small buffer, as a device's reads would, and only its
translation is timed.  The NAT's clock goes on by a millisecond for every PACE packets: at 1,000,000
packets a second, more than a TUN device carries.
"""

import cython

if not cython.compiled:
    from time import monotonic_ns as nanoseconds
    from typing import cast

    from ratsnake.nat.rules.drop_reasons import TRANSLATED
    from ratsnake.nat.rules.timeout_classes import SWEEP
    from ratsnake.nat.tables.row_layouts import (
        Numbers,
        Octets,
        Words,
        new_numbers,
        new_octets,
        new_words,
        release,
        reserved_words,
        unreserve,
    )
    from ratsnake.wire.byte_order import be16, be32
    from ratsnake.wire.integer_types import M64, Bytes, u32, u64
    from ratsnake.wire.packet_fields import TCP

    from .small_packets import ACK, SYN, write_packet

    SLOT = 64  # bytes of the buffer for each packet
    BATCH = 64  # packets, as in the packet loop
    COLD = 2097152  # words: 16 MB, more than a core's own caches hold
    PACE = 1000  # packets a millisecond of the NAT's clock
    FIRST_INTERNAL = 0x0A000001  # 10.0.0.1
    FIRST_REMOTE = 0xC6336401  # 198.51.100.1
    REMOTE_ADDRESSES = 250
    REMOTE_PORTS = 60000
    FIRST_REMOTE_PORT = 1024

    def slot(buffer: Octets, k: u32) -> Bytes:
        """The k-th packet of the buffer, not a copy."""
        return cast(Bytes, memoryview(buffer)[k * SLOT : (k + 1) * SLOT])


from ratsnake.nat.nat import Nat


class RefusedError(Exception):
    """The NAT did not translate a packet of a measurement, which therefore says nothing."""


class Load:
    """`now` is the NAT's clock in milliseconds; `refused` counts packets that were not translated.

    Methods that send packets return the nanoseconds the NAT took for them.  Arguments are not
    checked: flows must be below the number given at the start, and opened before they are used.
    """

    buffer: Octets
    cold: Words
    sizes: Numbers
    flows: Numbers
    external: Words

    def __init__(
        self,
        nat: Nat,
        protocol: int,
        flows: int,
        flows_per_host: int = 100,
        internal_port: int = 10_000,
        remotes: int = REMOTE_ADDRESSES * REMOTE_PORTS,
        first_remote: int = 0,
    ) -> None:
        """Up to `flows` flows of TCP (0) or UDP (1).

        Each host has `flows_per_host` of them, from ports that begin at `internal_port`; where it
        is 0, all have the same internal endpoint.  Flow `k` goes to remote endpoint `first_remote`
        + `k` modulo `remotes`.
        """
        self.nat = nat
        self.protocol = protocol
        self.per_host = flows_per_host
        self.internal_port = internal_port
        self.remotes = remotes
        self.first_remote = first_remote
        self.buffer = new_octets(SLOT * BATCH)
        self.cold = reserved_words(COLD)
        self.sizes = new_numbers(BATCH)
        self.flows = new_numbers(BATCH)
        self.external = new_words(flows)
        k: u32
        for k in range(flows):
            self.external[k] = M64  # written now, so that no measurement pays for its pages
        self.random = 88172645463325252
        self.origin = self.now = 1000
        self.played = 0
        self.refused = 0

    def __dealloc__(self) -> None:
        release(self.buffer)
        unreserve(self.cold)
        release(self.sizes)
        release(self.flows)
        release(self.external)

    def open(self, first: int, count: int, step: int = 1) -> int:
        """Send a packet from inside of `count` flows: of `first` and every step-th after it.

        It opens those that are not open.  Of TCP the SYNs are timed; the rest of the handshake
        follows untimed.
        """
        begin: u32 = first
        number: u32 = count
        stride: u32 = step
        spent: u64
        with cython.nogil:
            spent = self.open_all(begin, number, stride)
        return int(spent)

    def exchange(self, flows: int, packets: int, in_order: bool = False) -> int:
        """Send packets of the first `flows` flows, as many from outside as from inside.

        They come in random order, or in the flows' order: one of each from inside, then one of each
        from outside, and so on.
        """
        among: u32 = flows
        count: u64 = packets
        ordered: bool = in_order
        spent: u64
        with cython.nogil:
            spent = self.send_in_order(among, count) if ordered else self.send_random(among, count)
        return int(spent)

    def check(self) -> None:
        """Raises RefusedError if any packet so far was not translated."""
        if self.refused:
            dropped = {name: n for name, n in self.nat.counters()["dropped"].items() if n}
            raise RefusedError(f"{self.refused} packets were not translated: {dropped}")

    def sweep(self) -> int:
        """End all sessions that have expired."""
        spent: u64
        with cython.nogil:
            spent = self.sweep_all()
        return int(spent)

    def wait(self, milliseconds: int) -> None:
        """Let the NAT's clock go on without packets."""
        self.origin += milliseconds
        self.now += milliseconds

    def internal(self, flow: u32) -> u64:
        host: u64 = FIRST_INTERNAL
        if self.per_host == 0:
            return host << 16 | self.internal_port
        host += flow // self.per_host
        return host << 16 | (self.internal_port + flow % self.per_host)

    def remote(self, flow: u32) -> u64:
        number: u32 = self.first_remote + flow % self.remotes
        address: u64 = FIRST_REMOTE
        address += number % REMOTE_ADDRESSES
        return address << 16 | (FIRST_REMOTE_PORT + number // REMOTE_ADDRESSES % REMOTE_PORTS)

    def write_out(self, k: u32, flow: u32, flags: u32) -> None:
        """Write into slot k what the flow's inside sends."""
        self.flows[k] = flow
        self.sizes[k] = write_packet(
            slot(self.buffer, k), self.protocol, self.internal(flow), self.remote(flow), flags
        )

    def write_back(self, k: u32, flow: u32, flags: u32) -> None:
        """Write into slot k what the flow's remote sends."""
        self.flows[k] = flow
        self.sizes[k] = write_packet(
            slot(self.buffer, k), self.protocol, self.remote(flow), self.external[flow], flags
        )

    def write_openings(self, first: u32, left: u32, step: u32) -> u32:
        """A batch of first packets of flows from `first`; how many."""
        count: u32 = min(left, BATCH)
        k: u32
        for k in range(count):
            self.write_out(k, first + k * step, SYN)
        return count

    def write_random(self, flows: u32, left: u64) -> u32:
        """A batch of packets of flows drawn at random; how many."""
        count: u32 = min(left, BATCH)
        k: u32
        flow: u32
        x: u64 = self.random
        for k in range(count):
            x ^= x << 13 & M64
            x ^= x >> 7
            x ^= x << 17 & M64
            flow = (x >> 32) * flows >> 32
            if x & 1:
                self.write_out(k, flow, ACK)
            else:
                self.write_back(k, flow, ACK)
        self.random = x
        return count

    def write_in_order(self, flows: u32, done: u64, end: u64) -> u32:
        """A batch that goes on after `done` packets; how many."""
        count: u32 = min(end - done, BATCH)
        k: u32
        for k in range(count):
            if (done + k) // flows & 1:
                self.write_back(k, (done + k) % flows, ACK)
            else:
                self.write_out(k, (done + k) % flows, ACK)
        return count

    def translate(self, count: u32) -> u64:
        """Send the batch through the NAT."""
        k: u32
        began: u64 = nanoseconds()
        self.announce(count)
        for k in range(count):
            if self.nat.process(slot(self.buffer, k), self.sizes[k], False, self.now) != TRANSLATED:
                self.refused += 1
        began = nanoseconds() - began
        self.tick(count)
        return began

    def announce(self, count: u32) -> None:
        """Tell the NAT the packets of the batch, where the packet loop does."""
        k: u32
        if self.nat.has_many_sessions():
            for k in range(count):
                self.nat.expect(slot(self.buffer, k), self.sizes[k], k)
            self.nat.prepare(count, self.now)

    def tick(self, packets: u32) -> None:
        """Let the NAT's clock go on by the time of so many packets.

        As in the packet loop, indexes that have begun to grow go on with it; nothing is swept.
        """
        self.played += packets
        self.now = self.origin + self.played // PACE
        self.nat.sweep(self.now, 0)

    def cool(self) -> None:
        """Have something else in the processor's caches: what is then sent finds them cold."""
        k: u32
        if not cython.compiled:
            return  # an interpreter is slower than any memory
        for k in range(COLD):
            self.cold[k] += 1

    def learn(self, count: u32) -> None:
        """Note which external endpoints the flows of the batch got."""
        k: u32
        address: u64
        for k in range(count):
            address = be32(slot(self.buffer, k), 12)
            self.external[self.flows[k]] = address << 16 | be16(slot(self.buffer, k), 20)

    def shake_hands(self, count: u32) -> None:
        """After the SYNs of the batch."""
        k: u32
        for k in range(count):
            self.write_back(k, self.flows[k], SYN | ACK)
        self.translate(count)
        for k in range(count):
            self.write_out(k, self.flows[k], ACK)
        self.translate(count)

    def open_all(self, first: u32, left: u32, step: u32) -> u64:
        spent: u64 = 0
        count: u32
        while left:
            count = self.write_openings(first, left, step)
            spent += self.translate(count)
            self.learn(count)
            if self.protocol == TCP:
                self.shake_hands(count)
            first += count * step
            left -= count
        return spent

    def sweep_all(self) -> u64:
        began: u64 = nanoseconds()
        while self.nat.sweep(self.now, SWEEP):
            continue
        return nanoseconds() - began

    def send_random(self, flows: u32, packets: u64) -> u64:
        spent: u64 = 0
        count: u32
        while packets:
            count = self.write_random(flows, packets)
            spent += self.translate(count)
            packets -= count
        return spent

    def send_in_order(self, flows: u32, packets: u64) -> u64:
        spent: u64 = 0
        done: u64 = 0
        count: u32
        while done < packets:
            count = self.write_in_order(flows, done, packets)
            spent += self.translate(count)
            done += count
        return spent
