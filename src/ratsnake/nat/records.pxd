# C side of records.py: the tables' rows as C structs, and their allocation.
from libc.stdlib cimport calloc, free as release
from ratsnake.wire.types cimport u8, u16, u32, u64

cdef extern from *:
    """
    #define RATSNAKE_NONE32 0xFFFFFFFFU
    """
    u32 NONE32 "RATSNAKE_NONE32"

ctypedef struct SessionFields:
    u64 internal_high, internal_low, remote_high, remote_low
    u64 expires, packets_out, bytes_out, packets_in, bytes_in
    u32 mapping, older, younger, ring_previous, ring_next
    u32 inside_next
    u16 inside_window
    u16 internal_port, external_port, remote_port, external
    u16 address_difference, port_difference
    u8 protocol, state, timer, flags, inside_scale

ctypedef struct MappingFields:
    u64 internal_high, internal_low, remote_high, remote_low
    u64 created
    u32 sessions, confirmed, first, endpoint, host
    u16 internal_port, external_port, remote_port, external
    u8 protocol, policy, live

ctypedef struct EndpointFields:
    u64 internal_high, internal_low
    u32 mappings, older, younger, last_port, last_external
    u16 internal_port
    u8 protocol

ctypedef struct TallyFields:
    u64 owner, high, low, number

ctypedef struct HostFields:
    u64 high, low, spent_at
    u32 mappings, forwards, sessions, spent, next
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
    u8 fixed

ctypedef SessionFields* Sessions
ctypedef MappingFields* Mappings
ctypedef EndpointFields* Endpoints
ctypedef TallyFields* Tallies
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

cdef inline void* zeroed(size_t n, size_t size) except NULL:
    # calloc: untouched pages cost nothing, so a limit that is never reached takes no memory.
    cdef void* p = calloc(n if n else 1, size)
    if p == NULL:
        raise MemoryError
    return p

cdef inline Sessions new_sessions(size_t n) except NULL:
    return <Sessions>zeroed(n, sizeof(SessionFields))

cdef inline Mappings new_mappings(size_t n) except NULL:
    return <Mappings>zeroed(n, sizeof(MappingFields))

cdef inline Endpoints new_endpoints(size_t n) except NULL:
    return <Endpoints>zeroed(n, sizeof(EndpointFields))

cdef inline Tallies new_tallies(size_t n) except NULL:
    return <Tallies>zeroed(n, sizeof(TallyFields))

cdef inline Hosts new_hosts(size_t n) except NULL:
    return <Hosts>zeroed(n, sizeof(HostFields))

cdef inline ForwardRows new_forwards(size_t n) except NULL:
    return <ForwardRows>zeroed(n, sizeof(ForwardFields))

cdef inline Steps new_steps(size_t n) except NULL:
    return <Steps>zeroed(n, sizeof(StepFields))

cdef inline Datagrams new_datagrams(size_t n) except NULL:
    return <Datagrams>zeroed(n, sizeof(DatagramFields))

cdef inline Syns new_syns(size_t n) except NULL:
    return <Syns>zeroed(n, sizeof(SynFields))

cdef inline Policies new_policies(size_t n) except NULL:
    return <Policies>zeroed(n, sizeof(PolicyFields))

cdef inline Words new_words(size_t n) except NULL:
    return <Words>zeroed(n, sizeof(u64))

cdef inline Numbers new_numbers(size_t n) except NULL:
    return <Numbers>zeroed(n, sizeof(u32))

cdef inline Shorts new_shorts(size_t n) except NULL:
    return <Shorts>zeroed(n, sizeof(u16))

cdef inline Octets new_octets(size_t n) except NULL:
    return <Octets>zeroed(n, sizeof(u8))
