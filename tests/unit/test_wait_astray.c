/* SPDX-License-Identifier: MIT */
/* core/wait.c over mechanisms that misbehave: the wait is right, and the counts tell. A1, C4. */
#include "tests/unit/unit_wait.h"

/* ------------------------------------------------------------- mechanisms that misbehave ---- */

static void always_spurious(void **state)
{
    (void)state;
    fake.step = 0;
    fake_script[0].rest_ns = 1 * US;
    fake_store_at(fake.now + 50 * US + 500, &word, 4, 1);
    assert_int_equal(wait(MS), XSC_MET);
    struct xsc_counts n = counts();

    /* Each return takes 20 + 1000 + 60 ns: 46 of them in 50500 ns, and the store in the next. */
    assert_int_equal(n.spurious, 46);
    assert_int_equal(n.woken, 1);
    assert_int_equal(n.expired, 0);
    assert_sound(&n);

    setup(NULL);
    fake.step = 0;
    fake_script[0].rest_ns = 1 * US;
    const uint64_t start = fake.now;

    assert_int_equal(wait(MS), XSC_TIMED_OUT);
    n = counts();
    assert_true(fake.now - start >= MS);
    assert_int_equal(n.expired, 10);
    assert_true(n.spurious > 900);
    assert_sound(&n);
}

static void never_wakes(void **state)
{
    (void)state;
    fake.step = 0;
    fake_script[0].miss_every = 1;
    fake_store_at(fake.now + 130 * US, &word, 4, 1);
    const uint64_t start = fake.now;

    assert_int_equal(wait(XSC_FOREVER), XSC_MET); /* at the slice's end, but it is */
    assert_in_range(fake.now - start, 200 * US, 201 * US);
    const struct xsc_counts n = counts();

    assert_int_equal(n.late, 1);
    assert_int_equal(n.woken, 0);
    assert_int_equal(n.expired, 1);
    assert_sound(&n);
}

static void returns_at_once(void **state)
{
    (void)state;
    fake_script[0].rest_ns = 1;
    fake_store_at(fake.now + 350 * US, &word, 4, 1);
    assert_int_equal(wait(XSC_FOREVER), XSC_MET);
    const struct xsc_counts n = counts();

    assert_int_equal(n.expired, 3);
    assert_true(n.spurious > 1000);
    assert_sound(&n);
}

static void oversleeps(void **state)
{
    static const struct {
        uint64_t exit_ns;
        uint64_t overslept;
    } cases[] = {{49 * US, 0}, {50 * US, 0}, {50 * US + 1, 10}, {3 * MS, 1}};

    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        setup(NULL);
        fake.step = 0;
        fake_script[0].enter_ns = 0;
        fake_script[0].exit_ns = cases[i].exit_ns;
        const uint64_t timeout = cases[i].exit_ns < MS ? (100 * US + 1 + cases[i].exit_ns) * 10 : 1;

        assert_int_equal(wait(timeout), XSC_TIMED_OUT);
        const struct xsc_counts n = counts();

        assert_int_equal(n.overslept, cases[i].overslept);
        assert_int_equal(n.max_over_ns, cases[i].exit_ns);
        assert_sound(&n);
    }
}

/* How late is late was found in the trial. */
static void oversleeping_is_what_the_trial_says(void **state)
{
    (void)state;
    fake.step = 0;
    e.mech[0].late_ns = 150 * US;
    fake_script[0].exit_ns = 150 * US;
    assert_int_equal(wait(10 * US), XSC_TIMED_OUT);
    assert_int_equal(counts().overslept, 0);
    fake_script[0].exit_ns++;
    assert_int_equal(wait(10 * US), XSC_TIMED_OUT);
    assert_int_equal(counts().overslept, 1);
}

/* A mechanism without a deadline ends at the stream's ticks, and the timeout is kept. */
static void no_deadline_in_hardware(void **state)
{
    (void)state;
    fake_mech[0].traits = XSC_MONITOR;
    fake_script[0].stream_ns = 100 * US;
    for (uint64_t timeout = 1; timeout < MS; timeout += 33333) {
        const uint64_t start = fake.now;

        assert_int_equal(wait(timeout), XSC_TIMED_OUT);
        assert_in_range(fake.now - start, timeout, timeout + 101 * US);
    }
    const struct xsc_counts n = counts();

    assert_sound(&n);
}

static void the_os_limit_is_not_spurious(void **state)
{
    (void)state;
    fake.step = 0;
    fake_script[0].limit_ns = 30 * US;
    assert_int_equal(wait(100 * US), XSC_TIMED_OUT);
    const struct xsc_counts n = counts();

    assert_int_equal(n.limited, 3);
    assert_int_equal(n.spurious, 0);
    assert_int_equal(n.expired, 1);
    assert_int_equal(n.hw_waits, 4);
    assert_sound(&n);
}

