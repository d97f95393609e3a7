from ratsnake.wire.checksum cimport adjust, swap16
from ratsnake.wire.byte_order cimport be16, put16
from ratsnake.wire.tcp cimport CHECKSUM
from ratsnake.wire.tcp_options cimport (
    MAXIMUM_SEGMENT_SIZE, MAXIMUM_SEGMENT_SIZE_LENGTH, find_option,
)
from ratsnake.wire.integer_types cimport Bytes, M16, u32

cpdef void clamp(Bytes b, u32 transport, u32 most, bint partial) noexcept nogil
