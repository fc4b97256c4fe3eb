/* SPDX-License-Identifier: MIT */
/*
 * any: how soon a wait for several words ends by a store to one of them.
 *
 * As in `watch`, with the words on cache lines of their own or all on one; the writer takes them in
 * an order that jumps about. Beside the library: the loop that looks at one after the other, and,
 * where the CPU has RTM, a transaction that has read them all and lasts until one is stored to.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xsc/wait.h>

#include "bench/bench.h"
#include "bench/figures.h"
#include "bench/peers/rtm.h"

#define ROUNDS 20u
#define WAITS 500u
#define MAX_WORDS 64u
#define GAP_NS 5000u

static const struct bench_metric metrics[] = {
    {"wake p50", "ns", 0, true},
    {"wake p99", "ns", 0, false},
    {"CPU a wait", "us", 2, false},
};

enum { P50, P99, CPU, METRICS };

static const struct shape {
    uint32_t n, stride; /* words, and bytes from one to the next */
    const char *name;
} shapes[] = {
    {2, 128, "2 words"},
    {8, 128, "8 words"},
    {8, 8, "8 words, one line"},
    {64, 128, "64 words"},
};

#define N_SHAPES ((unsigned)(sizeof(shapes) / sizeof(shapes[0])))

static uint8_t memory[MAX_WORDS * 128] __attribute__((aligned(128)));

struct any {
    const struct shape *shape;
    void (*wait)(struct any *a);
    struct xsc_watch watches[MAX_WORDS];
    uint32_t waits;
    uint64_t *latency; /* ticks */
    uint64_t cpu_ns;
    uint32_t ready __attribute__((aligned(128)));
    uint64_t stored_at __attribute__((aligned(128)));
};

static uint32_t *word_of(const struct any *a, uint32_t i)
{
    return (uint32_t *)(void *)(memory + (size_t)i * a->shape->stride);
}

/* Jumps about: 37 has no divisor in common with any number of words here. */
static uint32_t turn_of(const struct any *a, uint32_t wait)
{
    return wait * 37 % a->shape->n;
}

/* ---- contenders ---- */

static void wait_any(struct any *a)
{
    if (xsc_wait_any(a->watches, a->shape->n, XSC_FOREVER) < 0) {
        bench_die("xsc_wait_any() failed");
    }
}

static bool one_changed(const struct any *a)
{
    for (uint32_t i = 0; i < a->shape->n; i++) {
        const struct xsc_watch *w = &a->watches[i];

        if (__atomic_load_n((const volatile uint32_t *)w->word, __ATOMIC_ACQUIRE) != w->value) {
            return true;
        }
    }
    return false;
}

static void look_at_each(struct any *a)
{
    while (!one_changed(a)) {
        xsc_arch_relax();
    }
}

static bool one_changed_to(const void *arg)
{
    return one_changed(arg);
}

static void in_a_transaction(struct any *a)
{
    bench_rtm_wait(one_changed_to, a);
}

static const struct contender {
    const char *name;
    void (*wait)(struct any *a);
} contenders[] = {
    {"look, PAUSE", look_at_each},
    {"xsc_wait_any", wait_any},
    {"RTM read set", in_a_transaction},
};

/* ---- the two sides ---- */

static void waiter(void *arg)
{
    struct any *a = arg;
    const uint64_t cpu_before = bench_cpu_ns();

    for (uint32_t i = 0; i < a->waits; i++) {
        __atomic_store_n(&a->ready, i + 1, __ATOMIC_RELEASE);
        a->wait(a);
        const uint64_t back = bench_ticks_ordered();

        a->latency[i] = back > a->stored_at ? back - a->stored_at : 0;
        a->watches[turn_of(a, i)].value++;
    }
    a->cpu_ns = bench_cpu_ns() - cpu_before;
}

static void writer(void *arg)
{
    struct any *a = arg;

    for (uint32_t i = 0; i < a->waits; i++) {
        while (__atomic_load_n(&a->ready, __ATOMIC_ACQUIRE) != i + 1) {
            xsc_arch_relax();
        }
        uint32_t *word = word_of(a, turn_of(a, i));
        /* Some 500 ns more or less, so that no gap is in step with a polling loop. */
        const uint64_t due = bench_ticks() + bench_ns_to_ticks(GAP_NS + (i * 2654435761u >> 23));

        while ((int64_t)(bench_ticks() - due) < 0) {
            xsc_arch_relax();
        }
        a->stored_at = bench_ticks_ordered();
        __atomic_store_n(word, *word + 1, __ATOMIC_RELEASE);
    }
}

static void measure(const struct shape *shape, const struct contender *c,
                    const struct bench_options *o, double result[METRICS])
{
    static struct any a;

    a = (struct any){.shape = shape, .wait = c->wait, .waits = bench_iterations(o, WAITS)};
    memset(memory, 0, sizeof(memory));
    for (uint32_t i = 0; i < shape->n; i++) {
        a.watches[i] = XSC_WATCH(word_of(&a, i), 0);
    }
    a.latency = bench_alloc(a.waits * sizeof(*a.latency));
    bench_run_pair(waiter, writer, &a, o->cpu);
    bench_sort(a.latency, a.waits);
    result[P50] = bench_ticks_to_ns(bench_quantile(a.latency, a.waits, 500));
    result[P99] = bench_ticks_to_ns(bench_quantile(a.latency, a.waits, 990));
    result[CPU] = (double)a.cpu_ns / 1e3 / a.waits;
    free(a.latency);
}

static void run(const struct bench_options *o)
{
    const bool rtm = bench_rtm_works();
    const unsigned n = rtm ? 3 : 2, rounds = bench_rounds(o, ROUNDS);
    struct bench_table *t = bench_table_new("From a store to one of several words to the waiter's "
                                            "return, after some 5 us",
                                            metrics, METRICS, N_SHAPES * n, rounds);

    for (unsigned row = 0; row < N_SHAPES * n; row++) {
        bench_table_row(t, shapes[row / n].name, contenders[row % n].name,
                        row % n ? (int)(row - row % n) : -1);
    }
    for (unsigned round = 0; round < rounds; round++) {
        for (unsigned row = 0; row < N_SHAPES * n; row++) {
            double v[METRICS];

            measure(&shapes[row / n], &contenders[row % n], o, v);
            for (unsigned m = 0; m < METRICS; m++) {
                bench_cell(t, row, m)[round] = v[m];
            }
        }
    }
    bench_report_table(t);
    if (!rtm) {
        bench_report_note("RTM read set: this CPU has no RTM, or none that ever commits.");
    }
    bench_table_free(t);
}

const struct bench_question bench_any = {
    .name = "any",
    .what = "waiting for one of 2 to 64 words: latency and CPU, beside a loop over them",
    .two_cpus = true,
    .run = run,
};
