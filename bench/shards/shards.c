/* SPDX-License-Identifier: MIT */
/*
 * shards: what it costs to hand a message to another thread, beside what else one would do it with.
 *
 * Messages of 16 bytes go to and fro between two threads, one at a time, or one way through two or
 * three, at full load, at 1% of a million a second and in bursts. Every contender has its turn in
 * every round. A quarter as many messages go before those that count, for contenders that learn.
 * System calls are counted in a run of their own, in which nothing is timed; those by which the
 * source waits for its next message are left out.
 */
#include <math.h>
#include <stdio.h>

#include <xsc/park.h>

#include "bench/bench.h"
#include "bench/figures.h"
#include "bench/shards/flow.h"

#define ROUNDS 7u

static const struct shards_peer *const peers[] = {
    &shards_bare,        &shards_xsc,
#if defined(XSC_BENCH_SHARDS_DEVICES)
    &shards_xsc_devices,
#endif
    &shards_cond,        &shards_eventfd, &shards_pipe,
#if defined(XSC_BENCH_SHARDS_CK)
    &shards_ck,
#endif
#if defined(XSC_BENCH_SHARDS_MOODYCAMEL)
    &shards_moodycamel,
#endif
#if defined(XSC_BENCH_SHARDS_ONETBB)
    &shards_tbb,
#endif
};

#define N_PEERS ((unsigned)(sizeof(peers) / sizeof(peers[0])))

static const char absent[] = ""
#if !defined(XSC_BENCH_SHARDS_DEVICES)
                             " shards with descriptors (the library's Linux port)"
#endif
#if !defined(XSC_BENCH_SHARDS_CK)
                             " Concurrency Kit (libck-dev)"
#endif
#if !defined(XSC_BENCH_SHARDS_MOODYCAMEL)
                             " moodycamel (libconcurrentqueue-dev)"
#endif
#if !defined(XSC_BENCH_SHARDS_ONETBB)
                             " oneTBB (libtbb-dev)"
#endif
    ;

static const struct flow_load loads[] = {
    {"full load", 4000, 1, 0},
    {"1% load", 300, 1, 100000},
    {"bursts of 64", 1280, 64, 500000},
};

#define N_LOADS ((unsigned)(sizeof(loads) / sizeof(loads[0])))

static const struct bench_metric metrics[] = {
    {"p50", "ns", 0, true},
    {"p99", "ns", 0, false},
    {"a message", "ns", 0, false},
    {"CPU, a message", "ns", 0, false},
    {"calls, a message", "", 3, false},
};

enum { P50, P99, MESSAGE, CPU, CALLS, METRICS };

static unsigned row_of(unsigned load, unsigned peer)
{
    return load * N_PEERS + peer;
}

static double median(const struct bench_table *t, unsigned row, unsigned metric)
{
    return bench_spread_of(bench_cell(t, row, metric), t->rounds).median;
}

/* Of those that the goals name the one with the least of it. */
static unsigned best_rival(const struct bench_table *t, unsigned load, unsigned metric)
{
    unsigned best = N_PEERS;

    for (unsigned p = 0; p < N_PEERS; p++) {
        if (peers[p]->rival && (best == N_PEERS || median(t, row_of(load, p), metric) <
                                                       median(t, row_of(load, best), metric))) {
            best = p;
        }
    }
    return best;
}

static void goals(struct bench_table *t, const char *flow, unsigned stages)
{
    char text[200];

    for (unsigned l = 0; l < N_LOADS; l++) {
        /* A stream at full load waits in queues: there it is throughput that counts. */
        const unsigned speed = stages > 1 && !loads[l].gap_ns ? MESSAGE : P50;

        for (unsigned p = 0; p < N_PEERS; p++) {
            struct bench_row *r = &t->rows[row_of(l, p)];
            const int floor = r->baseline;

            if (peers[p]->kind != SHARDS_OURS) {
                continue;
            }
            if (stages == 1 && !loads[l].gap_ns) {
                snprintf(text, sizeof(text), "%s, %s: %s against a bare hand-over, p50", flow,
                         loads[l].name, r->name);
                bench_report_ratio_goal(text, t, row_of(l, p), P50, 1.1);
            }
            for (unsigned m = speed;; m = CPU) {
                const unsigned rival = best_rival(t, l, m);

                r->baseline = (int)row_of(l, rival);
                snprintf(text, sizeof(text), "%s, %s: %s against the best rival, %s, %s", flow,
                         loads[l].name, r->name, peers[rival]->name, metrics[m].name);
                bench_report_ratio_goal(text, t, row_of(l, p), m, 1.0);
                if (m == CPU) {
                    break;
                }
            }
            r->baseline = floor;
        }
    }
}

static void flow(const char *name, const char *title, unsigned stages,
                 const struct bench_options *o, double skew_ns)
{
    const unsigned rounds = bench_rounds(o, ROUNDS);
    struct bench_table *t = bench_table_new(title, metrics, METRICS, N_LOADS * N_PEERS, rounds);

    for (unsigned l = 0; l < N_LOADS; l++) {
        for (unsigned p = 0; p < N_PEERS; p++) {
            bench_table_row(t, loads[l].name, peers[p]->name, p ? (int)row_of(l, 0) : -1);
        }
    }
    for (unsigned round = 0; round <= rounds; round++) { /* the last one counts system calls */
        for (unsigned l = 0; l < N_LOADS; l++) {
            struct flow_load load = loads[l];

            load.messages = bench_iterations(o, load.messages);
            for (unsigned p = 0; p < N_PEERS; p++) {
                const struct flow_result r = flow_run(peers[p], stages, &load, o->cpu,
                                                      round == rounds, skew_ns);
                const unsigned row = row_of(l, p);

                if (round == rounds) {
                    bench_cell(t, row, CALLS)[0] = r.calls;
                } else {
                    bench_cell(t, row, P50)[round] = r.p50_ns;
                    bench_cell(t, row, P99)[round] = r.p99_ns;
                    bench_cell(t, row, MESSAGE)[round] = r.message_ns;
                    bench_cell(t, row, CPU)[round] = r.cpu_ns;
                }
            }
        }
    }
    bench_report_table(t);
    goals(t, name, stages);
    bench_table_free(t);
}

static void run(const struct bench_options *o)
{
    const struct bench_skew skew = bench_measure_skew(o->cpu);
    const int counter = shards_calls_begin();

    shards_calls_end(counter);
    xsc_park_init(XSC_PARK_AUTO);
    if (*absent) {
        bench_report_note("Not built in:%s.", absent);
    }
    if (counter < 0) {
        bench_report_note("System calls are not counted: that takes root and tracefs "
                          "(mount -t tracefs tracefs /sys/kernel/tracing).");
    }
    flow("ping-pong", "ping-pong: to and fro between two threads, half a round trip", 1, o, 0);
    flow("pipeline of 2", "pipeline of 2: one way, a CPU each", 2, o, skew.ns);
    flow("pipeline of 3", "pipeline of 3: one way, on two CPUs, the first and the last on one", 3,
         o, 0);
    bench_report_note("Counters of the two CPUs: %.0f ns apart, give or take %.0f, taken off.",
                      skew.ns, skew.error_ns);
}

const struct bench_question bench_shards = {
    .name = "shards",
    .what = "a message to another thread, beside eventfd, condition variables and other queues",
    .two_cpus = true,
    .run = run,
};
