/* SPDX-License-Identifier: MIT */
/*
 * Sorted points with sums over them; see tools/xsc-wait-sim/hindsight.c, which does the
 * same for whole traces, for the algebra: the parts before and after a nap's end are
 * separable, so the best second limit for each end is a suffix minimum, and the best first
 * limit moves only one way as the end does, so it is found by halving.
 */
#include "core/plan.h"

#include <stdbool.h>

#include "core/code.h"

#define ONE XSC_SPREAD_ONE

/* Merges sorted codes with the points so far, into the other half of the scratch. */
void xsc_points_add(struct xsc_points *p, const uint32_t *at, const uint16_t *weight, uint32_t n)
{
    const uint32_t *at0 = p->at->at[p->half];
    const uint16_t *weight0 = p->at->weight[p->half];
    uint32_t *to = p->at->at[!p->half];
    uint16_t *to_weight = p->at->weight[!p->half];
    uint32_t i = 0, k = 0;

    for (uint32_t m = 0; m < p->n + n; m++) {
        const bool old = i < p->n && (k == n || at0[i] <= at[k]);

        to[m] = old ? at0[i] : at[k];
        to_weight[m] = old ? weight0[i] : weight ? weight[k] : (uint16_t)ONE;
        i += old;
        k += !old;
    }
    p->n += n;
    p->half = !p->half;
}

/*
 * What may also happen, of which nothing has been seen: a wait of any order of magnitude,
 * 1.5 observations' worth in all. It makes a plan on little evidence end in watching a bit
 * longer than the longest seen and then parking, and fades as observations come in. The point
 * at 0, and the one where the soonest nap ends, weigh nothing: they are candidates for a plan.
 */
static void points_prior(struct xsc_points *p)
{
    uint32_t *at = p->at->added;
    uint16_t *weight = p->at->added_weight;
    const uint32_t soonest = xsc_code_above(p->lead);
    uint32_t n = 0;

    at[n] = 0;
    weight[n++] = 0;
    for (uint32_t bit = XSC_PRIOR_FIRST; bit < XSC_PRIOR_END; bit++) {
        const uint32_t code = xsc_code_below(1ull << bit);

        if (n == bit - XSC_PRIOR_FIRST + 1 &&
            code >= soonest) { /* not in yet, and its place is here */
            at[n] = soonest;
            weight[n++] = 0;
        }
        at[n] = code;
        weight[n++] = 1;
    }
    xsc_points_add(p, at, weight, n);
}

static void points_sum(struct xsc_points *p)
{
    const uint32_t *at = p->at->at[p->half];
    const uint16_t *weight = p->at->weight[p->half];
    uint64_t total = 0, sum = 0;

    for (uint32_t i = 0; i < p->n; i++) {
        total += weight[i];
    }
    p->total = total;
    for (uint32_t i = 0; i < p->n; i++) {
        total -= weight[i];
        sum += weight[i] * xsc_code_time(at[i]);
        p->at->longer[i] = (uint32_t)total;
        p->at->sum[i] = sum;
    }
    p->sum = sum;
}

static uint64_t point(const struct xsc_points *p, uint32_t i)
{
    return xsc_code_time(p->at->at[p->half][i]);
}

/* Cost of parking all that is longer than point i, there. */
static int64_t park_from(const struct xsc_points *p, uint32_t i)
{
    const uint64_t longer = p->at->longer[i];
    uint64_t cost = longer * xsc_cost_park(p->c, 0);

    if (p->c->doze_ns) {
        cost += (p->sum - p->at->sum[i] - longer * point(p, i)) / xsc_doze_period(p->c) * 10 *
                p->c->nap_cpu_ns;
    }
    return (int64_t)cost;
}

/* Watching from 0 to point i, then parking: all that depends on i. */
static int64_t watch_park(const struct xsc_points *p, uint32_t i)
{
    const uint64_t longer = p->at->longer[i];

    return (int64_t)(10 * (p->at->sum[i] + longer * point(p, i)) +
                     xsc_cost_notice(p->c) * (p->total - longer)) +
           park_from(p, i);
}

/* Past a nap that ends at point e: the least cost, and the second limit; e: no watch. */
static int64_t after_nap(const struct xsc_points *p, uint32_t e, uint32_t *until)
{
    const uint64_t longer = p->at->longer[e];
    const int64_t leave = park_from(p, e);
    const int64_t watch = watch_park(p, p->at->best_until[e]) -
                          (int64_t)(10 * (p->at->sum[e] + longer * point(p, e)) +
                                    xsc_cost_notice(p->c) * (p->total - longer));

    *until = watch < leave ? p->at->best_until[e] : e;
    return watch < leave ? watch : leave;
}

/*
 * Up to the end of a nap that begins at point s and ends at time e, but for what depends on
 * e alone: this, and e x weight x longer[s].
 */
