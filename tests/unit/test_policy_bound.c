/* SPDX-License-Identifier: MIT */
/*
 * The bound of core/policy.h: over any sequence of waits the cost is at most twice that of
 * watching each to its end, and at most twice that of parking at once in each. Checked after
 * every wait, over sequences made to betray whatever is learned.
 */
#include "unit_policy.h"

#define SEQUENCES 300 /* of each kind on each machine: 6000 in all */
#define WAITS 400

struct run {
    struct xsc_costs c;
    struct xsc_policy site;
    uint64_t paid, watch, park; /* what it cost, and would have */
    uint64_t random;
};

static struct xsc_policy_scratch scratch;

static void one_wait(struct run *r, const struct xsc_plan *plan, uint64_t ns)
{
    r->paid += policy_paid(&r->c, plan, ns);
    r->watch += 10 * ns + xsc_cost_notice(&r->c);
    r->park += xsc_cost_park(&r->c, ns);
    if (r->paid > 2 * r->watch || r->paid > 2 * r->park) {
        fail_msg("paid %llu, watching %llu, parking %llu after a wait of %llu under %llu %llu %llu",
                 (unsigned long long)r->paid, (unsigned long long)r->watch,
                 (unsigned long long)r->park, (unsigned long long)ns,
                 (unsigned long long)plan->watch_ns, (unsigned long long)plan->nap_ns,
                 (unsigned long long)plan->until_ns);
    }
    policy_learn(&r->site, &r->c, plan, ns, false, &scratch);
}

/* ---- what chooses the waits ---- */

typedef uint64_t chooser(struct run *r, const struct xsc_plan *p, unsigned i);

static uint64_t any(struct run *r)
{
    return unit_random(&r->random) >> unit_between(&r->random, 28, 63);
}

static uint64_t choose_any(struct run *r, const struct xsc_plan *p, unsigned i)
{
    (void)p;
    (void)i;
    return any(r);
}

/* The plan's turning points, and just past them. */
static uint64_t turn(const struct run *r, const struct xsc_plan *p, unsigned k)
{
    const uint64_t ended = p->nap_ns == XSC_NEVER ? 0 : p->nap_ns + r->c.nap_latency_ns;
    const uint64_t turns[] = {0,
                              1,
                              p->watch_ns,
                              p->watch_ns + 1,
                              ended,
                              ended + 1,
                              ended + r->c.nap_jitter_ns,
                              ended + r->c.nap_jitter_ns + 1,
                              p->nap_ns == XSC_NEVER ? 2 : p->until_ns,
                              p->nap_ns == XSC_NEVER ? 3 : p->until_ns + 1,
                              1000000000,
                              1ull << 45};

    return turns[k % LENGTH(turns)];
}

/* Sees the plan and chooses the wait that hurts most, by either account. */
static uint64_t choose_worst(struct run *r, const struct xsc_plan *p, unsigned i)
{
    const bool parking = i / 50 % 2;
    int64_t least = INT64_MAX;
    uint64_t worst = 0;

    for (unsigned k = 0; k < 12; k++) {
        const uint64_t ns = turn(r, p, k);
        const uint64_t other = parking ? xsc_cost_park(&r->c, ns)
                                       : 10 * ns + xsc_cost_notice(&r->c);
        const int64_t left = (int64_t)(2 * other) - (int64_t)policy_paid(&r->c, p, ns);

        if (left < least) {
            least = left;
            worst = ns;
        }
    }
    return worst;
}

/* Trains with waits of one kind, then betrays; a new kind each time. */
static uint64_t choose_betrayal(struct run *r, const struct xsc_plan *p, unsigned i)
{
    static uint64_t level;

    if (i % 40 == 0) {
        level = any(r) % 40000000;
    }
    if (i % 40 < 25) {
        return level + level / 64 * unit_between(&r->random, 0, 3);
    }
    return choose_worst(r, p, i);
}

static uint64_t choose_turns(struct run *r, const struct xsc_plan *p, unsigned i)
{
    (void)i;
    return turn(r, p, (unsigned)unit_between(&r->random, 0, 11));
}

static uint64_t choose_two(struct run *r, const struct xsc_plan *p, unsigned i)
{
    (void)p;
    return unit_random(&r->random) % 8 < i / 60 % 8 ? 300 : 30000000;
}

static void hold(chooser *choose)
{
    for (unsigned machine = 0; machine < POLICY_MACHINES; machine++) {
        for (unsigned k = 0; k < SEQUENCES; k++) {
            struct run r = {.c = policy_costs(machine, k % 3), .random = k};

            for (unsigned i = 0; i < WAITS; i++) {
                const struct xsc_plan plan = xsc_policy_plan(&r.site, &r.c, XSC_NEVER, false);

                one_wait(&r, &plan, choose(&r, &plan, i));
            }
        }
    }
}

