/* SPDX-License-Identifier: MIT */
/*
 * A bare futex: one look, then into the kernel; the writer always calls FUTEX_WAKE, since it
 * can't know whether anybody sleeps. What std::atomic::wait() comes down to past its spin.
 */
#define _GNU_SOURCE
#include "bench/peers/peer.h"

#if defined(__linux__)

#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

static void wait_32(const volatile void *word, uint64_t old)
{
    const volatile uint32_t *w = word;

    while (__atomic_load_n(w, __ATOMIC_ACQUIRE) == (uint32_t)old) {
        syscall(SYS_futex, w, FUTEX_WAIT_PRIVATE, (uint32_t)old, NULL, NULL, 0);
    }
}

static void notify(volatile void *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

const struct bench_peer bench_peer_futex = {
    .name = "futex",
    .kind = BENCH_PARKS,
    .wait = {NULL, NULL, wait_32, NULL},
    .notify = notify,
};

#endif
