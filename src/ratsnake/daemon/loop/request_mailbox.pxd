# C side of request_mailbox.py.
from libc.stdlib cimport calloc, free
from ratsnake.wire.integer_types cimport i32

cdef extern from *:
    """
    #include <errno.h>
    #include <semaphore.h>
    #include <unistd.h>
    typedef struct { sem_t answered; int open, asked; } ratsnake_mailbox;
    static inline void ratsnake_mailbox_init(ratsnake_mailbox *d) { sem_init(&d->answered, 0, 0); }
    static inline void ratsnake_mailbox_open(ratsnake_mailbox *d) {
        __atomic_store_n(&d->open, 1, __ATOMIC_SEQ_CST);
    }
    static inline void ratsnake_mailbox_close(ratsnake_mailbox *d) {
        __atomic_store_n(&d->open, 0, __ATOMIC_SEQ_CST);
    }
    static inline int ratsnake_mailbox_asked(ratsnake_mailbox *d) {
        return __atomic_load_n(&d->asked, __ATOMIC_RELAXED);
    }
    static inline int ratsnake_mailbox_claim(ratsnake_mailbox *d) {
        return __atomic_exchange_n(&d->asked, 0, __ATOMIC_SEQ_CST);
    }
    /* Who asks sets `asked` and then looks whether it is open, who closes does it the other way
       round: one of them sees the other, and `claim` lets only one of them answer. */
    static inline int ratsnake_mailbox_ask(ratsnake_mailbox *d) {
        __atomic_store_n(&d->asked, 1, __ATOMIC_SEQ_CST);
        return __atomic_load_n(&d->open, __ATOMIC_SEQ_CST) || !ratsnake_mailbox_claim(d);
    }
    static inline void ratsnake_mailbox_answer(ratsnake_mailbox *d) { sem_post(&d->answered); }
    static inline void ratsnake_mailbox_wait(ratsnake_mailbox *d) {
        while (sem_wait(&d->answered) && errno == EINTR) continue;
    }
    static inline void ratsnake_swallow(int fd) {
        char c;
        while (read(fd, &c, 1) < 0 && errno == EINTR) continue;
    }
    """
    ctypedef struct RequestMailbox "ratsnake_mailbox":
        pass
    void init_mailbox "ratsnake_mailbox_init"(RequestMailbox* mailbox) noexcept nogil
    void open_mailbox "ratsnake_mailbox_open"(RequestMailbox* mailbox) noexcept nogil
    void close_mailbox "ratsnake_mailbox_close"(RequestMailbox* mailbox) noexcept nogil
    bint is_asked "ratsnake_mailbox_asked"(RequestMailbox* mailbox) noexcept nogil
    bint claim "ratsnake_mailbox_claim"(RequestMailbox* mailbox) noexcept nogil
    bint ask "ratsnake_mailbox_ask"(RequestMailbox* mailbox) noexcept nogil
    void answer "ratsnake_mailbox_answer"(RequestMailbox* mailbox) noexcept nogil
    void await_answer "ratsnake_mailbox_wait"(RequestMailbox* mailbox) noexcept nogil
    void read_one_byte "ratsnake_swallow"(i32 fd) noexcept nogil

ctypedef RequestMailbox* Mailbox

cdef inline Mailbox new_mailbox() except NULL:
    cdef Mailbox mailbox = <Mailbox>calloc(1, sizeof(RequestMailbox))
    if mailbox == NULL:
        raise MemoryError
    init_mailbox(mailbox)
    return mailbox

cdef inline void release_mailbox(Mailbox mailbox) noexcept nogil:
    free(mailbox)
