from .integer_types cimport u32

cdef extern from *:
    """
    #define RATSNAKE_POLYNOMIAL 0x82F63B78U
    #define RATSNAKE_ONE 0x80000000U
    #define RATSNAKE_EIGHT 0x00800000U
    """
    u32 POLYNOMIAL "RATSNAKE_POLYNOMIAL"
    u32 ONE "RATSNAKE_ONE"
    u32 EIGHT "RATSNAKE_EIGHT"

cdef enum:
    LENGTHS = 256

cdef u32 POWERS[256]
cdef u32 POWERS_OF_256[256]

cdef u32 multiply(u32 a, u32 b) noexcept nogil
cdef void fill_powers() noexcept nogil
cdef u32 swap(u32 x) noexcept nogil
cpdef u32 crc32c_after_ports(u32 crc, u32 length, u32 old_ports, u32 new_ports) noexcept nogil
