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
    xsc_policy_learn(&r->site, &r->c, plan, ns, false, &scratch);
}

/* ---- who chooses the waits ---- */

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
                const struct xsc_plan plan = xsc_policy_plan(&r.site, &r.c, false);

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
            const struct xsc_plan plan = xsc_policy_plan(&r.site, &r.c, false);

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
                const struct xsc_plan plan = xsc_policy_plan(&r.site, &r.c, false);

                one_wait(&r, &plan,
                         i % 3 ? unit_between(&r.random, 0, 40000 + k * 200) : plan.watch_ns + 1);
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
        const struct xsc_plan p = xsc_policy_plan(&site, &c, false);

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
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
