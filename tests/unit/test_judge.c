/* SPDX-License-Identifier: MIT */
/* xsc_trial_judge() and xsc_trial_sleeps(): what a trial's numbers are worth. C2. */
#include "tests/unit/unit.h"

#include "core/validate.h"

#define ALWAYS (XSC_MONITOR | XSC_DEADLINE)

static struct xsc_mechanism m;
static struct xsc_trial t;

/* A good trial of a monitor with a deadline. */
static int setup(void **state)
{
    (void)state;
    m = (struct xsc_mechanism){.name = "FAKE", .traits = ALWAYS, .rest_ns = 40000};
    t = (struct xsc_trial){
        .changed = {1000, 30, 60, 200},
        .self_store = {1000, 30, 70, 200},
        .cross_store = {1000, 150, 400, 9000},
        .overshoot = {6, 300, 600, 600},
        .rest = {6, 100000, 100000, 100000},
        .rest_mean_ns = 100000,
    };
    return 0;
}

static void judged(enum xsc_verdict verdict, const char *reason)
{
    char text[160];

    memset(text, '#', sizeof(text));
    assert_int_equal(xsc_trial_judge(&m, &t, &xsc_default_limits, text, sizeof(text)), verdict);
    assert_string_equal(text, reason);
}

static void a_good_trial_passes(void **state)
{
    (void)state;
    judged(XSC_GOOD, "passed");
}

/* At the limit is good, one nanosecond above it is not. */
static void every_limit_at_its_edge(void **state)
{
    static const struct {
        size_t field;
        uint32_t traits;
        uint64_t limit;
        const char *reason;
    } cases[] = {
        {offsetof(struct xsc_trial, changed.p99), ALWAYS, 5000, "slow to return: p99 5.0 us"},
        {offsetof(struct xsc_trial, self_store.p99), ALWAYS, 5000,
         "slow to see its own store: p99 5.0 us"},
        {offsetof(struct xsc_trial, cross_store.p99), ALWAYS, 20000, "slow to wake: p99 20.0 us"},
        {offsetof(struct xsc_trial, cross_store.max), ALWAYS, 20000000,
         "slow to wake: max 20.0 ms"},
        {offsetof(struct xsc_trial, overshoot.p50), ALWAYS, 50000,
         "oversleeps its deadline: p50 50.0 us"},
        {offsetof(struct xsc_trial, overshoot.p50), XSC_POLL, 50000,
         "oversleeps its deadline: p50 50.0 us"},
        {offsetof(struct xsc_trial, overshoot.p50), XSC_MONITOR, 150000,
         "oversleeps its deadline: p50 150.0 us"},
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        uint64_t *value = (uint64_t *)(void *)((char *)&t + cases[i].field);

        setup(NULL);
        m.traits = cases[i].traits;
        *value = cases[i].limit;
        judged(XSC_GOOD, "passed");
        *value = cases[i].limit + 1;
        judged(XSC_SLOW, cases[i].reason);
        *value = UINT64_MAX;
        assert_int_equal(xsc_trial_judge(&m, &t, &xsc_default_limits, (char[1]){0}, 1), XSC_SLOW);
    }
}

/* What is not limited: a median return, a single slow return, an overshoot's tail. */
static void what_has_no_limit(void **state)
{
    (void)state;
    t.changed.p50 = t.changed.max = UINT64_MAX;
    t.self_store.p50 = t.self_store.max = UINT64_MAX;
    t.cross_store.p50 = UINT64_MAX;
    t.overshoot.p99 = t.overshoot.max = UINT64_MAX;
    t.spurious_per_s = UINT64_MAX;
    t.cpu_permille = UINT64_MAX;
    judged(XSC_GOOD, "passed");
}

static void a_mechanism_that_leaves_the_cpu_may_be_late(void **state)
{
    (void)state;
    m.traits = XSC_POLL | XSC_LEAVES_CPU;
    t.overshoot.p50 = 10000000;
    judged(XSC_GOOD, "passed");
    t.changed.p99 = 5001; /* but not for what has happened */
    judged(XSC_SLOW, "slow to return: p99 5.0 us");
}

