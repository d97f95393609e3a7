/* For LD_PRELOAD: CLOCK_MONOTONIC is ahead by what the file in $SHIFTED_CLOCK says, an int64_t of
 * nanoseconds, or stands still at what the next int64_t says, unless that is 0.  What waits until a
 * time of that clock waits as long as it would have. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const int64_t SECOND = 1000000000;
static volatile int64_t *said;

static int64_t nanoseconds(const struct timespec *at) { return at->tv_sec * SECOND + at->tv_nsec; }

static struct timespec moment(int64_t at) {
  return (struct timespec){.tv_sec = at / SECOND, .tv_nsec = at % SECOND};
}

static int64_t true_time(void) {
  struct timespec at;
  syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &at);
  return nanoseconds(&at);
}

static int64_t shown_time(void) {
  if (!said) {
    int file = open(getenv("SHIFTED_CLOCK"), O_RDONLY | O_CLOEXEC);
    void *mapped = mmap(NULL, 2 * sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
    if (mapped == MAP_FAILED) abort();
    close(file);
    said = mapped;
  }
  return said[1] ? said[1] : true_time() + said[0];
}

int clock_gettime(clockid_t clock, struct timespec *at) {
  if (clock != CLOCK_MONOTONIC) return (int)syscall(SYS_clock_gettime, clock, at);
  *at = moment(shown_time());
  return 0;
}

int sem_clockwait(sem_t *lock, clockid_t clock, const struct timespec *until) {
  typedef int wait_until(sem_t *, clockid_t, const struct timespec *);
  static wait_until *real;
  if (!real) real = (wait_until *)dlsym(RTLD_NEXT, "sem_clockwait");
  if (clock != CLOCK_MONOTONIC) return real(lock, clock, until);
  struct timespec truly = moment(true_time() + nanoseconds(until) - shown_time());
  return real(lock, clock, &truly);
}
