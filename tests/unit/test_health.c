/* SPDX-License-Identifier: MIT */
/* core/health.c: intervals judged, states, roll backs and second chances. C1, C4. */
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

/* An interval of the given kind goes by, and is judged at its end. */
static void good_interval(void)
{
    fake.now += 10 * (uint64_t)S;
    n->hw_waits += 1000;
    n->woken += 1000;
    n->slices_ns += 50 * MS;
    xsc_health_check(&e, fake.now);
}

static void bad_interval(void)
{
    fake.now += 10 * (uint64_t)S;
    n->hw_waits += 1000;
    n->woken += 800;
    n->late += 200;
    n->slices_ns += 50 * MS;
    xsc_health_check(&e, fake.now);
}

/* ------------------------------------------------------------------------- one interval ---- */

static bool bad(const struct xsc_counts *grown, uint64_t seen_per_s, const char *reason)
{
    const struct xsc_trial seen = {.spurious_per_s = seen_per_s};
    char text[160] = "#";
    const bool is_bad = xsc_interval_bad(&fake_mech[0], &seen, grown, text, sizeof(text));

    assert_string_equal(text, is_bad ? reason : "");
    return is_bad;
}

static void too_few_waits_prove_nothing(void **state)
{
    struct xsc_counts c = {.hw_waits = 19,
                           .late = 19,
                           .overslept = 19,
                           .expired = 19,
                           .spurious = UINT32_MAX,
                           .slices_ns = MS};

    (void)state;
    assert_false(bad(&c, 0, ""));
    c.hw_waits = 20;
    assert_true(bad(&c, 0, "19 of 19 stores were noticed only when the slice ended"));
}

/* Bad: at least four, and more than one in ten of the stores. */
static void late_wakes_at_their_edge(void **state)
{
    static const struct {
        uint64_t late, woken;
        bool bad;
    } cases[] = {{3, 0, false},     {4, 0, true},    {4, 35, true},  {4, 36, false},
                 {4, 37, false},    {5, 44, true},   {5, 45, false}, {100, 899, true},
                 {100, 900, false}, {101, 900, true}};

    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        const struct xsc_counts c = {
            .hw_waits = 1000, .late = cases[i].late, .woken = cases[i].woken};
        char text[160];
        const struct xsc_trial seen = {0};

        assert_int_equal(xsc_interval_bad(&fake_mech[0], &seen, &c, text, sizeof(text)),
                         cases[i].bad);
    }
}

/* Bad: over 100,000 a second of waiting AND over eight times what the trial saw. */
static void spurious_rate_at_its_edge(void **state)
{
    static const struct {
        uint64_t spurious, ns, seen;
        const char *reason;
    } cases[] = {
        {100000, S, 0, NULL},
        {100001, S, 0, "100001 spurious wakes a second, 0 when it was tried"},
        {100001, S, 12500, "100001 spurious wakes a second, 12500 when it was tried"},
        {100008, S, 12501, NULL},
        {100009, S, 12501, "100009 spurious wakes a second, 12501 when it was tried"},
        {800000, S, 100000, NULL},
        {800001, S, 100000, "800001 spurious wakes a second, 100000 when it was tried"},
        {101, MS, 0, "101000 spurious wakes a second, 0 when it was tried"},
        {1000000, 999999, 0, NULL}, /* waited for less than a millisecond: no rate */
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        const struct xsc_counts c = {
            .hw_waits = 2000000, .spurious = cases[i].spurious, .slices_ns = cases[i].ns};

        assert_int_equal(bad(&c, cases[i].seen, cases[i].reason), cases[i].reason != NULL);
    }
}

static void polling_is_never_spurious(void **state)
{
    const struct xsc_counts c = {.hw_waits = 10000000, .spurious = 10000000, .slices_ns = S};

    (void)state;
    fake_mech_polls(0);
    assert_false(bad(&c, 0, ""));
}

/* Bad: at least four, and more than half of those that ran out. */
static void oversleeping_at_its_edge(void **state)
{
    static const struct {
        uint64_t overslept, expired;
        bool bad;
    } cases[] = {{3, 3, false}, {4, 4, true},       {4, 7, true},     {4, 8, false},
                 {5, 9, true},  {500, 1000, false}, {501, 1000, true}};

    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        const struct xsc_counts c = {.hw_waits = 1000,
                                     .overslept = cases[i].overslept,
                                     .expired = cases[i].expired,
                                     .max_over_ns = 2500000};
        char reason[160];

        snprintf(reason, sizeof(reason), "%ju of %ju slices ended late, by up to 2.5 ms",
                 (uintmax_t)cases[i].overslept, (uintmax_t)cases[i].expired);
        assert_int_equal(bad(&c, 0, reason), cases[i].bad);
    }
}

