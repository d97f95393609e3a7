/* Preloaded into a program: counts what each thread asks the allocator for. */
#define _GNU_SOURCE
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);

static unsigned long calls[1 << 22]; /* by thread number, which is below pid_max */
static __thread pid_t thread;

static void count(void) {
    if (!thread) thread = syscall(SYS_gettid);
    calls[thread & 0x3fffff]++;
}

unsigned long allocations_of(pid_t number) { return calls[number & 0x3fffff]; }

void *malloc(size_t n) { count(); return __libc_malloc(n); }
void *calloc(size_t n, size_t m) { count(); return __libc_calloc(n, m); }
void *realloc(void *p, size_t n) { count(); return __libc_realloc(p, n); }
