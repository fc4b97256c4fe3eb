/* SPDX-License-Identifier: MIT */
/*
 * watch: how soon a waiter wakes that has waited longer than the tight spin, and what it
 * burns until then.
 *
 * The waiter says that it is there; the writer lets a gap pass, stamps the time, stores; the
 * waiter stamps its return. Both stamps are the CPU's counter, on two CPUs, so the result
 * may be off by what the two counters differ: that is measured and printed. The waiter's CPU
 * time is that of its thread over the whole round, divided by the waits.
 */
#include <stdio.h>
#include <stdlib.h>

#include "bench/bench.h"
#include "bench/figures.h"
#include "bench/peers/peer.h"

#define ROUNDS 20u
#define MIN_WAITS 40u
#define MAX_WAITS 1000u
#define BUDGET_NS 15000000u

static const struct bench_metric metrics[] = {
    {"wake p50", "ns", 0, true},
    {"wake p99", "ns", 0, false},
    {"CPU a wait", "us", 2, false},
};

enum { P50, P99, CPU, METRICS };

static const uint64_t gaps_us[] = {2, 10, 30, 100, 1000};

#define N_GAPS ((unsigned)(sizeof(gaps_us) / sizeof(gaps_us[0])))

struct watch {
    const struct bench_peer *peer;
    uint64_t gap; /* ticks */
    uint32_t waits;
    uint64_t *latency; /* ticks, one a wait */
    uint64_t cpu_ns;
    uint32_t ready __attribute__((aligned(128)));
    uint64_t stored_at __attribute__((aligned(128))); /* written before word */
    volatile uint32_t word __attribute__((aligned(128)));
};

static void waiter(void *p)
{
    struct watch *w = p;
    const uint64_t cpu_before = bench_cpu_ns();

    for (uint32_t i = 0; i < w->waits; i++) {
        __atomic_store_n(&w->ready, i + 1, __ATOMIC_RELEASE);
        w->peer->wait[BENCH_U32](&w->word, i);
        const uint64_t back = bench_ticks_ordered();
        const int64_t took = (int64_t)(back - w->stored_at);

        w->latency[i] = took > 0 ? (uint64_t)took : 0;
    }
    w->cpu_ns = bench_cpu_ns() - cpu_before;
}

/* Some 200 ns more or less from wait to wait, so that no gap is in step with a polling loop. */
static uint64_t jitter(uint32_t i)
{
    return bench_ns_to_ticks((uint64_t)(i * 2654435761u >> 24));
}

static void writer(void *p)
{
    struct watch *w = p;

    for (uint32_t i = 0; i < w->waits; i++) {
        while (__atomic_load_n(&w->ready, __ATOMIC_ACQUIRE) != i + 1) {
            xsc_arch_relax();
        }
        const uint64_t due = bench_ticks() + w->gap + jitter(i);

        while ((int64_t)(bench_ticks() - due) < 0) {
            xsc_arch_relax();
        }
        w->stored_at = bench_ticks_ordered();
        __atomic_store_n(&w->word, i + 1, __ATOMIC_RELEASE);
        if (w->peer->notify) {
            w->peer->notify(&w->word);
        }
    }
}

static void measure(const struct bench_peer *peer, uint64_t gap_us, uint32_t waits,
                    const int cpu[2], double result[METRICS])
{
    static struct watch w;

    w = (struct watch){.peer = peer, .gap = bench_ns_to_ticks(gap_us * 1000), .waits = waits};
    w.latency = bench_alloc(waits * sizeof(*w.latency));
    bench_run_pair(waiter, writer, &w, cpu);
    bench_sort(w.latency, waits);
    result[P50] = bench_ticks_to_ns(bench_quantile(w.latency, waits, 500));
    result[P99] = bench_ticks_to_ns(bench_quantile(w.latency, waits, 990));
    result[CPU] = (double)w.cpu_ns / 1e3 / waits;
    free(w.latency);
}

/* Part N: a gap of N us, in a process whose library was told to use GENERIC. */
static void child(const struct bench_options *o)
{
    double v[METRICS];

    bench_start();
    measure(&bench_peer_xsc, (uint64_t)o->child, bench_iterations(o, MIN_WAITS), o->cpu, v);
    printf("%.3f %.3f %.6f\n", v[P50], v[P99], v[CPU]);
}

static uint32_t waits_for(const struct bench_options *o, uint64_t gap_us)
{
    const uint64_t n = BUDGET_NS / 1000 / gap_us;

    return bench_iterations(o, n < MIN_WAITS ? MIN_WAITS : n > MAX_WAITS ? MAX_WAITS : (uint32_t)n);
}

static void set(struct bench_table *t, unsigned row, unsigned round, const double v[METRICS])
{
    for (unsigned m = 0; m < METRICS; m++) {
        bench_cell(t, row, m)[round] = v[m];
    }
}

