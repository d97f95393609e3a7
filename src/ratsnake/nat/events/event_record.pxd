# C side of event_record.py: an event as a C struct, and a ring of them.
from libc.string cimport memset
from cpython.bytes cimport PyBytes_FromStringAndSize
from ratsnake.wire.integer_types cimport u8, u16, u32, u64
from ..tables.row_layouts cimport poison, reserved, unpoison

cdef extern from *:
    """
    typedef struct {
        uint64_t time, duration;
        uint64_t internal_high, internal_low, external_high, external_low;
        uint64_t remote_high, remote_low;
        uint64_t packets_out, bytes_out, packets_in, bytes_in;
        uint16_t internal_port, external_port, remote_port;
        uint8_t kind, protocol, reason, flags;
    } ratsnake_event;
    _Static_assert(sizeof(ratsnake_event) == 112, "an event is as event_record.py unpacks it");
    """
    ctypedef struct EventFields "ratsnake_event":
        u64 time, duration
        u64 internal_high, internal_low, external_high, external_low, remote_high, remote_low
        u64 packets_out, bytes_out, packets_in, bytes_in
        u16 internal_port, external_port, remote_port
        u8 kind, protocol, reason, flags

ctypedef struct SumFields:
    u64 packets_out, bytes_out, packets_in, bytes_in

ctypedef EventFields* EventRows
ctypedef SumFields* Sums

cdef enum:
    MAPPING_MADE = 1
    MAPPING_REMOVED = 2
    SESSION_OPENED = 3
    SESSION_ENDED = 4
    REFUSAL = 5
    REFUSALS_SUPPRESSED = 6
    LIMIT = 7
    MAPPINGS_WANTED = 1
    SESSIONS_WANTED = 2
    REFUSALS_WANTED = 4
    LIMITS_WANTED = 8
    OUTBOUND = 1
    OPENED_BY_OUTSIDE = 2
    IS_STATIC = 4
    HAS_REMOTE = 8
    HAS_REMOTE_PORT = 16
    HAS_DURATION = 32
    NO_PROTOCOL = 255

cdef inline EventRows new_event_rows(size_t n) except NULL:
    return <EventRows>reserved(n, sizeof(EventFields))

cdef inline Sums new_sums(size_t n) except NULL:
    return <Sums>reserved(n, sizeof(SumFields))

cdef inline void unpoison_events(EventRows rows, u32 first, u32 count) noexcept nogil:
    unpoison(rows + first, count * sizeof(EventFields))

cdef inline void poison_events(EventRows rows, u32 first, u32 count) noexcept nogil:
    poison(rows + first, count * sizeof(EventFields))

cdef inline void clear(EventRows rows, u32 at) noexcept nogil:
    memset(rows + at, 0, sizeof(EventFields))

cdef inline bytes copied(EventRows rows, u32 first, u32 count):
    return PyBytes_FromStringAndSize(<char*>(rows + first), count * sizeof(EventFields))
