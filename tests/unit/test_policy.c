/* SPDX-License-Identifier: MIT */
/* Codes, spreads, the best plan for a spread, and what a site does with a crowd. */
#include "unit_policy.h"

#include "core/code.h"

static struct xsc_policy_scratch scratch;

/* ---- codes ---- */

static void codes_keep_order_and_precision(void **state)
{
    uint32_t last = 0;

    (void)state;
    for (uint64_t ns = 0; ns < XSC_CODE_TIME_MAX; ns += 1 + ns / 50021) {
        const uint32_t below = xsc_code_below(ns), above = xsc_code_above(ns);
        const uint32_t near = xsc_code_near(ns);

        assert_true(below >= last);
        assert_true(xsc_code_time(below) <= ns && ns <= xsc_code_time(above));
        assert_true(above - below <= 1);
        assert_true(near == below || near == above);
        assert_true(xsc_code_time(near) - ns <= ns / 30000000 ||
                    ns - xsc_code_time(near) <= ns / 30000000);
        last = below;
    }
    for (uint32_t code = 0; code <= xsc_code_below(XSC_CODE_TIME_MAX); code += 251) {
        assert_int_equal(xsc_code_below(xsc_code_time(code)), code);
        assert_int_equal(xsc_code_above(xsc_code_time(code)), code);
        assert_int_equal(xsc_code_near(xsc_code_time(code)), code);
    }
    assert_int_equal(xsc_code_below(UINT64_MAX), xsc_code_below(XSC_CODE_TIME_MAX));
    assert_true(xsc_code_below(UINT64_MAX) < XSC_NO_CODE);
}

/* ---- spreads ---- */

static void check_spread(const struct xsc_distribution *s)
{
    uint32_t total = 0;

    assert_true(s->n <= XSC_SPREAD_POINTS);
    for (uint32_t i = 0; i < s->n; i++) {
        assert_true(!i || s->at[i - 1] <= s->at[i]);
        assert_true(s->weight[i] > 0);
        total += s->weight[i];
    }
    assert_int_equal(total, s->total);
    assert_true(total <= UINT16_MAX);
}

static void spreads_stay_sorted(void **state)
{
    uint64_t random = 1;

    (void)state;
    for (unsigned kind = 0; kind < 4; kind++) {
        struct xsc_distribution s = {0};

        for (unsigned i = 0; i < 20000; i++) {
            const uint64_t ns = kind == 0   ? unit_random(&random) >> unit_between(&random, 30, 63)
                                : kind == 1 ? i
                                : kind == 2 ? 40000000 - i * 1000
                                            : 60000 + unit_random(&random) % 999;

            xsc_spread_add(&s, xsc_code_near(ns), 13250);
            check_spread(&s);
        }
        assert_int_equal(s.n, XSC_SPREAD_POINTS);
    }
}

static uint64_t shifted(uint64_t *r)
{
    *r ^= *r << 13;
    *r ^= *r >> 7;
    *r ^= *r << 17;
    return *r;
}

/* A rare one: a wait between the two points that are made one to give it room (wait 150,436). */
static void what_a_site_remembers_stays_sorted(void **state)
{
    const struct xsc_costs c = XSC_COSTS_VM;
    static struct xsc_policy site;
    uint64_t random = 0x9e3779b97f4a7c15u;

    (void)state;
    for (unsigned i = 0; i < 160000; i++) {
        const struct xsc_plan p = xsc_policy_plan(&site, &c, XSC_NEVER, i % 1000 == 0);
        uint64_t ns;

        if (i / 1000 % 2) {
            ns = 55000 + shifted(&random) % 10000;
        } else {
            const uint64_t wide = shifted(&random);

            ns = wide >> (30 + shifted(&random) % 31);
        }
        policy_learn(&site, &c, &p, ns, i % 50 == 0, &scratch);
        if (i % 5000 == 0) {
            xsc_policy_costs_changed(&site);
        }
        for (unsigned k = 0; k < XSC_CLASSES; k++) {
            check_spread(&site.after[k]);
        }
    }
}

