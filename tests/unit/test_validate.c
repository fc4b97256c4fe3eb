/* SPDX-License-Identifier: MIT */
/* Trials of fake mechanisms: what is measured, and the state that comes of it. C1, C2. */
#include "tests/unit/unit_trial.h"

static const struct xsc_trial *const t = &e.mech[0].trial;
static const struct xsc_trial_plan long_plan = TRIAL_PLAN(1000, 20);

static enum xsc_verdict validate(const struct xsc_trial_plan *plan)
{
    xsc_validate(&e, &e.mech[0], plan);
    assert_true(s->tried);
    assert_int_equal(fake.peer_starts,
                     fake.peer_stops + (fake.peer_trouble ? fake.peer_starts : 0));
    return s->verdict;
}

/* How many whole trials were made: each begins by executing the mechanism in a safe place. */
static unsigned attempts(void)
{
    return fake.tries;
}

/* ------------------------------------------------------------------------ the good ones ---- */

static void a_good_one_passes(void **state)
{
    (void)state;
    fake.step = 0;
    assert_int_equal(validate(&long_plan), XSC_GOOD);
    assert_int_equal(s->state, XSC_STATE_ACTIVE);
    assert_string_equal(xsc_reason(s), "passed");
    assert_int_equal(attempts(), 1);
    assert_int_equal(t->fault, 0);
    assert_int_equal(t->changed.n, 1000);
    assert_int_equal(t->changed.max, 20); /* to arm and to look */
    assert_int_equal(t->self_store.n, 1000);
    assert_int_equal(t->self_store.max, 20);
    assert_int_equal(t->cross_store.n, 1000);
    assert_int_equal(t->cross_store.max, 100); /* to wake, from the peer's stamp */
    assert_int_equal(t->cross_store.p50, 100);
    assert_int_equal(t->overshoot.n, 20);
    assert_int_equal(t->overshoot.max, 60);
    assert_int_equal(t->rest.n, 20);
    assert_in_range(t->rest_mean_ns, 100000, 100100);
    assert_int_equal(t->rests_limited, 0);
    assert_int_equal(t->os_limit_ns, 0);
    assert_int_equal(t->missed, 0);
    assert_int_equal(t->spurious_per_s, 0);
    assert_null(t->cross_trouble);
    assert_true(xsc_fit(s));
}

static void at_any_rate_of_the_counter(void **state)
{
    static const uint64_t rates[] = {1000000, 19200000, 62500000, 2600000000u, 5000000000u};

    (void)state;
    for (size_t i = 0; i < LENGTH(rates); i++) {
        trial_setup(NULL);
        fake.hz = rates[i];
        fake.counter_base = UINT64_MAX - rates[i] - 300; /* wraps soon after the start */
        fake_engine(&e, 2, 2);
        assert_int_equal(validate(&long_plan), XSC_GOOD);
        assert_in_range(t->rest_mean_ns, 99000, 102100);
        assert_in_range(t->cross_store.max, 0, 3200);
    }
}

static void cpu_time_is_what_was_burnt_while_nothing_happened(void **state)
{
    static const uint64_t burns[] = {0, 20, 500, 1000};

    (void)state;
    for (size_t i = 0; i < LENGTH(burns); i++) {
        trial_setup(NULL);
        fake.cpu_permille = burns[i];
        assert_int_equal(validate(&long_plan), XSC_GOOD);
        assert_in_range(t->cpu_permille, burns[i] ? burns[i] - 1 : 0, burns[i] + 1);
    }
}

/* The peer stores 0 to 3 steps after it was asked, so waits are met before and while. */
static void the_peer_varies_its_delay(void **state)
{
    (void)state;
    fake.step = 0;
    validate(&long_plan);
    /* 0 ns is met in arming and looking (20 ns); the rest during the wait. */
    assert_int_equal(fake_script[0].stores, 750);
}

static unsigned woken;

static void count_wake(void)
{
    woken++;
}

static void a_mechanism_that_needs_a_wake_is_woken(void **state)
{
    (void)state;
    woken = 0;
    fake_mech[0].wake = count_wake;
    fake_mech[0].traits |= XSC_NEEDS_WAKE;
    assert_int_equal(validate(&long_plan), XSC_GOOD);
    assert_int_equal(woken, 1000);
    assert_false(xsc_fit(s)); /* and yet it is not for plain stores */
}

