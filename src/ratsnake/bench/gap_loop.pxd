cimport cython
from ratsnake.daemon.lock cimport Lock, give, take
from ratsnake.daemon.worker cimport Worker
from ratsnake.nat.nat cimport Nat
from ratsnake.nat.timers cimport SWEEP
from ratsnake.wire.types cimport u32, u64
from .engine_load cimport Load, nanoseconds, slot
from .histogram cimport Histogram

@cython.final
cdef class GapLoop:
    cdef Nat nat
    cdef Load load
    cdef Worker worker
    cdef readonly Histogram gaps, waits
    cdef bint stopping, idle
    cdef u64 last, writing
    cdef void exchange_all(self, u32 flows, u64 packets) noexcept nogil
    cdef void open_all(self, u32 first, u32 left) noexcept nogil
    cdef void hold(self) noexcept nogil
    cdef void let_go(self) noexcept nogil
    cdef void send(self, u32 count) noexcept nogil
