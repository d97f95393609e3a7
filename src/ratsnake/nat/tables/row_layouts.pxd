# C side of row_layouts.py: the tables' rows as C structs, and their allocation.
from libc.stdlib cimport calloc, free as release
from ratsnake.wire.integer_types cimport u8, u16, u32, u64

# Tables that grow with use are reserved: their pages are taken from the system when first touched,
# and no row ever moves.
#
# A build with AddressSanitizer checks each access to them: a row that is not in use is *poisoned*,
# all but what says that it is free and links it, and so is what lies before and after a table.
# Without the sanitizer nothing is left of it.
cdef extern from *:
    """
    #include <stdint.h>
    #include <stdlib.h>
    #include <string.h>
    #ifdef RATSNAKE_SANITIZE /* setup.py says so */
    #include <sanitizer/asan_interface.h>
    static inline void ratsnake_poison(void *p, size_t size) {
        __asan_poison_memory_region(p, size);
    }
    static inline void ratsnake_unpoison(void *p, size_t size) {
        __asan_unpoison_memory_region(p, size);
    }
    #else
    static inline void ratsnake_poison(void *p, size_t size) { (void)p; (void)size; }
    static inline void ratsnake_unpoison(void *p, size_t size) { (void)p; (void)size; }
    #endif

    #ifdef __unix__
    #include <sys/mman.h>
    #define RATSNAKE_PAGE 4096
    static inline void *ratsnake_reserve(size_t size) {
        /* The page before the table remembers how much is to be given back. */
        size_t whole = size + 2 * RATSNAKE_PAGE;
        uint8_t *p = mmap(NULL, whole, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (p == MAP_FAILED) return NULL;
        *(size_t *)p = whole;
        ratsnake_poison(p, RATSNAKE_PAGE);
        ratsnake_poison(p + RATSNAKE_PAGE + size, RATSNAKE_PAGE);
        return p + RATSNAKE_PAGE;
    }
    static inline void ratsnake_unreserve(void *p) {
        if (!p) return;
        uint8_t *start = (uint8_t *)p - RATSNAKE_PAGE;
        ratsnake_unpoison(start, RATSNAKE_PAGE);
        size_t whole = *(size_t *)start;
        ratsnake_unpoison(start, whole);
        munmap(start, whole);
    }
    static inline void ratsnake_forget(void *p, size_t size) {
        /* Where pages are larger than expected, or locked, the system refuses. */
        if (madvise(p, size, MADV_DONTNEED)) memset(p, 0, size);
    }
    #else
    static inline void *ratsnake_reserve(size_t size) {
        size_t rounded = (size + 63) / 64 * 64;
        void *p = aligned_alloc(64, rounded ? rounded : 64);
        return p ? memset(p, 0, rounded) : p;
    }
    static inline void ratsnake_unreserve(void *p) { free(p); }
    static inline void ratsnake_forget(void *p, size_t size) { memset(p, 0, size); }
    #endif

    /* Each 64 bits of a session hold one wide field and the narrow ones that fit beside it. */
    typedef struct __attribute__((aligned(64))) {
        uint64_t remote_low;
        uint64_t expires : 45, timer : 3, inside_window : 16;
        uint64_t packets_out : 40, ring_previous : 24;
        uint64_t packets_in : 40, ring_next : 24;
        uint64_t bytes_out : 48, remote_port : 16;
        uint64_t bytes_in : 48, state : 4, inside_scale : 4, flags : 8;
        uint32_t mapping, inside_next, older, younger;
    } ratsnake_session;
    typedef struct {
        uint64_t internal_low;
        uint64_t created : 48, internal_port : 16;
        uint32_t sessions : 24, policy : 8;
        uint32_t confirmed : 24, protocol : 7, is_wide : 1;
        uint32_t first, host;
        uint16_t external_port, external, address_difference, port_difference;
    } ratsnake_mapping;
    _Static_assert(sizeof(ratsnake_session) == 64, "a session fills one cache line");
    _Static_assert(sizeof(ratsnake_mapping) == 40, "a mapping has no gaps");
    """
    void* reserve "ratsnake_reserve"(size_t size) noexcept nogil
    void unreserve "ratsnake_unreserve"(void* p) noexcept nogil
    void forget_memory "ratsnake_forget"(void* p, size_t size) noexcept nogil
    void poison "ratsnake_poison"(void* p, size_t size) noexcept nogil
    void unpoison "ratsnake_unpoison"(void* p, size_t size) noexcept nogil
    ctypedef struct SessionFields "ratsnake_session":
        u64 remote_low, expires, packets_out, bytes_out, packets_in, bytes_in
        u32 mapping, older, younger, ring_previous, ring_next
        u32 inside_next
        u16 inside_window, remote_port
        u8 state, timer, flags, inside_scale
    ctypedef struct MappingFields "ratsnake_mapping":
        u64 internal_low, created
        u32 sessions, confirmed, first, host
        u16 internal_port, external_port, external, address_difference, port_difference
        u8 protocol, policy, is_wide

