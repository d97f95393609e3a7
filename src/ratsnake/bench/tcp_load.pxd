cimport cython
from libc.errno cimport EAGAIN, EINTR
from ratsnake.wire.integer_types cimport i32, i64, u32
from .load_sockets cimport Load, accept_once, connect_once, nanoseconds, new_load, release_load

cdef enum:
    SECOND = 1_000_000_000
    PATIENCE = 3

@cython.final
cdef class Connector:
    cdef Load load
    cdef i64 failed
    cdef i64 loop(self, i64 duration) noexcept nogil

@cython.final
cdef class Acceptor:
    cdef i32 fd
    cdef bint stopping
    cdef i64 loop(self) noexcept nogil