/* One wait in a hundred is long: it keeps a point of its own, of about its weight. */
static void spreads_keep_rare_waits(void **state)
{
    struct xsc_distribution s = {0};
    uint64_t random = 7;
    uint32_t rare = 0;

    (void)state;
    for (unsigned i = 0; i < 3000; i++) {
        const uint64_t ns = i % 100 == 99 ? 9000000 : 20000 + unit_random(&random) % 20000;

        xsc_spread_add(&s, xsc_code_near(ns), 13250);
    }
    for (uint32_t i = 0; i < s.n; i++) {
        if (xsc_code_time(s.at[i]) > 1000000) {
            assert_in_range(xsc_code_time(s.at[i]), 8990000, 9010000);
            rare += s.weight[i];
        }
    }
    assert_int_equal(rare, 30 * XSC_SPREAD_ONE);
}

/* ---- the best plan ---- */

static uint64_t total_cost(const struct xsc_costs *c, const struct xsc_plan *p, const uint32_t *at,
                           uint32_t n)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < n; i++) {
        sum += xsc_cost_of(c, p, xsc_code_time(at[i]), c->nap_latency_ns + c->nap_jitter_ns / 2);
    }
    return sum;
}

/* With many waits at each of few times the prior is as good as nothing: compare with all. */
static uint64_t brute_force(const struct xsc_costs *c, const uint32_t *at, uint32_t n)
{
    const uint64_t lead = c->nap_latency_ns + c->nap_jitter_ns / 2;
    uint64_t best = UINT64_MAX;

    for (uint32_t s = 0; s <= n; s++) {
        struct xsc_plan p = {.watch_ns = s ? xsc_code_time(at[s - 1]) : 0, .nap_ns = XSC_NEVER};
        uint64_t cost = total_cost(c, &p, at, n);

        best = cost < best ? cost : best;
        for (uint32_t e = 0; e < n; e++) {
            const uint64_t end = xsc_code_time(at[e]);

            for (uint32_t q = e; end >= p.watch_ns + lead && q < n; q++) {
                struct xsc_plan nap = {p.watch_ns, end - lead, q == e ? 0 : xsc_code_time(at[q]),
                                       false};

                cost = total_cost(c, &nap, at, n);
                best = cost < best ? cost : best;
            }
        }
    }
    return best;
}

static void plans_are_the_best(void **state)
{
    (void)state;
    for (unsigned k = 0; k < 600; k++) {
        const struct xsc_costs c = policy_costs(k % 4, k / 4 % 3);
        struct xsc_points points = xsc_points_none(&c, &scratch);
        uint64_t random = k;
        uint32_t at[10];
        uint16_t weight[10];
        const uint32_t n = (uint32_t)unit_between(&random, 1, 10);

        for (uint32_t i = 0; i < n; i++) {
            at[i] = (uint32_t)((i ? at[i - 1] : xsc_code_near(3000)) +
                               unit_between(&random, 1, k % 2 ? 300000 : 30000));
            weight[i] = 60000;
        }
        xsc_points_add(&points, at, weight, n);
        const struct xsc_plan p = xsc_plan_of(xsc_points_plan(&points));
        const uint64_t best = brute_force(&c, at, n), ours = total_cost(&c, &p, at, n);

        /* The watches are lengthened by up to an eighth, the prior a little. */
        if (ours > best + best / 8) {
            fail_msg("sequence %u: %llu, the best is %llu", k, (unsigned long long)ours,
                     (unsigned long long)best);
        }
    }
}

/* ---- a crowd ---- */

static bool leaves_at_once(const struct xsc_plan *p)
{
    return p->watch_ns == 0 && p->nap_ns == XSC_NEVER && p->crowded;
}

static void crowded_means_leave(void **state)
{
    const struct xsc_costs c = policy_costs(0, 2);
    struct xsc_policy site = {0};

    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        struct xsc_plan p = xsc_policy_plan(&site, &c, XSC_NEVER, true);

        assert_true(leaves_at_once(&p));
        policy_learn(&site, &c, &p, 500, false, &scratch); /* of no meaning here */
        p = xsc_policy_plan(&site, &c, XSC_NEVER, false);
        assert_false(p.crowded);
        policy_learn(&site, &c, &p, 500, false, &scratch);
        p = xsc_policy_plan(&site, &c, XSC_NEVER, false);
        assert_true(p.watch_ns >= 500);
    }
    assert_int_equal(site.waits, 1000);
}

