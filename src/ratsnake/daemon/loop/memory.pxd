# C side of memory.py.
cdef extern from *:
    """
    #include <stdlib.h>
    #ifdef __GLIBC__
    #include <malloc.h>
    static inline void ratsnake_keep_large_apart(void) {
        mallopt(M_MMAP_THRESHOLD, 256 * 1024);
    }
    #else
    static inline void ratsnake_keep_large_apart(void) {}
    #endif
    """
    void keep_large_apart "ratsnake_keep_large_apart"() noexcept nogil
