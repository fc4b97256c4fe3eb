/* SPDX-License-Identifier: MIT */
/*
 * A store and ck_ec_inc(), many producers allowed: Concurrency Kit's event count. No thread waits,
 * so the operations that would enter the kernel are never called.
 */
#define _GNU_SOURCE
#include "bench/notify.h"

#include <stdlib.h>
#include <time.h> /* ck_ec.h needs it, and does not say so */

#include <ck_ec.h>

static int no_time(const struct ck_ec_ops *ops, struct timespec *out)
{
    (void)ops;
    (void)out;
    abort();
}

static void no_wait(const struct ck_ec_wait_state *state, const uint32_t *address,
                    uint32_t expected, const struct timespec *deadline)
{
    (void)state;
    (void)address;
    (void)expected;
    (void)deadline;
    abort();
}

static void no_wake(const struct ck_ec_ops *ops, const uint32_t *address)
{
    (void)ops;
    (void)address;
    abort();
}

static const struct ck_ec_ops ops = {.gettime = no_time, .wait32 = no_wait, .wake32 = no_wake};
static const struct ck_ec_mode many_producers = {.ops = &ops, .single_producer = false};

static struct {
    uint32_t word;
    struct ck_ec32 count;
} line __attribute__((aligned(64)));

static BENCH_NOTIFY_LOOP void loop(uint32_t n)
{
    uint32_t *w = &line.word;

    for (uint32_t i = 0; i < n; i++) {
        BENCH_LAUNDER(w);
        __atomic_store_n(w, i, __ATOMIC_RELEASE);
        ck_ec32_inc(&line.count, &many_producers);
    }
}

bench_notify_loop *bench_notify_ck_ec(void)
{
    return loop;
}
