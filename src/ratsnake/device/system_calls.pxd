# C side of system_calls.py: system calls without the GIL; a negative errno on failure.
from ratsnake.wire.integer_types cimport Bytes, i32, i64, u64

cdef extern from *:
    """
    #include <errno.h>
    #include <malloc.h>
    #include <poll.h>
    #include <sched.h>
    #include <time.h>
    #include <unistd.h>
    static inline int64_t ratsnake_read(int fd, void *b, size_t n) {
        ssize_t r = read(fd, b, n);
        return r < 0 ? -errno : r;
    }
    static inline int64_t ratsnake_write(int fd, const void *b, size_t n) {
        ssize_t r = write(fd, b, n);
        return r < 0 ? -errno : r;
    }
    /* glibc would learn from the first ones to keep them, and hand them out again touched. */
    static inline void ratsnake_give_blocks_back(void) {
    #ifdef M_MMAP_THRESHOLD
        mallopt(M_MMAP_THRESHOLD, 128 * 1024);
    #endif
    }
    #define RATSNAKE_BROKEN (POLLERR | POLLHUP | POLLNVAL)
    static inline int64_t ratsnake_microseconds(void) {
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
    }
    static inline int64_t ratsnake_read_soon(int fd, void *b, size_t n, int linger) {
        int64_t r = ratsnake_read(fd, b, n);
        if (r != -EAGAIN || !linger) return r;
        int64_t until = ratsnake_microseconds() + linger;
        int left = 20 * linger; /* a look takes longer than 0.05 us: for a clock that stands still
        */ do {
            sched_yield();
            r = ratsnake_read(fd, b, n);
        } while (r == -EAGAIN && --left > 0 && ratsnake_microseconds() < until);
        return r;
    }
    static inline int32_t ratsnake_wait(int fd, int stop, int milliseconds) {
        struct pollfd p[2] = {{fd, POLLIN, 0}, {stop, POLLIN, 0}};
        if (poll(p, 2, milliseconds) < 0) return errno == EINTR ? 0 : -errno;
        if (p[0].revents & RATSNAKE_BROKEN && !(p[0].revents & POLLIN))
            return -ENODEV;
        return 0;
    }
    static inline int32_t ratsnake_hung_up(int fd) {
        struct pollfd p = {fd, POLLIN, 0};
        return poll(&p, 1, 0) > 0 && p.revents & RATSNAKE_BROKEN;
    }
    static inline uint64_t ratsnake_time_of_day(void) {
        struct timespec t;
        clock_gettime(CLOCK_REALTIME, &t);
        return (uint64_t)t.tv_sec * 1000000000 + t.tv_nsec;
    }
    static inline uint64_t ratsnake_milliseconds(void) { return ratsnake_microseconds() / 1000; }
    """
    const int EAGAIN
    const int EBADFD
    const int EINTR
    const int ENODEV
    void give_blocks_back "ratsnake_give_blocks_back"() noexcept nogil
    i64 sys_read "ratsnake_read"(i32 fd, Bytes b, size_t n) noexcept nogil
    i64 sys_write "ratsnake_write"(i32 fd, Bytes b, size_t n) noexcept nogil
    i64 read_soon "ratsnake_read_soon"(i32 fd, Bytes b, size_t n, i32 linger) noexcept nogil
    i32 wait "ratsnake_wait"(i32 fd, i32 stop, i32 milliseconds) noexcept nogil
    i32 hung_up "ratsnake_hung_up"(i32 fd) noexcept nogil
    u64 time_of_day "ratsnake_time_of_day"() noexcept nogil
    u64 milliseconds "ratsnake_milliseconds"() noexcept nogil
