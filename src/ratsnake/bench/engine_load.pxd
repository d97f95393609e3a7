cimport cython
from ratsnake.nat.nat cimport Nat
from ratsnake.nat.rules.drop_reasons cimport TRANSLATED
from ratsnake.nat.tables.row_layouts cimport (
    Numbers, Octets, Words, new_numbers, new_octets, new_words, release, reserved_words, unreserve,
)
from ratsnake.nat.rules.timeout_classes cimport SWEEP
from ratsnake.wire.byte_order cimport be16, be32
from ratsnake.wire.packet_fields cimport TCP
from ratsnake.wire.integer_types cimport Bytes, M64, u32, u64
from .small_packets cimport ACK, SYN, write_packet

cdef extern from *:
    """
    #include <stdint.h>
    #include <time.h>
    #define RATSNAKE_FIRST_REMOTE 0xC6336401U
    static inline uint64_t ratsnake_nanoseconds(void) {
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t)t.tv_sec * 1000000000 + t.tv_nsec;
    }
    """
    u32 FIRST_REMOTE "RATSNAKE_FIRST_REMOTE"
    u64 nanoseconds "ratsnake_nanoseconds"() noexcept nogil

cdef enum:
    SLOT = 64
    BATCH = 64
    COLD = 2097152
    PACE = 1000
    FIRST_INTERNAL = 0x0A000001
    REMOTE_ADDRESSES = 250
    REMOTE_PORTS = 60000
    FIRST_REMOTE_PORT = 1024

cdef inline Bytes slot(Octets buffer, u32 k) noexcept nogil:
    return buffer + k * SLOT

@cython.final
cdef class Load:
    cdef readonly Nat nat
    cdef Octets buffer
    cdef Numbers sizes, flows
    cdef Words external, cold
    cdef u64 random, origin, played
    cdef u32 protocol, per_host, internal_port, remotes, first_remote
    cdef readonly u64 now
    cdef readonly u32 refused
    cdef u64 internal(self, u32 flow) noexcept nogil
    cdef u64 remote(self, u32 flow) noexcept nogil
    cdef void write_out(self, u32 k, u32 flow, u32 flags) noexcept nogil
    cdef void write_back(self, u32 k, u32 flow, u32 flags) noexcept nogil
    cdef u32 write_openings(self, u32 first, u32 left, u32 step) noexcept nogil
    cdef u32 write_random(self, u32 flows, u64 left) noexcept nogil
    cdef u32 write_in_order(self, u32 flows, u64 done, u64 end) noexcept nogil
    cdef u64 translate(self, u32 count) noexcept nogil
    cdef void announce(self, u32 count) noexcept nogil
    cpdef void cool(self) noexcept nogil
    cdef void tick(self, u32 packets) noexcept nogil
    cdef void learn(self, u32 count) noexcept nogil
    cdef void shake_hands(self, u32 count) noexcept nogil
    cdef u64 open_all(self, u32 first, u32 left, u32 step) noexcept nogil
    cdef u64 sweep_all(self) noexcept nogil
    cdef u64 send_random(self, u32 flows, u64 packets) noexcept nogil
    cdef u64 send_in_order(self, u32 flows, u64 packets) noexcept nogil
