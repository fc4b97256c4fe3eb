/* SPDX-License-Identifier: MIT */
/*
 * replay: recorded waits of real programs, waited again by every contender.
 *
 * Two pinned threads. The waiter says that it waits; the writer lets the trace's gap go by on a
 * CPU of its own (asleep where there is much time, then looking at the clock), stamps, posts. A
 * wait costs the CPU time of the waiter and w times its latency, from the stamp to the waiter's
 * own after it has returned; w is XSC_PREFER's. The contenders take turns within a round, over the
 * same stretch of the trace; the next round goes on where it ended.
 */
#define _GNU_SOURCE
#include "bench/replay.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <xsc/probe.h>

#include "bench/bench.h"
#include "bench/figures.h"
#include "tools/xsc-wait-sim/trace.h"

#define ROUNDS 5u
#define WAITS 1000u
#define STRETCH_NS 300000000ull /* of a round, whatever the number of waits */
#define GAP_MAX_NS 100000000ull /* longer ones are cut: no latency depends on them */
#define COARSE_NS 300000ull     /* a gap this long is slept through until so much before its end */
#define OURS 0                  /* xsc_park */

static const struct bench_metric metrics[] = {
    {"latency p50", "ns", 0, false},       {"p99", "ns", 0, false},
    {"waiter CPU", "ns a wait", 0, false}, {"post", "ns", 0, false},
    {"cost", "ns a wait", 0, true},
};

enum { P50, P99, CPU, POST, COST, METRICS };

static const struct contender {
    const char *name, *needs; /* what to install where it is not built in */
    const struct replay_peer *peer;
} contenders[] = {
    {"xsc_park", NULL, &replay_park},
    {"xsc_wait", NULL, &replay_wait},
    {"xsc_wait_site", NULL, &replay_wait_site},
    {"PAUSE spin", NULL, &replay_pause},
    {"futex", NULL, &replay_futex},
    {"pthread_cond", NULL, &replay_cond},
    {"sem_t", NULL, &replay_sem},
    {"eventfd", NULL, &replay_eventfd},
#if defined(XSC_BENCH_STD_ATOMIC)
    {"std::atomic", NULL, &replay_std_atomic},
#else
    {"std::atomic", "a C++20 compiler", NULL},
#endif
#if defined(XSC_BENCH_CK)
    {"ck_ec", NULL, &replay_ck_ec},
#else
    {"ck_ec", "libck-dev", NULL},
#endif
#if defined(XSC_BENCH_NSYNC)
    {"nsync", NULL, &replay_nsync},
#else
    {"nsync", "libnsync-dev", NULL},
#endif
#if defined(XSC_BENCH_ABSEIL)
    {"abseil", NULL, &replay_abseil},
#else
    {"abseil", "libabsl-dev", NULL},
#endif
#if defined(XSC_BENCH_ONETBB)
    {"oneTBB", NULL, &replay_onetbb},
#else
    {"oneTBB", "libtbb-dev", NULL},
#endif
};

#define N_CONTENDERS (sizeof(contenders) / sizeof(contenders[0]))

/* Ours are never left out: the ratios are to them. */
#define FIRST_PEER 3

/* ------------------------------------------------------------------------- one stretch ---- */

static struct exchange {
    const struct replay_peer *peer;
    const uint64_t *gaps;
    uint32_t n, before; /* waits, and news posted before them */
    uint32_t ready __attribute__((aligned(128)));
    uint64_t posted __attribute__((aligned(128))); /* the stamp: read after the wait is over */
    uint64_t *latency;                             /* ns */
    double post_ns, cpu_ns;
} exchange;

static void waiter(void *arg)
{
    struct exchange *x = arg;
    const uint64_t cpu_before = bench_cpu_ns();

    for (uint32_t i = 0; i < x->n; i++) {
        __atomic_store_n(&x->ready, i + 1, __ATOMIC_RELEASE);
        x->peer->wait(x->before + i);
        const uint64_t now = bench_ticks_ordered();

        /* The peer's own hand-over orders this after the stamp. */
        const uint64_t posted = __atomic_load_n(&x->posted, __ATOMIC_RELAXED);

        x->latency[i] = now > posted ? (uint64_t)bench_ticks_to_ns(now - posted) : 0;
    }
    x->cpu_ns = (double)(bench_cpu_ns() - cpu_before) / x->n;
}

