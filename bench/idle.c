/* SPDX-License-Identifier: MIT */
/*
 * idle: what the idle governor saves and costs, on guests whose halts come back at once.
 *
 * The guests are examples/vmm's: each halts for real, and the VMM treats the halt in six ways, in
 * turns; the last is a park with the learned policy, for a VMM that can watch every event. Threads
 * are not pinned, as a VMM's are not. Runs whose length is judged are repeated, in turns too, and
 * the quickest counts: the work is fixed, and whatever others do only adds. Latencies are from the
 * request to the halt after it is served. Rows without a guest say what sleeping and waking cost
 * on this machine whatever governs it.
 */
#define _GNU_SOURCE
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <xsc/idle.h>
#include <xsc/nap.h>

#include "bench/bench.h"
#include "bench/figures.h"
#include "examples/vmm/vmm.h"

#define ROUNDS 3u
#define ITERATIONS 100u /* first events after deep idle; the other loads follow from it */
#define RUNS 5          /* of which the quickest counts */

#define US ((uint64_t)1000)
#define MS ((uint64_t)1000000)
#define DEEP_NS (100 * MS) /* more than the ramp takes, at naps of 200 us too */
#define PING_NS (10 * MS)
#define PAUSE_NS (20 * MS)
#define BURST 50u
#define BOOT_NS (1000 * MS * XSC_IDLE_BOOT_S)

enum { OFF, NAIVE, OURS_50, OURS_100, OURS_200, PARKED, WAYS };

static const struct way {
    const char *name;
    enum vmm_halt halt;
    uint64_t max_sleep_ns;
    double goal; /* per cent of a CPU, idle */
} ways[WAYS] = {
    {"off", VMM_OFF, 0, 0},
    {"naive, 100 us", VMM_NAIVE, 100 * US, 0},
    {"governor, 50 us", VMM_GOVERNOR, 50 * US, 15},
    {"governor, 100 us", VMM_GOVERNOR, 100 * US, 7},
    {"governor, 200 us", VMM_GOVERNOR, 200 * US, 5},
    {"xsc_park", VMM_PARK, 0, 0},
};

static const struct vmm_engine *const engines[] = {&vmm_unicorn, &vmm_kvm};

#define N_ENGINES 2u

static const struct bench_metric idle_metrics[] = {
    {"idle CPU", "%", 1, false},  {"sleeps", "/s", 0, false},   {"one sleep's CPU", "us", 1, false},
    {"wake p50", "us", 0, false}, {"wake p99", "us", 0, false},
};

enum { CPU, SLEEPS, SLEEP_CPU, WAKE_P50, WAKE_P99, IDLE_METRICS };

static const struct bench_metric work_metrics[] = {
    {"boot", "ms", 1, true},      {"busy", "us", 1, true},      {"bursts", "us", 1, true},
    {"ping p50", "us", 0, false}, {"ping p99", "us", 0, false}, {"sudden", "ms", 2, true},
};

enum { BOOT, BUSY, BURSTS, PING_P50, PING_P99, SUDDEN, WORK_METRICS };

struct guest {
    const struct vmm_engine *engine;
    struct vmm_guest *vm; /* NULL: not here */
    struct vmm_page *page;
    double loops_per_us;
    char why[200];
};

static struct guest guests[N_ENGINES];

static struct vmm_result ask(const struct guest *g, const struct way *w, const struct vmm_load *l,
                             uint64_t *latency_ns, uint64_t n)
{
    struct vmm_result r = {.latency_ns = latency_ns, .max_latencies = n};

    if (vmm_run(g->engine, g->vm, g->page, w->halt, w->max_sleep_ns, l, &r)) {
        bench_die("%s: the guest does not run", g->engine->name);
    }
    return r;
}

/* Time at work, in ns: the load's pauses left out. */
static double work_ns(const struct guest *g, const struct way *w, const struct vmm_load *l)
{
    const struct vmm_result r = ask(g, w, l, NULL, 0);

    return (double)(r.wall_ns - r.pause_ns);
}

