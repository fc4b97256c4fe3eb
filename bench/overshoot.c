/* SPDX-License-Identifier: MIT */
/*
 * overshoot: how much later than asked a wait ends that no store ends.
 *
 * From CLOCK_MONOTONIC read before the call to the same clock read after it, less the
 * timeout. The references are the loop that reads that clock until the time has come, which
 * is as good as it gets without leaving the CPU, and a futex with a timeout.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>

#if defined(__linux__)
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#endif

#include <xsc/wait.h>

#include "bench/bench.h"
#include "bench/figures.h"

#define ROUNDS 20u
#define BUDGET_NS 20000000u /* for the waits of one contender and timeout in a round */
#define MIN_WAITS 10u
#define MAX_WAITS 1000u

static const struct bench_metric metrics[] = {
    {"p50", "ns", 0, true},
    {"p99", "ns", 0, false},
    {"max", "ns", 0, false},
};

enum { P50, P99, MAX, METRICS };

static const struct {
    const char *name;
    uint64_t ns;
} timeouts[] = {
    {"1 us", 1000}, {"10 us", 10000}, {"100 us", 100000}, {"1 ms", 1000000}, {"10 ms", 10000000},
};

#define N_TIMEOUTS ((unsigned)(sizeof(timeouts) / sizeof(timeouts[0])))

static volatile uint32_t word __attribute__((aligned(64)));

static void wait_xsc(uint64_t ns)
{
    if (xsc_wait_u32(&word, 0, ns) != -ETIMEDOUT) {
        bench_die("a wait for an unchanged word did not time out");
    }
}

static void wait_clock(uint64_t ns)
{
    const uint64_t end = bench_now_ns() + ns;

    while (bench_now_ns() < end) {
        xsc_arch_relax();
    }
}

#if defined(__linux__)
static void wait_futex(uint64_t ns)
{
    const struct timespec t = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};

    syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, &t, NULL, 0);
}
#endif

static const struct contender {
    const char *name;
    void (*wait)(uint64_t ns);
} contenders[] = {
    {"clock loop", wait_clock},
    {"xsc_wait_u32", wait_xsc},
#if defined(__linux__)
    {"futex", wait_futex},
#endif
};

#define N_CONTENDERS ((unsigned)(sizeof(contenders) / sizeof(contenders[0])))

static uint32_t waits_for(const struct bench_options *o, uint64_t ns)
{
    const uint64_t n = BUDGET_NS / ns;

    return bench_iterations(o, n < MIN_WAITS ? MIN_WAITS : n > MAX_WAITS ? MAX_WAITS : (uint32_t)n);
}

/* Gives how many ended before their time: every one is a broken promise. */
static unsigned measure(struct bench_table *t, unsigned row, unsigned round,
                        const struct contender *c, uint64_t timeout_ns, uint32_t n)
{
    uint64_t *over = bench_alloc(n * sizeof(*over));
    unsigned early = 0;

    for (uint32_t i = 0; i < n; i++) {
        const uint64_t start = bench_now_ns();

        c->wait(timeout_ns);
        const uint64_t took = bench_now_ns() - start;

        early += took < timeout_ns;
        over[i] = took < timeout_ns ? 0 : took - timeout_ns;
    }
    bench_sort(over, n);
    bench_cell(t, row, P50)[round] = (double)bench_quantile(over, n, 500);
    bench_cell(t, row, P99)[round] = (double)bench_quantile(over, n, 990);
    bench_cell(t, row, MAX)[round] = (double)over[n - 1];
    free(over);
    return early;
}

static void run(const struct bench_options *o)
{
    const unsigned rounds = bench_rounds(o, ROUNDS);
    struct bench_table *t = bench_table_new("How much later than asked a wait ends that nothing "
                                            "ends",
                                            metrics, METRICS, N_TIMEOUTS * N_CONTENDERS, rounds);
    unsigned early = 0;

    bench_pin(o->cpu[0]);
    for (unsigned i = 0; i < N_TIMEOUTS; i++) {
        for (unsigned c = 0; c < N_CONTENDERS; c++) {
            bench_table_row(t, timeouts[i].name, contenders[c].name,
                            c ? (int)(i * N_CONTENDERS) : -1);
        }
    }
    for (unsigned round = 0; round < rounds; round++) {
        for (unsigned i = 0; i < N_TIMEOUTS; i++) {
            for (unsigned c = 0; c < N_CONTENDERS; c++) {
                const unsigned e = measure(t, i * N_CONTENDERS + c, round, &contenders[c],
                                           timeouts[i].ns, waits_for(o, timeouts[i].ns));

                early += contenders[c].wait == wait_xsc ? e : 0;
            }
        }
    }
    bench_report_table(t);
    bench_report_note("Waits by xsc_wait_u32 that ended before their timeout: %u (must be 0).",
                      early);
    bench_table_free(t);
}

const struct bench_question bench_overshoot = {
    .name = "overshoot",
    .what = "how much later than asked a timeout ends",
    .run = run,
};