static void random_waits(void **state)
{
    (void)state;
    hold(choose_any);
}

static void worst_waits(void **state)
{
    (void)state;
    hold(choose_worst);
}

static void betrayals(void **state)
{
    (void)state;
    hold(choose_betrayal);
}

static void turning_points(void **state)
{
    (void)state;
    hold(choose_turns);
}

static void two_levels(void **state)
{
    (void)state;
    hold(choose_two);
}

/* What was saved over many good waits may be lost again to an adversary, and no more. */
static void long_training(void **state)
{
    (void)state;
    for (unsigned k = 0; k < 3 * POLICY_MACHINES; k++) {
        struct run r = {.c = policy_costs(k / 3, k % 3), .random = k};

        for (unsigned i = 0; i < 40000; i++) {
            const struct xsc_plan plan = xsc_policy_plan(&r.site, &r.c, XSC_NEVER, false);

            one_wait(&r, &plan, i < 20000 ? 60000 + i % 64 : choose_worst(&r, &plan, i));
        }
    }
}

/*
 * The costs change again and again: each wait stands in the accounts at those of its time. A plan
 * learned where a park is cheap, to watch for a little longer than that, is not covered where it is
 * dear.
 */
static void changing_costs(void **state)
{
    (void)state;
    for (unsigned k = 0; k < 50; k++) {
        struct run r = {.c = policy_costs(1, 2), .random = k};

        for (unsigned machine = 0; machine < 8; machine++) {
            xsc_policy_costs_changed(&r.site);
            r.c = policy_costs(machine % 2 ? 0 : 1, 2);
            for (unsigned i = 0; i < 300; i++) {
                const struct xsc_plan plan = xsc_policy_plan(&r.site, &r.c, XSC_NEVER, false);

                one_wait(&r, &plan,
                         i % 3 ? unit_between(&r.random, 0, 40000 + k * 200) : plan.watch_ns + 1);
            }
        }
    }
}

/* ---- waits that end unmet ---- */

static uint64_t paid_unmet(const struct xsc_costs *c, const struct xsc_plan *p, uint64_t ns)
{
    const uint64_t one = xsc_unmet_cost_of(c, p, ns, c->nap_latency_ns);
    const uint64_t two = p->nap_ns == XSC_NEVER
                             ? one
                             : xsc_unmet_cost_of(c, p, ns,
                                                 (uint64_t)c->nap_latency_ns + c->nap_jitter_ns);

    return one > two ? one : two;
}

/* The least room that was left in either account, beyond what the promise allows. */
static void one_timed_wait(struct run *r, const struct xsc_plan *p, uint64_t timeout_ns,
                           uint64_t ns, bool unmet)
{
    const uint64_t two_parks = 2 * xsc_cost_park(&r->c, 0);
    const struct xsc_outcome was = {.ns = ns, .timeout_ns = timeout_ns, .unmet = unmet};

    r->paid += unmet ? paid_unmet(&r->c, p, ns) : policy_paid(&r->c, p, ns);
    r->watch += 10 * ns + (unmet ? 0 : xsc_cost_notice(&r->c));
    r->park += unmet ? xsc_unmet_park(&r->c, ns) : xsc_cost_park(&r->c, ns);
    if (r->paid > 2 * r->watch + two_parks || r->paid > 2 * r->park + two_parks) {
        fail_msg("paid %llu, watching %llu, parking %llu after %s of %llu under %llu %llu %llu",
                 (unsigned long long)r->paid, (unsigned long long)r->watch,
                 (unsigned long long)r->park, unmet ? "a timeout" : "a wait",
                 (unsigned long long)ns, (unsigned long long)p->watch_ns,
                 (unsigned long long)p->nap_ns, (unsigned long long)p->until_ns);
    }
    xsc_policy_learn(&r->site, &r->c, p, &was, &scratch);
}

/* By which account this end of the wait hurts, and how much. */
static int64_t left_by(const struct run *r, const struct xsc_plan *p, uint64_t ns, bool unmet,
                       bool parking)
{
    const uint64_t other = !parking ? 10 * ns + (unmet ? 0 : xsc_cost_notice(&r->c))
                           : unmet  ? xsc_unmet_park(&r->c, ns)
                                    : xsc_cost_park(&r->c, ns);

    return (int64_t)(2 * other) -
           (int64_t)(unmet ? paid_unmet(&r->c, p, ns) : policy_paid(&r->c, p, ns));
}