/* How fast the guest counts: an emulated one, or one that KVM emulates, is far from the CPU. */
static void calibrate(struct guest *g)
{
    const struct vmm_load l = {.requests = 20, .work = 20000};
    double best = HUGE_VAL;

    for (int i = 0; i < RUNS; i++) {
        best = fmin(best, work_ns(g, &ways[OFF], &l));
    }
    g->loops_per_us = 20.0 * 20000 * US / best;
}

static uint32_t loops(const struct guest *g, unsigned us)
{
    return (uint32_t)(g->loops_per_us * us) + 1;
}

/* ---------------------------------------------------------------------------- the loads ---- */

/* Latencies of n requests into `sorted`, in ns. */
static void latencies(const struct guest *g, const struct way *w, uint32_t n, uint64_t every_ns,
                      uint32_t work, uint64_t *sorted)
{
    const struct vmm_load l = {.requests = n, .every_ns = every_ns, .work = work};

    ask(g, w, &l, sorted, n);
    bench_sort(sorted, n);
}

static void measure_idle(const struct guest *g, const struct way *w, uint32_t n,
                         const struct bench_table *t, unsigned row, unsigned round)
{
    const struct vmm_load idle = {.run_ns = n * PING_NS};
    const struct vmm_result r = ask(g, w, &idle, NULL, 0);
    uint64_t *ns = bench_alloc(n * sizeof(*ns));

    bench_cell(t, row, CPU)[round] = 100 * (double)r.cpu_ns / (double)r.wall_ns;
    bench_cell(t, row, SLEEPS)[round] = (double)r.sleeps * 1e9 / (double)r.wall_ns;
    if (r.sleeps) {
        bench_cell(t, row, SLEEP_CPU)[round] = (double)r.cpu_ns / US / (double)r.sleeps;
    }
    latencies(g, w, n, DEEP_NS, 1, ns);
    bench_cell(t, row, WAKE_P50)[round] = (double)bench_quantile(ns, n, 500) / US;
    bench_cell(t, row, WAKE_P99)[round] = (double)bench_quantile(ns, n, 990) / US;
    free(ns);
}

/* The quickest run of each way, in its metric's unit. row: that of the first way. */
static void measure_load(const struct guest *g, const struct vmm_load *l, double unit,
                         const struct bench_table *t, unsigned row, unsigned metric, unsigned round)
{
    for (int i = 0; i < RUNS; i++) {
        for (unsigned w = 0; w < WAYS; w++) {
            double *best = &bench_cell(t, row + w, metric)[round];

            *best = fmin(*best, work_ns(g, &ways[w], l) / unit); /* fmin(NAN, x) is x */
        }
    }
}

static void measure_work(const struct guest *g, uint32_t n, const struct bench_table *t,
                         unsigned row, unsigned round)
{
    const struct vmm_load boot = {.requests = 4 * (uint64_t)n,
                                  .device_ns = 300 * US,
                                  .boot_ns = BOOT_NS,
                                  .work = loops(g, 200)};
    const struct vmm_load busy = {
        .requests = 10 * (uint64_t)n, .device_ns = 5 * US, .work = loops(g, 200)};
    const struct vmm_load bursts = {.requests = 10 * (uint64_t)n,
                                    .device_ns = 20 * US,
                                    .burst = BURST,
                                    .pause_ns = PAUSE_NS,
                                    .work = loops(g, 20)};
    const uint32_t pings = n / 4 + 1, sudden = n / 20 + 1;
    uint64_t *ns = bench_alloc(pings * sizeof(*ns));

    measure_load(g, &boot, MS, t, row, BOOT, round);
    measure_load(g, &busy, US * (double)busy.requests, t, row, BUSY, round);
    measure_load(g, &bursts, US * (double)bursts.requests, t, row, BURSTS, round);
    for (unsigned w = 0; w < WAYS; w++, row++) {
        latencies(g, &ways[w], pings, PING_NS, loops(g, 20), ns);
        bench_cell(t, row, PING_P50)[round] = (double)bench_quantile(ns, pings, 500) / US;
        bench_cell(t, row, PING_P99)[round] = (double)bench_quantile(ns, pings, 990) / US;
        latencies(g, &ways[w], sudden, DEEP_NS, loops(g, 5000), ns);
        bench_cell(t, row, SUDDEN)[round] = (double)bench_quantile(ns, sudden, 500) / MS;
    }
    free(ns);
}

