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
 * parking. With waits that end by their event neither is ever negative. Watching for as long as a
 * park costs and then parking never lowers either. Any other plan is used only while both accounts
 * cover the least that one wait under it could add to them.
 *
 * A wait that ends unmet costs a park its CPU time alone, A, less than a met one's, P. So it may lower
 * account[1] by P - A more than was covered, the safe plan's included, and no more: every plan
 * ends in a park, and what a met wait adds at least is that of a met one which parks last. While
 * account[1] is negative every wait parks at once, which raises it, at P from account[0] at most. So
 * account[1] >= A - P and account[0] >= -2 P, whatever comes: docs/policy.md.
 */
static uint64_t cost_of(const struct xsc_costs *c, const struct xsc_plan *p, uint64_t ns,
                        bool unmet, uint64_t late)
{
    return unmet ? xsc_unmet_cost_of(c, p, ns, late) : xsc_cost_of(c, p, ns, late);
}

static uint64_t watch_cost(const struct xsc_costs *c, uint64_t ns, bool unmet)
{
    return 10 * ns + (unmet ? 0 : xsc_cost_notice(c));
}

static uint64_t park_cost(const struct xsc_costs *c, uint64_t ns, bool unmet)
{
    return unmet ? xsc_unmet_park(c, ns) : xsc_cost_park(c, ns);
}

static void add_up(const struct xsc_costs *c, const struct xsc_plan *p, uint64_t ns, bool unmet,
                   int64_t change[2])
{
    /* Charge the worse of the earliest and the latest nap end. */
    const uint64_t one = cost_of(c, p, ns, unmet, c->nap_latency_ns);
    const uint64_t two = p->nap_ns == XSC_NEVER
                             ? one
                             : cost_of(c, p, ns, unmet,
                                       (uint64_t)c->nap_latency_ns + c->nap_jitter_ns);
    const uint64_t paid = one > two ? one : two;

    change[0] = (int64_t)(2 * watch_cost(c, ns, unmet)) - (int64_t)paid;
    change[1] = (int64_t)(2 * park_cost(c, ns, unmet)) - (int64_t)paid;
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

        add_up(c, &p, turns[i / 2] + i % 2, false, change);
        for (int k = 0; k < 2; k++) {
            l->least[k] = change[k] < l->least[k] ? change[k] : l->least[k];
        }
    }
}

