/* SPDX-License-Identifier: MIT */
/*
 * locks: what a lock costs that several threads contend for, beside the locks of others.
 *
 * At each point (threads, time inside, time outside) every lock has a turn in every round: its
 * threads start together, take the lock over and over for a while, and stop. Measured are the time a
 * section takes, all threads together (throughput upside down), how long threads waited for the
 * lock, how even their shares were, and how many CPUs were burnt.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <xsc/park.h>

#include "bench/bench.h"
#include "bench/figures.h"
#include "bench/locks/locks.h"

#define ROUNDS 5u
#define RUN_US 20000u /* --iterations: microseconds */
#define MAX_THREADS 64u

static const struct locks_peer *const peers[] = {
    &locks_xsc_mutex,     &locks_xsc_ticket,       &locks_xsc_queue,
    &locks_pthread_mutex, &locks_pthread_adaptive, &locks_pthread_spin,
#if defined(XSC_BENCH_LOCKS_CK)
    &locks_ck_fas,        &locks_ck_ticket,        &locks_ck_mcs,
    &locks_ck_clh,
#endif
#if defined(XSC_BENCH_LOCKS_STD)
    &locks_std,
#endif
#if defined(XSC_BENCH_LOCKS_ABSEIL)
    &locks_abseil,
#endif
#if defined(XSC_BENCH_LOCKS_NSYNC)
    &locks_nsync,
#endif
#if defined(XSC_BENCH_LOCKS_ONETBB)
    &locks_tbb_spin,      &locks_tbb_queuing,
#endif
};

#define N_PEERS ((unsigned)(sizeof(peers) / sizeof(peers[0])))

static const char absent[] = ""
#if !defined(XSC_BENCH_LOCKS_CK)
                             " ck"
#endif
#if !defined(XSC_BENCH_LOCKS_STD)
                             " std::mutex"
#endif
#if !defined(XSC_BENCH_LOCKS_ABSEIL)
                             " abseil"
#endif
#if !defined(XSC_BENCH_LOCKS_NSYNC)
                             " nsync"
#endif
#if !defined(XSC_BENCH_LOCKS_ONETBB)
                             " oneTBB"
#endif
    ;

static const struct point {
    const char *name;
    uint64_t inside_ns, outside_ns;
} points[] = {
    {"0 in, 0 out", 0, 0},
    {"0 in, 1 us out", 0, 1000},
    {"100 ns in, 100 ns out", 100, 100},
    {"1 us in, 1 us out", 1000, 1000},
    {"10 us in, 10 us out", 10000, 10000},
};

#define N_POINTS ((unsigned)(sizeof(points) / sizeof(points[0])))

static const struct bench_metric metrics[] = {
    {"a section", "ns", 1, true}, {"p50 wait", "ns", 0, false},
    {"p99 wait", "ns", 0, false}, {"most/least", "share", 1, false},
    {"burnt", "CPUs", 2, false},  {"CPU, a section", "ns", 1, false},
};

enum { SECTION, P50, P99, UNEVEN, BURNT, CPU, METRICS };

uint64_t locks_ticks(void)
{
    return bench_ticks();
}

void locks_work(uint64_t ticks)
{
    const uint64_t from = bench_ticks();

    while (bench_ticks() - from < ticks) {
    }
}

/* ------------------------------------------------------------------------------ one run ---- */

struct member {
    struct locks_run *run;
    const struct locks_peer *peer;
    struct locks_thread t;
};

static void *member(void *arg)
{
    struct member *m = arg;

    __atomic_fetch_add(&m->run->go, 1, __ATOMIC_RELAXED);
    while (__atomic_load_n(&m->run->go, __ATOMIC_RELAXED) <= MAX_THREADS) {
        sched_yield();
    }
    const uint64_t cpu = bench_cpu_ns();

    m->peer->run(m->run, &m->t);
    m->t.cpu_ns = bench_cpu_ns() - cpu;
    return NULL;
}

static void rest(uint32_t us)
{
    const struct timespec t = {us / 1000000, (long)(us % 1000000) * 1000};

    nanosleep(&t, NULL);
}

static void put_waits(struct bench_table *t, unsigned row, unsigned round, const struct member *all,
                      unsigned threads)
{
    uint64_t *waits = bench_alloc(sizeof(*waits) * threads * LOCKS_SAMPLES);
    size_t n = 0;

    for (unsigned i = 0; i < threads; i++) {
        const uint64_t kept = all[i].t.n_waits < LOCKS_SAMPLES ? all[i].t.n_waits : LOCKS_SAMPLES;

        memcpy(waits + n, all[i].t.waits, kept * sizeof(*waits));
        n += kept;
    }
    if (n) {
        bench_sort(waits, n);
        bench_cell(t, row, P50)[round] = bench_ticks_to_ns(bench_quantile(waits, n, 500));
        bench_cell(t, row, P99)[round] = bench_ticks_to_ns(bench_quantile(waits, n, 990));
    }
    free(waits);
}