static void polling_is_spared_the_peer_in_the_short_plan(void **state)
{
    (void)state;
    fake_mech_polls(0);
    assert_int_equal(validate(&xsc_short_plan), XSC_GOOD);
    assert_int_equal(fake.peer_starts, 0);
    assert_int_equal(fake.tries, 0); /* it can't fault, so it is not tried apart */
    assert_int_equal(t->cross_store.n, 0);
    unit_contains(t->cross_trouble, "not needed");
    assert_int_equal(validate(&long_plan), XSC_GOOD); /* but not in the probe's */
    assert_int_equal(fake.peer_starts, 1);
    assert_int_equal(t->cross_store.n, 1000);
    assert_null(t->cross_trouble);
}

/* ------------------------------------------------------------------------- the bad ones ---- */

static void too_slow_to_return(void **state)
{
    (void)state;
    fake_script[0].enter_ns = 5500;
    assert_int_equal(validate(&long_plan), XSC_SLOW);
    assert_int_equal(s->state, XSC_STATE_FAILED);
    unit_contains(xsc_reason(s), "slow to return: p99 5.");
    assert_int_equal(attempts(), 3);
    assert_false(xsc_fit(s));
}

static void too_slow_to_wake(void **state)
{
    (void)state;
    fake_script[0].wake_ns = 25 * US;
    assert_int_equal(validate(&long_plan), XSC_SLOW);
    unit_contains(xsc_reason(s), "slow to wake: p99 25.");
}

static void oversleeping(void **state)
{
    (void)state;
    fake_script[0].exit_ns = 60 * US;
    assert_int_equal(validate(&long_plan), XSC_SLOW);
    unit_contains(xsc_reason(s), "oversleeps its deadline: p50 59."); /* a bucket's middle */
}

static void never_wakes(void **state)
{
    (void)state;
    fake_script[0].miss_every = 1;
    assert_int_equal(validate(&xsc_short_plan), XSC_BROKEN);
    assert_int_equal(s->state, XSC_STATE_FAILED);
    assert_true(t->missed * 4 >=
                t->cross_store.n * 3 - 4); /* but those that came before the wait */
    unit_contains(xsc_reason(s), " stores by another CPU did not end the wait");
    assert_int_equal(attempts(), 2);
}

static void misses_one_of_a_thousand(void **state)
{
    (void)state;
    fake_script[0].miss_every = 700;
    assert_int_equal(validate(&long_plan), XSC_BROKEN);
    assert_int_equal(t->missed, 1);
    assert_string_equal(xsc_reason(s), "1 of 1000 stores by another CPU did not end the wait");
}

/* A miss under an OS limit: the limit ends the wait, not the slice. */
static void misses_under_an_os_limit(void **state)
{
    (void)state;
    fake_script[0].limit_ns = 33 * US;
    fake_script[0].miss_every = 700;
    assert_int_equal(validate(&long_plan), XSC_BROKEN);
    assert_int_equal(t->missed, 1);
}

/* Arming takes longer than the peer's shortest delays: some stores must yet come after it. */
static void never_wakes_and_is_slow_to_arm(void **state)
{
    (void)state;
    fake_script[0].enter_ns = 4 * US;
    fake_script[0].miss_every = 1;
    assert_int_equal(validate(&xsc_short_plan), XSC_BROKEN);
    assert_true(t->missed * 4 >= t->cross_store.n * 3 - 4);
}

/* And a store just before the OS's limit, seen just after it. */
static void a_near_thing_at_the_os_limit_is_no_miss(void **state)
{
    (void)state;
    fake_script[0].limit_ns = 60 * US;
    fake_script[0].miss_every = 1;
    fake.peer_lag_ns = 45 * US;
    validate(&long_plan);
    assert_int_equal(t->missed, 0);
    assert_int_equal(t->unclear, t->cross_store.n);
}

/* Back from the OS's limit only after a long preemption: was the store there before? */
static void a_preemption_after_the_os_limit_proves_no_miss(void **state)
{
    (void)state;
    fake_script[0].limit_ns = 33 * US;
    fake_script[0].miss_every = 1;
    fake_script[0].exit_ns = 200 * US;
    validate(&long_plan);
    assert_int_equal(t->missed, 0);
    assert_true(t->unclear * 4 >= t->cross_store.n * 3 - 4);
}