static int64_t before_nap(const struct xsc_points *p, uint32_t s)
{
    const uint64_t longer = p->at->longer[s];

    return (int64_t)(10 * (p->at->sum[s] + longer * (point(p, s) + p->c->nap_cpu_ns)) +
                     xsc_cost_notice(p->c) * (p->total - longer) + p->c->weight * p->at->sum[s]);
}

/* The best so far: points at which the first watch, the nap and the second watch end. */
struct found {
    int64_t cost;
    uint32_t watch, nap, until; /* nap 0: none (no nap ends at time 0) */
};

/* The best point s_lo..s_hi for a nap to begin that ends at time `end`; *least: its cost. */
static uint32_t best_begin(const struct xsc_points *p, uint64_t end, uint32_t s_lo, uint32_t s_hi,
                           int64_t *least)
{
    const uint32_t *at = p->at->at[p->half];
    const uint32_t last = xsc_code_below(end - p->lead);
    const int64_t late = (int64_t)(p->c->weight * end);
    uint32_t best = s_lo;

    *least = INT64_MAX;
    for (uint32_t s = s_lo; s <= s_hi && at[s] <= last; s++) {
        const int64_t cost = p->at->before[s] + late * p->at->longer[s];

        if (cost < *least) {
            *least = cost;
            best = s;
        }
    }
    return best;
}

/* All naps that end at points first..n-1, by halving; at most one range a level is put off. */
static void search_naps(const struct xsc_points *p, uint32_t first, struct found *best)
{
    struct xsc_nap_range *put_off = p->at->put_off;
    uint32_t n = 0;

    put_off[n++] = (struct xsc_nap_range){first, p->n - 1, 0, p->n - 1};
    while (n) {
        const struct xsc_nap_range r = put_off[--n];
        const uint32_t e = r.lo + (r.hi - r.lo) / 2;
        const uint64_t end = point(p, e);
        uint32_t until;
        int64_t cost;
        const uint32_t s = best_begin(p, end, r.s_lo, r.s_hi, &cost);

        cost -= (int64_t)(p->c->weight * (end * p->at->longer[e] + p->at->sum[e]));
        cost += after_nap(p, e, &until);
        if (cost < best->cost) {
            *best = (struct found){cost, s, e, until};
        }
        if (e < r.hi) {
            put_off[n++] = (struct xsc_nap_range){e + 1, r.hi, s, r.s_hi};
        }
        if (e > r.lo) {
            put_off[n++] = (struct xsc_nap_range){r.lo, e - 1, r.s_lo, s};
        }
    }
}

static struct found search(const struct xsc_points *p)
{
    struct found best = {INT64_MAX, 0, 0, 0};
    uint32_t first = p->n; /* the first point at which a nap can end */

    for (uint32_t i = p->n; i-- > 0;) {
        const int64_t cost = watch_park(p, i);
        const uint32_t next = i + 1 < p->n ? p->at->best_until[i + 1] : i;

        p->at->best_until[i] = cost <= watch_park(p, next) ? i : next;
        if (cost <= best.cost) {
            best = (struct found){cost, i, 0, 0};
        }
        p->at->before[i] = before_nap(p, i);
        if (point(p, i) >= p->lead) {
            first = i;
        }
    }
    if (first && first < p->n) {
        search_naps(p, first, &best);
    }
    return best;
}

static uint64_t least_of(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/*
 * A watch to point i goes on for a while after it: a point stands for its neighbourhood, and
 * the next wait is not exactly like the last. No further than half way to the next point, and
 * not for so long that it costs much of a park.
 */
static uint64_t past(const struct xsc_points *p, uint32_t i)
{
    const uint64_t time = point(p, i), eighth_of_park = xsc_cost_park(p->c, 0) / 80;
    const uint64_t gap = i + 1 < p->n ? point(p, i + 1) - time : time;

    return time + least_of(least_of(gap / 2, time / 8), eighth_of_park);
}

struct xsc_short_plan xsc_points_plan(struct xsc_points *p)
{
    points_prior(p);
    points_sum(p);
    const struct found best = search(p);
    struct xsc_short_plan plan = {.watch = xsc_code_above(past(p, best.watch)), .nap = XSC_NO_CODE};

    if (best.nap) {
        plan.nap = xsc_code_near(point(p, best.nap) - p->lead);
        if (best.until != best.nap) {
            plan.until = xsc_code_above(past(p, best.until));
        } else if (p->c->doze_ns) { /* back before the event, which is near: a whole doze is dear */
            plan.until = xsc_code_above(past(p, best.nap) + p->c->nap_jitter_ns / 2);
        }
        if (plan.watch > plan.nap) {
            plan.watch = plan.nap;
        }
    }
    return plan;
}

struct xsc_points xsc_points_none(const struct xsc_costs *c, struct xsc_policy_scratch *scratch)
{
    return (struct xsc_points){
        .c = c, .at = scratch, .lead = (uint64_t)c->nap_latency_ns + c->nap_jitter_ns / 2};
}
