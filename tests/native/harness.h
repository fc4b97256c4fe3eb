/* SPDX-License-Identifier: MIT */
/*
 * harness.h - scenarios in processes of their own
 *
 * The library chooses once a process, and the way a wait fails is to hang: so each scenario
 * is a child with a time limit. Plain C, without a test framework, so that it runs wherever
 * the library does: natively, under user-mode emulation, as the only program of a guest.
 */
#ifndef XSC_HARNESS_H
#define XSC_HARNESS_H

#include <stdbool.h>
#include <stdint.h>

#include "limits.h"

#define NS_PER_MS 1000000u
#define NS_PER_S 1000000000ull
#define LOST_NS limit(20 * NS_PER_S) /* a hand-over that takes this long is lost */

/* Prints "ok - ..." or "not ok - ..." and counts it; gives `good` back. Any process may. */
bool check(bool good, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* As check() of something that must hold many times over: only what is wrong is printed. */
bool expect(bool good, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Says what could not be tried here, and why. */
void skipped(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * Runs fn(arg) in a child process and waits for it. Checks that it ended by itself, with
 * status 0, within limit_s. mechanism: its XSC_MECHANISM, or NULL for none.
 */
void in_child(const char *name, const char *mechanism, unsigned limit_s, void (*fn)(void *),
              void *arg);

/* XSC_TEST_HANDOVERS, or the default; and some part of it, at least `least`. */
uint64_t handovers(void);
uint64_t part_of_handovers(uint64_t divisor, uint64_t least);

uint64_t now_ns(void); /* CLOCK_MONOTONIC */
void sleep_ns(uint64_t ns);
unsigned cpus_allowed(void); /* to the calling thread */
bool pin_to_nth(unsigned n); /* the calling thread, to the n-th CPU it may use */
const char *mechanism_in_use(void);

/* Checks that the counts agree with each other; for moments when no thread waits. */
void check_stats(const char *when);

/*
 * Hands a word back and forth n times between two threads; checks that each arrives, in
 * order. Returns how many did.
 */
uint64_t hand_over(const char *name, uint64_t n);

/* A word on a cache line of its own. */
struct line {
    volatile uint32_t word;
} __attribute__((aligned(128)));

/* First and last of main(). The end prints the count and gives the exit status. */
void harness_begin(const char *name);
int harness_end(void);

#endif /* XSC_HARNESS_H */