/* A store just before the slice's end, seen just after it: by chance, perhaps. */
static void a_near_thing_is_no_miss(void **state)
{
    (void)state;
    /* Asked for at 0, made at 79.8 us or 1, 2, 3 steps of 340 ns later, noticed at 100 us. */
    fake.step = 0;
    fake_script[0].miss_every = 1;
    fake.peer_lag_ns = 79800;
    validate(&long_plan);
    const uint64_t before_margin = t->missed;

    trial_setup(NULL);
    fake.step = 0;
    fake_script[0].miss_every = 1;
    fake.peer_lag_ns = 80001;
    validate(&long_plan);
    assert_int_equal(before_margin, 250); /* those with a delay of 0 */
    assert_int_equal(t->missed, 0);
}

static void a_peer_that_lost_its_cpu_after_its_store_proves_no_miss(void **state)
{
    (void)state;
    fake_script[0].miss_every = 1;
    fake.peer_ack_ns = 90 * US;
    validate(&long_plan);
    assert_int_equal(t->missed, 0);
}

static void always_spurious(void **state)
{
    (void)state;
    fake.step = 0;
    fake_script[0].enter_ns = 0;
    fake_script[0].exit_ns = 0;
    fake_script[0].rest_ns = 1 * US;
    assert_int_equal(validate(&long_plan), XSC_NO_SLEEP);
    assert_int_equal(s->state, XSC_STATE_ACTIVE); /* it works */
    assert_false(xsc_fit(s));                     /* and is not preferred */
    assert_in_range(t->spurious_per_s, 980000, 1000000);
    assert_in_range(t->rest_mean_ns, 980, 1000);
    unit_contains(xsc_reason(s), "runs but does not sleep: comes back after 9");
    unit_contains(xsc_reason(s), "trapped and skipped?");
    assert_int_equal(attempts(), 1);
}

static void lies_about_sleeping(void **state)
{
    (void)state;
    fake_script[0].rest_ns = 30;
    assert_int_equal(validate(&xsc_short_plan), XSC_NO_SLEEP);
    unit_contains(xsc_reason(s), "(a NOP here)");
}

static void faults(void **state)
{
    static const int signals[] = {4, 7, 11};

    (void)state;
    for (size_t i = 0; i < LENGTH(signals); i++) {
        trial_setup(NULL);
        fake.try_result = signals[i];
        assert_int_equal(validate(&long_plan), XSC_BROKEN);
        assert_int_equal(s->state, XSC_STATE_FAILED);
        assert_int_equal(t->fault, signals[i]);
        unit_contains(xsc_reason(s), "executing it raised signal");
        assert_int_equal(attempts(), 1);           /* it won't go away */
        assert_int_equal(fake_script[0].waits, 0); /* and is never executed where it could kill */
        assert_int_equal(fake.peer_starts, 0);
        assert_int_equal(t->changed.n, 0);
    }
}

static void a_fault_that_nothing_could_contain(void **state)
{
    (void)state;
    fake.try_result = -1;
    assert_int_equal(validate(&long_plan), XSC_BROKEN);
    unit_contains(xsc_reason(s), "not executed");
    assert_int_equal(fake_script[0].waits, 0);
}

/* --------------------------------------------------------------------- limits and bounds ---- */

static void an_os_limit_is_sleep_cut_short(void **state)
{
    static const uint64_t limits_us[] = {1, 5, 20, 33, 39, 49, 50, 60, 99};

    (void)state;
    for (size_t i = 0; i < LENGTH(limits_us); i++) {
        trial_setup(NULL);
        fake_script[0].limit_ns = limits_us[i] * US;
        assert_int_equal(validate(&long_plan), XSC_GOOD);
        assert_in_range(t->os_limit_ns, limits_us[i] * US, limits_us[i] * US + 200);
        assert_true(t->rests_limited >= 20 * ((100 / (limits_us[i] + 1))));
        assert_int_equal(t->spurious_per_s, 0);
    }
}

static void without_a_deadline_the_stream_bounds_it(void **state)
{
    (void)state;
    fake_mech[0].traits = XSC_MONITOR;
    fake_mech[0].rest_ns = 20000;
    fake_script[0].stream_ns = 100 * US;
    assert_int_equal(validate(&long_plan), XSC_GOOD);
    assert_in_range(t->overshoot.max, 0, 101 * US);
    assert_int_equal(t->missed, 0);
}

