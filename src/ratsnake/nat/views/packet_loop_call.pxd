cdef class PacketLoopCall:
    cdef void run(self) noexcept nogil