static void cross_limits_need_a_measurement(void **state)
{
    (void)state;
    m.traits = XSC_POLL;
    t.cross_store = (struct xsc_spread){0, 0, UINT64_MAX, UINT64_MAX};
    t.cross_trouble = "not needed: it polls, and memory is coherent";
    judged(XSC_GOOD, "passed");
}

static void faults_are_broken(void **state)
{
    (void)state;
    t.fault = 4;
    judged(XSC_BROKEN, "executing it raised signal 4 (illegal instruction)");
    t.fault = 11;
    judged(XSC_BROKEN, "executing it raised signal 11");
    t.fault = -1;
    judged(XSC_BROKEN, "not executed: nothing here could contain it if it faulted");
}

static void one_miss_is_too_many(void **state)
{
    (void)state;
    t.missed = 1;
    judged(XSC_BROKEN, "1 of 1000 stores by another CPU did not end the wait");
}

static void a_nop_and_a_trap_are_told_apart(void **state)
{
    static const struct {
        uint64_t rest_ns;
        const char *reason;
    } cases[] = {
        {0, "runs but does not sleep: comes back after 0 ns (a NOP here)"},
        {299, "runs but does not sleep: comes back after 299 ns (a NOP here)"},
        {300, "runs but does not sleep: comes back after 300 ns (trapped and skipped?)"},
        {39999, "runs but does not sleep: comes back after 39.9 us (trapped and skipped?)"},
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        t.rest.p50 = cases[i].rest_ns;
        t.rest.n = 1000;
        assert_false(xsc_trial_sleeps(&m, &t));
        judged(XSC_NO_SLEEP, cases[i].reason);
    }
    t.rest.p50 = 40000;
    assert_true(xsc_trial_sleeps(&m, &t));
    judged(XSC_GOOD, "passed");
}

/* A mechanism whose implementation naps shortly by design says so: WRS.STO. */
static void what_counts_as_sleep_is_the_mechanisms_say(void **state)
{
    (void)state;
    m.rest_ns = 500;
    t.rest.p50 = 500;
    judged(XSC_GOOD, "passed");
    t.rest.p50 = 499;
    judged(XSC_NO_SLEEP, "runs but does not sleep: comes back after 499 ns (trapped and skipped?)");
}

static void sleep_cut_short_by_the_os_is_sleep(void **state)
{
    (void)state;
    t.rest.p50 = 20000;
    t.rest.n = 10;
    t.rests_limited = 4;
    assert_false(xsc_trial_sleeps(&m, &t));
    t.rests_limited = 5; /* each second: what the limit leaves of a wait is not cut short */
    assert_true(xsc_trial_sleeps(&m, &t));
    judged(XSC_GOOD, "passed");
}

static void a_polling_mechanism_need_not_sleep(void **state)
{
    (void)state;
    m.traits = XSC_POLL | XSC_DEADLINE;
    t.rest.p50 = 0;
    judged(XSC_GOOD, "passed");
}

static void without_another_cpu_nothing_is_proven(void **state)
{
    (void)state;
    t.cross_trouble = "only one CPU to run on";
    judged(XSC_UNPROVEN, "not proven: only one CPU to run on");
}

static void half_the_waits_must_have_been_undisturbed(void **state)
{
    (void)state;
    t.unclear = 500;
    judged(XSC_GOOD, "passed");
    t.unclear = 501;
    judged(XSC_UNPROVEN, "not proven: it was kept from its CPU in 501 of 1000 waits");
    m.traits = XSC_POLL | XSC_DEADLINE;
    judged(XSC_GOOD, "passed");
}

/* A preemption in one of many NOPs lifts their mean as high as one likes. */
static void the_mean_is_not_asked(void **state)
{
    (void)state;
    t.rest_mean_ns = 1000000;
    t.rest = (struct xsc_spread){1000, 20, 40, 900000000};
    judged(XSC_NO_SLEEP, "runs but does not sleep: comes back after 20 ns (a NOP here)");
}