static void the_budget_is_respected(void **state)
{
    (void)state;
    const struct xsc_trial_plan plan = {.rounds = 1000000,
                                        .quiet_waits = 1000,
                                        .quiet_ns = XSC_SLICE_NS,
                                        .budget_ns = 5 * MS,
                                        .patience_ns = MS,
                                        .cross = true};
    const uint64_t start = fake.now;

    assert_int_equal(validate(&plan), XSC_GOOD);
    assert_in_range(fake.now - start, 4 * 4900 * US, 4 * 5100 * US + 10 * US);
    assert_true(t->changed.n > 1000 && t->changed.n < 1000000);
    assert_in_range(t->overshoot.n, 40, 60);
    assert_true(t->cross_store.n > 1000 && t->cross_store.n < 1000000);
}

/* However slow: 16 of each kind, and 2 undisturbed ones. */
static void at_least_sixteen_samples(void **state)
{
    struct xsc_trial trial;

    (void)state;
    fake_script[0].enter_ns = 2 * MS;
    xsc_trial_run(&fake_mech[0], &e.ctx, &xsc_short_plan, &e.scratch, &trial);
    assert_int_equal(trial.changed.n, 16);
    assert_int_equal(trial.self_store.n, 16);
    assert_int_equal(trial.overshoot.n, 2);
    assert_int_equal(trial.cross_store.n, 16);
}

static void a_good_short_trial_takes_less_than_3_ms(void **state)
{
    (void)state;
    const uint64_t start = fake.now;

    assert_int_equal(validate(&xsc_short_plan), XSC_GOOD);
    assert_in_range(fake.now - start, 100 * US, 3 * MS);
}

static uint32_t last_permille, reports;

static void progress(void *arg, uint32_t permille)
{
    assert_ptr_equal(arg, &reports);
    assert_true(permille >= last_permille && permille <= 1000);
    last_permille = permille;
    reports++;
}

static void progress_is_reported(void **state)
{
    struct xsc_trial_plan plan = long_plan;

    (void)state;
    last_permille = reports = 0;
    plan.progress = progress;
    plan.progress_arg = &reports;
    assert_int_equal(validate(&plan), XSC_GOOD);
    assert_int_equal(reports, 3); /* at 256, 512 and 768 of 1000 */
    assert_int_equal(last_permille, 768);
}

/* ------------------------------------------------------------------------- disturbances ---- */

static void a_disturbed_trial_is_made_again(void **state)
{
    (void)state;
    fake_script[0].miss_once = 5;
    assert_int_equal(validate(&long_plan), XSC_GOOD);
    assert_int_equal(attempts(), 2);
    assert_string_equal(xsc_reason(s), "passed");
    assert_int_equal(t->missed, 0); /* of the last attempt */
}

/* Preempted anywhere for less than the limits care about, a good mechanism passes at once. */
static void a_preemption_does_no_harm(void **state)
{
    (void)state;
    for (uint64_t at = 0; at < 2400; at += 7) {
        trial_setup(NULL);
        fake_preempt_at(fake.now + at * US, 8 * MS);
        assert_int_equal(validate(&long_plan), XSC_GOOD);
        assert_int_equal(attempts(), 1);
    }
}

static void no_peer_is_unproven(void **state)
{
    (void)state;
    fake.peer_trouble = "only one CPU to run on";
    assert_int_equal(validate(&xsc_short_plan), XSC_UNPROVEN);
    assert_int_equal(s->state, XSC_STATE_CANDIDATE);
    assert_string_equal(xsc_reason(s), "not proven: only one CPU to run on");
    assert_int_equal(attempts(), 1);
    assert_int_equal(s->setbacks, 1);
    assert_in_range(s->quiet_until_ns, fake.now + XSC_QUIET_NS - MS, fake.now + XSC_QUIET_NS);
    assert_false(xsc_fit(s));
}

static void a_peer_that_loses_its_cpu_is_unproven(void **state)
{
    (void)state;
    for (uint32_t served = 0; served < 40; served++) {
        trial_setup(NULL);
        fake.peer_serves = served;
        const uint64_t start = fake.now;

        assert_int_equal(validate(&xsc_short_plan), XSC_UNPROVEN);
        assert_int_equal(t->cross_store.n, served);
        unit_contains(xsc_reason(s), "kept from running");
        assert_true(fake.now - start < 8 * MS); /* it is not waited for */
    }
}

