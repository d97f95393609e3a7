/* Counts the allocations of every thread; to be preloaded.  glibc's own functions do the work. */
#define _GNU_SOURCE
#include <stddef.h>
#include <unistd.h>

extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t),
    *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

#define THREADS 64
static struct { int thread; long count; } counts[THREADS];
static int threads;
static __thread int mine __attribute__((tls_model("initial-exec")));

static void count(void) {
    if (!mine) {
        mine = __atomic_add_fetch(&threads, 1, __ATOMIC_RELAXED);
        if (mine < THREADS) counts[mine].thread = gettid();
    }
    if (mine < THREADS) __atomic_add_fetch(&counts[mine].count, 1, __ATOMIC_RELAXED);
}

/* How often the thread has taken memory or given it back. */
long allocations_of(int thread) {
    long sum = 0;
    for (int k = 0; k < THREADS; k++)
        if (counts[k].thread == thread) sum += __atomic_load_n(&counts[k].count, __ATOMIC_RELAXED);
    return sum;
}

void *malloc(size_t n) { count(); return __libc_malloc(n); }
void *calloc(size_t n, size_t size) { count(); return __libc_calloc(n, size); }
void *realloc(void *p, size_t n) { count(); return __libc_realloc(p, n); }
void *memalign(size_t alignment, size_t n) { count(); return __libc_memalign(alignment, n); }
void *aligned_alloc(size_t alignment, size_t n) { count(); return __libc_memalign(alignment, n); }
int posix_memalign(void **p, size_t alignment, size_t n) {
    count();
    *p = __libc_memalign(alignment, n);
    return *p ? 0 : 12;
}
void free(void *p) { if (p) count(); __libc_free(p); }