static void let_pass(uint64_t gap_ns)
{
    const uint64_t due = bench_now_ns() + gap_ns;

    if (gap_ns > 2 * COARSE_NS) {
        const uint64_t rest = gap_ns - COARSE_NS;
        const struct timespec t = {(time_t)(rest / 1000000000u), (long)(rest % 1000000000u)};

        nanosleep(&t, NULL);
    }
    while (bench_now_ns() < due) {
        xsc_arch_relax();
    }
}

static void writer(void *arg)
{
    struct exchange *x = arg;
    uint64_t spent = 0;

    for (uint32_t i = 0; i < x->n; i++) {
        while (__atomic_load_n(&x->ready, __ATOMIC_ACQUIRE) != i + 1) {
            xsc_arch_relax();
        }
        let_pass(x->gaps[i]);
        const uint64_t stamp = bench_ticks_ordered();

        __atomic_store_n(&x->posted, stamp, __ATOMIC_RELAXED);
        x->peer->post(x->before + i + 1);
        spent += bench_ticks_ordered() - stamp;
    }
    x->post_ns = bench_ticks_to_ns(spent) / x->n;
}

/* ----------------------------------------------------------------------------- a trace ---- */

/* What `round` is to replay of the trace: gaps, cut, and how many. */
static uint32_t stretch_of(const struct xsc_trace *t, uint32_t most, size_t *at, uint64_t *gaps)
{
    uint64_t sum = 0;
    uint32_t n = 0;

    while (n < most && (n < 2 || sum < STRETCH_NS)) {
        const uint64_t gap = t->ns[*at];

        gaps[n] = gap < GAP_MAX_NS ? gap : GAP_MAX_NS;
        sum += gaps[n++];
        *at = (*at + 1) % t->n;
    }
    return n;
}

static uint32_t posted_so_far[N_CONTENDERS];

static void measure(unsigned which, const struct bench_options *o, double weight,
                    const struct bench_table *table, unsigned row, unsigned round)
{
    struct exchange *x = &exchange;
    double sum = 0;

    x->peer = contenders[which].peer;
    x->before = posted_so_far[which];
    x->ready = 0;
    posted_so_far[which] += x->n;
    bench_run_pair(waiter, writer, x, o->cpu);
    for (uint32_t i = 0; i < x->n; i++) {
        sum += (double)x->latency[i];
    }
    bench_sort(x->latency, x->n);
    bench_cell(table, row, P50)[round] = (double)bench_quantile(x->latency, x->n, 500);
    bench_cell(table, row, P99)[round] = (double)bench_quantile(x->latency, x->n, 990);
    bench_cell(table, row, CPU)[round] = x->cpu_ns;
    bench_cell(table, row, POST)[round] = x->post_ns;
    bench_cell(table, row, COST)[round] = x->cpu_ns + weight * sum / x->n;
}

struct choice {
    unsigned n, which[N_CONTENDERS];
};

/*
 * What the one before has left behind, a host that has seen us spin for a second or sleep for one, is
 * worth a third of a wake-up in a VM: so it is not always the same one that comes before.
 */
static void shuffle(unsigned *order, unsigned n)
{
    static uint64_t random = 88172645463325252ull; /* the same in each run */

    for (unsigned i = n - 1; i > 0; i--) {
        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        const unsigned k = (unsigned)((random >> 32) % (i + 1)), other = order[k];

        order[k] = order[i];
        order[i] = other;
    }
}

