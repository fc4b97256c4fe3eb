/* SPDX-License-Identifier: MIT */
/*
 * doorbell: what a wait on a software doorbell costs beside the bare eventfd under it.
 *
 * The waiter says that it is there; the writer lets a gap pass, stamps the time, stores and rings;
 * the waiter stamps its return. Both stamps are the CPU's counter, as in watch.c. The bare eventfd
 * is read by its waiter, and blocks in that: it neither watches before, nor does it bear a second
 * waiter, nor a word that changes without a ring.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <xsc/doorbell.h>
#include <xsc/park.h>

#include "bench/bench.h"
#include "bench/figures.h"

#define ROUNDS 20u
#define MIN_WAITS 20u
#define MAX_WAITS 500u
#define BUDGET_NS 20000000u

static const struct bench_metric metrics[] = {
    {"wake p50", "ns", 0, true},
    {"wake p99", "ns", 0, false},
    {"CPU a wait", "us", 2, true},
    {"ring p50", "ns", 0, true},
};

enum { P50, P99, CPU, RING, METRICS };

static const uint64_t gaps_us[] = {10, 100, 1000, 10000};

#define N_GAPS ((unsigned)(sizeof(gaps_us) / sizeof(gaps_us[0])))

static struct xsc_doorbell bell;
static int fd;

static void wait_eventfd(const volatile uint32_t *word, uint32_t old)
{
    uint64_t rings;

    while (__atomic_load_n(word, __ATOMIC_ACQUIRE) == old) {
        if (read(fd, &rings, sizeof(rings)) != sizeof(rings)) {
            bench_die("an eventfd can't be read");
        }
    }
}

static void ring_eventfd(volatile uint32_t *word)
{
    const uint64_t one = 1;

    (void)word;
    if (write(fd, &one, sizeof(one)) != sizeof(one)) {
        bench_die("an eventfd can't be written");
    }
}

static void wait_bell(const volatile uint32_t *word, uint32_t old)
{
    xsc_doorbell_wait_u32(&bell, word, old, XSC_FOREVER);
}

static void ring_bell(volatile uint32_t *word)
{
    (void)word;
    xsc_doorbell_ring(&bell, 0);
}

static void wait_park(const volatile uint32_t *word, uint32_t old)
{
    xsc_park_u32(word, old, XSC_FOREVER);
}

static void unpark(volatile uint32_t *word)
{
    xsc_unpark_one(word);
}

static const struct contender {
    const char *name;
    void (*wait)(const volatile uint32_t *word, uint32_t old);
    void (*ring)(volatile uint32_t *word);
} contenders[] = {
    {"bare eventfd", wait_eventfd, ring_eventfd},
    {"xsc_doorbell_wait", wait_bell, ring_bell},
    {"xsc_park", wait_park, unpark},
};

#define N_CONTENDERS ((unsigned)(sizeof(contenders) / sizeof(contenders[0])))

struct game {
    const struct contender *by;
    uint64_t gap; /* ticks */
    uint32_t waits;
    uint64_t *latency, *ringing; /* ticks, one a wait */
    uint64_t cpu_ns;
    uint32_t ready __attribute__((aligned(128)));
    uint64_t stored_at __attribute__((aligned(128))); /* written before word */
    volatile uint32_t word __attribute__((aligned(128)));
};

static void waiter(void *p)
{
    struct game *g = p;
    const uint64_t cpu_before = bench_cpu_ns();

    for (uint32_t i = 0; i < g->waits; i++) {
        __atomic_store_n(&g->ready, i + 1, __ATOMIC_RELEASE);
        g->by->wait(&g->word, i);
        const int64_t took = (int64_t)(bench_ticks_ordered() - g->stored_at);

        g->latency[i] = took > 0 ? (uint64_t)took : 0;
    }
    g->cpu_ns = bench_cpu_ns() - cpu_before;
}

