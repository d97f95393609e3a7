cimport cython
from ratsnake.wire.integer_types cimport Bytes, u32, u64
from ..tables.row_layouts cimport Numbers, new_numbers, release

cdef enum:
    LARGEST = 65575

cdef extern from *:
    """
    #include <stdlib.h>
    #include <string.h>
    static inline int ratsnake_keep(uint8_t **copies, uint32_t slot, const uint8_t *b, uint32_t n) {
        copies[slot] = malloc(n);
        if (copies[slot] == NULL) return 0;
        memcpy(copies[slot], b, n);
        return 1;
    }
    static inline void ratsnake_paste(uint8_t **copies, uint32_t slot, uint8_t *b, uint32_t n) {
        memcpy(b, copies[slot], n);
    }
    static inline void ratsnake_discard(uint8_t **copies, uint32_t slot) {
        free(copies[slot]);
        copies[slot] = NULL;
    }
    """
    bint keep "ratsnake_keep"(Bytes* copies, u32 slot, Bytes b, u32 size) noexcept nogil
    void paste "ratsnake_paste"(Bytes* copies, u32 slot, Bytes b, u32 size) noexcept nogil
    void discard "ratsnake_discard"(Bytes* copies, u32 slot) noexcept nogil
    void* calloc(size_t n, size_t size) noexcept nogil

ctypedef Bytes* Copies

cdef inline Copies new_copies(size_t n) except NULL:
    cdef void* p = calloc(n, sizeof(Bytes))
    if p == NULL:
        raise MemoryError
    return <Copies>p

@cython.final
cdef class PacketPool:
    cdef Copies copies
    cdef Numbers sizes, links
    cdef u32 free, fresh
    cdef u64 room
    cdef readonly u32 capacity, count
    cdef readonly u64 octets
    cpdef u32 store(self, Bytes b, u32 size) noexcept nogil
    cpdef u32 size_of(self, u32 slot) noexcept nogil
    cpdef u32 copy_out(self, u32 slot, Bytes b) noexcept nogil
    cpdef void drop(self, u32 slot) noexcept nogil
    cpdef u32 following(self, u32 slot) noexcept nogil
    cpdef void link(self, u32 slot, u32 following) noexcept nogil
