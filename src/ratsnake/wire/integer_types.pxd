# C side of integer_types.py.  Header only: inlined into its users, never compiled by itself.
from libc.stdint cimport (
    int32_t as i32, int64_t as i64, uint8_t as u8, uint16_t as u16, uint32_t as u32,
    uint64_t as u64,
)

cdef extern from *:
    """
    #define RATSNAKE_M32 0xFFFFFFFFU
    #define RATSNAKE_M40 0xFFFFFFFFFFULL
    #define RATSNAKE_M48 0xFFFFFFFFFFFFULL
    #define RATSNAKE_M64 0xFFFFFFFFFFFFFFFFULL
    #define RATSNAKE_MAPPED_IPV4 0x0000FFFF00000000ULL
    """
    u32 M32 "RATSNAKE_M32"
    u64 M40 "RATSNAKE_M40"
    u64 M48 "RATSNAKE_M48"
    u64 M64 "RATSNAKE_M64"
    u64 MAPPED_IPV4 "RATSNAKE_MAPPED_IPV4"

cdef enum:
    M8 = 0xFF
    M16 = 0xFFFF

ctypedef u8* Bytes
