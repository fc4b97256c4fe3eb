/* SPDX-License-Identifier: MIT */
/*
 * The policy learns: on each kind of made-up trace it comes near the best static plan, and is
 * never much above the best fixed policy. Deterministic: costs are counted, not measured.
 */
#include "unit_policy.h"

#include "tools/xsc-wait-sim/judge.h"

struct family {
    const char *spec;
    double vs_hindsight; /* at most; below 1 where order or change can be used */
};

static const struct family families[] = {
    {"fixed", 1.05},
    {"fixed:5000", 1.05},
    {"fixed:300000", 1.10},
    {"jitter:250000:1", 1.05},
    {"jitter:250000:10", 1.05},
    {"jitter:250000:50", 1.05},
    {"jitter:2000000:1", 1.10},
    {"jitter:60000:3", 1.05},
    {"exponential:8000", 1.05},
    {"exponential", 1.05},
    {"exponential:5000000", 1.05},
    {"bimodal", 1.06},
    {"heavy", 1.06},
    {"heavy:1000:0.8", 1.06},
    {"bursty", 1.03},
    {"drift", 1.01},
    {"step", 1.01},
    {"alternating", 0.99},
};

static void comes_near_hindsight(void **state)
{
    (void)state;
    for (unsigned i = 0; i < LENGTH(families); i++) {
        for (unsigned k = 0; k < 6; k++) {
            const struct xsc_costs c = policy_costs(k / 3, k % 3);
            struct xsc_verdict_of v;
            struct xsc_trace t;

            assert_int_equal(xsc_trace_generate(&t, families[i].spec), 0);
            assert_int_equal(xsc_judge(&c, &t, &v), 0);
            if (v.ours > families[i].vs_hindsight * v.hindsight + 1) {
                fail_msg("%s, machine %u, preference %u: %f, hindsight %f", families[i].spec, k / 3,
                         k % 3, v.ours, v.hindsight);
            }
            if (v.ours > 1.05 * v.fixed[v.best_fixed]) {
                fail_msg("%s, machine %u, preference %u: %f, best fixed %f", families[i].spec,
                         k / 3, k % 3, v.ours, v.fixed[v.best_fixed]);
            }
            xsc_trace_free(&t);
        }
    }
}

/* After a step it is as good as if it had known only what came after, in some dozens of waits. */
static void forgets(void **state)
{
    const struct xsc_costs c = policy_costs(0, 1);
    static struct xsc_policy_scratch scratch;
    struct xsc_policy site = {0};
    uint64_t after = 0;

    (void)state;
    for (unsigned i = 0; i < 20000; i++) {
        const uint64_t ns = i < 10000 ? 20000 + i % 97 : 400000 + i % 997;
        const struct xsc_plan p = xsc_policy_plan(&site, &c, XSC_NEVER, false);

        if (i >= 10500) {
            after += xsc_cost_of(&c, &p, ns, c.nap_latency_ns);
        }
        policy_learn(&site, &c, &p, ns, false, &scratch);
    }
    /* A nap's CPU, and about the jitter watched. */
    assert_in_range(after / 10 / 9500, 13000, 16000);
}

/*
 * Advisers are judged by the latest waits: long merit in one kind of weather buys no lasting
 * trust in another. First one wait in 200 is long, which 64 waits don't show; then the level
 * changes every 300 waits, which only they show.
 */
static void forgets_merit(void **state)
{
    const struct xsc_costs c = policy_costs(1, 2);
    static struct xsc_policy_scratch scratch;
    struct xsc_policy site = {0};
    uint64_t later = 0, safe = 0;

    (void)state;
    for (unsigned i = 0; i < 60000; i++) {
        const uint64_t ns = i < 50000 ? (i % 200 == 7 ? 20000 : 1000 + i % 89)
                                      : (i / 300 % 2 ? 100000 : 10000) + i % 89;
        const struct xsc_plan p = xsc_policy_plan(&site, &c, XSC_NEVER, false);
        const struct xsc_plan always = {xsc_cost_park(&c, 0) / 10, XSC_NEVER, 0, false};

        if (i >= 50000) {
            later += xsc_cost_of(&c, &p, ns, c.nap_latency_ns);
            safe += xsc_cost_of(&c, &always, ns, c.nap_latency_ns);
        }
        policy_learn(&site, &c, &p, ns, false, &scratch);
    }
    assert_true(later * 100 < safe * 34);
}

/* Where waits alternate, the previous one tells what is next. */
static void uses_order(void **state)
{
    const struct xsc_costs c = policy_costs(1, 1);
    struct xsc_verdict_of v;
    struct xsc_trace t;

    (void)state;
    assert_int_equal(xsc_trace_generate(&t, "alternating"), 0);
    assert_int_equal(xsc_judge(&c, &t, &v), 0);
    assert_true(v.ours < 0.85 * v.hindsight);
    xsc_trace_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_near_hindsight),
        cmocka_unit_test(forgets),
        cmocka_unit_test(forgets_merit),
        cmocka_unit_test(uses_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
