/* SPDX-License-Identifier: MIT */
/*
 * one-cpu: two threads on the same CPU hand a word back and forth.
 *
 * A spinning waiter there keeps the very thread from running that would end the spin (SPEC D4). The
 * process may use all its CPUs, so nothing tells a contender beforehand; `taskset -c 0` in front
 * of it is the other case, where the process's own set does. Measured is throughput, as the time of
 * one hand-over: a round's wall time by twice its trips.
 */
#include <stdlib.h>

#include "bench/bench.h"
#include "bench/figures.h"
#include "bench/peers/peer.h"

#if defined(__linux__)

#define ROUNDS 15u
#define TRIPS 2000u
#define OURS 1u

static const struct bench_metric metrics[] = {
    {"hand-over", "ns", 0, true},
    {"CPU a hand-over", "ns", 0, false},
};

enum { TIME, CPU, METRICS };

static const struct bench_peer *const contenders[] = {
    &bench_peer_futex,
    &bench_peer_park,
    &bench_peer_cond,
};

#define N_CONTENDERS ((unsigned)(sizeof(contenders) / sizeof(contenders[0])))

struct exchange {
    const struct bench_peer *peer;
    uint32_t trips;
    uint64_t ns, cpu_ns[2];
    volatile uint32_t ping __attribute__((aligned(128)));
    volatile uint32_t pong __attribute__((aligned(128)));
};

static void put(const struct exchange *x, volatile uint32_t *word, uint32_t value)
{
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
    x->peer->notify(word);
}

static void asks(void *arg)
{
    struct exchange *x = arg;
    const uint64_t start = bench_now_ns(), cpu = bench_cpu_ns();

    for (uint32_t i = 0; i < x->trips; i++) {
        put(x, &x->ping, i + 1);
        x->peer->wait[BENCH_U32](&x->pong, i);
    }
    x->ns = bench_now_ns() - start;
    x->cpu_ns[0] = bench_cpu_ns() - cpu;
}

static void answers(void *arg)
{
    struct exchange *x = arg;
    const uint64_t cpu = bench_cpu_ns();

    for (uint32_t i = 0; i < x->trips; i++) {
        x->peer->wait[BENCH_U32](&x->ping, i);
        put(x, &x->pong, i + 1);
    }
    x->cpu_ns[1] = bench_cpu_ns() - cpu;
}

static void run(const struct bench_options *o)
{
    const int cpu[2] = {o->cpu[0], o->cpu[0]};
    const unsigned rounds = bench_rounds(o, ROUNDS);
    struct bench_table *t = bench_table_new("Two threads on one CPU hand a word back and forth",
                                            metrics, METRICS, N_CONTENDERS, rounds);

    for (unsigned i = 0; i < N_CONTENDERS; i++) {
        bench_table_row(t, "", contenders[i]->name, i ? 0 : -1);
    }
    for (unsigned round = 0; round < rounds; round++) {
        for (unsigned i = 0; i < N_CONTENDERS; i++) {
            static struct exchange x;

            x = (struct exchange){.peer = contenders[i], .trips = bench_iterations(o, TRIPS)};
            bench_run_pair(asks, answers, &x, cpu);
            bench_cell(t, i, TIME)[round] = (double)x.ns / 2 / x.trips;
            bench_cell(t, i, CPU)[round] = (double)(x.cpu_ns[0] + x.cpu_ns[1]) / 2 / x.trips;
        }
    }
    bench_report_table(t);
    bench_report_note("CPUs that this process may use: %u.", bench_cpus_allowed());
    bench_report_ratio_goal("a hand-over on one CPU against a futex (throughput 0.9x)", t, OURS,
                            TIME, 1 / 0.9);
    bench_table_free(t);
}

const struct bench_question bench_one_cpu = {
    .name = "one-cpu",
    .what = "two threads on one CPU hand a word back and forth: throughput beside a futex",
    .two_cpus = false,
    .run = run,
};

#endif