cdef extern from *:
    """
    #define RATSNAKE_NONE32 0xFFFFFFFFU
    """
    u32 NONE32 "RATSNAKE_NONE32"

ctypedef struct PartnerFields:
    u64 remote_high, remote_low
    u32 endpoint
    u16 remote_port

ctypedef struct EndpointFields:
    u64 internal_high, internal_low
    u32 mappings, older, younger, last_port, last_external
    u16 internal_port
    u8 protocol

ctypedef struct PortFields:
    u64 rests_until
    u32 users
    u16 older, younger

ctypedef struct CounterFields:
    u64 owner, high, low, number

ctypedef struct HostFields:
    u64 high, low, spent_at
    u32 mappings, forwards, sessions, answered, spent, next
    u16 external
    u8 live

ctypedef struct ForwardFields:
    u64 internal_high, internal_low
    u16 external, external_port, internal_port

ctypedef struct StepFields:
    u64 high, low
    u32 protocol, port, first, end, forward

ctypedef struct DatagramFields:
    u64 source_high, source_low, destination_high, destination_low
    u64 datagram, expires
    u64 new_source_high, new_source_low, new_destination_high, new_destination_low
    u32 identification, outbound, older, younger, first_held, last_held
    u8 ring, state, held

ctypedef struct SynFields:
    u64 remote_high, remote_low, due
    u32 external, older, younger
    u16 external_port, remote_port
    u8 size, transport

ctypedef struct PolicyFields:
    u8 mapping, filtering, sharing, selection, sticky, parity, share, permits, remembers, rests
    u8 keeps, fixed, wakes, group

ctypedef SessionFields* Sessions
ctypedef MappingFields* Mappings
ctypedef PartnerFields* Partners
ctypedef EndpointFields* Endpoints
ctypedef PortFields* Ports
ctypedef CounterFields* CounterRows
ctypedef HostFields* Hosts
ctypedef ForwardFields* ForwardRows
ctypedef StepFields* Steps
ctypedef DatagramFields* Datagrams
ctypedef SynFields* Syns
ctypedef PolicyFields* Policies
ctypedef u64* Words
ctypedef u32* Numbers
ctypedef u16* Shorts
ctypedef u8* Octets

cdef extern from *:
    """
    #define ratsnake_prefetch(p) __builtin_prefetch(p, 1)
    """
    void prefetch "ratsnake_prefetch"(const void* p) noexcept nogil

cdef inline void* zeroed(size_t n, size_t size) except NULL:
    cdef void* p = calloc(n if n else 1, size)
    if p == NULL:
        raise MemoryError
    return p

cdef inline void* reserved(size_t n, size_t size) except NULL:
    cdef void* p = reserve(n * size)
    if p == NULL:
        raise MemoryError
    return p

cdef inline void* poisoned(void* p, size_t n, size_t size) noexcept nogil:
    poison(p, n * size)
    return p

cdef inline Sessions new_sessions(size_t n) except NULL:
    return <Sessions>poisoned(reserved(n, sizeof(SessionFields)), n, sizeof(SessionFields))

cdef inline Mappings new_mappings(size_t n) except NULL:
    return <Mappings>poisoned(reserved(n, sizeof(MappingFields)), n, sizeof(MappingFields))

cdef inline Partners new_partners(size_t n) except NULL:
    return <Partners>poisoned(reserved(n, sizeof(PartnerFields)), n, sizeof(PartnerFields))

cdef inline Endpoints new_endpoints(size_t n) except NULL:
    return <Endpoints>poisoned(reserved(n, sizeof(EndpointFields)), n, sizeof(EndpointFields))

cdef inline CounterRows new_counter_rows(size_t n) except NULL:
    return <CounterRows>poisoned(reserved(n, sizeof(CounterFields)), n, sizeof(CounterFields))

cdef inline Hosts new_hosts(size_t n) except NULL:
    return <Hosts>poisoned(reserved(n, sizeof(HostFields)), n, sizeof(HostFields))

# Of a free row stay readable: of a session `mapping` (0) and `younger`; of a mapping `policy`
# (FREE) and `first`; of a host `next` and `live`; of a number `number`; of a datagram and a SYN
# their links.
cdef inline void unpoison_session(Sessions rows, size_t i) noexcept nogil:
    unpoison(rows + i, sizeof(SessionFields))

cdef inline void poison_session(Sessions rows, size_t i) noexcept nogil:
    poison(rows + i, <char*>&rows[i].mapping - <char*>(rows + i))

