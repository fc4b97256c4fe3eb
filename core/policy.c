/* SPDX-License-Identifier: MIT */
/*
 * The policy, top to bottom: times as codes, the distribution of waits, the best plan for a
 * distribution, the accounts that bound the cost, choosing an adviser, learning.
 */
#include "core/policy.h"

#include <stddef.h>

#define ONE 16u               /* weight of one wait, so that a prior can weigh less */
#define FULL (1u << 16)       /* a spread's weight is halved when it gets here: 4096 waits */
#define FORGET_SHIFT 7        /* advisers are judged by the last 2^7 waits or so */
#define STAY_SHIFT 7          /* another adviser must be better by 1/2^7 */
#define CLASS_MIN (8 * ONE)   /* a class with fewer waits has nothing to say */
#define EVERY 24u             /* waits between recomputing two of the learned plans */
#define WORTH 3000000u        /* and 300 us of cost: computing takes one or two */
#define ACCOUNT_PARKS 4096    /* an account is never worth more than this many parks */
#define CROWDED 16384u        /* a quarter of the watches starved, out of 65536, */
#define STARVED_SHIFT 3       /* of the last 2^3 or so */
#define CROWDED_RETRY 32u     /* each so many waits one watches all the same */

/* ------------------------------------------------------------------- times as codes ---- */

/*
 * As core/histogram.h, with 11 bits below the highest instead of 3: up to 2^12 the code is
 * the time, above it the time's highest 12 bits and their place.
 */
#define CODE_BITS 11
#define TIME_MAX ((1ull << 35) - 1) /* 34 s. Longer waits count as this long */
#define NO_CODE UINT16_MAX
#define LONGEST (1ull << 50) /* in the accounts. 13 days; keeps all sums within 64 bits */

static uint64_t time_of(uint16_t code)
{
    const uint32_t block = (uint32_t)code >> CODE_BITS;

    if (!block) {
        return code;
    }
    return (uint64_t)((1u << CODE_BITS) | (code & ((1u << CODE_BITS) - 1))) << (block - 1);
}

/* The code of the greatest time that has one and is not above ns. */
static uint16_t code_below(uint64_t ns)
{
    if (ns > TIME_MAX) {
        ns = TIME_MAX;
    }
    if (ns < 1u << CODE_BITS) {
        return (uint16_t)ns;
    }
    const uint32_t shift = 63 - (uint32_t)__builtin_clzll(ns) - CODE_BITS;

    return (uint16_t)(((shift + 1) << CODE_BITS) + ((uint32_t)(ns >> shift) & ((1u << CODE_BITS) - 1)));
}

static uint16_t code_above(uint64_t ns)
{
    const uint16_t c = code_below(ns);

    return (uint16_t)(time_of(c) < ns && ns <= TIME_MAX ? c + 1 : c);
}

static uint16_t code_near(uint64_t ns)
{
    const uint16_t c = code_below(ns);

    return (uint16_t)(ns <= TIME_MAX && 2 * ns > time_of(c) + time_of((uint16_t)(c + 1)) ? c + 1 : c);
}

/* --------------------------------------------------------- the distribution of waits ---- */

static void spread_halve(struct xsc_spread *s)
{
    s->total = 0;
    s->grain /= 2;
    for (uint32_t i = 0; i < s->n; i++) {
        s->weight[i] = (uint16_t)(s->weight[i] - s->weight[i] / 2); /* a rare one stays */
        s->total += s->weight[i];
    }
}