static void what_the_os_limits_is_no_fault(void **state)
{
    const struct xsc_counts c = {.hw_waits = 1000000, .limited = 1000000, .slices_ns = S};

    (void)state;
    assert_false(bad(&c, 0, ""));
}

/* ------------------------------------------------------------------------------ the time ---- */

static void judged_at_ten_seconds_and_not_before(void **state)
{
    (void)state;
    const uint64_t start = fake.now;

    n->hw_waits = n->late = 1000;
    xsc_health_check(&e, start + 10 * (uint64_t)S - 1);
    assert_int_equal(s->state, XSC_STATE_ACTIVE);
    assert_int_equal(e.health.next_ns, start + 10 * (uint64_t)S);
    xsc_health_check(&e, start + 10 * (uint64_t)S);
    assert_int_equal(s->state, XSC_STATE_DEGRADED);
    assert_int_equal(e.health.next_ns, start + 20 * (uint64_t)S);
    assert_int_equal(e.manager, 0);
}

static void the_first_check_only_begins(void **state)
{
    (void)state;
    fake_engine(&e, 0, 2);
    n->hw_waits = n->late = 1000;
    xsc_health_check(&e, 5);
    assert_int_equal(s->state, XSC_STATE_ACTIVE);
    assert_int_equal(e.health.next_ns, 5 + 10 * (uint64_t)S);
    xsc_health_check(&e, 5 + 10 * (uint64_t)S);
    assert_int_equal(s->state, XSC_STATE_ACTIVE); /* nothing has happened since */
}

static void only_what_grew_is_judged(void **state)
{
    (void)state;
    bad_interval();
    assert_int_equal(s->state, XSC_STATE_DEGRADED);
    fake.now += 10 * (uint64_t)S;
    xsc_health_check(&e, fake.now); /* idle: too few waits to be bad, or good */
    assert_int_equal(s->state, XSC_STATE_DEGRADED);
    assert_int_equal(s->bad_intervals, 1);
    n->hw_waits += 10;
    n->woken += 10;
    fake.now += 10 * (uint64_t)S;
    xsc_health_check(&e, fake.now); /* still too few, but they are kept */
    assert_int_equal(s->state, XSC_STATE_DEGRADED);
    n->hw_waits += 10;
    n->woken += 10;
    fake.now += 10 * (uint64_t)S;
    xsc_health_check(&e, fake.now);
    assert_int_equal(s->state, XSC_STATE_ACTIVE);
}

/* Each of the counts that are judged is taken as the difference since the interval began. */
static void all_judged_counts_are_differences(void **state)
{
    (void)state;
    n->woken = 1000000; /* long ago; were it taken for this interval's, nothing would be late */
    n->expired = 1000000;
    n->slices_ns = 1000000 * (uint64_t)S;
    good_interval();
    n->hw_waits += 20;
    n->late += 4;
    fake.now += 10 * (uint64_t)S;
    xsc_health_check(&e, fake.now);
    assert_string_equal(xsc_reason(s), "4 of 4 stores were noticed only when the slice ended");
    n->hw_waits += 20;
    n->overslept += 4;
    n->expired += 5;
    n->max_over_ns = 3000;
    fake.now += 10 * (uint64_t)S;
    xsc_health_check(&e, fake.now);
    assert_string_equal(xsc_reason(s), "4 of 5 slices ended late, by up to 3.0 us");
    good_interval();
    n->hw_waits += 1000000;
    n->spurious += 1000000;
    n->slices_ns += S;
    fake.now += 10 * (uint64_t)S;
    xsc_health_check(&e, fake.now);
    assert_string_equal(xsc_reason(s), "1000000 spurious wakes a second, 0 when it was tried");
    n->hw_waits += 1000000; /* before the interval: old ones must not count again */
    fake.now += 10 * (uint64_t)S;
    xsc_health_check(&e, fake.now);
    assert_int_equal(s->state, XSC_STATE_ACTIVE);
}

/* ---------------------------------------------------------------------------- the states ---- */

static void one_bad_interval_degrades(void **state)
{
    (void)state;
    bad_interval();
    assert_int_equal(s->state, XSC_STATE_DEGRADED);
    assert_string_equal(xsc_reason(s), "200 of 1000 stores were noticed only when the slice ended");
    assert_int_equal(e.chosen, XSC_CHOICE(0, 2)); /* still in use */
}