static void measure(struct bench_table *t, unsigned row, unsigned round,
                    const struct locks_peer *peer, struct locks_run *run, unsigned threads,
                    uint32_t us)
{
    struct member *all = bench_alloc(sizeof(*all) * threads);
    pthread_t thread[MAX_THREADS];
    uint64_t sections = 0, cpu = 0, most = 0, least = UINT64_MAX;

    for (unsigned i = 0; i < threads; i++) {
        all[i].run = run;
        all[i].peer = peer;
        if ((errno = pthread_create(&thread[i], NULL, member, &all[i]))) {
            bench_die("pthread_create: %s", strerror(errno));
        }
    }
    while (__atomic_load_n(&run->go, __ATOMIC_RELAXED) < threads) {
        sched_yield();
    }
    const uint64_t start = bench_now_ns();

    __atomic_store_n(&run->go, MAX_THREADS + 1, __ATOMIC_RELAXED);
    rest(us);
    __atomic_store_n(&run->stop, 1, __ATOMIC_RELAXED);
    const uint64_t took = bench_now_ns() - start;

    for (unsigned i = 0; i < threads; i++) {
        pthread_join(thread[i], NULL);
        sections += all[i].t.sections;
        cpu += all[i].t.cpu_ns;
        most = all[i].t.sections > most ? all[i].t.sections : most;
        least = all[i].t.sections < least ? all[i].t.sections : least;
    }
    if (run->shared != sections) {
        bench_die("%s: %llu sections, and %llu counted under the lock", peer->name,
                  (unsigned long long)sections, (unsigned long long)run->shared);
    }
    bench_cell(t, row, SECTION)[round] = (double)took / (double)sections;
    bench_cell(t, row, UNEVEN)[round] = least ? (double)most / (double)least : NAN;
    bench_cell(t, row, BURNT)[round] = (double)cpu / (double)took;
    bench_cell(t, row, CPU)[round] = (double)cpu / (double)sections;
    put_waits(t, row, round, all, threads);
    free(all);
}

/* --------------------------------------------------------------------------- the report ---- */

static double median(const struct bench_table *t, unsigned row)
{
    return bench_spread_of(bench_cell(t, row, SECTION), t->rounds).median;
}

/* The quickest of others at a point, of one kind or (-1) of any. */
static int best(const struct bench_table *t, unsigned point, int kind)
{
    int row = -1;

    for (unsigned p = 0; p < N_PEERS; p++) {
        const unsigned r = point * N_PEERS + p;

        if (!peers[p]->ours && (kind < 0 || peers[p]->kind == (enum locks_kind)kind) &&
            (row < 0 || median(t, r) < median(t, (unsigned)row))) {
            row = (int)r;
        }
    }
    return row;
}

static void goals(struct bench_table *t, unsigned threads, bool crowded)
{
    char text[160];

    for (unsigned i = 0; i < N_POINTS; i++) {
        for (unsigned p = 0; p < N_PEERS && peers[p]->ours; p++) {
            const unsigned row = i * N_PEERS + p;
            struct bench_row *r = &t->rows[row];

            if (r->baseline >= 0) {
                snprintf(text, sizeof(text), "%u threads, %s: %s against the best of its kind, %s",
                         threads, points[i].name, r->name, t->rows[r->baseline].name);
                bench_report_ratio_goal(text, t, row, SECTION, 1.0);
            }
            r->baseline = best(t, i, -1);
            if (crowded && peers[p]->kind == LOCKS_PARKS) {
                snprintf(text, sizeof(text), "%u threads, %s: %s against the best of all, %s",
                         threads, points[i].name, r->name, t->rows[r->baseline].name);
                bench_report_ratio_goal(text, t, row, SECTION, 1 / 0.95);
            }
        }
    }
}

static void at(unsigned threads, unsigned which, bool crowded, const struct bench_options *o)
{
    const unsigned rounds = bench_rounds(o, ROUNDS);
    char title[120];

    snprintf(title, sizeof(title), "%u threads: wall time for each section, all threads together",
             threads);
    struct bench_table *t = bench_table_new(title, metrics, METRICS, N_POINTS * N_PEERS, rounds);

    for (unsigned i = 0; i < N_POINTS; i++) {
        for (unsigned p = 0; p < N_PEERS; p++) {
            bench_table_row(t, points[i].name, peers[p]->name, -1);
        }
    }
    for (unsigned round = 0; round < rounds; round++) {
        for (unsigned i = 0; i < N_POINTS; i++) {
            for (unsigned p = 0; p < N_PEERS; p++) {
                struct locks_run run = {.slot = which * N_POINTS + i,
                                        .inside = bench_ns_to_ticks(points[i].inside_ns),
                                        .outside = bench_ns_to_ticks(points[i].outside_ns)};

                if (peers[p]->init) {
                    peers[p]->init(run.slot);
                }
                measure(t, i * N_PEERS + p, round, peers[p], &run, threads,
                        bench_iterations(o, RUN_US));
            }
        }
    }
    for (unsigned i = 0; i < N_POINTS; i++) {
        for (unsigned p = 0; p < N_PEERS; p++) {
            if (peers[p]->ours) {
                t->rows[i * N_PEERS + p].baseline = best(t, i, (int)peers[p]->kind);
            }
        }
    }
    bench_report_table(t);
    goals(t, threads, crowded);
    bench_table_free(t);
}

static void run(const struct bench_options *o)
{
    unsigned cpus = bench_cpus_allowed(), which = 0;

    cpus = cpus > MAX_THREADS / 2 ? MAX_THREADS / 2 : cpus;
    xsc_park_init(XSC_PARK_AUTO);
    if (*absent) {
        bench_report_note("Not built in:%s.", absent);
    }
    for (unsigned n = 1; n < cpus && which < LOCKS_SLOTS / N_POINTS - 2; n *= 2) {
        at(n, which++, false, o);
    }
    at(cpus, which++, false, o);
    at(2 * cpus, which, true, o);
    bench_report_note("Threads may run on any of %u CPUs. A ratio below 1: less time for each "
                      "section than the best of others of its kind.",
                      cpus);
}

const struct bench_question bench_locks = {
    .name = "locks",
    .what = "a lock that threads contend for, beside the locks of others",
    .run = run,
};
