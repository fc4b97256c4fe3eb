/* SPDX-License-Identifier: MIT */
/*
 * bench/harness.h - clocks, pinned threads, child processes: what every question needs
 *
 * Time is read with CLOCK_MONOTONIC and with the CPU's counter, whose rate is measured here
 * against that clock and not taken from the library under test. Where the counter can't be
 * trusted the clock stands in for it, one tick a nanosecond.
 */
#ifndef XSC_BENCH_HARNESS_H
#define XSC_BENCH_HARNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/arch.h"

struct bench_options;

/* Exit codes, besides 0 (answered, whether or not a goal is met) and 2 (bad arguments). */
#define BENCH_EXIT_TROUBLE 1 /* something failed while measuring */
#define BENCH_EXIT_UNFIT 77  /* this machine can't answer the question: one CPU, say */

/* One line on stderr, then the end of the program with BENCH_EXIT_TROUBLE. */
_Noreturn void bench_die(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Zeroed, every page touched, so that no measurement pays for a page fault. Never NULL. */
void *bench_alloc(size_t size);

/* ------------------------------------------------------------------------------ time ---- */

uint64_t bench_now_ns(void);

/* CPU time of the calling thread. */
uint64_t bench_cpu_ns(void);

extern bool bench_counter_used; /* set by bench_clock_init() */

/* Measures the counter's rate, for some 20 ms. trusted: the library's view of the counter. */
void bench_clock_init(bool trusted);
double bench_ticks_to_ns(uint64_t ticks);
uint64_t bench_ns_to_ticks(uint64_t ns);

/* The counter, cheaply: not ordered against the loads around it. */
static inline uint64_t bench_ticks(void)
{
    return bench_counter_used ? xsc_arch_counter() : bench_now_ns();
}

/* The counter after every load before it is done: a stamp that can't be taken too early. */
static inline uint64_t bench_ticks_ordered(void)
{
#if defined(XSC_ARCH_X86)
    __builtin_ia32_lfence(); /* RDTSC waits for LFENCE, LFENCE for the loads (SDM vol. 2) */
#endif
    return bench_ticks();
}

/*
 * One cycle of the core's own clock, which the counter does not show (it runs at one rate,
 * the core at another): from a chain of dependent register adds, one cycle each on any CPU.
 */
double bench_core_cycle_ns(void);

/* --------------------------------------------------------------------------- threads ---- */

/* CPUs that the process may run on. */
unsigned bench_cpus_allowed(void);

/*
 * Settles o->cpu: as given, else the first allowed one and the first on another core. False,
 * with one line in error, where a given CPU can't be used (*unfit false), or where two are
 * needed and there is one (*unfit true).
 */
bool bench_cpus_choose(struct bench_options *o, bool two, bool *unfit, char *error, size_t size);

/* "CPU 0 and 1: different cores, one package" */
void bench_cpus_describe(const struct bench_options *o, char *text, size_t size);

/* Moves the calling thread there; ends the program where that fails. */
void bench_pin(int cpu);

/* Runs a(arg) and b(arg) on threads pinned to the two CPUs, begun together; returns when both end. */
void bench_run_pair(void (*a)(void *), void (*b)(void *), void *arg, const int cpu[2]);

/*
 * How far CPU b's counter is ahead of a's, in ns, and what that may be wrong by: the best of
 * many stamped hand-overs in both directions, as NTP does it.
 */
struct bench_skew {
    double ns, error_ns;
};
struct bench_skew bench_measure_skew(const int cpu[2]);

/* ------------------------------------------------------------------------- processes ---- */

/*
 * Runs this program again: `question --child part`, on the same CPUs, with XSC_MECHANISM set
 * (NULL: as it is), and reads n numbers from what it prints. Ends the program on any failure.
 */
void bench_child(const char *question, uint64_t part, uint32_t iterations, const char *mechanism,
                 const struct bench_options *o, double *numbers, unsigned n);

#endif /* XSC_BENCH_HARNESS_H */