static void a_peer_that_never_acknowledges_is_unproven(void **state)
{
    (void)state;
    fake.peer_ack_ns = 1000 * (uint64_t)MS;
    assert_int_equal(validate(&xsc_short_plan), XSC_UNPROVEN);
    assert_int_equal(t->cross_store.n, 1);
}

static void a_new_trial_forgets_the_old(void **state)
{
    (void)state;
    fake.try_result = 4;
    assert_int_equal(validate(&long_plan), XSC_BROKEN);
    fake.try_result = 0;
    e.mech[0].bad_intervals = 2;
    assert_int_equal(validate(&long_plan), XSC_GOOD);
    assert_int_equal(t->fault, 0);
    assert_int_equal(s->bad_intervals, 0);
    assert_int_equal(s->state, XSC_STATE_ACTIVE);
}

/* ----------------------------------------------------------------- what health goes by ---- */

static void late_is_learned_from_the_trial(void **state)
{
    static const struct {
        uint32_t traits;
        uint64_t exit_ns, least, most;
    } cases[] = {
        {XSC_MONITOR | XSC_DEADLINE, 0, 25000, 25200},
        {XSC_MONITOR | XSC_DEADLINE, 10000, 25000 + 4 * 9400, 25000 + 4 * 10700},
        {XSC_POLL, 0, 25000, 25200},
        {XSC_MONITOR, 0, 75000, 75200},
        {XSC_POLL | XSC_LEAVES_CPU, 0, UINT64_MAX, UINT64_MAX},
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        trial_setup(NULL);
        fake_mech[0].traits = cases[i].traits;
        fake_script[0].exit_ns = cases[i].exit_ns;
        assert_int_equal(validate(&long_plan), XSC_GOOD);
        assert_in_range(s->late_ns, cases[i].least, cases[i].most);
    }
}

/* A preemption makes a limited wait look longer than the limit: the shortest tells. */
static void the_os_limit_is_the_shortest_seen(void **state)
{
    (void)state;
    fake.step = 0;
    fake_script[0].limit_ns = 20 * US;
    fake_script[0].exit_ns = 0;
    fake_script[0].enter_ns = 0;
    for (uint64_t at = 0; at < 3000; at += 50) {
        fake_preempt_at(fake.now + at * US, 10 * US);
    }
    validate(&long_plan);
    assert_int_equal(t->os_limit_ns, 20 * US);
}

static void a_preemption_is_not_taken_for_thrift(void **state)
{
    (void)state;
    for (int disturbed = 0; disturbed < 2; disturbed++) {
        trial_setup(NULL);
        for (uint64_t at = 0; disturbed && at < 8; at++) {
            fake_preempt_at(fake.now + 200 * US + at * 230 * US, 3 * MS);
        }
        fake.cpu_permille = 700;
        validate(&long_plan);
        assert_in_range(t->cpu_permille, 690, 710);
    }
}

/* The first slow wait pays for it: at most 5 ms for a candidate and the fallback. */
static void a_bad_candidate_is_not_tried_for_long(void **state)
{
    (void)state;
    uint64_t start = fake.now;

    fake_script[0].enter_ns = 60 * US; /* traps on every use */
    assert_int_equal(validate(&xsc_short_plan), XSC_SLOW);
    assert_true(fake.now - start < 4 * MS);
    trial_setup(NULL);
    start = fake.now;
    fake_script[0].miss_every = 1;
    assert_int_equal(validate(&xsc_short_plan), XSC_BROKEN);
    assert_true(fake.now - start < 4 * MS);
}

/* ---------------------------------------------------------------------- a clock stands still ---- */

static uint64_t ticks_left;

/* Moves for a while. */
static uint64_t stopping_clock(void)
{
    static uint64_t now;

    ticks_left -= ticks_left != 0;
    now += ticks_left != 0 ? 100 : 0;
    return now;
}

static enum xsc_woke polls(const struct xsc_mech_ctx *ctx, const struct xsc_watch *w,
                           uint64_t deadline, uint64_t *at)
{
    return xsc_poll(ctx, w, deadline, at, xsc_arch_relax);
}

/* At whatever point of the trial: it ends, with a result. */
static void a_trial_by_a_clock_that_stops_ends(void **state)
{
    (void)state;
    for (uint64_t after = 1; after < 100000; after = after * 8 + 1) {
        trial_setup(NULL);
        e.clock = (struct xsc_clock){.ticks = stopping_clock};
        xsc_clock_set_rate(&e.clock, 1000000000u);
        fake_mech[0].wait = polls;
        fake.peer_serves = 100; /* and then it loses its CPU */
        ticks_left = after;
        const enum xsc_verdict v = validate(&long_plan);

        if (ticks_left < 2) {
            assert_int_equal(v, XSC_UNPROVEN);
            unit_contains(xsc_reason(s), t->still ? "the clock stands still" : "not proven");
        }
    }
}

