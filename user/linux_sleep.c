/* SPDX-License-Identifier: MIT */
/* Sleeping and far-reaching barriers on Linux: futex(2), futex_waitv(2), membarrier(2). */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <xsc/watch.h>

#include "user/sleep.h"

#define NS_PER_S 1000000000u

/* ------------------------------------------------------------------------------- futex ---- */

/*
 * The kernel's own types, whatever the C library thinks of time. The plain system call takes
 * two longs; 32-bit architectures younger than 2020 have only the one that takes 64 bits.
 */
#if defined(SYS_futex)
#define FUTEX_CALL SYS_futex
typedef long futex_time;
#define FUTEX_TIME_MAX LONG_MAX
#else
#define FUTEX_CALL SYS_futex_time64
typedef int64_t futex_time;
#define FUTEX_TIME_MAX INT64_MAX
#endif

struct futex_timespec {
    futex_time s, ns;
};

/*
 * What a futex call's errno says. EAGAIN, ETIMEDOUT and EINTR are the three ways in which a sleep
 * that was possible ends without a wake. Every other one says that there was no sleep and that the
 * next call will fail as well: EFAULT (device memory, a read-only private page), EINVAL, ENOSYS (no
 * futex, no futex_waitv), EPERM or EACCES or whatever else a seccomp filter returns, ENOMEM.
 */
static enum xsc_slept slept_by_errno(int error)
{
    switch (error) {
    case EAGAIN:
        return XSC_SLEPT_CHANGED;
    case ETIMEDOUT:
        return XSC_SLEPT_TIMED_OUT;
    case EINTR:
        return XSC_SLEPT_INTERRUPTED;
    default:
        return XSC_SLEPT_REFUSED;
    }
}

enum xsc_slept xsc_sleep(const volatile uint32_t *word, uint32_t expected, uint32_t bits,
                         uint64_t deadline_ns, bool shared)
{
    /* Absolute, by CLOCK_MONOTONIC: FUTEX_WAIT_BITSET without FUTEX_CLOCK_REALTIME. */
    const struct futex_timespec until = {(futex_time)(deadline_ns / NS_PER_S),
                                         (futex_time)(deadline_ns % NS_PER_S)};
    const int op = FUTEX_WAIT_BITSET | (shared ? 0 : FUTEX_PRIVATE_FLAG);
    const bool bounded = deadline_ns != XSC_FOREVER && deadline_ns / NS_PER_S <= FUTEX_TIME_MAX;
    const int saved = errno;

    /* 0 is a wake and nothing else: a signal, the deadline and a changed word have errors. */
    const enum xsc_slept end = syscall(FUTEX_CALL, word, op, expected, bounded ? &until : NULL,
                                       NULL, bits) >= 0
                                   ? XSC_SLEPT_WOKEN
                                   : slept_by_errno(errno);

    errno = saved;
    return end;
}

int xsc_this_cpu(void)
{
    return sched_getcpu(); /* no system call where the C library registers rseq(2), or has a vDSO */
}

uint32_t xsc_wake(const volatile uint32_t *word, uint32_t bits, uint32_t count, bool shared)
{
    const int op = FUTEX_WAKE_BITSET | (shared ? 0 : FUTEX_PRIVATE_FLAG);
    const int saved = errno;
    const long woken = syscall(FUTEX_CALL, word, op, count > INT_MAX ? INT_MAX : (int)count, NULL,
                               NULL, bits);

    errno = saved;
    return woken > 0 ? (uint32_t)woken : 0;
}

/*
 * futex_waitv(), Linux 5.16: the kernel queues us at the first half, compares it, then the
 * second, and goes back if either has changed. Declared here for older headers; the number is
 * the same on all architectures but alpha.
 */
#if !defined(SYS_futex_waitv) && !defined(__alpha__)
#define SYS_futex_waitv 449
#endif

struct wide_half {
    uint64_t expected, address;
    uint32_t flags, reserved;
};

#define HALF_32BIT_SHARED 2u /* FUTEX_32, without FUTEX_PRIVATE_FLAG */

enum xsc_slept xsc_sleep_wide(const volatile uint64_t *word, uint64_t expected,
                              uint64_t deadline_ns)
{
#if defined(SYS_futex_waitv)
    struct {
        int64_t s, ns;
    } const until = {(int64_t)(deadline_ns / NS_PER_S), (int64_t)(deadline_ns % NS_PER_S)};
    struct wide_half half[2];
    const int saved = errno;
    uint32_t parts[2];

    memcpy(parts, &expected, sizeof(parts));
    for (size_t i = 0; i < 2; i++) {
        half[i] = (struct wide_half){parts[i], (uintptr_t)word + 4 * i, HALF_32BIT_SHARED, 0};
    }
    const enum xsc_slept end = syscall(SYS_futex_waitv, half, 2, 0,
                                       deadline_ns != XSC_FOREVER ? &until : NULL,
                                       CLOCK_MONOTONIC) >= 0
                                   ? XSC_SLEPT_WOKEN
                                   : slept_by_errno(errno);

    errno = saved;
    return end;
#else
    (void)word;
    (void)expected;
    (void)deadline_ns;
    return XSC_SLEPT_REFUSED;
#endif
}

/* prctl(2): 0 would mean "back to the default", so it is never set. */
uint64_t xsc_slack(uint64_t ns)
{
    const int saved = errno;
    const int before = prctl(PR_GET_TIMERSLACK);

    if (before > 0 && ns && ns != (uint64_t)before) {
        prctl(PR_SET_TIMERSLACK, (unsigned long)ns, 0, 0, 0);
    }
    errno = saved;
    return before > 0 ? (uint64_t)before : 0;
}

/* -------------------------------------------------------------------------- membarrier ---- */

/* Values of linux/membarrier.h, which headers older than Linux 4.16 lack. */
#define MB_GLOBAL_EXPEDITED 2
#define MB_REGISTER_GLOBAL_EXPEDITED 4
#define MB_PRIVATE_EXPEDITED 8
#define MB_REGISTER_PRIVATE_EXPEDITED 16

static bool membarrier(int command)
{
#if defined(SYS_membarrier)
    const int saved = errno;
    const bool done = !syscall(SYS_membarrier, command, 0, 0);

    errno = saved;
    return done;
#else
    (void)command;
    return false;
#endif
}

bool xsc_barrier_register(bool shared)
{
    return membarrier(shared ? MB_REGISTER_GLOBAL_EXPEDITED : MB_REGISTER_PRIVATE_EXPEDITED);
}

/*
 * A fork()ed child inherits the registration in every kernel so far, though no manual says so:
 * where it does not, the first call fails and we register again.
 */
bool xsc_barrier_everywhere(bool shared)
{
    if (shared) {
        return membarrier(MB_GLOBAL_EXPEDITED);
    }
    return membarrier(MB_PRIVATE_EXPEDITED) ||
           (membarrier(MB_REGISTER_PRIVATE_EXPEDITED) && membarrier(MB_PRIVATE_EXPEDITED));
}
