/* SPDX-License-Identifier: MIT */
/*
 * The policy, top to bottom: the accounts that bound the cost, choosing an adviser, learning,
 * and what the threads at a site share.
 */
#include "core/policy.h"

#include <stddef.h>

#include "core/code.h"

#define FORGET_SHIFT 7                 /* advisers are judged by the last 2^7 waits or so */
#define STAY_SHIFT 7                   /* another adviser must be better by 1/2^7 */
#define CLASS_MIN (8 * XSC_SPREAD_ONE) /* a class with fewer waits has nothing to say */
#define EVERY 24u                      /* waits between recomputing two of the learned plans */
#define WORTH 3000000u                 /* and 300 us of cost: computing takes one or two */
#define ACCOUNT_PARKS 65536            /* an account is never worth more than this many parks */
#define CROWDED 16384u                 /* a quarter of the watches starved, out of 65536, */
#define STARVED_SHIFT 3                /* of the last 2^3 or so */
#define LONGEST (1ull << 50)           /* in the accounts. 13 days; keeps sums within 64 bits */
#define CROWDED_RETRY 32u              /* each so many waits one watches all the same, */
#define CROWDED_DOUBLE 3u              /* twice as many after each that starved, so often */

/* ------------------------------------------------------------------------ the accounts ---- */

/*
 * account[0] = 2 x the cost of watching every wait so far - paid, account[1] the same with
 * parking. The promise is that neither is ever negative. Watching for as long as a park costs
 * and then parking never lowers either. Any other plan is used only while both accounts
 * cover the least that one wait under it could add to them.
 */