static void a_peer_by_a_clock_that_stops_stores(void **state)
{
    (void)state;
    struct xsc_clock clock = {.ticks = stopping_clock};
    struct xsc_peer peer = {.clock = &clock, .request = 1, .delay_ticks = 1000, .stop = 1};

    ticks_left = 2;
    xsc_peer_main(&peer);
    assert_int_equal(peer.word, 1);
    assert_int_equal(peer.done, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_good_one_passes, trial_setup),
        cmocka_unit_test_setup(a_trial_by_a_clock_that_stops_ends, trial_setup),
        cmocka_unit_test_setup(a_peer_by_a_clock_that_stops_stores, trial_setup),
        cmocka_unit_test_setup(at_any_rate_of_the_counter, trial_setup),
        cmocka_unit_test_setup(cpu_time_is_what_was_burnt_while_nothing_happened, trial_setup),
        cmocka_unit_test_setup(the_peer_varies_its_delay, trial_setup),
        cmocka_unit_test_setup(a_mechanism_that_needs_a_wake_is_woken, trial_setup),
        cmocka_unit_test_setup(polling_is_spared_the_peer_in_the_short_plan, trial_setup),
        cmocka_unit_test_setup(too_slow_to_return, trial_setup),
        cmocka_unit_test_setup(too_slow_to_wake, trial_setup),
        cmocka_unit_test_setup(oversleeping, trial_setup),
        cmocka_unit_test_setup(never_wakes, trial_setup),
        cmocka_unit_test_setup(misses_one_of_a_thousand, trial_setup),
        cmocka_unit_test_setup(misses_under_an_os_limit, trial_setup),
        cmocka_unit_test_setup(never_wakes_and_is_slow_to_arm, trial_setup),
        cmocka_unit_test_setup(a_near_thing_at_the_os_limit_is_no_miss, trial_setup),
        cmocka_unit_test_setup(a_preemption_after_the_os_limit_proves_no_miss, trial_setup),
        cmocka_unit_test_setup(a_near_thing_is_no_miss, trial_setup),
        cmocka_unit_test_setup(a_peer_that_lost_its_cpu_after_its_store_proves_no_miss,
                               trial_setup),
        cmocka_unit_test_setup(always_spurious, trial_setup),
        cmocka_unit_test_setup(lies_about_sleeping, trial_setup),
        cmocka_unit_test_setup(faults, trial_setup),
        cmocka_unit_test_setup(a_fault_that_nothing_could_contain, trial_setup),
        cmocka_unit_test_setup(an_os_limit_is_sleep_cut_short, trial_setup),
        cmocka_unit_test_setup(without_a_deadline_the_stream_bounds_it, trial_setup),
        cmocka_unit_test_setup(the_budget_is_respected, trial_setup),
        cmocka_unit_test_setup(at_least_sixteen_samples, trial_setup),
        cmocka_unit_test_setup(a_good_short_trial_takes_less_than_3_ms, trial_setup),
        cmocka_unit_test_setup(progress_is_reported, trial_setup),
        cmocka_unit_test_setup(a_disturbed_trial_is_made_again, trial_setup),
        cmocka_unit_test_setup(a_preemption_does_no_harm, trial_setup),
        cmocka_unit_test_setup(no_peer_is_unproven, trial_setup),
        cmocka_unit_test_setup(a_peer_that_loses_its_cpu_is_unproven, trial_setup),
        cmocka_unit_test_setup(a_peer_that_never_acknowledges_is_unproven, trial_setup),
        cmocka_unit_test_setup(a_new_trial_forgets_the_old, trial_setup),
        cmocka_unit_test_setup(late_is_learned_from_the_trial, trial_setup),
        cmocka_unit_test_setup(the_os_limit_is_the_shortest_seen, trial_setup),
        cmocka_unit_test_setup(a_preemption_is_not_taken_for_thrift, trial_setup),
        cmocka_unit_test_setup(a_bad_candidate_is_not_tried_for_long, trial_setup),
    };

    return cmocka_run_group_tests_name("validate", tests, NULL, NULL);
}
