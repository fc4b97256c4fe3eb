/* SPDX-License-Identifier: MIT */
/* core/health.c as waits see it: judged on the way, by one of them, whatever others wait. C4. */
#include "tests/unit/unit.h"

#include "core/health.h"
#include "core/mechanism.h"
#include "core/wait.h"
#include "tests/unit/fake_mech.h"
#include "tests/unit/fake_port.h"

#define S 1000000000u
#define MS 1000000u
#define US 1000u

static struct xsc_engine e;
static struct xsc_mech_state *const s = &e.mech[0];
static struct xsc_counts *const n = &e.stats.slot[3].n; /* what some thread has counted */

static int setup(void **state)
{
    (void)state;
    fake_reset();
    fake_mechs_reset();
    fake_mech_polls(2);
    fake_engine(&e, 0, 2);
    xsc_health_check(&e, fake.now); /* an interval begins */
    return 0;
}

/* A bad interval goes by, and is judged at its end. */
static void bad_interval(void)
{
    fake.now += 10 * (uint64_t)S;
    n->hw_waits += 1000;
    n->woken += 800;
    n->late += 200;
    n->slices_ns += 50 * MS;
    xsc_health_check(&e, fake.now);
}

/* ---------------------------------------------------------------------------- the waits ---- */

static uint32_t word;

static const char *nobody(void)
{
    return NULL;
}

static enum xsc_end wait(uint64_t timeout_ns)
{
    const struct xsc_watch w = {&word, 0, UINT32_MAX, 4, XSC_UNTIL_NOT};

    return xsc_core_wait(&e, &w, timeout_ns, nobody);
}

/*
 * The whole of it, through waits alone: a monitor that stops noticing stores after an hour.
 * Every wait is right throughout; the mechanism is given up, and taken back when it works.
 */
static void a_monitor_that_goes_deaf_is_found_out_by_waiting(void **state)
{
    uint64_t deaf_since = 0, given_up = 0, back = 0;

    (void)state;
    word = 0;
    for (uint64_t i = 0; i < 24000; i++) {
        const uint64_t start = fake.now;

        if (!deaf_since && fake.now > 3600 * (uint64_t)S) {
            deaf_since = fake.now;
            fake_script[0].miss_every = 1;
        }
        word = 0;
        fake_store_at(fake.now + 40 * US, &word, 4, 1);
        assert_int_equal(wait(XSC_FOREVER), XSC_MET);
        assert_true(fake.now - start < 20 * MS); /* a second trial may lie in between */
        if (!given_up && e.chosen == XSC_CHOICE(2, 2)) {
            given_up = fake.now;
            fake_script[0].miss_every = 0;
        }
        if (given_up && !back && e.chosen == XSC_CHOICE(0, 2)) {
            back = fake.now;
        }
        fake_advance(S / 4); /* 40 waits in an interval: enough to judge it by */
    }
    assert_true(deaf_since && given_up && back);
    assert_in_range((given_up - deaf_since) / S, 20, 32); /* three intervals, one of them in part */
    assert_in_range((back - given_up) / S, 60, 75);
    assert_int_equal(s->state, XSC_STATE_ACTIVE);
}

/* A long wait in progress has counted its returns: they are not held against short ones' time. */
static void a_long_wait_is_not_taken_for_a_storm(void **state)
{
    (void)state;
    s->trial.spurious_per_s = 500000;
    n->hw_waits = n->spurious = 5000000; /* ten seconds of WRS.STO naps, still going on */
    n->slices_ns = 10 * (uint64_t)S;
    n->sum_ns = 2 * MS; /* what waits that ended have taken */
    fake.now += 10 * (uint64_t)S;
    xsc_health_check(&e, fake.now);
    assert_int_equal(s->state, XSC_STATE_ACTIVE);
}