static void starved_watches_make_a_crowd(void **state)
{
    const struct xsc_costs c = policy_costs(0, 1);
    struct xsc_policy site = {0};
    unsigned watched = 0;

    (void)state;
    for (unsigned i = 0; i < 1000; i++) { /* the waker can't run while we watch */
        const struct xsc_plan p = xsc_policy_plan(&site, &c, XSC_NEVER, false);

        watched += !p.crowded;
        policy_learn(&site, &c, &p, 20000, !p.crowded, &scratch);
    }
    assert_in_range(watched, 5, 12); /* every 32nd, 64th, 128th, then every 256th */
    watched = 0;
    for (unsigned i = 0; i < 1000; i++) { /* now it can: found out within some probes */
        const struct xsc_plan p = xsc_policy_plan(&site, &c, XSC_NEVER, false);

        watched += !p.crowded;
        policy_learn(&site, &c, &p, 20000, false, &scratch);
    }
    assert_in_range(watched, 300, 1000);
}

/* One watch in a hundred interrupted by something is no crowd. */
static void rare_starving_is_no_crowd(void **state)
{
    const struct xsc_costs c = policy_costs(0, 1);
    struct xsc_policy site = {0};

    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        const struct xsc_plan p = xsc_policy_plan(&site, &c, XSC_NEVER, false);

        assert_false(p.crowded);
        policy_learn(&site, &c, &p, 20000, i % 100 == 0, &scratch);
    }
}

/* ---- waits that end unmet, and events that are not seen ---- */

static void learn_unmet(struct xsc_policy *site, const struct xsc_costs *c, uint64_t timeout_ns)
{
    const struct xsc_plan p = xsc_policy_plan(site, c, timeout_ns, false);
    const struct xsc_outcome was = {.ns = timeout_ns, .timeout_ns = timeout_ns, .unmet = true};

    xsc_policy_learn(site, c, &p, &was, &scratch);
}

static bool parks_at_once(struct xsc_policy *site, const struct xsc_costs *c, uint64_t timeout_ns)
{
    const struct xsc_plan p = xsc_policy_plan(site, c, timeout_ns, false);

    return !p.watch_ns && p.nap_ns == XSC_NEVER;
}

/* Shorter than what a park costs, so that no plan's watch ever ended before: each machine but naps'. */
static void timeouts_teach_to_leave(void **state)
{
    (void)state;
    for (unsigned k = 0; k < 9; k++) {
        const struct xsc_costs c = policy_costs(k / 3, k % 3);
        struct xsc_policy site = {0};
        const uint64_t timeout = c.park_cpu_ns + c.park_cpu_ns / 10;
        unsigned left = 0;

        assert_true(xsc_policy_plan(&site, &c, timeout, false).watch_ns >= timeout);
        for (unsigned i = 0; i < 1000; i++) {
            left += parks_at_once(&site, &c, timeout);
            learn_unmet(&site, &c, timeout);
        }
        assert_in_range(left, 950, 1000);
        for (unsigned i = 0; i < 1000; i++) { /* and back: they are met at once now */
            const struct xsc_plan p = xsc_policy_plan(&site, &c, timeout, false);
            const struct xsc_outcome was = {.ns = 300, .timeout_ns = timeout};

            left -= parks_at_once(&site, &c, timeout);
            xsc_policy_learn(&site, &c, &p, &was, &scratch);
        }
        assert_in_range(left, 800, 1000);
    }
}

/* One timeout can cost more than twice a park, here 52 us for 13: the next wait parks at once for it. */
static void what_a_timeout_has_cost_is_earned_back(void **state)
{
    const struct xsc_costs c = policy_costs(0, 1);
    struct xsc_policy site = {0};

    (void)state;
    learn_unmet(&site, &c, 52000);
    assert_true(parks_at_once(&site, &c, XSC_NEVER));
    policy_learn(&site, &c, &(struct xsc_plan){.nap_ns = XSC_NEVER}, 1000, false, &scratch);
    assert_false(parks_at_once(&site, &c, XSC_NEVER));
}

