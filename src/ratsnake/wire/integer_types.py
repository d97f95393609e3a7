"""Integer types and masks as the interpreter and the type checker see them; integer_types.pxd is
C's view.

An address is always 128 bits in two halves; an IPv4 address is held as an IPv4-mapped IPv6
address (RFC 4291 section 2.5.5.2), so that one table serves both families.
"""

from typing import TypeAlias

i32: TypeAlias = int
i64: TypeAlias = int
u8: TypeAlias = int
u16: TypeAlias = int
u32: TypeAlias = int
u64: TypeAlias = int

M8 = 0xFF
M16 = 0xFFFF
M32 = 0xFFFFFFFF
M40 = 0xFF_FFFFFFFF
M48 = 0xFFFF_FFFFFFFF
M64 = 0xFFFFFFFFFFFFFFFF
MAPPED_IPV4 = 0x0000FFFF00000000

Bytes: TypeAlias = bytearray
