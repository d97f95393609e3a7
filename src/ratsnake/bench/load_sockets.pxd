# C side of load_sockets.py.  Header only.
from ratsnake.wire.integer_types cimport Bytes, i32, i64, u32

cdef extern from *:
    """
    #ifndef _GNU_SOURCE
    #define _GNU_SOURCE
    #endif
    #include <arpa/inet.h>
    #include <errno.h>
    #include <netinet/in.h>
    #include <stdlib.h>
    #include <string.h>
    #include <sys/socket.h>
    #include <sys/time.h>
    #include <time.h>
    #include <unistd.h>
    #define RATSNAKE_RUN 16
    #define RATSNAKE_ROOM 2048
    typedef struct {
        struct mmsghdr messages[RATSNAKE_RUN];
        struct iovec parts[RATSNAKE_RUN];
        uint32_t size, remotes;
        char payload[RATSNAKE_RUN][RATSNAKE_ROOM];
        struct sockaddr_in to[];
    } ratsnake_load;
    static inline ratsnake_load *ratsnake_new_load(
        const uint8_t *remotes, uint32_t count, uint32_t size
    ) {
        if (size > RATSNAKE_ROOM) size = RATSNAKE_ROOM;
        ratsnake_load *l = calloc(1, sizeof *l + count * sizeof l->to[0]);
        if (!l) return l;
        l->size = size;
        l->remotes = count;
        for (uint32_t k = 0; k < count; k++) {
            l->to[k].sin_family = AF_INET;
            memcpy(&l->to[k].sin_addr, remotes + 6 * k, 4);
            memcpy(&l->to[k].sin_port, remotes + 6 * k + 4, 2);
        }
        for (uint32_t k = 0; k < RATSNAKE_RUN; k++) {
            l->parts[k].iov_base = l->payload[k];
            l->messages[k].msg_hdr.msg_iov = &l->parts[k];
            l->messages[k].msg_hdr.msg_iovlen = 1;
        }
        return l;
    }
    static inline int64_t ratsnake_send_run(
        ratsnake_load *l, int fd, uint32_t first, uint32_t count
    ) {
        if (count > RATSNAKE_RUN) count = RATSNAKE_RUN;
        for (uint32_t k = 0; k < count; k++) {
            l->messages[k].msg_hdr.msg_name = &l->to[(first + k) % l->remotes];
            l->messages[k].msg_hdr.msg_namelen = sizeof l->to[0];
            l->parts[k].iov_len = l->size;
        }
        int sent = sendmmsg(fd, l->messages, count, 0);
        return sent < 0 ? -errno : sent;
    }
    static inline int64_t ratsnake_receive_run(ratsnake_load *l, int fd) {
        for (uint32_t k = 0; k < RATSNAKE_RUN; k++) {
            l->messages[k].msg_hdr.msg_name = NULL;
            l->messages[k].msg_hdr.msg_namelen = 0;
            l->parts[k].iov_len = RATSNAKE_ROOM;
        }
        int got = recvmmsg(fd, l->messages, RATSNAKE_RUN, MSG_WAITFORONE, NULL);
        return got < 0 ? -errno : got;
    }
    static inline int64_t ratsnake_connect_once(ratsnake_load *l, uint32_t remote, int patience) {
        struct timeval t = {patience, 0};
        char rest[64];
        int64_t result = 0;
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0) return -errno;
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t);
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
        if (connect(fd, (struct sockaddr *)&l->to[remote % l->remotes], sizeof l->to[0]) < 0
            || recv(fd, rest, sizeof rest, 0) < 0)
            result = -errno;
        close(fd);
        return result;
    }
    static inline int64_t ratsnake_accept_once(int fd) {
        int taken = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
        if (taken < 0) return -errno;
        close(taken);
        return 0;
    }
    static inline int64_t ratsnake_nanoseconds(void) {
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
    }
    static inline void ratsnake_pause(int64_t nanoseconds) {
        struct timespec t = {0, nanoseconds};
        nanosleep(&t, NULL);
    }
    """
    ctypedef struct LoadFields "ratsnake_load":
        pass
    LoadFields* allocate "ratsnake_new_load"(const unsigned char* remotes, u32 count, u32 size) noexcept nogil
    void release_load "free"(LoadFields* load) noexcept nogil
    i64 send_run "ratsnake_send_run"(LoadFields* load, i32 fd, u32 first, u32 count) noexcept nogil
    i64 receive_run "ratsnake_receive_run"(LoadFields* load, i32 fd) noexcept nogil
    i64 connect_once "ratsnake_connect_once"(LoadFields* load, u32 remote, i32 patience) noexcept nogil
    i64 accept_once "ratsnake_accept_once"(i32 fd) noexcept nogil
    i64 nanoseconds "ratsnake_nanoseconds"() noexcept nogil
    void pause "ratsnake_pause"(i64 nanoseconds) noexcept nogil

cdef enum:
    RUN = 16

ctypedef LoadFields* Load

cdef inline Load new_load(const unsigned char* remotes, u32 count, u32 size) except NULL:
    cdef Load load = allocate(remotes, count, size)
    if load == NULL:
        raise MemoryError
    return load
