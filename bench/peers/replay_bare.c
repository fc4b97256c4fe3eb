/* SPDX-License-Identifier: MIT */
/* The two ends of the scale: a PAUSE spin, and a bare futex that is always entered. */
#define _GNU_SOURCE
#include "bench/replay.h"

#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "arch/arch.h"

static uint32_t spun __attribute__((aligned(128)));
static uint32_t slept __attribute__((aligned(128)));

static void spin(uint32_t seen)
{
    while (__atomic_load_n(&spun, __ATOMIC_ACQUIRE) == seen) {
        xsc_arch_relax();
    }
}

static void store(uint32_t news)
{
    __atomic_store_n(&spun, news, __ATOMIC_RELEASE);
}

static void sleep_on(uint32_t seen)
{
    while (__atomic_load_n(&slept, __ATOMIC_ACQUIRE) == seen) {
        syscall(SYS_futex, &slept, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
    }
}

static void wake(uint32_t news)
{
    __atomic_store_n(&slept, news, __ATOMIC_RELEASE);
    syscall(SYS_futex, &slept, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

const struct replay_peer replay_pause = {NULL, NULL, spin, store};
const struct replay_peer replay_futex = {NULL, NULL, sleep_on, wake};
