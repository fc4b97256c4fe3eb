/* SPDX-License-Identifier: MIT */
/* core/plan.h - the plan of least mean cost for a distribution of waits */
#ifndef XSC_CORE_PLAN_H
#define XSC_CORE_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "core/code.h"
#include "core/costs.h"
#include "core/spread.h"

/* A plan in codes. */
struct xsc_short_plan {
    uint32_t watch, nap, until;
};

static inline struct xsc_plan xsc_plan_of(struct xsc_short_plan p)
{
    return (struct xsc_plan){
        .watch_ns = xsc_code_time(p.watch),
        .nap_ns = p.nap == XSC_NO_CODE ? XSC_NEVER : xsc_code_time(p.nap),
        .until_ns = xsc_code_time(p.until),
    };
}

/* Naps that end at points lo..hi, of which the best begin at points s_lo..s_hi. */
struct xsc_nap_range {
    uint32_t lo, hi, s_lo, s_hi;
};

/*
 * Working memory, of no meaning between calls: about 6 KB. Also for what is not large: a wait learns
 * on its caller's stack, which may be a signal handler's.
 */
#define XSC_POINTS_MAX (4 * XSC_SPREAD_POINTS + 32)
#define XSC_ADDED_MAX 64
#define XSC_PRIOR_MAX 26
#define XSC_PUT_OFF_MAX 16
struct xsc_policy_scratch {
    uint32_t
        added[XSC_ADDED_MAX]; /* points that are about to be added, where they are made first */
    uint16_t added_weight[XSC_PRIOR_MAX];
    struct xsc_nap_range put_off[XSC_PUT_OFF_MAX];
    uint32_t at[2][XSC_POINTS_MAX];
    uint16_t weight[2][XSC_POINTS_MAX];
    uint64_t sum[XSC_POINTS_MAX];
    int64_t before[XSC_POINTS_MAX];
    uint32_t longer[XSC_POINTS_MAX];
    uint32_t best_until[XSC_POINTS_MAX];
};

/* A distribution under way to its plan. */
struct xsc_points {
    const struct xsc_costs *c;
    struct xsc_policy_scratch *at;
    uint32_t n, half; /* points; which half of the scratch holds them */
    uint64_t total;   /* weight of all, and the sum of their times by weight */
    uint64_t sum;
    uint64_t lead; /* from a nap's aimed end to its end in the mean */
};

/* With no points yet. */
struct xsc_points xsc_points_none(const struct xsc_costs *c, struct xsc_policy_scratch *scratch);

/* Adds n sorted codes; weight NULL: one wait each. 4 XSC_SPREAD_POINTS in all at most. */
void xsc_points_add(struct xsc_points *p, const uint32_t *at, const uint16_t *weight, uint32_t n);

/* What points_prior() reckons with: one wait of 2^n ns for each n from the first to before the end. */
#define XSC_PRIOR_FIRST 8u
#define XSC_PRIOR_END 32u

/* The plan of least mean cost, with a little doubt about the points: see points_prior(). */
struct xsc_short_plan xsc_points_plan(struct xsc_points *p);

#endif /* XSC_CORE_PLAN_H */