static void a_good_one_recovers(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++) {
        bad_interval();
        bad_interval();
        assert_int_equal(s->bad_intervals, 2);
        good_interval();
        assert_int_equal(s->state, XSC_STATE_ACTIVE);
        assert_string_equal(xsc_reason(s), "recovered");
        assert_int_equal(s->bad_intervals, 0);
    }
    assert_int_equal(e.chosen, XSC_CHOICE(0, 2));
}

static void three_in_a_row_roll_back(void **state)
{
    (void)state;
    bad_interval();
    bad_interval();
    assert_int_equal(e.chosen, XSC_CHOICE(0, 2));
    bad_interval();
    assert_int_equal(e.chosen, XSC_CHOICE(2, 2));
    assert_int_equal(s->state, XSC_STATE_FAILED);
    assert_string_equal(xsc_reason(s), "200 of 1000 stores were noticed only when the slice ended");
    assert_string_equal(xsc_said(&e.choice_reason), "rolled back from FAKE0");
    assert_int_equal(s->setbacks, 1);
    assert_int_equal(s->quiet_until_ns, fake.now + XSC_QUIET_NS);
    assert_int_equal(e.mech[2].state, XSC_STATE_ACTIVE);
    good_interval();
    assert_string_equal(xsc_reason(s), "200 of 1000 stores were noticed only when the slice ended");
}

static void every_criterion_rolls_back(void **state)
{
    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        setup(NULL);
        for (int i = 0; i < 3; i++) {
            n->hw_waits += 10000000;
            n->slices_ns += S;
            if (kind == 0) {
                n->late += 50;
            } else if (kind == 1) {
                n->spurious += 10000000;
            } else {
                n->expired += 100;
                n->overslept += 60;
            }
            fake.now += 10 * (uint64_t)S;
            xsc_health_check(&e, fake.now);
        }
        assert_int_equal(e.chosen, XSC_CHOICE(2, 2));
        assert_int_equal(s->state, XSC_STATE_FAILED);
    }
}

static void with_nothing_to_fall_to_it_stays_degraded(void **state)
{
    (void)state;
    e.chosen = XSC_CHOICE(0, 0);
    for (int i = 0; i < 10; i++) {
        bad_interval();
        assert_int_equal(s->state, XSC_STATE_DEGRADED);
        assert_int_equal(e.chosen, XSC_CHOICE(0, 0));
    }
    assert_int_equal(s->setbacks, 0);
    good_interval();
    assert_int_equal(s->state, XSC_STATE_ACTIVE);
}

static void good_for_an_hour_then_bad(void **state)
{
    (void)state;
    for (int i = 0; i < 360; i++) {
        good_interval();
        assert_int_equal(s->state, XSC_STATE_ACTIVE);
        assert_string_equal(xsc_reason(s), "passed");
    }
    bad_interval();
    assert_int_equal(s->state, XSC_STATE_DEGRADED);
    bad_interval();
    bad_interval();
    assert_int_equal(s->state, XSC_STATE_FAILED);
    assert_int_equal(e.chosen, XSC_CHOICE(2, 2));
}

/* ----------------------------------------------------------------------- second chances ---- */

/* Goes on until the mechanism is tried, and says after how many whole seconds of quiet. */
static uint64_t seconds_until_tried(void)
{
    const unsigned tries = fake.tries;
    const uint64_t start = fake.now;

    while (fake.tries == tries) {
        good_interval();
        assert_true(fake.now - start < 7200 * (uint64_t)S);
    }
    return (fake.now - start) / S;
}

static void a_second_chance_after_a_minute(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        bad_interval();
    }
    assert_int_equal(e.chosen, XSC_CHOICE(2, 2));
    assert_int_equal(seconds_until_tried(), 60);
    assert_int_equal(e.chosen, XSC_CHOICE(0, 2));
    assert_int_equal(s->state, XSC_STATE_ACTIVE);
    assert_string_equal(xsc_reason(s), "passed");
    assert_string_equal(xsc_said(&e.choice_reason), "passed its trial when it was tried again");
    assert_int_equal(s->bad_intervals, 0);
}

static void the_quiet_time_doubles_with_each_roll_back(void **state)
{
    static const uint64_t quiet[] = {60, 120, 240, 480, 960, 1920, 3600, 3600};

    (void)state;
    for (size_t i = 0; i < LENGTH(quiet); i++) {
        for (int b = 0; b < 3; b++) {
            bad_interval();
        }
        assert_int_equal(e.chosen, XSC_CHOICE(2, 2));
        assert_int_equal(seconds_until_tried(), quiet[i]);
        assert_int_equal(e.chosen, XSC_CHOICE(0, 2));
    }
}

