cimport cython
from libc.errno cimport EAGAIN, EINTR
from ratsnake.wire.integer_types cimport i32, i64, u32
from .load_sockets cimport (
    Load, RUN, nanoseconds, new_load, pause, receive_run, release_load, send_run,
)

cdef enum:
    SECOND = 1_000_000_000
    PAUSE = 50_000

@cython.final
cdef class Sender:
    cdef Load load
    cdef i32[:] fds
    cdef i64 fd_count, remotes
    cdef i64 loop(self, i64 rate, i64 duration, i64 most) noexcept nogil
    cdef i64 send(self, i64 sent, i64 due) noexcept nogil

@cython.final
cdef class Receiver:
    cdef Load load
    cdef i32 fd
    cdef bint stopping
    cdef i64 loop(self) noexcept nogil
