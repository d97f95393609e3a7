"""The checksum of SCTP, CRC32c (RFC 9260 appendix A), after the ports have changed.

A CRC is linear: two packets of one length differ in their CRC by the CRC, begun with 0 and not
inverted, of their difference.  Of that only the first four bytes are not zero, and to put n zero
bytes behind them is to multiply by x^8n modulo the CRC's polynomial.  So the packet is not read, it
costs two multiplications whatever the length, and a checksum that was wrong stays wrong.

Polynomials are written as CRC32c computes them: bit 31 is the coefficient of x^0.
"""

import cython

if not cython.compiled:
    from .integer_types import u32

    POLYNOMIAL = 0x82F63B78
    ONE = 0x80000000
    EIGHT = 0x00800000  # x^8
    LENGTHS = 256
    POWERS = [0] * LENGTHS
    POWERS_OF_256 = [0] * LENGTHS


def multiply(a: u32, b: u32) -> u32:
    """The product of two polynomials modulo that of CRC32c.

    Masks instead of branches: the bits are as good as random, and a branch would be mispredicted.
    """
    product: u32 = 0
    bit: u32
    for bit in range(32):
        product ^= b & -(a >> (31 - bit) & 1)
        b = b >> 1 ^ (POLYNOMIAL & -(b & 1))
    return product


def fill_powers() -> None:
    """x^8n for n below 256, and for multiples of 256 below 65536."""
    n: u32
    POWERS[0] = POWERS_OF_256[0] = ONE
    for n in range(1, LENGTHS):
        POWERS[n] = multiply(POWERS[n - 1], EIGHT)
    step: u32 = multiply(POWERS[LENGTHS - 1], EIGHT)
    for n in range(1, LENGTHS):
        POWERS_OF_256[n] = multiply(POWERS_OF_256[n - 1], step)


fill_powers()


def swap(x: u32) -> u32:
    """The four bytes of x in the other order: SCTP sends a CRC least significant byte first."""
    return x >> 24 | (x >> 8 & 0xFF00) | (x & 0xFF00) << 8 | (x & 0xFF) << 24


def crc32c_after_ports(crc: u32, length: u32, old_ports: u32, new_ports: u32) -> u32:
    """The checksum field of an SCTP packet of `length` bytes (below 65536) after a change of ports.

    All are fields as the wire has them: ports are the packet's first four bytes.
    """
    changed: u32 = multiply(swap(old_ports ^ new_ports), POWERS[length & 0xFF])
    return crc ^ swap(multiply(changed, POWERS_OF_256[length >> 8 & 0xFF]))