static void add_up(const struct xsc_costs *c, const struct xsc_plan *p, uint64_t ns,
                   int64_t change[2])
{
    /* Late or later, whichever is dearer. */
    const uint64_t one = xsc_cost_of(c, p, ns, c->nap_latency_ns);
    const uint64_t two = p->nap_ns == XSC_NEVER
                             ? one
                             : xsc_cost_of(c, p, ns,
                                           (uint64_t)c->nap_latency_ns + c->nap_jitter_ns);
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
    const struct xsc_plan p = xsc_plan_of(l->plan);
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

static void account(struct xsc_policy *s, const struct xsc_costs *c, const struct xsc_plan *plan,
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

static struct xsc_learned *learned_by(struct xsc_policy *s, enum xsc_adviser a)
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

static struct xsc_plan advice(struct xsc_policy *s, const struct xsc_costs *c, enum xsc_adviser a)
{
    const struct xsc_learned *l = learned_by(s, a);

    if (l && l->valid) {
        return xsc_plan_of(l->plan);
    }
    return a == XSC_AT_ONCE ? at_once : safe_plan(c);
}

static bool covered(struct xsc_policy *s, const struct xsc_costs *c, enum xsc_adviser a)
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
static enum xsc_adviser choose(struct xsc_policy *s, const struct xsc_costs *c)
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

/* Where a wait's class ends: at the quarters of all waits. */
static void find_bounds(struct xsc_policy *s, const struct xsc_points *p)
{
    const uint32_t *at = p->at->at[p->half];
    const uint16_t *weight = p->at->weight[p->half];
    uint64_t total = 0, seen = 0;
    uint32_t k = 0;

    for (uint32_t i = 0; i < p->n; i++) {
        total += weight[i];
    }
    for (uint32_t i = 0; i < p->n; i++) {
        seen += weight[i];
        for (; k < XSC_CLASSES - 1 && seen * XSC_CLASSES >= total * (k + 1); k++) {
            s->bounds[k] = at[i] + (i + 1 < p->n ? (at[i + 1] - at[i]) / 2 : 0);
        }
    }
}

_Static_assert(XSC_RECENT <= XSC_ADDED_MAX, "sorted in the scratch");

static void points_recent(struct xsc_points *p, const struct xsc_policy *s)
{
    const uint32_t n = s->waits < XSC_RECENT ? s->waits : XSC_RECENT;
    uint32_t *sorted = p->at->added;

    for (uint32_t i = 0; i < n; i++) {
        uint32_t k = i;

        for (; k && sorted[k - 1] > s->recent[i]; k--) {
            sorted[k] = sorted[k - 1];
        }
        sorted[k] = s->recent[i];
    }
    xsc_points_add(p, sorted, NULL, n);
}

/* Computes learned[which] anew. */
static void compute(struct xsc_policy *s, const struct xsc_costs *c, uint32_t which,
                    struct xsc_policy_scratch *scratch)
{
    struct xsc_learned *l = &s->learned[which];
    struct xsc_points p = xsc_points_none(c, scratch);

    if (which == XSC_CLASSES) {
        for (uint32_t k = 0; k < XSC_CLASSES; k++) {
            xsc_points_add(&p, s->after[k].at, s->after[k].weight, s->after[k].n);
        }
        find_bounds(s, &p);
    } else if (which > XSC_CLASSES) {
        points_recent(&p, s);
    } else if (s->after[which].total < CLASS_MIN) {
        *l = s->learned[XSC_CLASSES];
        return;
    } else {
        xsc_points_add(&p, s->after[which].at, s->after[which].weight, s->after[which].n);
    }
    l->plan = xsc_points_plan(&p);
    l->valid = 1;
    find_least(c, l);
}

/*
 * All at once as long as each wait tells much, and after the costs have changed; then one at a time,
 * when it has become worth it.
 */
static void compute_due(struct xsc_policy *s, const struct xsc_costs *c,
                        struct xsc_policy_scratch *scratch)
{
    const bool early = s->waits < 64 && (s->since * 4 >= s->waits || s->waits < 8);

    if (early || !s->learned[XSC_CLASSES].valid) {
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

static void remember(struct xsc_policy *s, const struct xsc_costs *c, uint64_t ns)
{
    const uint32_t code = xsc_code_near(ns);
    uint32_t class = 0;

    xsc_spread_add(&s->after[s->last_class], code, xsc_cost_park(c, 0) / 40);
    s->recent[s->waits % XSC_RECENT] = code;
    s->waits = s->waits < UINT32_MAX ? s->waits + 1 : UINT32_MAX - XSC_RECENT + 1;
    while (class < XSC_CLASSES - 1 && code > s->bounds[class]) {
        class ++;
    }
    s->last_class = class;
}

static void learn(struct xsc_policy *s, const struct xsc_costs *c, const struct xsc_plan *plan,
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

static void set(uint32_t *p, uint32_t v)
{
    __atomic_store_n(p, v, __ATOMIC_RELAXED);
}

static uint32_t get(const uint32_t *p)
{
    return __atomic_load_n(p, __ATOMIC_RELAXED);
}

static void publish(struct xsc_policy *s, const struct xsc_costs *c)
{
    const enum xsc_adviser a = choose(s, c);
    const struct xsc_learned *l = learned_by(s, a);

    if (l) {
        set(&s->next.watch, l->plan.watch);
        set(&s->next.nap, l->plan.nap);
        set(&s->next.until, l->plan.until);
    }
    set(&s->adviser, (uint32_t)a + 1);
}

static bool taken_as_crowded(struct xsc_policy *s)
{
    if (get(&s->starved) < CROWDED) {
        return false;
    }
    const uint32_t left = get(&s->crowded);

    set(&s->crowded, left ? left - 1 : CROWDED_RETRY << get(&s->confirmed));
    return left != 0;
}

/* What a watch has shown. */
static void judge_crowd(struct xsc_policy *s, bool starved)
{
    const uint32_t share = get(&s->starved), confirmed = get(&s->confirmed);

    set(&s->starved, share - (share >> STARVED_SHIFT) + (starved ? 65536u >> STARVED_SHIFT : 0));
    if (!starved) {
        set(&s->confirmed, 0);
    } else if (share >= CROWDED && confirmed < CROWDED_DOUBLE) {
        set(&s->confirmed, confirmed + 1);
    }
}

struct xsc_plan xsc_policy_plan(struct xsc_policy *site, const struct xsc_costs *costs,
                                bool crowded)
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
    const struct xsc_short_plan next = {get(&site->next.watch), get(&site->next.nap),
                                        get(&site->next.until)};
    struct xsc_plan p = xsc_plan_of(next);

    if (p.watch_ns > p.nap_ns) {
        p.watch_ns = p.nap_ns;
    }
    return p;
}

void xsc_policy_learn(struct xsc_policy *site, const struct xsc_costs *costs,
                      const struct xsc_plan *plan, uint64_t ns, bool starved,
                      struct xsc_policy_scratch *scratch)
{
    if (plan->crowded || __atomic_exchange_n(&site->busy, 1, __ATOMIC_ACQUIRE)) {
        return;
    }
    if (plan->watch_ns || plan->nap_ns != XSC_NEVER) {
        judge_crowd(site, starved);
    }
    learn(site, costs, plan, ns < LONGEST ? ns : LONGEST, scratch);
    publish(site, costs);
    __atomic_store_n(&site->busy, 0, __ATOMIC_RELEASE);
}

void xsc_policy_costs_changed(struct xsc_policy *site)
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
    set(&site->adviser, 0);
    __atomic_store_n(&site->busy, 0, __ATOMIC_RELEASE);
}