/* Not as events at the deadline: nothing is known there, however often. */
static void a_timeout_is_no_event(void **state)
{
    const struct xsc_costs c = policy_costs(0, 1);
    struct xsc_policy site = {0};
    unsigned known = 0, longer = 0, total = 0;

    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        if (i % 2) {
            learn_unmet(&site, &c, 50000);
        } else {
            const struct xsc_plan p = xsc_policy_plan(&site, &c, XSC_NEVER, false);

            policy_learn(&site, &c, &p, i % 8 ? 400000 : 20000, false, &scratch);
        }
    }
    for (unsigned k = 0; k < XSC_CLASSES; k++) {
        const struct xsc_distribution *d = &site.after[k];

        for (uint32_t i = 0; i < d->n; i++) {
            const uint64_t ns = xsc_code_time(d->at[i]);

            assert_true(ns <= 20000 || ns > 60000);
            known += ns == 400000 ? d->weight[i] : 0;
            longer += ns > 60000 && ns != 400000 ? d->weight[i] : 0;
            total += d->weight[i];
        }
    }
    assert_in_range(known, total * 80 / 100, total * 88 / 100);
    assert_true(longer < total / 12);
}

/* Events after 25 us where there is time: to watch 20 for nothing is dearer than to sleep through them. */
static void a_timeout_within_the_watch_is_planned_for(void **state)
{
    const struct xsc_costs c = policy_costs(0, 2);
    struct xsc_policy site = {0};

    (void)state;
    for (unsigned i = 0; i < 400; i++) {
        if (i % 2) {
            learn_unmet(&site, &c, 20000);
        } else {
            const struct xsc_plan p = xsc_policy_plan(&site, &c, XSC_NEVER, false);

            policy_learn(&site, &c, &p, 25000, false, &scratch);
        }
    }
    assert_true(parks_at_once(&site, &c, 20000));
    assert_true(xsc_policy_plan(&site, &c, XSC_NEVER, false).watch_ns >= 25000);
    assert_true(xsc_policy_plan(&site, &c, 1000000, false).watch_ns >= 25000);
    xsc_policy_costs_changed(&site); /* what was dearer is not known now */
    for (unsigned i = 0; i < 2; i++) {
        const struct xsc_plan p = xsc_policy_plan(&site, &c, 20000, false);

        assert_true(p.watch_ns >= 20000);
        policy_learn(&site, &c, &p, 25000, false, &scratch);
    }
}

/* A nap with a timeout in it is none. */
static void naps_end_before_the_timeout(void **state)
{
    const struct xsc_costs c = policy_costs(0, 1);
    struct xsc_policy site = {0};

    (void)state;
    for (unsigned i = 0; i < 200; i++) {
        const struct xsc_plan p = xsc_policy_plan(&site, &c, XSC_NEVER, false);

        policy_learn(&site, &c, &p, 400000, false, &scratch);
    }
    const uint64_t nap = xsc_policy_plan(&site, &c, XSC_NEVER, false).nap_ns;

    assert_in_range(nap, 300000, 370000);
    assert_true(xsc_policy_plan(&site, &c, nap + 1, false).nap_ns == nap);
    assert_true(xsc_policy_plan(&site, &c, nap, false).nap_ns == XSC_NEVER);
}

/* What such a wait costs: CPU time alone. */
static void unmet_waits_cost_cpu_time(void **state)
{
    const struct xsc_costs c = policy_costs(0, 2), doze = policy_costs(3, 2);
    const struct xsc_costs uneven = policy_costs(2, 2);
    const struct xsc_plan p = {20000, 300000, 400000, false}, park = {20000, XSC_NEVER, 0, false};

    (void)state;
    assert_int_equal(xsc_unmet_cost_of(&c, &p, 20000, 40000), 200000);
    assert_int_equal(xsc_unmet_cost_of(&c, &p, 250000, 40000), 330000); /* no nap: parked */
    assert_int_equal(xsc_unmet_cost_of(&uneven, &p, 250000, 40000), 200000 + 99990);
    assert_int_equal(xsc_unmet_cost_of(&c, &p, 320000, 40000), 330000);
    assert_int_equal(xsc_unmet_cost_of(&c, &p, 350000, 40000), 430000);
    assert_int_equal(xsc_unmet_cost_of(&c, &p, 600000, 40000), 330000 + 600000 + 130000);
    assert_int_equal(xsc_unmet_cost_of(&c, &park, 30000, 40000), 330000);
    assert_int_equal(xsc_unmet_park(&doze, 540000), 130000 + 65000);
    assert_int_equal(xsc_unmet_park(&doze, 1080000), 260000 + 65000);
}