static void account(struct xsc_policy *s, const struct xsc_costs *c, const struct xsc_plan *plan,
                    uint64_t ns, bool unmet)
{
    const int64_t most = (int64_t)xsc_cost_park(c, 0) * ACCOUNT_PARKS;
    int64_t change[2];

    add_up(c, plan, ns, unmet, change);
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

        add_up(c, &at_once, 1, false, change);
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
    /* Only waits that ended unmet do that: see above. */
    return best == XSC_SAFE && s->account[1] < 0 ? XSC_AT_ONCE : best;
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

/* Computes learned[which] again. */
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

/* ------------------------------------------------------------------ what was not seen ---- */

/* Evenly spread over 0..n-1, a different one each wait: the multiples of the golden ratio. */
static uint64_t in_turn(const struct xsc_policy *s, uint64_t n)
{
    return (uint64_t)(s->waits * 0x9e3779b9u) * n >> 32;
}

/*
 * The weight of the points that stand for waits longer than `after` and not than `most`; with
 * pick below that: the point at which the sum passes pick, in *code.
 */
static uint64_t weight_of(const struct xsc_policy *s, uint32_t after, uint32_t most, uint64_t pick,
                          uint32_t *code)
{
    uint64_t sum = 0;

    for (uint32_t k = 0; k < XSC_CLASSES; k++) {
        const struct xsc_distribution *d = &s->after[k];

        for (uint32_t i = 0; i < d->n && d->at[i] <= most; i++) {
            if (d->at[i] > after) {
                if (pick >= sum) {
                    *code = d->at[i];
                }
                sum += d->weight[i];
            }
        }
    }
    return sum;
}

/*
 * A wait that was longer than ns: one of the longer waits that are known, each in turn by its weight,
 * or of those that points_prior() reckons with, one of each order of magnitude.
 */
static uint64_t longer_than(const struct xsc_policy *s, uint64_t ns)
{
    const uint32_t code = xsc_code_near(ns), octave = ns ? 64 - (uint32_t)__builtin_clzll(ns) : 0;
    const uint32_t first = octave < XSC_PRIOR_FIRST ? XSC_PRIOR_FIRST : octave;
    const uint32_t unknown = first < XSC_PRIOR_END ? XSC_PRIOR_END - first : 1;
    uint32_t found = code;
    const uint64_t known = weight_of(s, code, XSC_NO_CODE, UINT64_MAX, &found);
    const uint64_t pick = in_turn(s, known + unknown);

    if (pick >= known) {
        return 1ull << (first + (uint32_t)(pick - known));
    }
    weight_of(s, code, XSC_NO_CODE, pick, &found);
    return xsc_code_time(found);
}

/*
 * A wait between two looks: one of those known there, in turn, and every 4th time any in between, so that
 * what is taken to be known only for want of better is given up; every 16th where the looks are so
 * near to each other that it matters little.
 */
static uint64_t one_within(const struct xsc_policy *s, uint64_t after, uint64_t most)
{
    const uint32_t low = xsc_code_near(after), high = xsc_code_near(most);
    const uint32_t any = most - after > most / 8 ? 4 : 16;
    uint32_t found = high;
    const uint64_t known = weight_of(s, low, high, UINT64_MAX, &found);

    if (!known || s->waits % any == 0) {
        return after + 1 + in_turn(s, most - after);
    }
    weight_of(s, low, high, in_turn(s, known), &found);
    return xsc_code_time(found);
}

static uint64_t length_of(const struct xsc_policy *s, const struct xsc_outcome *was)
{
    return was->unmet                                   ? longer_than(s, was->ns)
           : was->within && was->ns > was->after_ns + 1 ? one_within(s, was->after_ns, was->ns)
                                                        : was->ns;
}

/* ------------------------------------------------------------------------ brief waits ---- */

/*
 * Whose timeout ends within the watch: they never get to the park, so no plan tells what that would
 * have cost. This sum does.
 */
static void judge_brief(struct xsc_policy *s, const struct xsc_costs *c, uint64_t ns,
                        const struct xsc_outcome *was)
{
    const uint32_t now = s->adviser ? s->adviser - 1 : XSC_SAFE;

    if (was->timeout_ns == XSC_NEVER ||
        advice(s, c, (enum xsc_adviser)now).watch_ns < was->timeout_ns) {
        return;
    }
    s->brief += (int64_t)watch_cost(c, ns, was->unmet) - (int64_t)park_cost(c, ns, was->unmet) -
                s->brief / (1 << FORGET_SHIFT);
}

/*
 * What an adviser's plan would have cost. Dozing is charged its mean, or nap by nap where that is more:
 * events that are always met late make it dear; if they are met early, a nap that is aimed at them
 * is cheaper still, and to doze would spend what the accounts must have saved for that.
 */
static uint64_t judged(const struct xsc_costs *c, const struct xsc_plan *p, uint64_t ns, bool unmet)
{
    const uint64_t late = (uint64_t)c->nap_latency_ns + c->nap_jitter_ns / 2;
    const uint64_t cost = cost_of(c, p, ns, unmet, late);
    uint64_t parks_at = p->watch_ns;

    if (p->nap_ns != XSC_NEVER) {
        parks_at = p->until_ns > p->nap_ns + late ? p->until_ns : p->nap_ns + late;
    }
    if (!c->doze_ns || unmet || ns <= parks_at) {
        return cost;
    }
    const uint64_t mean = xsc_cost_park(c, ns - parks_at), doze = xsc_cost_doze(c, ns - parks_at);

    return doze > mean ? cost - mean + doze : cost;
}

static void learn(struct xsc_policy *s, const struct xsc_costs *c, const struct xsc_plan *plan,
                  const struct xsc_outcome *was, struct xsc_policy_scratch *scratch)
{
    const uint64_t length = length_of(s, was), ns = was->unmet ? was->ns : length;

    account(s, c, plan, ns, was->unmet);
    for (enum xsc_adviser a = 0; a < XSC_ADVISERS; a++) {
        const struct xsc_plan p = advice(s, c, a);

        s->cost[a] += judged(c, &p, ns, was->unmet) - (s->cost[a] >> FORGET_SHIFT);
    }
    judge_brief(s, c, ns, was);
    s->since++;
    s->spent += cost_of(c, plan, ns, was->unmet, c->nap_latency_ns);
    remember(s, c, length);
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

    set(&s->brief_leave, s->brief > 0 && covered(s, c, XSC_AT_ONCE));
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

/* What the adviser in force says. */
static struct xsc_plan advised(struct xsc_policy *site, const struct xsc_costs *costs)
{
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

struct xsc_plan xsc_policy_plan(struct xsc_policy *site, const struct xsc_costs *costs,
                                uint64_t timeout_ns, bool crowded)
{
    if (crowded || taken_as_crowded(site)) {
        struct xsc_plan p = at_once;

        p.crowded = true;
        return p;
    }
    struct xsc_plan p = advised(site, costs);

    if (timeout_ns != XSC_NEVER && p.watch_ns >= timeout_ns && get(&site->brief_leave)) {
        return at_once;
    }
    /* Such a nap would end the wait, and there is nothing to watch for after it. */
    if (p.nap_ns >= timeout_ns) {
        p.nap_ns = XSC_NEVER;
    }
    return p;
}

void xsc_policy_learn(struct xsc_policy *site, const struct xsc_costs *costs,
                      const struct xsc_plan *plan, const struct xsc_outcome *was,
                      struct xsc_policy_scratch *scratch)
{
    struct xsc_outcome cut = *was;

    if (plan->crowded || __atomic_exchange_n(&site->busy, 1, __ATOMIC_ACQUIRE)) {
        return;
    }
    if (plan->watch_ns || plan->nap_ns != XSC_NEVER) {
        judge_crowd(site, was->starved);
    }
    cut.ns = was->ns < LONGEST ? was->ns : LONGEST;
    learn(site, costs, plan, &cut, scratch);
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
    site->brief = 0;
    for (uint32_t k = 0; k < XSC_LEARNED; k++) {
        site->learned[k].valid = 0;
    }
    set(&site->brief_leave, 0);
    set(&site->adviser, 0);
    __atomic_store_n(&site->busy, 0, __ATOMIC_RELEASE);
}