static void replay(const struct bench_options *o, const struct choice *c, struct xsc_trace *t,
                   double weight, double *cost)
{
    const unsigned rounds = bench_rounds(o, ROUNDS);
    const uint32_t most = bench_iterations(o, WAITS);
    uint64_t *gaps = bench_alloc(most * sizeof(*gaps) + sizeof(*gaps));
    struct bench_table *table = bench_table_new(t->name, metrics, METRICS, c->n, rounds);
    unsigned order[N_CONTENDERS];
    size_t at = 0, waits = 0;

    for (unsigned i = 0; i < c->n; i++) {
        order[i] = i;
        if (contenders[c->which[i]].peer->restart) {
            contenders[c->which[i]].peer->restart();
        }
    }
    exchange.gaps = gaps;
    exchange.latency = bench_alloc(most * sizeof(*exchange.latency));
    for (unsigned i = 0; i < c->n; i++) {
        bench_table_row(table, "", contenders[c->which[i]].name, i == OURS ? -1 : OURS);
    }
    for (unsigned round = 0; round < rounds; round++) {
        exchange.n = stretch_of(t, most, &at, gaps);
        waits += exchange.n;
        shuffle(order, c->n);
        for (unsigned i = 0; i < c->n; i++) {
            measure(c->which[order[i]], o, weight, table, order[i], round);
        }
    }
    bench_report_table(table);
    bench_report_note("%zu of the trace's %zu waits.", waits, t->n);
    for (unsigned i = 0; i < c->n; i++) {
        cost[i] = bench_spread_of(bench_cell(table, i, COST), rounds).median;
    }
    bench_table_free(table);
    free(exchange.latency);
    free(gaps);
}

/* ------------------------------------------------------------------------ all of them ---- */

static bool named(const char *list, const char *name)
{
    const size_t n = strlen(name);

    for (const char *p = list; p && *p; p += strcspn(p, ","), p += *p == ',') {
        if (strcspn(p, ",") == n && !strncmp(p, name, n)) {
            return true;
        }
    }
    return false;
}

/* Whether all of the list are known; else says which one is not. */
static bool all_known(const char *list)
{
    for (const char *p = list; p && *p; p += strcspn(p, ","), p += *p == ',') {
        char name[32];
        bool known = false;

        snprintf(name, sizeof(name), "%.*s", (int)strcspn(p, ","), p);
        for (unsigned i = FIRST_PEER; i < N_CONTENDERS; i++) {
            known |= !strcmp(name, contenders[i].name);
        }
        if (!known) {
            fprintf(stderr, "xsc-wait-bench: --peers: unknown peer \"%s\"; there are", name);
            for (unsigned i = FIRST_PEER; i < N_CONTENDERS; i++) {
                fprintf(stderr, "%s %s", i > FIRST_PEER ? "," : "", contenders[i].name);
            }
            fputc('\n', stderr);
            return false;
        }
    }
    return true;
}

/* Those of the list, and ours; all where there is no list. */
static struct choice choose(const char *list)
{
    struct choice c = {0};

    for (unsigned i = 0; i < N_CONTENDERS; i++) {
        const int error = contenders[i].peer && contenders[i].peer->start
                              ? contenders[i].peer->start()
                              : 0;

        if (list && i >= FIRST_PEER && !named(list, contenders[i].name)) {
            continue;
        }
        if (!contenders[i].peer) {
            bench_report_note("%s: not built in (it needs %s).", contenders[i].name,
                              contenders[i].needs);
        } else if (error) {
            bench_report_note("%s: unavailable here: %s.", contenders[i].name, strerror(error));
        } else {
            c.which[c.n++] = i;
        }
    }
    return c;
}

/* Without a trace: gaps of 5, 50 and 300 us, and exponential ones of 30 us in the mean. */
static void made_up(struct xsc_trace *t, unsigned which)
{
    static const char *const names[] = {"every 5 us", "every 50 us", "every 300 us",
                                        "exponential, 30 us"};
    static const uint64_t gaps[] = {5000, 50000, 300000, 0};
    uint64_t random = 88172645463325252ull;

    *t = (struct xsc_trace){.name = strdup(names[which])};
    for (unsigned i = 0; i < 2000; i++) {
        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        const double u = (double)(random >> 11) / 9007199254740992.0;
        const uint64_t ns = gaps[which] ? gaps[which] : (uint64_t)(-30000.0 * log(1 - u));

        if (xsc_trace_add(t, ns)) {
            bench_die("out of memory");
        }
    }
}

#define MADE_UP 4u

static struct xsc_trace *traces;
static unsigned n_traces;

static const char *name_of(const struct xsc_trace *t)
{
    const char *slash = strrchr(t->name, '/');

    return slash ? slash + 1 : t->name;
}