static void waits_go_on_while_another_holds_the_lock(void **state)
{
    (void)state;
    assert_true(xsc_manager_lock(&e));
    n->hw_waits = n->late = 1000;
    fake.now += 100 * (uint64_t)S;
    word = 0;
    assert_int_equal(wait(MS), XSC_TIMED_OUT);
    assert_int_equal(s->state, XSC_STATE_ACTIVE); /* the interval waits for its judge */
    assert_int_equal(e.manager, fake.process);
    xsc_manager_unlock(&e);
    assert_int_equal(wait(MS), XSC_TIMED_OUT);
    assert_int_equal(s->state, XSC_STATE_DEGRADED);
}

/* In a kernel a wait may be made under a spin lock: the judgement, with its trial, is left to others. */
static void a_wait_that_may_not_judge_leaves_it_alone(void **state)
{
    (void)state;
    n->hw_waits = n->late = 1000;
    fake.now += 100 * (uint64_t)S;
    fake.waits_only = true;
    word = 0;
    assert_int_equal(wait(MS), XSC_TIMED_OUT);
    assert_int_equal(s->state, XSC_STATE_ACTIVE);
    fake.waits_only = false;
    xsc_health_check(&e, fake.now);
    assert_int_equal(s->state, XSC_STATE_DEGRADED);
}

/* Another thread judges the interval between our look at the time and our getting the lock. */
static void another_judges(void)
{
    fake.on_process = NULL;
    xsc_health_check(&e, fake.now);
}

static void an_interval_is_judged_once(void **state)
{
    (void)state;
    n->hw_waits = n->late = 1000;
    fake.now += 10 * (uint64_t)S;
    fake.on_process = another_judges;
    xsc_health_check(&e, fake.now);
    assert_int_equal(s->state, XSC_STATE_DEGRADED);
    assert_int_equal(s->bad_intervals, 1);
    assert_int_equal(e.health.next_ns, fake.now + 10 * (uint64_t)S);
    assert_int_equal(e.manager, 0);
}

/* The same in a forked child whose parent was judging: the lock is taken over. */
static void a_childs_health_goes_on(void **state)
{
    (void)state;
    e.manager = fake.process;
    fake.process++;
    bad_interval();
    assert_int_equal(s->state, XSC_STATE_DEGRADED);
    assert_int_equal(e.manager, 0);
}

/* Ten waits in an interval are too few, sixty in six are enough. */
static void one_wait_a_second_is_judged_too(void **state)
{
    (void)state;
    fake_script[0].miss_every = 1;
    for (int i = 0; i < 120 && e.chosen == XSC_CHOICE(0, 2); i++) {
        word = 0;
        fake_store_at(fake.now + 40 * US, &word, 4, 1);
        assert_int_equal(wait(XSC_FOREVER), XSC_MET);
        fake_advance(S);
    }
    assert_int_equal(e.chosen, XSC_CHOICE(2, 2));
}

/* A thread that is still in a wait it began with the monitor goes on counting. */
static void the_fallback_is_not_blamed_for_misses(void **state)
{
    (void)state;
    e.chosen = XSC_CHOICE(2, 2);
    bad_interval();
    assert_int_equal(e.mech[2].state, XSC_STATE_ACTIVE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_monitor_that_goes_deaf_is_found_out_by_waiting, setup),
        cmocka_unit_test_setup(a_long_wait_is_not_taken_for_a_storm, setup),
        cmocka_unit_test_setup(waits_go_on_while_another_holds_the_lock, setup),
        cmocka_unit_test_setup(a_wait_that_may_not_judge_leaves_it_alone, setup),
        cmocka_unit_test_setup(an_interval_is_judged_once, setup),
        cmocka_unit_test_setup(a_childs_health_goes_on, setup),
        cmocka_unit_test_setup(one_wait_a_second_is_judged_too, setup),
        cmocka_unit_test_setup(the_fallback_is_not_blamed_for_misses, setup),
    };

    return cmocka_run_group_tests_name("health_waits", tests, NULL, NULL);
}