/* The first point at or past code. */
static uint32_t spread_find(const struct xsc_spread *s, uint16_t code)
{
    uint32_t low = 0, high = s->n;

    while (low < high) {
        const uint32_t middle = (low + high) / 2;

        if (s->at[middle] < code) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Merges a wait into point i. */
static void spread_absorb(struct xsc_spread *s, uint32_t i, uint16_t code)
{
    const uint64_t mean = (time_of(s->at[i]) * s->weight[i] + time_of(code) * ONE) /
                          (s->weight[i] + ONE);

    s->at[i] = code_near(mean);
    s->weight[i] = (uint16_t)(s->weight[i] + ONE);
}

/* Inserts a wait as point i. */
static void spread_insert(struct xsc_spread *s, uint32_t i, uint16_t code)
{
    for (uint32_t k = s->n++; k > i; k--) {
        s->at[k] = s->at[k - 1];
        s->weight[k] = s->weight[k - 1];
    }
    s->at[i] = code;
    s->weight[i] = ONE;
}

/* Merges point i with the next. */
static void spread_join(struct xsc_spread *s, uint32_t i)
{
    const uint32_t both = (uint32_t)s->weight[i] + s->weight[i + 1];
    const uint64_t sum = time_of(s->at[i]) * s->weight[i] +
                         time_of(s->at[i + 1]) * s->weight[i + 1];

    s->at[i] = code_near(sum / both);
    s->weight[i] = (uint16_t)both;
    s->n--;
    for (uint32_t k = i + 1; k < s->n; k++) {
        s->at[k] = s->at[k + 1];
        s->weight[k] = s->weight[k + 1];
    }
}

/* How far apart two times are: by ratio, of the times with `coarse` added to both. */
static uint32_t apart(uint16_t a, uint16_t b, uint64_t coarse)
{
    /* Codes are logarithms. */
    return (uint32_t)code_below(time_of(b) + coarse) - code_below(time_of(a) + coarse);
}

/*
 * A wait for a full spread, which belongs before point i. Of all neighbours those two are
 * made one for which distance x the lesser weight is the least: most often the wait and a
 * point next to it. grain is the least of that among the points themselves, lately.
 */
static void spread_squeeze(struct xsc_spread *s, uint32_t i, uint16_t code, uint64_t coarse)
{
    const uint32_t below = i ? apart(s->at[i - 1], code, coarse) : UINT32_MAX / ONE;
    const uint32_t above = i < s->n ? apart(code, s->at[i], coarse) : UINT32_MAX / ONE;
    const uint32_t nearer = below < above ? below : above;
    uint32_t pair = 0, last = 0;

    if (nearer * ONE > s->grain) {
        s->grain = UINT32_MAX;
        for (uint32_t k = 0; k < s->n; k++) {
            const uint32_t log = code_below(time_of(s->at[k]) + coarse);

            if (k) {
                const uint32_t w = s->weight[k] < s->weight[k - 1] ? s->weight[k] : s->weight[k - 1];

                if ((log - last) * w < s->grain) {
                    s->grain = (log - last) * w;
                    pair = k - 1;
                }
            }
            last = log;
        }
    }
    if (nearer * ONE <= s->grain) {
        spread_absorb(s, below < above ? i - 1 : i, code);
    } else {
        spread_join(s, pair);
        spread_insert(s, i > pair ? i - 1 : i, code);
    }
}

static void spread_add(struct xsc_spread *s, uint16_t code, uint64_t coarse)
{
    const uint32_t i = spread_find(s, code);

    if (s->total + ONE >= FULL) {
        spread_halve(s);
    }
    if (i < s->n && s->at[i] == code) {
        s->weight[i] = (uint16_t)(s->weight[i] + ONE);
    } else if (s->n == XSC_SPREAD_POINTS) {
        spread_squeeze(s, i, code, coarse);
    } else {
        spread_insert(s, i, code);
    }
    s->total += ONE;
}

/* ------------------------------------------------------- the best plan for what it is ---- */

/*
 * Sorted points with sums over them; see tools/xsc-wait-sim/hindsight.c, which does the
 * same for whole traces, for the algebra: the parts before and after a nap's end are
 * separable, so the best second limit for each end is a suffix minimum, and the best first
 * limit moves only one way as the end does, so it is found by halving.
 */
struct points {
    const struct xsc_costs *c;
    struct xsc_policy_scratch *at;
    uint32_t n, half; /* points; which half of the scratch holds them */
    uint64_t total;   /* weight of all, and the sum of their times by weight */
    uint64_t sum;
    uint64_t lead;    /* from a nap's aimed end to its end in the mean */
};

/* Merges sorted codes with the points so far, into the other half of the scratch. */
static void points_merge(struct points *p, const uint16_t *at, const uint16_t *weight, uint32_t n)
{
    const uint16_t *at0 = p->at->at[p->half], *weight0 = p->at->weight[p->half];
    uint16_t *to = p->at->at[!p->half], *to_weight = p->at->weight[!p->half];
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
static void points_prior(struct points *p)
{
    uint16_t at[26], weight[26];
    const uint16_t soonest = code_above(p->lead);
    uint32_t n = 0;

    at[n] = 0;
    weight[n++] = 0;
    for (uint32_t bit = 8; bit < 32; bit++) {
        const uint16_t code = code_below(1ull << bit);

        if (n == bit - 7 && code >= soonest) { /* not in yet, and its place is here */
            at[n] = soonest;
            weight[n++] = 0;
        }
        at[n] = code;
        weight[n++] = 1;
    }
    points_merge(p, at, weight, n);
}

static void points_sum(struct points *p)
{
    const uint16_t *at = p->at->at[p->half], *weight = p->at->weight[p->half];
    uint64_t total = 0, sum = 0;

    for (uint32_t i = 0; i < p->n; i++) {
        total += weight[i];
    }
    p->total = total;
    for (uint32_t i = 0; i < p->n; i++) {
        total -= weight[i];
        sum += weight[i] * time_of(at[i]);
        p->at->longer[i] = (uint32_t)total;
        p->at->sum[i] = sum;
    }
    p->sum = sum;
}

static uint64_t point(const struct points *p, uint32_t i)
{
    return time_of(p->at->at[p->half][i]);
}

/* Cost of parking all that is longer than point i, there. */
static int64_t park_from(const struct points *p, uint32_t i)
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
static int64_t watch_park(const struct points *p, uint32_t i)
{
    const uint64_t longer = p->at->longer[i];

    return (int64_t)(10 * (p->at->sum[i] + longer * point(p, i)) +
                     xsc_cost_notice(p->c) * (p->total - longer)) + park_from(p, i);
}

/* Past a nap that ends at point e: the least cost, and the second limit; e: no watch. */
static int64_t after_nap(const struct points *p, uint32_t e, uint32_t *until)
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
static int64_t before_nap(const struct points *p, uint32_t s)
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
static uint32_t best_begin(const struct points *p, uint64_t end, uint32_t s_lo, uint32_t s_hi,
                           int64_t *least)
{
    const uint16_t *at = p->at->at[p->half];
    const uint16_t last = code_below(end - p->lead);
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

/* All naps that end at points lo..hi, knowing that the best of them begin at s_lo..s_hi. */
static void search_naps(const struct points *p, uint32_t lo, uint32_t hi, uint32_t s_lo, uint32_t s_hi,
                        struct found *best)
{
    while (lo <= hi) {
        const uint32_t e = lo + (hi - lo) / 2;
        const uint64_t end = point(p, e);
        uint32_t until;
        int64_t cost;
        const uint32_t s = best_begin(p, end, s_lo, s_hi, &cost);

        cost -= (int64_t)(p->c->weight * (end * p->at->longer[e] + p->at->sum[e]));
        cost += after_nap(p, e, &until);
        if (cost < best->cost) {
            *best = (struct found){cost, s, e, until};
        }
        if (e > lo) {
            search_naps(p, lo, e - 1, s_lo, s, best);
        }
        lo = e + 1;
        s_lo = s;
    }
}

static struct found search(const struct points *p)
{
    struct found best = {INT64_MAX, 0, 0, 0};
    uint32_t first = p->n; /* the first point at which a nap can end */

    for (uint32_t i = p->n; i-- > 0;) {
        const int64_t cost = watch_park(p, i);
        const uint32_t next = i + 1 < p->n ? p->at->best_until[i + 1] : i;

        p->at->best_until[i] = (uint16_t)(cost <= watch_park(p, next) ? i : next);
        if (cost <= best.cost) {
            best = (struct found){cost, i, 0, 0};
        }
        p->at->before[i] = before_nap(p, i);
        if (point(p, i) >= p->lead) {
            first = i;
        }
    }
    if (first && first < p->n) {
        search_naps(p, first, p->n - 1, 0, p->n - 1, &best);
    }
    return best;
}

/*
 * A watch to point i goes on for a while after it: a point stands for its neighbourhood, and
 * the next wait is not exactly like the last. No further than half way to the next point.
 */
static uint64_t past(const struct points *p, uint32_t i)
{
    const uint64_t time = point(p, i);
    const uint64_t gap = i + 1 < p->n ? point(p, i + 1) - time : time;

    return time + (gap / 2 < time / 8 ? gap / 2 : time / 8);
}

static struct xsc_plan plan_of(struct xsc_short_plan p)
{
    return (struct xsc_plan){
        .watch_ns = time_of(p.watch),
        .nap_ns = p.nap == NO_CODE ? XSC_NEVER : time_of(p.nap),
        .until_ns = time_of(p.until),
    };
}

static struct xsc_short_plan best_plan(struct points *p)
{
    points_prior(p);
    points_sum(p);
    const struct found best = search(p);
    struct xsc_short_plan plan = {.watch = code_above(past(p, best.watch)), .nap = NO_CODE};

    if (best.nap) {
        plan.nap = code_near(point(p, best.nap) - p->lead);
        if (best.until != best.nap) {
            plan.until = code_above(past(p, best.until));
        }
        if (plan.watch > plan.nap) {
            plan.watch = plan.nap;
        }
    }
    return plan;
}

/* ------------------------------------------------------------------------ the accounts ---- */

/*
 * account[0] = 2 x the cost of watching every wait so far - paid, account[1] the same with
 * parking. The promise is that neither is ever negative. Watching for as long as a park costs
 * and then parking never lowers either. Any other plan is used only while both accounts
 * cover the least that one wait under it could add to them.
 */
static void add_up(const struct xsc_costs *c, const struct xsc_plan *p, uint64_t ns, int64_t change[2])
{
    /* Late or later, whichever is dearer. */
    const uint64_t one = xsc_cost_of(c, p, ns, c->nap_latency_ns);
    const uint64_t two = p->nap_ns == XSC_NEVER ? one :
                         xsc_cost_of(c, p, ns, (uint64_t)c->nap_latency_ns + c->nap_jitter_ns);
    const uint64_t paid = one > two ? one : two;

    change[0] = (int64_t)(2 * (10 * ns + xsc_cost_notice(c))) - (int64_t)paid;
    change[1] = (int64_t)(2 * xsc_cost_park(c, ns)) - (int64_t)paid;
}

/*
 * The cost is linear in the wait between a plan's turning points, so the least is at one of
 * them or just past it. Past the last, watching gets dearer faster than dozing.
 */
static void find_least(const struct xsc_costs *c, struct xsc_learned *l)
{
    const struct xsc_plan p = plan_of(l->plan);
    const bool naps = p.nap_ns != XSC_NEVER;
    const uint64_t soon = p.nap_ns + c->nap_latency_ns;
    const uint64_t turns[] = {0, p.watch_ns, naps ? soon : 0, naps ? soon + c->nap_jitter_ns : 0,
                              naps ? p.until_ns : 0};

    l->least[0] = l->least[1] = INT64_MAX;
    for (uint32_t i = 0; i < 2 * sizeof(turns) / sizeof(turns[0]); i++) {
        int64_t change[2];

        add_up(c, &p, turns[i / 2] + i % 2, change);
        for (int k = 0; k < 2; k++) {
            l->least[k] = change[k] < l->least[k] ? change[k] : l->least[k];
        }
    }
}

static void account(struct xsc_site *s, const struct xsc_costs *c, const struct xsc_plan *plan,
                    uint64_t ns)
{
    const int64_t most = (int64_t)xsc_cost_park(c, 0) * ACCOUNT_PARKS;
    int64_t change[2];

    add_up(c, plan, ns, change);
    for (int k = 0; k < 2; k++) {
        const int64_t v = s->account[k] + change[k];

        s->account[k] = v < most ? v : most;
    }
}

/* --------------------------------------------------------------------------- advisers ---- */

static const struct xsc_plan at_once = {.nap_ns = XSC_NEVER};

static struct xsc_plan safe_plan(const struct xsc_costs *c)
{
    return (struct xsc_plan){.watch_ns = xsc_cost_park(c, 0) / 10, .nap_ns = XSC_NEVER};
}

static struct xsc_learned *learned_by(struct xsc_site *s, enum xsc_adviser a)
{
    switch (a) {
    case XSC_BY_ALL:
        return &s->learned[XSC_CLASSES];
    case XSC_BY_RECENT:
        return &s->learned[XSC_CLASSES + 1];
    case XSC_BY_CLASS:
        return &s->learned[s->last_class];
    default:
        return NULL;
    }
}

static struct xsc_plan advice(struct xsc_site *s, const struct xsc_costs *c, enum xsc_adviser a)
{
    const struct xsc_learned *l = learned_by(s, a);

    if (l && l->valid) {
        return plan_of(l->plan);
    }
    return a == XSC_AT_ONCE ? at_once : safe_plan(c);
}

static bool covered(struct xsc_site *s, const struct xsc_costs *c, enum xsc_adviser a)
{
    if (a == XSC_SAFE) {
        return true;
    }
    if (a == XSC_AT_ONCE) { /* at worst the event comes right after */
        int64_t change[2];

        add_up(c, &at_once, 1, change);
        return s->account[0] + change[0] >= 0;
    }
    const struct xsc_learned *l = learned_by(s, a);

    return l->valid && s->account[0] + l->least[0] >= 0 && s->account[1] + l->least[1] >= 0;
}

/* The adviser whose plans would have cost least lately, of those that the accounts cover. */
static enum xsc_adviser choose(struct xsc_site *s, const struct xsc_costs *c)
{
    enum xsc_adviser best = XSC_ADVISERS;

    for (enum xsc_adviser a = 0; a < XSC_ADVISERS; a++) {
        const uint64_t r = s->cost[a];

        if ((best == XSC_ADVISERS || r + (r >> STAY_SHIFT) < s->cost[best]) && covered(s, c, a)) {
            best = a;
        }
    }
    return best;
}

/* --------------------------------------------------------------------------- learning ---- */

static struct points points_none(const struct xsc_costs *c, struct xsc_policy_scratch *scratch)
{
    return (struct points){.c = c, .at = scratch,
                           .lead = (uint64_t)c->nap_latency_ns + c->nap_jitter_ns / 2};
}

/* Where a wait's class ends: at the quarters of all waits. */
static void find_bounds(struct xsc_site *s, const struct points *p)
{
    const uint16_t *at = p->at->at[p->half], *weight = p->at->weight[p->half];
    uint64_t total = 0, seen = 0;
    uint32_t k = 0;

    for (uint32_t i = 0; i < p->n; i++) {
        total += weight[i];
    }
    for (uint32_t i = 0; i < p->n; i++) {
        seen += weight[i];
        for (; k < XSC_CLASSES - 1 && seen * XSC_CLASSES >= total * (k + 1); k++) {
            s->bounds[k] = (uint16_t)(at[i] + (i + 1 < p->n ? (at[i + 1] - at[i]) / 2 : 0));
        }
    }
}

static void points_recent(struct points *p, const struct xsc_site *s)
{
    const uint32_t n = s->waits < XSC_RECENT ? s->waits : XSC_RECENT;
    uint16_t sorted[XSC_RECENT];

    for (uint32_t i = 0; i < n; i++) {
        uint32_t k = i;

        for (; k && sorted[k - 1] > s->recent[i]; k--) {
            sorted[k] = sorted[k - 1];
        }
        sorted[k] = s->recent[i];
    }
    points_merge(p, sorted, NULL, n);
}

/* Computes learned[which] anew. */
static void compute(struct xsc_site *s, const struct xsc_costs *c, uint32_t which,
                    struct xsc_policy_scratch *scratch)
{
    struct xsc_learned *l = &s->learned[which];
    struct points p = points_none(c, scratch);

    if (which == XSC_CLASSES) {
        for (uint32_t k = 0; k < XSC_CLASSES; k++) {
            points_merge(&p, s->after[k].at, s->after[k].weight, s->after[k].n);
        }
        find_bounds(s, &p);
    } else if (which > XSC_CLASSES) {
        points_recent(&p, s);
    } else if (s->after[which].total < CLASS_MIN) {
        *l = s->learned[XSC_CLASSES];
        return;
    } else {
        points_merge(&p, s->after[which].at, s->after[which].weight, s->after[which].n);
    }
    l->plan = best_plan(&p);
    l->valid = 1;
    find_least(c, l);
}

/* All at once as long as each wait tells much; then one at a time, when it has become worth it. */
static void compute_due(struct xsc_site *s, const struct xsc_costs *c,
                        struct xsc_policy_scratch *scratch)
{
    if (s->waits < 64 ? s->since * 4 >= s->waits || s->waits < 8 : 0) {
        compute(s, c, XSC_CLASSES, scratch);
        compute(s, c, XSC_CLASSES + 1, scratch);
        for (uint32_t k = 0; k < XSC_CLASSES; k++) {
            compute(s, c, k, scratch);
        }
    } else if (s->waits >= 64 && s->since >= EVERY && s->spent >= WORTH) {
        compute(s, c, s->due, scratch);
        s->due = (s->due + 1) % XSC_LEARNED;
    } else {
        return;
    }
    s->since = 0;
    s->spent = 0;
}

static void remember(struct xsc_site *s, const struct xsc_costs *c, uint64_t ns)
{
    const uint16_t code = code_near(ns);
    uint32_t class = 0;

    spread_add(&s->after[s->last_class], code, xsc_cost_park(c, 0) / 40);
    s->recent[s->waits % XSC_RECENT] = code;
    s->waits = s->waits < UINT32_MAX ? s->waits + 1 : UINT32_MAX - XSC_RECENT + 1;
    while (class < XSC_CLASSES - 1 && code > s->bounds[class]) {
        class++;
    }
    s->last_class = class;
}

static void learn(struct xsc_site *s, const struct xsc_costs *c, const struct xsc_plan *plan,
                  uint64_t ns, struct xsc_policy_scratch *scratch)
{
    account(s, c, plan, ns);
    for (enum xsc_adviser a = 0; a < XSC_ADVISERS; a++) {
        const struct xsc_plan p = advice(s, c, a);

        s->cost[a] += xsc_cost_of(c, &p, ns, c->nap_latency_ns + c->nap_jitter_ns / 2) -
                      (s->cost[a] >> FORGET_SHIFT);
    }
    s->since++;
    s->spent += xsc_cost_of(c, plan, ns, c->nap_latency_ns);
    remember(s, c, ns);
    compute_due(s, c, scratch);
}

/* ---------------------------------------------------- what all threads read and write ---- */

static void set16(uint16_t *p, uint16_t v)
{
    __atomic_store_n(p, v, __ATOMIC_RELAXED);
}

static void set(uint32_t *p, uint32_t v)
{
    __atomic_store_n(p, v, __ATOMIC_RELAXED);
}

static uint16_t get16(const uint16_t *p)
{
    return __atomic_load_n(p, __ATOMIC_RELAXED);
}

static uint32_t get(const uint32_t *p)
{
    return __atomic_load_n(p, __ATOMIC_RELAXED);
}

static void publish(struct xsc_site *s, const struct xsc_costs *c)
{
    const enum xsc_adviser a = choose(s, c);
    const struct xsc_learned *l = learned_by(s, a);

    if (l) {
        set16(&s->next.watch, l->plan.watch);
        set16(&s->next.nap, l->plan.nap);
        set16(&s->next.until, l->plan.until);
    }
    set(&s->adviser, (uint32_t)a + 1);
}

static bool taken_as_crowded(struct xsc_site *s)
{
    if (get(&s->starved) < CROWDED) {
        return false;
    }
    const uint32_t waits = get(&s->crowded) + 1;

    set(&s->crowded, waits);
    return waits % CROWDED_RETRY != 0;
}

struct xsc_plan xsc_site_plan(struct xsc_site *site, const struct xsc_costs *costs, bool crowded)
{
    if (crowded || taken_as_crowded(site)) {
        struct xsc_plan p = at_once;

        p.crowded = true;
        return p;
    }
    const uint32_t adviser = get(&site->adviser);

    if (!adviser || adviser == XSC_SAFE + 1) {
        return safe_plan(costs);
    }
    if (adviser == XSC_AT_ONCE + 1) {
        return at_once;
    }
    /* Parts of two plans may meet here, of another thread's making: so keep them in order. */
    const struct xsc_short_plan next = {get16(&site->next.watch), get16(&site->next.nap),
                                        get16(&site->next.until)};
    struct xsc_plan p = plan_of(next);

    if (p.watch_ns > p.nap_ns) {
        p.watch_ns = p.nap_ns;
    }
    return p;
}

void xsc_site_learn(struct xsc_site *site, const struct xsc_costs *costs,
                    const struct xsc_plan *plan, uint64_t ns, bool starved,
                    struct xsc_policy_scratch *scratch)
{
    if (plan->crowded || __atomic_exchange_n(&site->busy, 1, __ATOMIC_ACQUIRE)) {
        return;
    }
    if (plan->watch_ns || plan->nap_ns != XSC_NEVER) {
        const uint32_t share = get(&site->starved);

        set(&site->starved, share - (share >> STARVED_SHIFT) + (starved ? 65536u >> STARVED_SHIFT : 0));
    }
    learn(site, costs, plan, ns < LONGEST ? ns : LONGEST, scratch);
    publish(site, costs);
    __atomic_store_n(&site->busy, 0, __ATOMIC_RELEASE);
}

void xsc_site_costs_changed(struct xsc_site *site)
{
    if (__atomic_exchange_n(&site->busy, 1, __ATOMIC_ACQUIRE)) {
        return;
    }
    for (enum xsc_adviser a = 0; a < XSC_ADVISERS; a++) {
        site->cost[a] = 0;
    }
    for (uint32_t k = 0; k < XSC_LEARNED; k++) {
        site->learned[k].valid = 0;
    }
    site->account[0] = site->account[1] = 0;
    set(&site->adviser, 0);
    __atomic_store_n(&site->busy, 0, __ATOMIC_RELEASE);
}
