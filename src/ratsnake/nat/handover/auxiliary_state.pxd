from ratsnake.wire.packet_fields cimport PROTOCOLS
from ratsnake.wire.integer_types cimport u32, u64
from ..allocation.endpoint_allocator cimport Allocator, BLOCKS, COMPUTED
from ..translation.flow_lifecycle cimport Flows
from ..tables.host_table cimport HostTable
from ..tables.row_layouts cimport Endpoints, Hosts, NONE32

cdef void leave_auxiliary_state(Flows old, Flows new, u64 now) noexcept nogil
cdef void leave_rests(Flows old, Flows new, u64 now) noexcept nogil
cdef u32 external_of_set(Allocator a, u32 ports) noexcept nogil
cdef void rest_on(Allocator a, u32 protocol, u32 external, u32 port, u64 until) noexcept nogil
cdef u32 set_with(Allocator a, u32 external, u32 port) noexcept nogil
cdef void leave_endpoints(Flows old, Flows new) noexcept nogil
cdef void leave_endpoint(Flows old, Flows new, u32 row, bint is_unused) noexcept nogil
cdef void leave_rates(HostTable old, HostTable new) noexcept nogil