/* What is worse is said first. */
static void the_worst_is_what_is_said(void **state)
{
    (void)state;
    t.cross_trouble = "x";
    t.rest.p50 = 100;
    judged(XSC_NO_SLEEP, "runs but does not sleep: comes back after 100 ns (a NOP here)");
    t.cross_store.max = 20000001;
    judged(XSC_SLOW, "slow to wake: max 20.0 ms");
    t.cross_store.p99 = 20001;
    judged(XSC_SLOW, "slow to wake: p99 20.0 us");
    t.overshoot.p50 = 50001;
    judged(XSC_SLOW, "oversleeps its deadline: p50 50.0 us");
    t.self_store.p99 = 5001;
    judged(XSC_SLOW, "slow to see its own store: p99 5.0 us");
    t.changed.p99 = 5001;
    judged(XSC_SLOW, "slow to return: p99 5.0 us");
    t.missed = 3;
    judged(XSC_BROKEN, "3 of 1000 stores by another CPU did not end the wait");
    t.fault = 4;
    judged(XSC_BROKEN, "executing it raised signal 4 (illegal instruction)");
}

static void tiny_buffers_get_what_fits(void **state)
{
    static const char whole[] = "executing it raised signal 4 (illegal instruction)";

    (void)state;
    t.fault = 4;
    for (uint32_t size = 1; size <= sizeof(whole) + 1; size++) {
        char text[64];
        const size_t n = size - 1 < strlen(whole) ? size - 1 : strlen(whole);

        memset(text, '#', sizeof(text));
        assert_int_equal(xsc_trial_judge(&m, &t, &xsc_default_limits, text, size), XSC_BROKEN);
        assert_int_equal(strlen(text), n);
        assert_memory_equal(text, whole, n);
        assert_int_equal(text[size], '#');
    }
}

/* Where a preemption hits one wait of many, the rest is judged: all but one in a thousand. */
static void a_long_trial_is_let_off_its_worst(void **state)
{
    (void)state;
    t.cross_store.max = 20000001;
    t.cross_p999 = 20000000;
    judged(XSC_SLOW, "slow to wake: max 20.0 ms"); /* of 1000 */
    t.cross_store.n = 1001;
    judged(XSC_GOOD, "passed");
    t.cross_p999 = 20000001;
    judged(XSC_SLOW, "slow to wake: max 20.0 ms");
}

static void a_miss_in_twenty_thousand_is_chance(void **state)
{
    (void)state;
    t.cross_store.n = 19999;
    t.missed = 1;
    judged(XSC_BROKEN, "1 of 19999 stores by another CPU did not end the wait");
    t.cross_store.n = 20000;
    judged(XSC_GOOD, "passed");
    t.missed = 2;
    judged(XSC_BROKEN, "2 of 20000 stores by another CPU did not end the wait");
    t.cross_store.n = 40000;
    judged(XSC_GOOD, "passed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_good_trial_passes, setup),
        cmocka_unit_test_setup(every_limit_at_its_edge, setup),
        cmocka_unit_test_setup(what_has_no_limit, setup),
        cmocka_unit_test_setup(a_mechanism_that_leaves_the_cpu_may_be_late, setup),
        cmocka_unit_test_setup(cross_limits_need_a_measurement, setup),
        cmocka_unit_test_setup(faults_are_broken, setup),
        cmocka_unit_test_setup(one_miss_is_too_many, setup),
        cmocka_unit_test_setup(a_nop_and_a_trap_are_told_apart, setup),
        cmocka_unit_test_setup(what_counts_as_sleep_is_the_mechanisms_say, setup),
        cmocka_unit_test_setup(sleep_cut_short_by_the_os_is_sleep, setup),
        cmocka_unit_test_setup(a_polling_mechanism_need_not_sleep, setup),
        cmocka_unit_test_setup(without_another_cpu_nothing_is_proven, setup),
        cmocka_unit_test_setup(half_the_waits_must_have_been_undisturbed, setup),
        cmocka_unit_test_setup(the_mean_is_not_asked, setup),
        cmocka_unit_test_setup(the_worst_is_what_is_said, setup),
        cmocka_unit_test_setup(tiny_buffers_get_what_fits, setup),
        cmocka_unit_test_setup(a_long_trial_is_let_off_its_worst, setup),
        cmocka_unit_test_setup(a_miss_in_twenty_thousand_is_chance, setup),
    };

    return cmocka_run_group_tests_name("judge", tests, NULL, NULL);
}
