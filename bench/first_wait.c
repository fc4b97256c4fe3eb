/* SPDX-License-Identifier: MIT */
/*
 * first-wait: what the first slow wait of a process costs: facts, calibration, trials.
 *
 * Every sample is a new process, which waits for 1 ns for a word that stays as it is: such a
 * wait does all that a first wait does and then ends at once, so its length is the cost. A
 * second wait of the same kind shows what a wait costs when the choice is made.
 */
#define _GNU_SOURCE
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include <xsc/wait.h>

#include "bench/bench.h"

#define PROCESSES 100u
#define GOAL_NS 5000000.0

static const struct bench_metric metrics[] = {
    {"first wait", "us", 1, false},
    {"its CPU time", "us", 1, false},
    {"its page faults", "", 0, false},
    {"second wait", "us", 2, false},
};

enum { FIRST, CPU, FAULTS, SECOND, METRICS };

enum part { LAZY, EXPLICIT };

static long faults(void)
{
    struct rusage u;

    return getrusage(RUSAGE_SELF, &u) ? 0 : u.ru_minflt;
}

static uint64_t wait_ns(void)
{
    static volatile uint32_t word;
    const uint64_t start = bench_now_ns();

    if (xsc_wait_u32(&word, 0, 1) != -ETIMEDOUT) {
        bench_die("a wait for an unchanged word did not time out");
    }
    return bench_now_ns() - start;
}

static void child(const struct bench_options *o)
{
    /* Paid by any user of the clocks: not the library's cost. */
    bench_now_ns();
    bench_cpu_ns();
    const long faults_before = faults();
    const uint64_t cpu_before = bench_cpu_ns(), start = bench_now_ns();

    if (o->child == EXPLICIT) {
        xsc_init(NULL);
    }
    const uint64_t init = bench_now_ns() - start;
    const uint64_t first = wait_ns();
    const uint64_t cpu = bench_cpu_ns() - cpu_before;
    const long faulted = faults() - faults_before;

    printf("%.3f %.3f %ld %.3f %.3f\n", (double)first / 1e3, (double)cpu / 1e3, faulted,
           (double)wait_ns() / 1e3, (double)init / 1e3);
}

static void sample(struct bench_table *t, unsigned row, unsigned round, enum part part,
                   const char *mechanism, const struct bench_options *o, double *init)
{
    double v[METRICS + 1];

    bench_child("first-wait", part, 1, mechanism, o, v, METRICS + 1);
    for (unsigned m = 0; m < METRICS; m++) {
        bench_cell(t, row, m)[round] = v[m];
    }
    *init = v[METRICS];
}

static void run(const struct bench_options *o)
{
    const unsigned processes = o->iterations ? o->iterations : bench_rounds(o, PROCESSES);
    struct bench_table *t = bench_table_new("The first slow wait of a process, choice and "
                                            "validation included",
                                            metrics, METRICS, 4, processes);
    double *first_ns = bench_alloc(processes * sizeof(*first_ns)), none;

    t->processes = true;
    const unsigned lazy = bench_table_row(t, "", "as it comes", -1);
    const unsigned generic = bench_table_row(t, "", "XSC_MECHANISM=generic", -1);
    const unsigned init = bench_table_row(t, "", "xsc_init() itself", -1);
    const unsigned after = bench_table_row(t, "", "the wait after xsc_init()", -1);

    for (unsigned i = 0; i < processes; i++) {
        sample(t, lazy, i, LAZY, NULL, o, &none);
        sample(t, generic, i, LAZY, "generic", o, &none);
        sample(t, after, i, EXPLICIT, NULL, o, &bench_cell(t, init, FIRST)[i]);
        /* Time and faults of the pair belong to both: shown with the first. */
        bench_cell(t, init, CPU)[i] = bench_cell(t, after, CPU)[i];
        bench_cell(t, init, FAULTS)[i] = bench_cell(t, after, FAULTS)[i];
        bench_cell(t, after, CPU)[i] = NAN;
        bench_cell(t, after, FAULTS)[i] = NAN;
        first_ns[i] = bench_cell(t, lazy, FIRST)[i] / 1e3;
    }
    bench_report_table(t);
    bench_report_note("A first wait longer than its CPU time was kept from its CPU, or waited for "
                      "another CPU's answer.");
    bench_report_goal("first slow wait", first_ns, processes, GOAL_NS / 1e6, " ms");
    free(first_ns);
    bench_table_free(t);
}

const struct bench_question bench_first_wait = {
    .name = "first-wait",
    .what = "the first slow wait of a process: choosing and proving a mechanism",
    .run = run,
    .child = child,
};
