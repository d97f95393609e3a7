# C side of fair_lock.py.
from libc.stdlib cimport calloc, free

cdef extern from *:
    """
    #include <pthread.h>
    typedef struct { pthread_mutex_t turn, hold; } ratsnake_lock;
    static inline void ratsnake_lock_init(ratsnake_lock *l) {
        pthread_mutex_init(&l->turn, NULL);
        pthread_mutex_init(&l->hold, NULL);
    }
    static inline void ratsnake_lock_take(ratsnake_lock *l) {
        pthread_mutex_lock(&l->turn);
        pthread_mutex_lock(&l->hold);
        pthread_mutex_unlock(&l->turn);
    }
    static inline void ratsnake_lock_give(ratsnake_lock *l) { pthread_mutex_unlock(&l->hold); }
    """
    ctypedef struct FairLock "ratsnake_lock":
        pass
    void init_lock "ratsnake_lock_init"(FairLock* lock) noexcept nogil
    void take "ratsnake_lock_take"(FairLock* lock) noexcept nogil
    void give "ratsnake_lock_give"(FairLock* lock) noexcept nogil

ctypedef FairLock* Lock

cdef inline Lock new_lock() except NULL:
    cdef Lock lock = <Lock>calloc(1, sizeof(FairLock))
    if lock == NULL:
        raise MemoryError
    init_lock(lock)
    return lock

cdef inline void release_lock(Lock lock) noexcept nogil:
    free(lock)