/* -------------------------------------------------- what sleep and wake cost, no guest ---- */

/* The least that sleeps of this length take: nothing but sleeps. */
static void measure_sleeps(uint64_t sleep_ns, uint32_t n, const struct bench_table *t, unsigned row,
                           unsigned round)
{
    const uint64_t start_ns = bench_now_ns(), cpu_ns = bench_cpu_ns();
    struct xsc_nap_word word = {0};
    uint64_t wall_ns, sleeps = 0;

    do {
        xsc_nap(&word, sleep_ns);
        sleeps++;
        wall_ns = bench_now_ns() - start_ns;
    } while (wall_ns < n * PING_NS);
    const double cpu = (double)(bench_cpu_ns() - cpu_ns);

    bench_cell(t, row, CPU)[round] = 100 * cpu / (double)wall_ns;
    bench_cell(t, row, SLEEPS)[round] = (double)sleeps * 1e9 / (double)wall_ns;
    bench_cell(t, row, SLEEP_CPU)[round] = cpu / US / (double)sleeps;
}

struct wakeups {
    struct xsc_nap_word sleeper, kicker;
    uint64_t kicked_ns; /* written before the kick */
    uint32_t n;
};

static void *kick(void *arg)
{
    const struct timespec deep = {0, (long)DEEP_NS};
    struct wakeups *w = arg;

    for (uint32_t i = 0; i < w->n; i++) {
        nanosleep(&deep, NULL);
        w->kicked_ns = bench_now_ns();
        xsc_nap_kick(&w->sleeper);
        xsc_nap(&w->kicker, XSC_FOREVER);
    }
    return NULL;
}

static void measure_wakeups(uint32_t n, const struct bench_table *t, unsigned row, unsigned round)
{
    uint64_t *ns = bench_alloc(n * sizeof(*ns));
    struct wakeups w = {.n = n};
    pthread_t thread;

    if (pthread_create(&thread, NULL, kick, &w)) {
        bench_die("no thread could be started");
    }
    for (uint32_t i = 0; i < n; i++) {
        xsc_nap(&w.sleeper, XSC_FOREVER);
        ns[i] = bench_now_ns() - w.kicked_ns;
        xsc_nap_kick(&w.kicker);
    }
    pthread_join(thread, NULL);
    bench_sort(ns, n);
    bench_cell(t, row, WAKE_P50)[round] = (double)bench_quantile(ns, n, 500) / US;
    bench_cell(t, row, WAKE_P99)[round] = (double)bench_quantile(ns, n, 990) / US;
    free(ns);
}

/* --------------------------------------------------------------------------- the report ---- */

/* off and ours: rows of both tables. wakeup: a row of the idle table. */
static void goals(const char *engine, const struct way *w, const struct bench_table *idle,
                  const struct bench_table *work, unsigned off, unsigned ours, unsigned wakeup)
{
    static const struct {
        const char *name;
        unsigned metric;
    } loads[] = {{"boot", BOOT}, {"busy", BUSY}, {"bursts", BURSTS}};
    double *allowed = bench_alloc(idle->rounds * sizeof(*allowed));
    double *ratio = bench_alloc(idle->rounds * sizeof(*ratio));
    char text[96];

    snprintf(text, sizeof(text), "%s, %s: idle CPU", engine, w->name);
    bench_report_goal(text, bench_cell(idle, ours, CPU), idle->rounds, w->goal, "%");
    for (size_t i = 0; i < sizeof(loads) / sizeof(loads[0]); i++) {
        snprintf(text, sizeof(text), "%s, %s: %s", engine, w->name, loads[i].name);
        bench_report_ratio_goal(text, work, ours, loads[i].metric, 1.01);
    }
    for (unsigned i = 0; i < idle->rounds; i++) {
        allowed[i] = bench_cell(idle, off, WAKE_P99)[i] + bench_cell(idle, wakeup, WAKE_P99)[i];
    }
    bench_ratios(bench_cell(idle, ours, WAKE_P99), allowed, ratio, idle->rounds);
    snprintf(text, sizeof(text), "%s, %s: wake p99 of off + one wake-up", engine, w->name);
    bench_report_goal(text, ratio, idle->rounds, 1, "x");
    free(allowed);
    free(ratio);
}