static void say_skew(const struct bench_options *o)
{
    const struct bench_skew s = bench_measure_skew(o->cpu);

    bench_report_note("\nThe counter of CPU %d is %.0f ns ahead of CPU %d's, give or take %.0f "
                      "(half the quickest round trip): so far may a wake time be off, for all "
                      "contenders alike.",
                      o->cpu[1], s.ns, o->cpu[0], s.error_ns);
}

/* ---- the question ---- */

static const struct contender {
    const struct bench_peer *peer; /* NULL: the library in a child, with GENERIC */
} contenders[] = {
    {&bench_peer_pause},
    {&bench_peer_xsc},
    {NULL},
#if defined(__linux__)
    {&bench_peer_futex},
#endif
};

#define N_CONTENDERS ((unsigned)(sizeof(contenders) / sizeof(contenders[0])))

static void round_of(struct bench_table *t, unsigned round, const struct bench_options *o)
{
    for (unsigned g = 0; g < N_GAPS; g++) {
        const uint32_t waits = waits_for(o, gaps_us[g]);

        for (unsigned c = 0; c < N_CONTENDERS; c++) {
            double v[METRICS];

            if (contenders[c].peer) {
                measure(contenders[c].peer, gaps_us[g], waits, o->cpu, v);
            } else {
                bench_child("watch", gaps_us[g], waits, "generic", o, v, METRICS);
            }
            set(t, g * N_CONTENDERS + c, round, v);
        }
    }
}

static void name_group(char *group, size_t size, uint64_t gap_us)
{
    snprintf(group, size, "gap %u us", (unsigned)gap_us);
}

static void compare(const struct bench_options *o)
{
    const unsigned rounds = bench_rounds(o, ROUNDS);
    struct bench_table *t = bench_table_new("From a store on one CPU to the waiter's return on "
                                            "another, after a gap",
                                            metrics, METRICS, N_GAPS * N_CONTENDERS, rounds);
    char text[96], group[32];

    for (unsigned g = 0; g < N_GAPS; g++) {
        name_group(group, sizeof(group), gaps_us[g]);
        for (unsigned c = 0; c < N_CONTENDERS; c++) {
            bench_table_row(t, group,
                            contenders[c].peer ? contenders[c].peer->name : "xsc_wait, GENERIC",
                            c ? (int)(g * N_CONTENDERS) : -1);
        }
    }
    say_skew(o);
    for (unsigned round = 0; round < rounds; round++) {
        round_of(t, round, o);
    }
    bench_report_table(t);
    bench_report_note("Waits in a round and gap: %u to %u.", waits_for(o, gaps_us[N_GAPS - 1]),
                      waits_for(o, gaps_us[0]));
    for (unsigned g = 0; g < N_GAPS; g++) {
        snprintf(text, sizeof(text), "wake p50 against a bare spin, %s",
                 t->rows[g * N_CONTENDERS + 1].group);
        bench_report_ratio_goal(text, t, g * N_CONTENDERS + 1, P50, 1.05);
    }
    bench_table_free(t);
}

/* ---- --pauses: what do fewer looks cost, and what do they save? ---- */

static void compare_pauses(const struct bench_options *o)
{
    const unsigned rounds = bench_rounds(o, ROUNDS);
    const unsigned lists = o->n_pauses + 1; /* and the library */
    struct bench_table *t = bench_table_new("The same for bare spins with several PAUSEs between "
                                            "two looks",
                                            metrics, METRICS, N_GAPS * lists, rounds);
    char group[32], name[32];

    for (unsigned g = 0; g < N_GAPS; g++) {
        name_group(group, sizeof(group), gaps_us[g]);
        for (unsigned i = 0; i < o->n_pauses; i++) {
            snprintf(name, sizeof(name), "bare spin, %u PAUSE%s a look", o->pauses[i],
                     o->pauses[i] > 1 ? "s" : "");
            bench_table_row(t, group, name, i ? (int)(g * lists) : -1);
        }
        bench_table_row(t, group, bench_peer_xsc.name, (int)(g * lists));
    }
    say_skew(o);
    for (unsigned round = 0; round < rounds; round++) {
        for (unsigned row = 0; row < t->n_rows; row++) {
            const uint64_t gap = gaps_us[row / lists];
            const unsigned i = row % lists;
            double v[METRICS];

            if (i < o->n_pauses) {
                bench_pauses_set(o->pauses[i]);
            }
            measure(i < o->n_pauses ? &bench_peer_pauses : &bench_peer_xsc, gap, waits_for(o, gap),
                    o->cpu, v);
            set(t, row, round, v);
        }
    }
    bench_report_table(t);
    bench_report_note("CPU time is time on the CPU: what a PAUSE leaves to a sibling hardware "
                      "thread, or saves in power, can't be seen in it.");
    bench_table_free(t);
}

static void run(const struct bench_options *o)
{
    if (o->n_pauses) {
        compare_pauses(o);
    } else {
        compare(o);
    }
}

const struct bench_question bench_watch = {
    .name = "watch",
    .what = "waking after 2 us to 1 ms: latency and CPU burnt, beside a bare spin and a futex",
    .two_cpus = true,
    .takes_pauses = true,
    .run = run,
    .child = child,
};
