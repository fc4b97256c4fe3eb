/* SPDX-License-Identifier: MIT */
/*
 * Two threads at one site: updates may be lost, the state stays sane. Counts, no clock; run
 * under ThreadSanitizer it also shows that what both touch is atomic.
 */
#define _XOPEN_SOURCE 700 /* barriers */
#include <pthread.h>

#include "unit_policy.h"

#include "core/code.h"

#define WAITS 200000

static struct xsc_policy site;
static struct xsc_costs costs;
static pthread_barrier_t start;

struct worker {
    uint64_t random;
    unsigned disorder; /* plans that can't be carried out */
    struct xsc_policy_scratch scratch;
};

static void *wait_and_learn(void *arg)
{
    struct worker *w = arg;

    pthread_barrier_wait(&start);
    for (unsigned i = 0; i < WAITS; i++) {
        const struct xsc_plan p = xsc_policy_plan(&site, &costs, XSC_NEVER, i % 1000 == 0);
        const uint64_t ns = i / 1000 % 2
                                ? unit_between(&w->random, 55000, 65000)
                                : unit_random(&w->random) >> unit_between(&w->random, 30, 60);

        w->disorder += p.watch_ns > XSC_CODE_TIME_MAX || p.watch_ns > p.nap_ns;
        policy_learn(&site, &costs, &p, ns, i % 50 == 0, &w->scratch);
        if (i % 5000 == 0) {
            xsc_policy_costs_changed(&site);
        }
    }
    return NULL;
}

static void sharing_keeps_it_sane(void **state)
{
    static struct worker workers[2];
    pthread_t thread[2];

    (void)state;
    costs = policy_costs(0, 1);
    pthread_barrier_init(&start, NULL, 2);
    for (int k = 0; k < 2; k++) {
        workers[k].random = (uint64_t)k;
        assert_int_equal(pthread_create(&thread[k], NULL, wait_and_learn, &workers[k]), 0);
    }
    for (int k = 0; k < 2; k++) {
        pthread_join(thread[k], NULL);
        assert_int_equal(workers[k].disorder, 0);
    }
    pthread_barrier_destroy(&start);
    assert_int_equal(site.busy, 0);
    /* How many were dropped is the scheduler's: one that loses its CPU while it learns drops the other's. */
    assert_in_range(site.waits, 1, 2 * WAITS);
    assert_in_range(site.adviser, 1, XSC_ADVISERS);
    assert_true(site.last_class < XSC_CLASSES);
    for (unsigned k = 0; k < XSC_CLASSES; k++) {
        const struct xsc_distribution *s = &site.after[k];
        uint32_t total = 0;

        for (uint32_t i = 0; i < s->n; i++) {
            assert_true(!i || s->at[i - 1] <= s->at[i]);
            total += s->weight[i];
        }
        assert_int_equal(total, s->total);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(sharing_keeps_it_sane)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