/* What a wait cost, a row a trace. */
static void side_by_side(const struct choice *c, unsigned n, const double *cost)
{
    struct bench_metric column[N_CONTENDERS];
    struct bench_table *table;

    for (unsigned i = 0; i < c->n; i++) {
        column[i] = (struct bench_metric){contenders[c->which[i]].name, "us", 1, false};
    }
    table = bench_table_new("Cost of a wait, all traces", column, c->n, n, 1);
    for (unsigned t = 0; t < n; t++) {
        const unsigned row = bench_table_row(table, "", name_of(&traces[t]), -1);

        for (unsigned i = 0; i < c->n; i++) {
            *bench_cell(table, row, i) = cost[t * N_CONTENDERS + i] / 1000;
        }
    }
    bench_report_table(table);
    bench_table_free(table);
}

/* The best single peer is that of the least cost over all traces; a goal is a ratio to ours. */
static void sum_up(const struct choice *c, unsigned n, const double *cost)
{
    double best_worst = 0, best_single = INFINITY, sum[N_CONTENDERS] = {0};
    double *ratio = bench_alloc(n * sizeof(*ratio));
    unsigned single = 0;

    for (unsigned i = FIRST_PEER; i < c->n; i++) {
        for (unsigned t = 0; t < n; t++) {
            sum[i] += log(cost[t * N_CONTENDERS + OURS] / cost[t * N_CONTENDERS + i]);
        }
        const double mean = exp(sum[i] / n);

        bench_report_note("Ours against %s, geometric mean over the traces: %.2f.",
                          contenders[c->which[i]].name, mean);
        if (-sum[i] < best_single) {
            best_single = -sum[i];
            single = i;
        }
    }
    for (unsigned t = 0; t < n; t++) {
        double best = INFINITY;

        for (unsigned i = FIRST_PEER; i < c->n; i++) {
            best = fmin(best, cost[t * N_CONTENDERS + i]);
        }
        ratio[t] = cost[t * N_CONTENDERS + OURS] / best;
        best_worst = fmax(best_worst, ratio[t]);
    }
    if (c->n > FIRST_PEER) {
        const double mean = exp(sum[single] / n);
        char text[96];

        bench_report_goal("cost against the best peer, worst trace", &best_worst, 1, 1.1, "x");
        snprintf(text, sizeof(text), "cost against the best single peer (%s), geometric mean",
                 contenders[c->which[single]].name);
        bench_report_goal(text, &mean, 1, 0.75, "x");
    }
    free(ratio);
}

static int prepare(const struct bench_options *o)
{
    n_traces = o->n_files ? o->n_files : MADE_UP;
    traces = bench_alloc(n_traces * sizeof(*traces));
    xsc_trace_program = "xsc-wait-bench";
    if (!all_known(o->peers)) {
        return 2;
    }
    for (unsigned i = 0; i < n_traces; i++) {
        if (!o->n_files) {
            made_up(&traces[i], i);
        } else if (xsc_trace_read(&traces[i], o->files[i])) {
            return 2;
        }
    }
    return 0;
}

static void run(const struct bench_options *o)
{
    double *cost = bench_alloc(n_traces * N_CONTENDERS * sizeof(*cost));
    const struct choice c = choose(o->peers);
    struct xsc_park_costs costs;

    if (xsc_park_costs_read(&costs, sizeof(costs))) {
        bench_die("the library does not tell what a park costs");
    }
    const double weight = costs.latency_weight / 10.0;

    bench_report_note("A ns of latency counts as %g ns of CPU time (XSC_PREFER). A park: %u ns of "
                      "CPU and %u ns of latency, as the library measured it at the start.",
                      weight, costs.park_cpu_ns, costs.park_latency_ns);
    for (unsigned i = 0; i < n_traces; i++) {
        replay(o, &c, &traces[i], weight, &cost[i * N_CONTENDERS]);
    }
    side_by_side(&c, n_traces, cost);
    sum_up(&c, n_traces, cost);
    for (unsigned i = 0; i < n_traces; i++) {
        xsc_trace_free(&traces[i]);
    }
    free(cost);
    free(traces);
}

const struct bench_question bench_replay = {
    .name = "replay",
    .what = "recorded waits (TRACE...), waited again: latency, CPU and cost beside every peer",
    .two_cpus = true,
    .takes_files = true,
    .prepare = prepare,
    .run = run,
};