/* The store came, the monitor did not notice, and the OS's limit ended the wait. */
static void met_at_the_os_limit_is_late(void **state)
{
    (void)state;
    fake.step = 0;
    fake_script[0].limit_ns = 30 * US;
    fake_script[0].miss_every = 1;
    fake_store_at(fake.now + 10 * US, &word, 4, 1);
    assert_int_equal(wait(MS), XSC_MET);
    struct xsc_counts n = counts();

    assert_int_equal(n.late, 1);
    assert_int_equal(n.woken, 0);

    setup(NULL);
    fake_script[2].limit_ns = 30 * US; /* a polling mechanism misses nothing */
    fake_script[2].miss_every = 1;
    e.chosen = XSC_CHOICE(2, 2);
    fake_store_at(fake.now + 10 * US, &word, 4, 1);
    assert_int_equal(wait(MS), XSC_MET);
    n = counts();
    assert_int_equal(n.late, 0);
    assert_int_equal(n.woken, 1);
}

/* Time in slices is there while the wait still goes on: health goes by it. */
static uint64_t slices_seen;

static void look_at_slices(void *arg)
{
    (void)arg;
    slices_seen = counts().slices_ns;
    assert_int_equal(counts().sum_ns, 0);
}

static void time_is_counted_slice_by_slice(void **state)
{
    (void)state;
    fake.step = 0;
    fake_script[0].exit_ns = 0;
    fake_script[0].enter_ns = 0;
    fake_call_at(fake.now + 350 * US, look_at_slices, NULL);
    assert_int_equal(wait(MS), XSC_TIMED_OUT);
    assert_int_equal(slices_seen, 3 * (100 * US + 1));
    assert_int_equal(counts().slices_ns, counts().sum_ns);
}

/* A thread that lost its CPU on the way out noticed nothing late: the mechanism is not at fault. */
static void late_is_not_said_of_a_preempted_thread(void **state)
{
    static const struct {
        uint64_t lost_ns;
        uint64_t late;
    } cases[] = {{0, 1}, {49 * US, 1}, {50 * US - 61, 1}, {50 * US - 60, 0}, {5 * MS, 0}};

    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        setup(NULL);
        fake.step = 0;
        fake_script[0].miss_every = 1;
        fake_store_at(fake.now + 30 * US, &word, 4, 1);
        fake_preempt_at(fake.now + 100 * US + 1 + 60, cases[i].lost_ns);
        assert_int_equal(wait(XSC_FOREVER), XSC_MET);
        const struct xsc_counts n = counts();

        assert_int_equal(n.late, cases[i].late);
        assert_int_equal(n.woken, 1 - cases[i].late);
    }
}

/*
 * Timeouts of 2 us, a monitor that takes 600 ns to come back from one, stores at random: of
 * those that are noticed many are noticed past the deadline, and nothing is wrong.
 */
static void short_timeouts_do_not_look_like_misses(void **state)
{
    uint64_t seed = 9;

    (void)state;
    fake_script[0].exit_ns = 600;
    for (int i = 0; i < 20000; i++) {
        word = 0;
        fake_store_at(fake.now + unit_between(&seed, 100, 3000), &word, 4, 1);
        wait(2000);
        fake_advance(5 * MS);
    }
    assert_int_equal(counts().late, 0);
    assert_int_equal(e.chosen, XSC_CHOICE(0, 2));
}

static void set_back(void *arg)
{
    (void)arg;
    fake.counter_base -= 500000000;
}

/* A suspend or a move to another host may set the counter back: the timeout is kept. */
static void a_counter_set_back_does_not_stretch_a_timeout(void **state)
{
    (void)state;
    const uint64_t start = fake.now;

    fake_script[0].limit_ns = 100 * US; /* as hardware waits are bounded somehow */
    fake_call_at(fake.now + 250 * US, set_back, NULL);
    assert_int_equal(wait(MS), XSC_TIMED_OUT);
    assert_in_range(fake.now - start, MS, 2 * MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(always_spurious, setup),
        cmocka_unit_test_setup(never_wakes, setup),
        cmocka_unit_test_setup(returns_at_once, setup),
        cmocka_unit_test_setup(oversleeps, setup),
        cmocka_unit_test_setup(oversleeping_is_what_the_trial_says, setup),
        cmocka_unit_test_setup(no_deadline_in_hardware, setup),
        cmocka_unit_test_setup(the_os_limit_is_not_spurious, setup),
        cmocka_unit_test_setup(met_at_the_os_limit_is_late, setup),
        cmocka_unit_test_setup(time_is_counted_slice_by_slice, setup),
        cmocka_unit_test_setup(late_is_not_said_of_a_preempted_thread, setup),
        cmocka_unit_test_setup(short_timeouts_do_not_look_like_misses, setup),
        cmocka_unit_test_setup(a_counter_set_back_does_not_stretch_a_timeout, setup),
    };

    return cmocka_run_group_tests_name("wait, mechanisms astray", tests, NULL, NULL);
}
