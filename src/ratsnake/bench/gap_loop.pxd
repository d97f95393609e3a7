cimport cython
from ratsnake.daemon.loop.request_mailbox cimport is_asked, open_mailbox
from ratsnake.daemon.loop.fair_lock cimport Lock, give, take
from ratsnake.daemon.loop.packet_loop cimport PacketLoop
from ratsnake.nat.nat cimport Nat
from ratsnake.nat.rules.timeout_classes cimport SWEEP
from ratsnake.wire.integer_types cimport u32, u64
from .engine_load cimport Load, nanoseconds, slot
from .histogram cimport Histogram

cdef extern from *:
    """
    #define _GNU_SOURCE
    #include <stdint.h>
    #include <sys/resource.h>
    #include <time.h>
    static inline uint64_t ratsnake_running_time(void) {
        struct timespec t;
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
        return (uint64_t)t.tv_sec * 1000000000 + t.tv_nsec;
    }
    static inline uint64_t ratsnake_times_asleep(void) {
        struct rusage usage;
        getrusage(RUSAGE_THREAD, &usage);
        return usage.ru_nvcsw;
    }
    """
    u64 running_time "ratsnake_running_time"() noexcept nogil
    u64 times_asleep "ratsnake_times_asleep"() noexcept nogil

cdef enum:
    LONG = 20000

@cython.final
cdef class GapLoop:
    cdef Nat nat
    cdef Load load
    cdef PacketLoop packet_loop
    cdef readonly Histogram gaps, own
    cdef bint stopping, idle
    cdef u64 last, writing, ran, slept
    cdef void exchange_all(self, u32 flows, u64 packets) noexcept nogil
    cdef void open_all(self, u32 first, u32 left) noexcept nogil
    cdef void begin(self) noexcept nogil
    cdef void hold(self) noexcept nogil
    cdef void let_go(self) noexcept nogil
    cdef u64 own_part(self, u64 gap) noexcept nogil
    cdef void send(self, u32 count) noexcept nogil
