/* SPDX-License-Identifier: MIT */
/*
 * tests/unit/fake_mech.h - mechanisms that do what a script says
 *
 * A good one, as fake_mechs_reset() leaves them, watches the word: it looks after arming,
 * comes back wake_ns after a store that meets the condition, and exit_ns after its deadline.
 * Everything that a real one may do wrong is a field away.
 */
#ifndef XSC_FAKE_MECH_H
#define XSC_FAKE_MECH_H

#include <stdbool.h>
#include <stdint.h>

#include "core/mechanism.h"
#include "mech/mech.h"

#define FAKE_MECHS 6
#define FAKE_LATE_NS 50000u /* what fake_engine() lets a slice be overslept by */

struct fake_script {
    uint64_t enter_ns;   /* arming, before the look */
    uint64_t wake_ns;    /* from the store to the return */
    uint64_t exit_ns;    /* from the deadline to the return */
    uint64_t rest_ns;    /* comes back for no reason after this; 0: never does */
    uint64_t limit_ns;   /* the OS ends it after this, and it says so; 0: no limit */
    uint64_t stream_ns;  /* no deadline: comes back when the clock is a multiple of this */
    uint32_t miss_every; /* every so many-th store during a wait does not end it; 1: none does */
    uint32_t miss_once;  /* the so many-th store does not, never mind the others */
    enum xsc_presence presence;
    const char *why;
    void (*inside)(void); /* called in the middle of each wait: a signal handler, say */

    /* What was seen. */
    uint64_t waits;
    uint64_t stores;     /* that came during a wait */
    uint64_t longest_ns; /* the furthest deadline, from the call */
    uint64_t wakes;
};

extern struct fake_script fake_script[FAKE_MECHS];
extern struct xsc_mechanism fake_mech[FAKE_MECHS]; /* named FAKE0, FAKE1, ... */

/* All are good monitors with a deadline, which may fault. */
void fake_mechs_reset(void);

/* Makes it a good polling mechanism. */
void fake_mech_polls(uint32_t i);

/*
 * An engine as xsc_engine_choose() would leave it, with the fake mechanisms as its table, of
 * which those two are in use; nothing is tried yet, and there is no tight spin. The clock is
 * the counter.
 */
void fake_engine(struct xsc_engine *e, uint32_t primary, uint32_t fallback);

#endif /* XSC_FAKE_MECH_H */
