/* SPDX-License-Identifier: MIT */
/* Concurrency Kit's event count over a futex, with its own defaults for spinning. */
#define _GNU_SOURCE
#include "bench/replay.h"

#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h> /* ck_ec.h needs it, and does not say so */
#include <unistd.h>

#include <ck_ec.h>

static int get_time(const struct ck_ec_ops *ops, struct timespec *out)
{
    (void)ops;
    return clock_gettime(CLOCK_MONOTONIC, out);
}

static void futex_wait(const struct ck_ec_wait_state *state, const uint32_t *address,
                       uint32_t expected, const struct timespec *deadline)
{
    (void)state;
    syscall(SYS_futex, address, FUTEX_WAIT_BITSET_PRIVATE, expected, deadline, NULL,
            FUTEX_BITSET_MATCH_ANY);
}

static void futex_wake(const struct ck_ec_ops *ops, const uint32_t *address)
{
    (void)ops;
    syscall(SYS_futex, address, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
}

static const struct ck_ec_ops ops = {
    .gettime = get_time, .wait32 = futex_wait, .wake32 = futex_wake};
static const struct ck_ec_mode mode = {.ops = &ops, .single_producer = false};
static struct ck_ec32 count __attribute__((aligned(128)));

static void wait_for(uint32_t seen)
{
    /* It was seen to come back with the count unchanged (0.7.1, first long waits of a process). */
    while (ck_ec32_value(&count) == seen) {
        ck_ec32_wait(&count, &mode, seen, NULL);
    }
}

static void post(uint32_t news)
{
    (void)news;
    ck_ec32_inc(&count, &mode);
}

const struct replay_peer replay_ck_ec = {NULL, NULL, wait_for, post};
