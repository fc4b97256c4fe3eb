/* SPDX-License-Identifier: MIT */
/* hindsight.h - the best plan that never changes, found with the whole trace in hand */
#ifndef XSC_SIM_HINDSIGHT_H
#define XSC_SIM_HINDSIGHT_H

#include <stddef.h>
#include <stdint.h>

#include "core/policy.h"

/* Over its jitter a nap's end is averaged at this many evenly spread points. */
#define XSC_SIM_JITTER_POINTS 3

/* How many points the jitter of these costs needs: 1 where there is none. */
unsigned xsc_jitter_points(const struct xsc_costs *c);

/* A nap's lateness at point k. */
uint64_t xsc_jitter_at(const struct xsc_costs *c, unsigned k);

/* The cost of one wait in ns, averaged over the jitter. */
double xsc_wait_cost(const struct xsc_costs *c, const struct xsc_plan *p, uint64_t ns);

/* The mean cost in ns of the waits ns[0..n) under one plan. */
double xsc_mean_cost(const struct xsc_costs *c, const struct xsc_plan *p, const uint64_t *ns,
                     size_t n);

/*
 * Fills in *best with the plan of the least mean cost: every watch limit, nap end, second
 * limit and park, jointly. n > 0. Returns 0, or -1 where memory is short.
 *
 * O(n log n) and exact up to double arithmetic. With jitter, the second watch of a plan
 * either lasts at least until the latest end of its nap, or there is none.
 */
int xsc_hindsight(const struct xsc_costs *c, const uint64_t *ns, size_t n, struct xsc_plan *best);

#endif /* XSC_SIM_HINDSIGHT_H */