/* Sees the plan; ends the wait by its event, its timeout or for another reason, as hurts most. */
static void worst_timed_wait(struct run *r, uint64_t timeout_ns, bool parking)
{
    const struct xsc_plan p = xsc_policy_plan(&r->site, &r->c, timeout_ns, false);
    int64_t least = INT64_MAX;
    uint64_t worst = 0;
    bool worst_unmet = false;

    for (unsigned k = 0; k < 26; k++) {
        const bool unmet = k % 2;
        uint64_t ns = k / 2 < 12 ? turn(r, &p, k / 2) : timeout_ns;

        ns = ns < timeout_ns ? ns : timeout_ns;
        if (ns == XSC_NEVER || left_by(r, &p, ns, unmet, parking) >= least) {
            continue;
        }
        least = left_by(r, &p, ns, unmet, parking);
        worst = ns;
        worst_unmet = unmet;
    }
    one_timed_wait(r, &p, timeout_ns, worst, worst_unmet);
}

static uint64_t any_timeout(struct run *r)
{
    const struct xsc_plan p = xsc_policy_plan(&r->site, &r->c, XSC_NEVER, false);
    const uint64_t timeouts[] = {
        p.watch_ns, p.watch_ns / 2, p.nap_ns, p.until_ns + 1, r->c.park_cpu_ns * 3ull,
        any(r),     any(r),         XSC_NEVER};
    const uint64_t ns = timeouts[unit_random(&r->random) % LENGTH(timeouts)];

    return ns ? ns : 1;
}

/* Whatever the timeouts and however the waits end; learned from random waits in between, or not. */
static void timed_waits(void **state)
{
    (void)state;
    for (unsigned machine = 0; machine < POLICY_MACHINES; machine++) {
        for (unsigned k = 0; k < SEQUENCES; k++) {
            struct run r = {.c = policy_costs(machine, k % 3), .random = k};

            for (unsigned i = 0; i < WAITS; i++) {
                const uint64_t timeout = any_timeout(&r);

                if (k % 4 == 0 || i / 25 % 2) {
                    worst_timed_wait(&r, timeout, k % 8 < 4 ? i / 50 % 2 : i % 2);
                } else {
                    const struct xsc_plan p = xsc_policy_plan(&r.site, &r.c, timeout, false);
                    const uint64_t ns = k % 4 == 1 ? any(&r) : 100000 * (1 + k % 5);

                    one_timed_wait(&r, &p, timeout, ns < timeout ? ns : timeout, ns >= timeout);
                }
            }
        }
    }
}

/* Long training, then every wait ends as hurts most. */
static void timed_waits_after_training(void **state)
{
    (void)state;
    for (unsigned k = 0; k < 3 * POLICY_MACHINES; k++) {
        struct run r = {.c = policy_costs(k / 3, k % 3), .random = k};

        for (unsigned i = 0; i < 40000; i++) {
            const uint64_t timeout = any_timeout(&r);

            if (i < 20000) {
                const struct xsc_plan p = xsc_policy_plan(&r.site, &r.c, XSC_NEVER, false);

                one_timed_wait(&r, &p, XSC_NEVER, 60000 + i % 64, false);
            } else {
                worst_timed_wait(&r, timeout, i % 2);
            }
        }
    }
}

/* The last resort by itself: whatever the wait, no account is lowered. */
static void safe_plan(void **state)
{
    (void)state;
    for (unsigned k = 0; k < 3 * POLICY_MACHINES; k++) {
        const struct xsc_costs c = policy_costs(k / 3, k % 3);
        struct xsc_policy site = {0};
        const struct xsc_plan p = xsc_policy_plan(&site, &c, XSC_NEVER, false);

        assert_true(p.nap_ns == XSC_NEVER);
        for (uint64_t ns = 0; ns < 100000000; ns += 1 + ns / 997) {
            const uint64_t paid = policy_paid(&c, &p, ns);

            assert_true(paid <= 2 * (10 * ns + xsc_cost_notice(&c)));
            assert_true(paid <= 2 * xsc_cost_park(&c, ns));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(safe_plan),      cmocka_unit_test(random_waits),
        cmocka_unit_test(worst_waits),    cmocka_unit_test(betrayals),
        cmocka_unit_test(turning_points), cmocka_unit_test(two_levels),
        cmocka_unit_test(long_training),  cmocka_unit_test(changing_costs),
        cmocka_unit_test(timed_waits),    cmocka_unit_test(timed_waits_after_training),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
