/* SPDX-License-Identifier: MIT */
/*
 * bench/bench.h - the questions that xsc-wait-bench answers
 *
 * To add one: a file with its struct bench_question, a line in main.c's list, a section in
 * docs/benchmarks.md, a line in run-all.sh.
 */
#ifndef XSC_BENCH_BENCH_H
#define XSC_BENCH_BENCH_H

#include "bench/harness.h"
#include "bench/options.h"
#include "bench/report.h"

struct bench_question {
    const char *name;
    const char *what; /* one line, for --list */
    bool two_cpus;
    bool takes_pauses;
    bool takes_files; /* and --peers */

    /* Before anything is printed: 0, or the exit code after one line on stderr. Or NULL. */
    int (*prepare)(const struct bench_options *o);

    /* Measures, and fills in the report. o's CPUs are settled; rounds and iterations may be 0. */
    void (*run)(const struct bench_options *o);

    /*
     * One part in a process of its own, for bench_child(): prints bare numbers. Nothing has
     * called the library in this process, and its clocks are not initialised. Or NULL.
     */
    void (*child)(const struct bench_options *o);
};

extern const struct bench_question bench_fastpath, bench_handover, bench_first_wait, bench_watch,
    bench_any, bench_one_cpu, bench_overshoot, bench_notify, bench_replay, bench_idle, bench_locks,
    bench_shards, bench_doorbell;

static inline unsigned bench_rounds(const struct bench_options *o, unsigned own)
{
    return o->rounds ? o->rounds : own;
}

static inline uint32_t bench_iterations(const struct bench_options *o, uint32_t own)
{
    return o->iterations ? o->iterations : own;
}

/* Chooses the mechanism and starts the clocks, for what a child measures after its start. */
void bench_start(void);

#endif /* XSC_BENCH_BENCH_H */