static int prepare(const struct bench_options *o)
{
    unsigned n = 0;

    (void)o;
    for (unsigned e = 0; e < N_ENGINES; e++) {
        guests[e].engine = engines[e];
        guests[e].vm = engines[e]->open(&guests[e].page, guests[e].why, sizeof(guests[e].why));
        n += guests[e].vm != NULL;
    }
    if (!n) {
        fprintf(stderr, "xsc-wait-bench: idle needs an engine: %s; %s\n", guests[0].why,
                guests[1].why);
        return BENCH_EXIT_UNFIT;
    }
    return 0;
}

static void run(const struct bench_options *o)
{
    const unsigned rounds = bench_rounds(o, ROUNDS);
    const uint32_t n = bench_iterations(o, ITERATIONS);
    struct bench_table *idle = bench_table_new("An idle guest, and its first event after 100 ms",
                                               idle_metrics, IDLE_METRICS, (N_ENGINES + 1) * WAYS,
                                               rounds);
    struct bench_table *work = bench_table_new("A guest with work: time for a boot, and a request",
                                               work_metrics, WORK_METRICS, N_ENGINES * WAYS,
                                               rounds);

    for (unsigned e = 0; e < N_ENGINES; e++) {
        const int off = (int)work->n_rows;

        for (unsigned i = 0; guests[e].vm && i < WAYS; i++) {
            bench_table_row(idle, engines[e]->name, ways[i].name, -1);
            bench_table_row(work, engines[e]->name, ways[i].name, i == OFF ? -1 : off);
        }
        if (guests[e].vm) {
            calibrate(&guests[e]);
        }
    }
    const unsigned wakeup = bench_table_row(idle, "no guest", "one wake-up", -1);

    for (unsigned i = OURS_50; i <= OURS_200; i++) {
        char text[32];

        snprintf(text, sizeof(text), "sleeps of %llu us",
                 (unsigned long long)(ways[i].max_sleep_ns / US));
        bench_table_row(idle, "no guest", text, -1);
    }

    for (unsigned round = 0; round < rounds; round++) {
        unsigned row = 0;

        for (unsigned e = 0; e < N_ENGINES; e++) {
            if (guests[e].vm) {
                for (unsigned i = 0; i < WAYS; i++) {
                    measure_idle(&guests[e], &ways[i], n, idle, row + i, round);
                }
                measure_work(&guests[e], n, work, row, round);
                row += WAYS;
            }
        }
        measure_wakeups(n, idle, wakeup, round);
        for (unsigned i = OURS_50; i <= OURS_200; i++) {
            measure_sleeps(ways[i].max_sleep_ns, n, idle, wakeup + 1 + i - OURS_50, round);
        }
    }
    bench_report_table(idle);
    bench_report_table(work);
    bench_report_note("First events in a round: %u. Time for a request: less is more throughput. "
                      "Pauses between bursts are left out. Goals are the governor's.",
                      n);
    for (unsigned e = 0, row = 0; e < N_ENGINES; e++) {
        if (!guests[e].vm) {
            bench_report_note("%s: skipped: %s.", engines[e]->name, guests[e].why);
            continue;
        }
        for (unsigned i = OURS_50; i <= OURS_200; i++) {
            goals(engines[e]->name, &ways[i], idle, work, row, row + i, wakeup);
        }
        engines[e]->close(guests[e].vm);
        row += WAYS;
    }
    bench_table_free(idle);
    bench_table_free(work);
}

const struct bench_question bench_idle = {
    .name = "idle",
    .what = "guests that halt: what the idle governor saves, and what it costs",
    .two_cpus = true,
    .prepare = prepare,
    .run = run,
};