static void the_quiet_time_doubles_with_each_failed_trial(void **state)
{
    static const uint64_t quiet[] = {60, 120, 240, 480, 960, 1920, 3600, 3600, 3600};

    (void)state;
    for (int b = 0; b < 3; b++) {
        bad_interval();
    }
    fake.try_result = 4;
    for (size_t i = 0; i < LENGTH(quiet); i++) {
        assert_int_equal(seconds_until_tried(), quiet[i]);
        assert_int_equal(e.chosen, XSC_CHOICE(2, 2));
        assert_int_equal(s->state, XSC_STATE_FAILED);
        unit_contains(xsc_reason(s), "signal 4");
    }
}

/* Unproven, because no other CPU was free, is no failure, but it waits as long. */
static void an_unproven_one_is_tried_again(void **state)
{
    (void)state;
    e.chosen = XSC_CHOICE(2, 2);
    fake.peer_trouble = "only one CPU to run on";
    xsc_validate(&e, s, e.plan);
    assert_int_equal(s->state, XSC_STATE_CANDIDATE);
    assert_int_equal(s->setbacks, 1);
    assert_int_equal(seconds_until_tried(), 60);
    assert_int_equal(s->setbacks, 2); /* counted once */
    assert_int_equal(e.chosen, XSC_CHOICE(2, 2));
    fake.peer_trouble = NULL;
    assert_in_range(seconds_until_tried(), 120, 130);
    assert_int_equal(e.chosen, XSC_CHOICE(0, 2));
}

/* Those that never had a setback are not: they failed at the first, or are worse. */
static void nothing_else_is_tried_again(void **state)
{
    (void)state;
    e.chosen = XSC_CHOICE(1, 2);
    e.mech[0].state = XSC_STATE_FAILED; /* absent */
    e.mech[3].setbacks = 1;             /* after the primary in order of preference */
    for (int i = 0; i < 400; i++) {
        good_interval();
    }
    assert_int_equal(fake.tries, 0);
}

static void the_better_of_two_is_taken(void **state)
{
    (void)state;
    e.chosen = XSC_CHOICE(2, 2);
    e.mech[0].setbacks = e.mech[1].setbacks = 1;
    fake_script[0].miss_every = 1; /* and the next is looked at when the best fails again */
    good_interval();
    assert_int_equal(e.chosen, XSC_CHOICE(1, 2));
    assert_int_equal(e.mech[0].state, XSC_STATE_FAILED);
    assert_int_equal(e.mech[0].setbacks, 2);
    fake_script[0].miss_every = 0;
    assert_int_equal(seconds_until_tried(), 120);
    assert_int_equal(e.chosen, XSC_CHOICE(0, 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(too_few_waits_prove_nothing, setup),
        cmocka_unit_test_setup(late_wakes_at_their_edge, setup),
        cmocka_unit_test_setup(spurious_rate_at_its_edge, setup),
        cmocka_unit_test_setup(polling_is_never_spurious, setup),
        cmocka_unit_test_setup(oversleeping_at_its_edge, setup),
        cmocka_unit_test_setup(what_the_os_limits_is_no_fault, setup),
        cmocka_unit_test_setup(judged_at_ten_seconds_and_not_before, setup),
        cmocka_unit_test_setup(the_first_check_only_begins, setup),
        cmocka_unit_test_setup(only_what_grew_is_judged, setup),
        cmocka_unit_test_setup(all_judged_counts_are_differences, setup),
        cmocka_unit_test_setup(one_bad_interval_degrades, setup),
        cmocka_unit_test_setup(a_good_one_recovers, setup),
        cmocka_unit_test_setup(three_in_a_row_roll_back, setup),
        cmocka_unit_test_setup(every_criterion_rolls_back, setup),
        cmocka_unit_test_setup(with_nothing_to_fall_to_it_stays_degraded, setup),
        cmocka_unit_test_setup(good_for_an_hour_then_bad, setup),
        cmocka_unit_test_setup(a_second_chance_after_a_minute, setup),
        cmocka_unit_test_setup(the_quiet_time_doubles_with_each_roll_back, setup),
        cmocka_unit_test_setup(the_quiet_time_doubles_with_each_failed_trial, setup),
        cmocka_unit_test_setup(an_unproven_one_is_tried_again, setup),
        cmocka_unit_test_setup(nothing_else_is_tried_again, setup),
        cmocka_unit_test_setup(the_better_of_two_is_taken, setup),
    };

    return cmocka_run_group_tests_name("health", tests, NULL, NULL);
}