/* Found after a nap: it is one of those known there, or any in between, and not all in the middle. */
static void what_came_in_a_nap_is_looked_for(void **state)
{
    const struct xsc_costs c = policy_costs(3, 1);
    const struct xsc_outcome was = {
        .after_ns = 100000, .ns = 600000, .timeout_ns = XSC_NEVER, .within = true};
    struct xsc_policy site = {0};
    unsigned at = 0, inside = 0;

    (void)state;
    for (unsigned i = 0; i < 256; i++) {
        const struct xsc_plan p = xsc_policy_plan(&site, &c, XSC_NEVER, false);

        if (i < 64) {
            policy_learn(&site, &c, &p, i % 2 ? 350000 : 700000, false, &scratch);
        } else {
            xsc_policy_learn(&site, &c, &p, &was, &scratch);
        }
    }
    for (unsigned i = 0; i < XSC_RECENT; i++) {
        const uint64_t ns = xsc_code_time(site.recent[i]);

        assert_in_range(ns, 100001, 600000);
        at += ns == 350000;
        inside += ns != 350000;
    }
    assert_in_range(at, 8, 48);
    assert_in_range(inside, 16, 56);
}

/* ---- costs that change ---- */

static void new_costs_new_plans(void **state)
{
    const struct xsc_costs vm = policy_costs(0, 1), metal = policy_costs(1, 1);
    struct xsc_policy site = {0};

    (void)state;
    for (unsigned i = 0; i < 500; i++) {
        const struct xsc_plan p = xsc_policy_plan(&site, &vm, XSC_NEVER, false);

        policy_learn(&site, &vm, &p, 20000, false, &scratch);
    }
    struct xsc_plan p = xsc_policy_plan(&site, &vm, XSC_NEVER, false);

    assert_true(p.watch_ns >= 20000); /* a VM: watching 20 us is cheaper than a park */
    xsc_policy_costs_changed(&site);
    p = xsc_policy_plan(&site, &metal, XSC_NEVER, false);
    assert_int_equal(p.watch_ns, xsc_cost_park(&metal, 0) / 10);
    for (unsigned i = 0; i < 500; i++) {
        p = xsc_policy_plan(&site, &metal, XSC_NEVER, false);
        policy_learn(&site, &metal, &p, 20000, false, &scratch);
    }
    p = xsc_policy_plan(&site, &metal, XSC_NEVER, false);
    assert_true(p.watch_ns < 20000); /* bare metal: it isn't */
}

static void state_is_small(void **state)
{
    (void)state;
    assert_true(sizeof(struct xsc_policy) <= 1400);
    assert_true(sizeof(struct xsc_policy_scratch) <= 6656);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_keep_order_and_precision),
        cmocka_unit_test(spreads_stay_sorted),
        cmocka_unit_test(what_a_site_remembers_stays_sorted),
        cmocka_unit_test(spreads_keep_rare_waits),
        cmocka_unit_test(plans_are_the_best),
        cmocka_unit_test(crowded_means_leave),
        cmocka_unit_test(starved_watches_make_a_crowd),
        cmocka_unit_test(rare_starving_is_no_crowd),
        cmocka_unit_test(timeouts_teach_to_leave),
        cmocka_unit_test(what_a_timeout_has_cost_is_earned_back),
        cmocka_unit_test(a_timeout_is_no_event),
        cmocka_unit_test(a_timeout_within_the_watch_is_planned_for),
        cmocka_unit_test(naps_end_before_the_timeout),
        cmocka_unit_test(unmet_waits_cost_cpu_time),
        cmocka_unit_test(what_came_in_a_nap_is_looked_for),
        cmocka_unit_test(new_costs_new_plans),
        cmocka_unit_test(state_is_small),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
