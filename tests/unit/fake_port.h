/* SPDX-License-Identifier: MIT */
/*
 * tests/unit/fake_port.h - a port whose time moves only when it is told to
 *
 * Defines every function of core/port.h. There is one time line, fake.now, in nanoseconds.
 * Reading a clock lets fake.step pass; a fake mechanism lets pass what its script says. What
 * the rest of the world does (a store by another CPU, a preemption) is scheduled for a moment
 * on that line, and happens when time gets there. So a test is the same run after run.
 */
#ifndef XSC_FAKE_PORT_H
#define XSC_FAKE_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/clock.h"
#include "core/cpu.h"
#include "core/port.h"
#include "core/validate.h"

#define FAKE_LINES 4
#define FAKE_PATIENT UINT32_MAX

struct fake_port {
    uint64_t now;  /* ns; the OS clock */
    uint64_t step; /* ns that reading either clock takes */

    bool still; /* the OS clock does not move */

    uint64_t hz;           /* the counter's rate; 0: it stands still */
    uint64_t counter_base; /* what it shows at now = 0; may be near the end of 64 bits */

    struct xsc_cpu cpu;    /* what xsc_port_cpu() tells */
    uint64_t cpu_permille; /* of the time that it isn't preempted */
    uint64_t lost_ns;      /* to preemptions, so far */
    uint64_t yield_ns;
    uint64_t nap_over_ns; /* how much longer than asked a nap takes */
    uint32_t hint;
    uint64_t process;
    bool waits_only;          /* xsc_port_may_judge() says no */
    bool must_sleep;          /* xsc_port_must_sleep() says yes */
    void (*on_nap)(void);     /* called by xsc_port_nap(): lower threads run now */
    void (*on_process)(void); /* called by xsc_port_process(): just before a lock is tried */

    void (*on_recheck)(void); /* called by xsc_port_recheck() */

    int try_result; /* of xsc_port_try(); only 0 runs the function */

    const char *peer_trouble; /* not NULL: refused, for this reason */
    uint64_t peer_lag_ns;     /* added to the delay that is asked for */
    uint64_t peer_ack_ns;     /* from its store to its second stamp */
    uint32_t peer_serves;     /* so many requests, then it never gets a CPU again */

    /* What was done to it. */
    unsigned clock_reads, counter_reads, yields, naps, tries, says, policy_asks;
    unsigned peer_starts, peer_stops, peer_wakes;
    unsigned rechecks;
    uint64_t rechecked_at, longest_nap;
    char line[FAKE_LINES][320];
};

extern struct fake_port fake;

/* A machine of two CPUs with a trusted 1 GHz counter, at the time of 1 s. */
void fake_reset(void);

/* Lets time pass; everything that is scheduled meanwhile happens, each at its own moment. */
void fake_advance(uint64_t ns);

/* When the next scheduled thing happens; false where nothing is scheduled. */
bool fake_next(uint64_t *at);

/* At the time `at`: a store, a call, or the running thread losing its CPU for that long. */
void fake_store_at(uint64_t at, volatile void *word, uint32_t size, uint64_t value);
void fake_call_at(uint64_t at, void (*fn)(void *), void *arg);
void fake_preempt_at(uint64_t at, uint64_t ns);

/* The counter: read, as core reads it, or looked at without a nanosecond going by. */
uint64_t fake_counter(void);
uint64_t fake_counter_at(uint64_t ns);

/* The same for the clock that core chose; and how long n of its ticks are, rounded up. */
uint64_t fake_ticks(const struct xsc_clock *clock);
uint64_t fake_ticks_ns(const struct xsc_clock *clock, uint64_t n);

#endif /* XSC_FAKE_PORT_H */