static void writer(void *p)
{
    struct game *g = p;

    for (uint32_t i = 0; i < g->waits; i++) {
        while (__atomic_load_n(&g->ready, __ATOMIC_ACQUIRE) != i + 1) {
            xsc_arch_relax();
        }
        const uint64_t due = bench_ticks() + g->gap;

        while ((int64_t)(bench_ticks() - due) < 0) {
            xsc_arch_relax();
        }
        const uint64_t start = bench_ticks_ordered();

        g->stored_at = start;
        __atomic_store_n(&g->word, i + 1, __ATOMIC_RELEASE);
        g->by->ring(&g->word);
        g->ringing[i] = bench_ticks_ordered() - start;
    }
}

static uint32_t waits_for(const struct bench_options *o, uint64_t gap_us)
{
    const uint64_t n = BUDGET_NS / 1000 / gap_us;

    return bench_iterations(o, n < MIN_WAITS ? MIN_WAITS : n > MAX_WAITS ? MAX_WAITS : (uint32_t)n);
}

static void measure(struct bench_table *t, unsigned row, unsigned round, uint64_t gap_us,
                    const struct bench_options *o)
{
    static struct game g;

    g = (struct game){.by = &contenders[row % N_CONTENDERS],
                      .gap = bench_ns_to_ticks(gap_us * 1000),
                      .waits = waits_for(o, gap_us)};
    g.latency = bench_alloc(g.waits * sizeof(*g.latency));
    g.ringing = bench_alloc(g.waits * sizeof(*g.ringing));
    bench_run_pair(waiter, writer, &g, o->cpu);
    bench_sort(g.latency, g.waits);
    bench_sort(g.ringing, g.waits);
    bench_cell(t, row, P50)[round] = bench_ticks_to_ns(bench_quantile(g.latency, g.waits, 500));
    bench_cell(t, row, P99)[round] = bench_ticks_to_ns(bench_quantile(g.latency, g.waits, 990));
    bench_cell(t, row, RING)[round] = bench_ticks_to_ns(bench_quantile(g.ringing, g.waits, 500));
    bench_cell(t, row, CPU)[round] = (double)g.cpu_ns / 1e3 / g.waits;
    free(g.latency);
    free(g.ringing);
}

static void run(const struct bench_options *o)
{
    const unsigned rounds = bench_rounds(o, ROUNDS);
    struct bench_table *t = bench_table_new("From a store and a ring on one CPU to the waiter's "
                                            "return on another, after a gap",
                                            metrics, METRICS, N_GAPS * N_CONTENDERS, rounds);
    struct xsc_doorbell_report r;
    char group[32];

    fd = eventfd(0, EFD_CLOEXEC);
    if (fd < 0 || xsc_doorbell_open(&bell, NULL) || xsc_doorbell_try(&bell, XSC_BELL_TRIAL_RINGS)) {
        bench_die("no doorbell available, or it failed its trial");
    }
    for (unsigned row = 0; row < N_GAPS * N_CONTENDERS; row++) {
        const unsigned c = row % N_CONTENDERS;

        snprintf(group, sizeof(group), "gap %u us", (unsigned)gaps_us[row / N_CONTENDERS]);
        bench_table_row(t, group, contenders[c].name, c ? (int)(row - c) : -1);
    }
    for (unsigned round = 0; round < rounds; round++) {
        for (unsigned row = 0; row < t->n_rows; row++) {
            measure(t, row, round, gaps_us[row / N_CONTENDERS], o);
        }
    }
    xsc_doorbell_read(&bell, &r, sizeof(r));
    bench_report_table(t);
    bench_report_note("CPU a wait is the waiter's. After %u rings the doorbell is %s.",
                      (unsigned)r.rings,
                      r.state == XSC_BELL_STEADY ? "STEADY: none was lost" : r.reason);
    xsc_doorbell_close(&bell);
    close(fd);
    bench_table_free(t);
}

const struct bench_question bench_doorbell = {
    .name = "doorbell",
    .what = "waiting on a software doorbell: latency, CPU and ring, beside a bare eventfd",
    .two_cpus = true,
    .run = run,
};
