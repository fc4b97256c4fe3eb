/* SPDX-License-Identifier: MIT */
/* tests/unit/unit_wait.h - one engine and one word, for the tests of core/wait.c */
#ifndef XSC_UNIT_WAIT_H
#define XSC_UNIT_WAIT_H

#include "tests/unit/unit.h"

#include "core/mechanism.h"
#include "core/wait.h"
#include "tests/unit/fake_mech.h"
#include "tests/unit/fake_port.h"

#define MS 1000000u
#define US 1000u

static struct xsc_engine e;
static uint32_t word;
static unsigned asks;

static inline const char *asked(void)
{
    asks++;
    return NULL;
}

static inline int setup(void **state)
{
    (void)state;
    fake_reset();
    fake_mechs_reset();
    fake_mech_polls(2);
    fake_engine(&e, 0, 2);
    word = 0;
    asks = 0;
    return 0;
}

static inline struct xsc_watch changes(const uint32_t *w)
{
    return (struct xsc_watch){w, 0, UINT32_MAX, 4, XSC_UNTIL_NOT};
}

static inline enum xsc_end wait(uint64_t timeout_ns)
{
    const struct xsc_watch w = changes(&word);

    return xsc_core_wait(&e, &w, timeout_ns, asked);
}

static inline struct xsc_counts counts(void)
{
    struct xsc_counts n;

    xsc_stats_sum(&e.stats, &n, NULL);
    return n;
}

static inline struct xsc_histogram waits(void)
{
    struct xsc_counts n;
    struct xsc_histogram h;

    xsc_stats_sum(&e.stats, &n, &h);
    return h;
}

/* Sums that hold whatever happens. */
static inline void assert_sound(const struct xsc_counts *n)
{
    struct xsc_counts sum;
    struct xsc_histogram h;

    xsc_stats_sum(&e.stats, &sum, &h);
    assert_int_equal(n->total, n->changed + n->timeouts);
    assert_int_equal(n->total, n->deep + n->shallow);
    assert_int_equal(n->hw_waits, n->woken + n->late + n->expired + n->spurious + n->limited);
    assert_true(n->overslept <= n->expired);
    assert_int_equal(xsc_hist_total(&h), n->watched);
    for (uint32_t i = 0; i < XSC_SLOTS; i++) {
        assert_int_equal(e.stats.slot[i].claimed, 0);
    }
}

#endif /* XSC_UNIT_WAIT_H */
