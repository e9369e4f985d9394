// Monotonic time that passes FAULTS_SPEED times faster, so that what a store does every ten seconds need not be waited
// for. The clocks of the day are left alone: signatures and dates depend on them. Part of the library of faults.c.
#define _GNU_SOURCE
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { SECOND = 1000000000, TIMER_LIMIT = 4096 };

static int64_t speed = 1;
static bool is_of_the_day[TIMER_LIMIT];

static int64_t nanoseconds(struct timespec time) { return (int64_t)time.tv_sec * SECOND + time.tv_nsec; }

static struct timespec timespec_of(int64_t value) {
    return (struct timespec){.tv_sec = value / SECOND, .tv_nsec = value % SECOND};
}

__attribute__((constructor)) static void begin(void) {
    const char *text = getenv("FAULTS_SPEED");
    if (text != NULL && atoll(text) > 1) speed = atoll(text);
}

/// The machine's monotonic clocks are multiplied, so they stay in step with each other and over a restart.
static bool is_monotonic(clockid_t clock) {
    return clock == CLOCK_MONOTONIC || clock == CLOCK_BOOTTIME || clock == CLOCK_MONOTONIC_RAW
        || clock == CLOCK_MONOTONIC_COARSE;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    long result = syscall(SYS_clock_gettime, clock, time);
    if (result == 0 && speed > 1 && is_monotonic(clock)) *time = timespec_of(nanoseconds(*time) * speed);
    return (int)result;
}

int timerfd_create(clockid_t clock, int flags) {
    int file = (int)syscall(SYS_timerfd_create, clock, flags);
    if (file >= 0 && file < TIMER_LIMIT) is_of_the_day[file] = !is_monotonic(clock);
    return file;
}

/// Never 0 from what was not: that would stop the timer.
static struct timespec slowed(struct timespec time) {
    int64_t value = nanoseconds(time);
    return timespec_of(value > 0 && value < speed ? 1 : value / speed);
}

int timerfd_settime(int file, int flags, const struct itimerspec *value, struct itimerspec *old) {
    struct itimerspec real = *value;
    if (file < 0 || file >= TIMER_LIMIT || !is_of_the_day[file]) {
        real.it_value = slowed(real.it_value);
        real.it_interval = slowed(real.it_interval);
    }
    return (int)syscall(SYS_timerfd_settime, file, flags, &real, old);
}

int epoll_wait(int file, struct epoll_event *events, int limit, int timeout) {
    if (timeout > 0) timeout = (int)((timeout + speed - 1) / speed);
    return (int)syscall(SYS_epoll_pwait, file, events, limit, timeout, NULL, 0);
}
