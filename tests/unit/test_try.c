/* SPDX-License-Identifier: MIT */
/* Around a trial: the probe's entry, quiet time after a setback, the peer's own loop. C2, C4. */
#include "tests/unit/unit_trial.h"

static unsigned woken;
static const struct xsc_trial_plan plan = TRIAL_PLAN(100, 4);

static int setup(void **state)
{
    woken = 0;
    return trial_setup(state);
}

static void count_wake(void)
{
    woken++;
}

/* --------------------------------------------------------------- the probe's entry, names ---- */

static void trying_needs_the_lock(void **state)
{
    (void)state;
    assert_true(xsc_manager_lock(&e));
    assert_false(xsc_engine_try(&e, 0, &plan));
    assert_false(s->tried);
    xsc_manager_unlock(&e);
    assert_true(xsc_engine_try(&e, 0, &plan));
    assert_true(s->tried);
    assert_int_equal(e.manager, 0);
    assert_int_equal(e.chosen, XSC_CHOICE(2, 2)); /* a candidate that passes changes nothing */
}

static void what_is_absent_is_not_tried(void **state)
{
    (void)state;
    fake_script[0].presence = XSC_ABSENT;
    assert_true(xsc_engine_try(&e, 0, &plan));
    assert_false(s->tried);
    assert_int_equal(fake_script[0].waits, 0);
    assert_int_equal(fake.tries, 0);
}

static void a_primary_found_unfit_is_rolled_back(void **state)
{
    (void)state;
    for (int slow = 0; slow < 2; slow++) {
        setup(NULL);
        e.chosen = XSC_CHOICE(0, 2);
        if (slow) {
            fake_script[0].wake_ns = 30 * US;
        } else {
            fake_script[0].miss_every = 1;
        }
        assert_true(xsc_engine_try(&e, 0, &plan));
        assert_int_equal(e.chosen, XSC_CHOICE(2, 2));
        assert_int_equal(s->state, XSC_STATE_FAILED);
        unit_contains(xsc_reason(s), slow ? "slow to wake" : "did not end the wait");
        assert_string_equal(xsc_said(&e.choice_reason), "rolled back from FAKE0");
        assert_int_equal(s->setbacks, 1);
    }
    setup(NULL);
    e.chosen = XSC_CHOICE(0, 2);
    fake_script[0].rest_ns = 100; /* no better than spinning, no worse */
    assert_true(xsc_engine_try(&e, 0, &plan));
    assert_int_equal(e.chosen, XSC_CHOICE(0, 2));
}

static void an_unfit_fallback_stays(void **state)
{
    (void)state;
    fake_script[2].enter_ns = 6000;
    assert_true(xsc_engine_try(&e, 2, &plan));
    assert_int_equal(e.mech[2].verdict, XSC_SLOW);
    assert_int_equal(e.chosen, XSC_CHOICE(2, 2));
}

static void setbacks_double_the_quiet_time(void **state)
{
    static const uint64_t quiet_s[] = {60, 120, 240, 480, 960, 1920, 3600, 3600, 3600, 3600, 3600};
    struct xsc_mech_state m = {0};

    (void)state;
    for (size_t i = 0; i < LENGTH(quiet_s); i++) {
        xsc_setback(&m, 5);
        assert_int_equal(m.quiet_until_ns, 5 + quiet_s[i] * 1000000000u);
        assert_int_equal(m.setbacks, i + 1);
    }
    m.setbacks = 1000000;
    xsc_setback(&m, 5);
    assert_int_equal(m.quiet_until_ns, 5 + XSC_QUIET_MAX_NS);
}

/* ------------------------------------------------------------------- the peer's own loop ---- */

static void the_peer_serves_a_request(void **state)
{
    struct xsc_peer p = {.clock = &e.clock, .wake = count_wake, .request = 7, .delay_ticks = 500};

    (void)state;
    p.stop = 1; /* what was asked for is done before */
    const uint64_t start = fake_counter_at(fake.now);

    xsc_peer_main(&p);
    assert_int_equal(p.word, 7);
    assert_int_equal(p.done, 7);
    assert_int_equal(woken, 1);
    assert_in_range(p.before - start, 500, 600);
    assert_in_range(p.after - p.before, 1, 20);
}

static void the_peer_ends_when_told_to(void **state)
{
    struct xsc_peer p = {.clock = &e.clock, .stop = 1};

    (void)state;
    xsc_peer_main(&p);
    assert_int_equal(p.word, 0);
    assert_int_equal(p.done, 0);
}

/* A mechanism under trial is not in use, unless it is: a failing candidate rolls nothing back. */
static void a_failing_candidate_changes_nothing(void **state)
{
    (void)state;
    fake_engine(&e, 0, 2);
    fake_script[1].miss_every = 1;
    assert_true(xsc_engine_try(&e, 1, &plan));
    assert_int_equal(e.mech[1].state, XSC_STATE_FAILED);
    assert_int_equal(e.chosen, XSC_CHOICE(0, 2));
    assert_int_equal(s->state, XSC_STATE_ACTIVE);
    assert_int_equal(s->setbacks, 0);
}

static void an_engine_of_zeroes_gets_its_defaults(void **state)
{
    static struct xsc_engine zeroes;
    const struct xsc_mechanism *const *const table = e.table;

    (void)state;
    xsc_engine_defaults(&zeroes);
    assert_ptr_equal(zeroes.limits, &xsc_default_limits);
    assert_ptr_equal(zeroes.plan, &xsc_short_plan);
    assert_int_equal(zeroes.health_ns, 10000000000u);
    assert_ptr_equal(zeroes.table, xsc_mechanisms);
    assert_int_equal(zeroes.n_mechs, XSC_N_MECHANISMS);
    e.health_ns = 5;
    e.plan = &plan;
    xsc_engine_defaults(&e); /* what is set stays */
    assert_int_equal(e.health_ns, 5);
    assert_ptr_equal(e.plan, &plan);
    assert_ptr_equal(e.table, table);
    assert_int_equal(e.n_mechs, FAKE_MECHS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(trying_needs_the_lock, setup),
        cmocka_unit_test_setup(what_is_absent_is_not_tried, setup),
        cmocka_unit_test_setup(a_primary_found_unfit_is_rolled_back, setup),
        cmocka_unit_test_setup(an_unfit_fallback_stays, setup),
        cmocka_unit_test_setup(setbacks_double_the_quiet_time, setup),
        cmocka_unit_test_setup(the_peer_serves_a_request, setup),
        cmocka_unit_test_setup(the_peer_ends_when_told_to, setup),
        cmocka_unit_test_setup(a_failing_candidate_changes_nothing, setup),
        cmocka_unit_test_setup(an_engine_of_zeroes_gets_its_defaults, setup),
    };

    return cmocka_run_group_tests_name("try", tests, NULL, NULL);
}
