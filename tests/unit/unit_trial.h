/* SPDX-License-Identifier: MIT */
/* tests/unit/unit_trial.h - an engine of two fake mechanisms, and a trial of the first */
#ifndef XSC_UNIT_TRIAL_H
#define XSC_UNIT_TRIAL_H

#include "tests/unit/unit.h"

#include "core/health.h"
#include "core/mechanism.h"
#include "core/validate.h"
#include "tests/unit/fake_mech.h"
#include "tests/unit/fake_port.h"

#define MS 1000000u
#define US 1000u

static struct xsc_engine e;
static const struct xsc_mech_state *const s = &e.mech[0];

/* A plan long enough to make all the waits that are asked for. */
#define TRIAL_PLAN(waits, quiet)                                                                   \
    {                                                                                              \
        .rounds = (waits), .quiet_waits = (quiet), .quiet_ns = XSC_SLICE_NS,                       \
        .budget_ns = 10000000000u, .again_ns = UINT64_MAX, .patience_ns = 100 * MS, .cross = true  \
    }

static inline int trial_setup(void **state)
{
    (void)state;
    fake_reset();
    fake_mechs_reset();
    fake_mech_polls(2);
    fake_engine(&e, 2, 2);
    return 0;
}

#endif /* XSC_UNIT_TRIAL_H */
