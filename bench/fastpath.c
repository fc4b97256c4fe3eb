/* SPDX-License-Identifier: MIT */
/*
 * fastpath: what a wait costs whose word has changed already, beside the bare look.
 *
 * A call is a nanosecond or so, so loops of them are timed (bench/fastpath_loops.c), the
 * loop's own step included on both sides. Of several runs in a round the quickest counts:
 * what lies between is a fixed sequence of instructions, and all that others do adds to it.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/bench.h"
#include "bench/fastpath_loops.h"

#define ROUNDS 50u
#define CALLS 20000u
#define RUNS 7

static const struct bench_metric metrics[] = {
    {"time", "ns", 2, true},
    {"cycles", "of the core", 2, false},
};

enum { NS, CYCLES, METRICS };

static double ns_a_call(bench_fast_loop *loop, uint32_t calls, volatile void *word)
{
    uint64_t best = UINT64_MAX;

    for (int run = 0; run < RUNS; run++) {
        const uint64_t start = bench_ticks_ordered();
        const uint32_t looked = loop(calls, word);
        const uint64_t took = bench_ticks_ordered() - start;

        if (looked != calls) {
            bench_die("a changed word was not seen as changed");
        }
        best = took < best ? took : best;
    }
    return bench_ticks_to_ns(best) / calls;
}

static void measure(struct bench_table *t, unsigned row, unsigned round, bench_fast_loop *loop,
                    uint32_t calls, double cycle_ns)
{
    static volatile uint64_t word __attribute__((aligned(64))) = 1; /* little end: 1 in any size */
    const double ns = ns_a_call(loop, calls, &word);

    bench_cell(t, row, NS)[round] = ns;
    bench_cell(t, row, CYCLES)[round] = ns / cycle_ns;
}

static void add_rows(struct bench_table *t, const struct bench_fast_group *g)
{
    for (unsigned i = 0; i < BENCH_FAST_KINDS; i++) {
        char name[32];
        const unsigned bare = t->n_rows;

        snprintf(name, sizeof(name), "bare look, %s", g->pairs[i].what + sizeof("xsc_wait_") - 1);
        bench_table_row(t, g->where, name, -1);
        bench_table_row(t, g->where, g->pairs[i].what, (int)bare);
    }
}

static void round_of(struct bench_table *t, unsigned round, uint32_t calls)
{
    const double cycle_ns = bench_core_cycle_ns();
    unsigned row = 0;

    for (unsigned g = 0; g < BENCH_FAST_GROUPS; g++) {
        for (unsigned i = 0; i < BENCH_FAST_KINDS; i++) {
            const struct bench_fast_pair *pair = &bench_fast_groups[g].pairs[i];

            measure(t, row++, round, pair->bare, calls, cycle_ns);
            measure(t, row++, round, pair->ours, calls, cycle_ns);
        }
    }
}

/* Judged by the worst of the forms in every round. */
static void goals(const struct bench_table *t, unsigned group)
{
    double *ratio = bench_alloc(t->rounds * sizeof(*ratio));
    double *cycles = bench_alloc(t->rounds * sizeof(*cycles));
    char text[96];

    for (unsigned round = 0; round < t->rounds; round++) {
        for (unsigned i = 0; i < BENCH_FAST_KINDS; i++) {
            const unsigned bare = 2 * (group * BENCH_FAST_KINDS + i);
            const double ours = bench_cell(t, bare + 1, NS)[round];
            const double over = ours / bench_cell(t, bare, NS)[round];

            ratio[round] = fmax(ratio[round], over);
            cycles[round] = fmax(cycles[round], bench_cell(t, bare + 1, CYCLES)[round]);
        }
    }
    snprintf(text, sizeof(text), "already changed against a bare look, %s, worst form",
             bench_fast_groups[group].where);
    bench_report_goal(text, ratio, t->rounds, 1.2, "x");
    snprintf(text, sizeof(text), "already changed, %s, worst form", bench_fast_groups[group].where);
    bench_report_goal(text, cycles, t->rounds, 5, " cycles");
    free(ratio);
    free(cycles);
}

static void run(const struct bench_options *o)
{
    const unsigned rounds = bench_rounds(o, ROUNDS);
    const uint32_t calls = bench_iterations(o, CALLS);
    struct bench_table *t = bench_table_new("Already changed: a call of the inline wait, beside a "
                                            "bare acquire load and compare",
                                            metrics, METRICS,
                                            2 * BENCH_FAST_GROUPS * BENCH_FAST_KINDS, rounds);

    bench_pin(o->cpu[0]);
    for (unsigned g = 0; g < BENCH_FAST_GROUPS; g++) {
        add_rows(t, &bench_fast_groups[g]);
    }
    for (unsigned round = 0; round < rounds; round++) {
        round_of(t, round, calls);
    }
    bench_report_table(t);
    bench_report_note("Calls in a round: %u, the quickest of %d runs; the loop's own step is in "
                      "both sides.",
                      calls, RUNS);
    for (unsigned g = 0; g < BENCH_FAST_GROUPS; g++) {
        goals(t, g);
    }
    bench_table_free(t);
}

const struct bench_question bench_fastpath = {
    .name = "fastpath",
    .what = "the cost of a wait that is already over, beside a bare look at the word",
    .run = run,
};
