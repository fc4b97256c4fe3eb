/* SPDX-License-Identifier: MIT */
/* xsc-wait-sim's optimum in hindsight is the optimum: against trying everything. */
#include "unit_policy.h"

#include "tools/xsc-wait-sim/hindsight.h"

#define WAITS 9
#define TRACES 400

struct least {
    const struct xsc_costs *c;
    const uint64_t *ns;
    double cost;
};

static void try(struct least *l, uint64_t watch, uint64_t nap, uint64_t until)
{
    const struct xsc_plan p = {watch, nap, until, false};
    const double cost = xsc_mean_cost(l->c, &p, l->ns, WAITS);

    l->cost = cost < l->cost ? cost : l->cost;
}

/* Every plan whose times are at a wait or one ns to either side, naps also the soonest. */
static double brute_force(const struct xsc_costs *c, const uint64_t *ns)
{
    struct least l = {c, ns, 1e300};
    uint64_t times[3 * WAITS + 1] = {0};
    uint32_t n = 1;

    for (uint32_t i = 0; i < WAITS; i++) {
        for (uint64_t t = ns[i] ? ns[i] - 1 : 0; t <= ns[i] + 1; t++) {
            times[n++] = t;
        }
    }
    for (uint32_t s = 0; s < n; s++) {
        try(&l, times[s], XSC_NEVER, 0);
        for (uint32_t e = 0; e <= n; e++) {
            for (unsigned k = 0; k < xsc_jitter_points(c); k++) {
                const uint64_t late = xsc_jitter_at(c, k);
                const uint64_t nap = e < n ? times[e] - late : times[s];
                const uint64_t last = nap + xsc_jitter_at(c, xsc_jitter_points(c) - 1);

                if ((e < n && times[e] < late) || nap < times[s]) {
                    continue;
                }
                try(&l, times[s], nap, 0);
                for (uint32_t q = 0; q < n; q++) {
                    if (times[q] >= last) {
                        try(&l, times[s], nap, times[q]);
                    }
                }
            }
        }
    }
    return l.cost;
}

static void nothing_is_better(void **state)
{
    uint64_t random = 5;

    (void)state;
    for (unsigned k = 0; k < TRACES; k++) {
        const struct xsc_costs c = policy_costs(k % POLICY_MACHINES, k / POLICY_MACHINES % 3);
        const uint64_t spread = 1ull << unit_between(&random, 4, 24);
        struct xsc_plan best;
        uint64_t ns[WAITS];

        for (unsigned i = 0; i < WAITS; i++) {
            ns[i] = i % 3 ? unit_random(&random) % spread
                          : 60000 + unit_random(&random) % (1 + spread / 8);
        }
        ns[1] = ns[0]; /* equals */
        assert_int_equal(xsc_hindsight(&c, ns, WAITS, &best), 0);
        const double found = xsc_mean_cost(&c, &best, ns, WAITS), least = brute_force(&c, ns);

        /* A doze's cost is rounded down wait by wait. */
        if (found > least + 1 + least * 1e-9) {
            fail_msg("trace %u: %f ns a wait, %f can be had", k, found, least);
        }
    }
}

static void obvious_optima(void **state)
{
    const struct xsc_costs c = policy_costs(0, 1);
    const uint64_t fixed[] = {500000, 500000, 500000}, quick[] = {900, 1000, 1100},
                   far[] = {1000000, 90000000, 5000000000};
    struct xsc_plan p;

    (void)state;
    assert_int_equal(xsc_hindsight(&c, fixed, 3, &p), 0);
    assert_int_equal(p.watch_ns, 0); /* nap so as to come back when it happens */
    assert_int_equal(p.nap_ns, 500000 - c.nap_latency_ns);
    assert_true(xsc_mean_cost(&c, &p, fixed, 3) == c.nap_cpu_ns);
    assert_int_equal(xsc_hindsight(&c, quick, 3, &p), 0);
    assert_int_equal(p.watch_ns, 1100);
    assert_true(xsc_mean_cost(&c, &p, quick, 3) == 1000);
    assert_int_equal(xsc_hindsight(&c, far, 3, &p), 0);
    assert_true(xsc_mean_cost(&c, &p, far, 3) <= 53000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(obvious_optima),
        cmocka_unit_test(nothing_is_better),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
