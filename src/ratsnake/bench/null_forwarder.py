"""The null forwarder: the least a NAT behind a TUN device can do, to hold a real one against.

It knows one internal and one external address and exchanges them, with the checksums, in whatever
comes.  One read and one write a packet, and sleep when there is none: no lock, no table, no look at
ports, no checks, no batches, no busy waiting.  Fragments and ICMP errors would come out wrong.
"""

import cython

if not cython.compiled:
    from ratsnake.device.system_calls import EAGAIN, sys_read, sys_write, wait
    from ratsnake.device.vnet_header import VNET_AT_FLAGS, VNET_F_NEEDS_CSUM, VNET_SIZE
    from ratsnake.wire.byte_order import be16, be32, put16, put32
    from ratsnake.wire.checksum import adjust, difference32, fold
    from ratsnake.wire.integer_types import M16, Bytes, i64, u32
    from ratsnake.wire.ipv4 import CHECKSUM, DESTINATION, PROTOCOL_FIELD, SOURCE
    from ratsnake.wire.packet_fields import IPPROTO_TCP, IPPROTO_UDP

    BUFFER = 65545  # the largest IPv4 packet and its vnet header
    NOBODY = -1  # in place of a second descriptor to wait for
    FOREVER = -1
    TCP_CHECKSUM = 16
    UDP_CHECKSUM = 6

    def new_buffer(size: int) -> Bytes:
        return bytearray(size)

    def release_buffer(buffer: Bytes) -> None:
        """Give the buffer back; the garbage collector does it here."""


class NullForwarder:
    buffer: Bytes

    def __init__(self, fd: int, internal: int, external: int) -> None:
        """Forward between the IPv4 addresses `internal` and `external`, as 32-bit numbers.

        `fd` is a non-blocking descriptor of IPv4 packets, each preceded by struct virtio_net_hdr;
        it stays the caller's.
        """
        self.fd = fd
        self.internal = internal
        self.external = external
        self.outward = difference32(internal, external)
        self.inward = difference32(external, internal)
        self.buffer = new_buffer(BUFFER)

    def __dealloc__(self) -> None:
        release_buffer(self.buffer)

    def run(self) -> int:
        """Forward until the device fails or ends: the errno of that, or 0 at the end."""
        result: i64
        with cython.nogil:
            result = self.loop()
        return int(result)

    def loop(self) -> i64:
        got: i64
        while True:
            got = sys_read(self.fd, self.buffer, BUFFER)
            if got == -EAGAIN:
                got = wait(self.fd, NOBODY, FOREVER)
                if got < 0:
                    return -got
                continue
            if got <= 0:
                return -got
            self.exchange()
            # What the device does not take is lost, as on a wire.
            sys_write(self.fd, self.buffer, got)

    def exchange(self) -> None:
        """Put the other address into the packet in the buffer."""
        b: Bytes = self.buffer
        difference: u32
        if be32(b, VNET_SIZE + DESTINATION) == self.external:
            put32(b, VNET_SIZE + DESTINATION, self.internal)
            difference = self.inward
        else:
            put32(b, VNET_SIZE + SOURCE, self.external)
            difference = self.outward
        at: u32 = VNET_SIZE + CHECKSUM
        put16(b, at, adjust(be16(b, at), difference))
        at = VNET_SIZE + (b[VNET_SIZE] & 15) * 4
        protocol: u32 = b[VNET_SIZE + PROTOCOL_FIELD]
        if protocol == IPPROTO_TCP:
            at += TCP_CHECKSUM
        elif protocol == IPPROTO_UDP:
            at += UDP_CHECKSUM
        else:
            return
        check: u32 = be16(b, at)
        if b[VNET_AT_FLAGS] & VNET_F_NEEDS_CSUM:  # it holds the sum of the pseudo-header only
            put16(b, at, fold(check + difference))
        elif check or protocol == IPPROTO_TCP:
            check = adjust(check, difference)
            put16(b, at, check if check else M16)  # 0 would say that UDP has none (RFC 768)