cdef inline void unpoison_mapping(Mappings rows, Partners partners, size_t m) noexcept nogil:
    unpoison(rows + m, sizeof(MappingFields))
    unpoison(partners + m, sizeof(PartnerFields))

cdef inline void poison_mapping(Mappings rows, Partners partners, size_t m) noexcept nogil:
    # A compiler reads bit fields that stand side by side together: `policy` with `created`.
    poison(rows + m, sizeof(u64))
    poison(&rows[m].external_port, sizeof(u64))
    poison(partners + m, sizeof(PartnerFields))

cdef inline void unpoison_endpoint(Endpoints rows, size_t row) noexcept nogil:
    unpoison(rows + row, sizeof(EndpointFields))

cdef inline void unpoison_number(CounterRows rows, size_t row) noexcept nogil:
    unpoison(rows + row, sizeof(CounterFields))

cdef inline void poison_number(CounterRows rows, size_t row) noexcept nogil:
    poison(rows + row, <char*>&rows[row].number - <char*>(rows + row))

cdef inline void unpoison_host(Hosts rows, size_t row) noexcept nogil:
    unpoison(rows + row, sizeof(HostFields))

cdef inline void poison_host(Hosts rows, size_t row) noexcept nogil:
    poison(rows + row, <char*>&rows[row].next - <char*>(rows + row))

cdef inline void unpoison_datagram(Datagrams rows, size_t row) noexcept nogil:
    unpoison(rows + row, sizeof(DatagramFields))

cdef inline void poison_datagram(Datagrams rows, size_t row) noexcept nogil:
    poison(rows + row, <char*>&rows[row].older - <char*>(rows + row))
    poison(&rows[row].first_held, sizeof(DatagramFields) - (<char*>&rows[row].first_held - <char*>(rows + row)))

cdef inline void unpoison_syn(Syns rows, size_t row) noexcept nogil:
    unpoison(rows + row, sizeof(SynFields))

cdef inline void poison_syn(Syns rows, size_t row) noexcept nogil:
    poison(rows + row, <char*>&rows[row].external - <char*>(rows + row))
    poison(&rows[row].external_port, sizeof(SynFields) - (<char*>&rows[row].external_port - <char*>(rows + row)))

cdef inline Words reserved_words(size_t n) except NULL:
    return <Words>reserved(n, sizeof(u64))

cdef inline Numbers reserved_numbers(size_t n) except NULL:
    return <Numbers>poisoned(reserved(n, sizeof(u32)), n, sizeof(u32))

cdef inline Numbers emptied(Numbers numbers, size_t n) noexcept nogil:
    unpoison(numbers, n * sizeof(u32))
    return numbers

cdef inline void forget(Numbers numbers, size_t first, size_t n) noexcept nogil:
    forget_memory(numbers + first, n * sizeof(u32))
    poison(numbers + first, n * sizeof(u32))

cdef inline void prefetch_number(Numbers numbers, size_t at) noexcept nogil:
    prefetch(numbers + at)

cdef inline void prefetch_port(Ports ports, size_t at) noexcept nogil:
    prefetch(ports + at)

cdef inline void prefetch_session(Sessions sessions, size_t at) noexcept nogil:
    prefetch(sessions + at)

cdef inline void prefetch_mapping(Mappings mappings, size_t at) noexcept nogil:
    prefetch(mappings + at)

cdef inline ForwardRows new_forwards(size_t n) except NULL:
    return <ForwardRows>zeroed(n, sizeof(ForwardFields))

cdef inline Steps new_steps(size_t n) except NULL:
    return <Steps>zeroed(n, sizeof(StepFields))

cdef inline Datagrams new_datagrams(size_t n) except NULL:
    return <Datagrams>poisoned(zeroed(n, sizeof(DatagramFields)), n, sizeof(DatagramFields))

cdef inline Syns new_syns(size_t n) except NULL:
    return <Syns>poisoned(zeroed(n, sizeof(SynFields)), n, sizeof(SynFields))

cdef inline Policies new_policies(size_t n) except NULL:
    return <Policies>zeroed(n, sizeof(PolicyFields))

cdef inline Ports new_ports(size_t n) except NULL:
    return <Ports>zeroed(n, sizeof(PortFields))

cdef inline Words new_words(size_t n) except NULL:
    return <Words>zeroed(n, sizeof(u64))

cdef inline Numbers new_numbers(size_t n) except NULL:
    return <Numbers>zeroed(n, sizeof(u32))

cdef inline Shorts new_shorts(size_t n) except NULL:
    return <Shorts>zeroed(n, sizeof(u16))

cdef inline Octets new_octets(size_t n) except NULL:
    return <Octets>zeroed(n, sizeof(u8))
