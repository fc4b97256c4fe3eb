/* SPDX-License-Identifier: MIT */
/* user/watch_then.c: the walk of a wait that may leave the CPU, and what it tells of itself. D1, D4. */
#define _GNU_SOURCE
#include "tests/unit/park_os.h"

#define HERE 3
#define ELSEWHERE 4

static uint64_t asleep_for_ns; /* before the waker stores and unparks */
static int waker_cpu;

static void woken_after(void)
{
    fake_advance(asleep_for_ns);
    word.u32[0] = 1;
    os.cpu = waker_cpu;
    xsc_unpark_one(&word);
    os.cpu = HERE;
}

static int set_up(void **state)
{
    setup(state);
    os.in_sleep = woken_after;
    os.cpu = waker_cpu = HERE;
    asleep_for_ns = 1000;
    return 0;
}

static int park(uint64_t timeout_ns)
{
    word.u64 = 0;
    return xsc_park_u32(word.u32, 0, timeout_ns);
}

/* ------------------------------------------------------------------------ the records ---- */

static void a_watched_event_is_told_by_its_time(void **state)
{
    (void)state;
    const uint64_t start = fake.now;

    fake_store_at(start + 15 * US, word.u32, 4, 1);
    assert_int_equal(park(MS), 0);
    assert_int_equal(os.ended, 1);
    assert_int_equal(os.learned, 1);
    assert_in_range(os.ended_ns, 15 * US - 500, 15 * US + 500);
    assert_false(os.starved);
    assert_int_equal(os.sleeps + os.wakings, 0);
}

static void a_sleep_is_told_by_its_wakers_stamp(void **state)
{
    (void)state;
    asleep_for_ns = 70 * US;
    assert_int_equal(park(MS), 0);
    assert_in_range(os.ended_ns, 90 * US, 90 * US + 1000); /* 20 us watched */
    assert_int_equal(os.wakings, 1);
    assert_in_range(os.waking_ns, 0, 500);
}

static void a_timeout_is_told_as_long_as_it_was(void **state)
{
    (void)state;
    os.in_sleep = NULL;
    assert_int_equal(park(MS), -ETIMEDOUT);
    assert_in_range(os.ended_ns, MS - 100, MS + 1000);
    assert_false(os.starved);
    assert_int_equal(os.wakings, 0);
}

static void a_site_of_ones_own_is_handed_on(void **state)
{
    static struct xsc_site own;
    struct xsc_watch w = XSC_WATCH(word.u32, 0);

    (void)state;
    assert_int_equal(xsc_park_site(&own, &w, MS), 0);
    assert_ptr_equal(os.own, &own);
    assert_int_equal(park(MS), 0);
    assert_null(os.own);
    assert_int_equal(xsc_park_site(NULL, &w, MS), -EINVAL);
    assert_int_equal(xsc_park_site(&own, NULL, MS), -EINVAL);
    w.size = 3;
    assert_int_equal(xsc_park_site(&own, &w, MS), -EINVAL);
    assert_int_equal(os.begun, 2);
}

/* ------------------------------------------------------------------------------- naps ---- */

static void naps_then_watches_then_sleeps(void **state)
{
    (void)state;
    os.plan = (struct xsc_plan){0, 300 * US, 400 * US, false};
    os.in_sleep = NULL;
    const uint64_t start = fake.now;

    fake_store_at(start + 350 * US, word.u32, 4, 1);
    assert_int_equal(park(XSC_FOREVER), 0);
    assert_int_equal(os.sleeps, 1);
    assert_in_range(os.until_ns, start + 300 * US, start + 300 * US + 500);
    assert_int_equal(os.naps, 1);
    assert_int_equal(os.slack, 50000); /* as it was */
    assert_in_range(os.ended_ns, 350 * US - 500, 350 * US + 500);
    assert_in_range(fake.now, start + 350 * US, start + 350 * US + 500);

    /* A timeout within the nap: no nap, for there is nothing to watch for after it. */
    set_up(NULL);
    os.plan = (struct xsc_plan){0, 300 * US, 400 * US, false};
    os.in_sleep = NULL;
    assert_int_equal(park(200 * US), -ETIMEDOUT);
    assert_int_equal(os.naps, 0);
}

static void an_unpark_ends_a_nap(void **state)
{
    (void)state;
    os.plan = (struct xsc_plan){0, 300 * US, 400 * US, false};
    asleep_for_ns = 40 * US;
    const uint64_t start = fake.now;

    assert_int_equal(park(XSC_FOREVER), 0);
    assert_in_range(fake.now - start, 40 * US, 41 * US);
    assert_int_equal(os.naps, 0);
    assert_in_range(os.ended_ns, 40 * US, 41 * US);
}

/* ------------------------------------------------------------------------ plain words ---- */

static int wait_site(uint64_t timeout_ns)
{
    static struct xsc_site own;
    const struct xsc_watch w = XSC_WATCH(word.u32, 0);

    word.u64 = 0;
    os.in_sleep = NULL;
    return xsc_wait_site(&own, &w, timeout_ns);
}

static void a_plain_word_is_dozed_for(void **state)
{
    (void)state;
    os.plan = (struct xsc_plan){0, XSC_NEVER, 0, false};
    const uint64_t start = fake.now;

    os.times = true;
    fake_store_at(start + 150 * US, word.u32, 4, 1);
    assert_int_equal(wait_site(XSC_FOREVER), 0);
    assert_int_equal(os.cpu_times[0] + os.cpu_times[1], 0);
    assert_int_equal(os.doze_ns, DOZE_NS);
    assert_int_equal(os.sleeps, 1);
    assert_in_range(fake.now - start, 200 * US, 201 * US);
    assert_in_range(os.ended_ns, 100 * US, 101 * US); /* some time in that nap */
    assert_int_equal(os.wakings + os.naps, 0);        /* no evidence of what a planned one costs */
    park(MS);
    assert_int_equal(os.doze_ns, 0);
}

/* 3.2 ms of naps of 0.2 ms, then a sixteenth, from 16 ms on 1 ms each. */
static void dozes_grow_with_the_wait(void **state)
{
    (void)state;
    os.plan = (struct xsc_plan){0, XSC_NEVER, 0, false};
    const uint64_t start = fake.now;

    fake_store_at(start + 100 * MS, word.u32, 4, 1);
    assert_int_equal(wait_site(XSC_FOREVER), 0);
    assert_in_range(fake.now - start, 100 * MS, 101 * MS + US);
    assert_in_range(os.sleeps, 16 + 20 + 80, 16 + 30 + 90);
    const unsigned sleeps = os.sleeps;

    fake_store_at(fake.now + 200 * MS, word.u32, 4, 1);
    assert_int_equal(wait_site(XSC_FOREVER), 0);
    assert_in_range(os.sleeps - 2 * sleeps, 99, 101);
}

/* As long as it was planned: to look in between would cost, and wake nobody sooner. */
static void a_plain_words_nap_is_one(void **state)
{
    (void)state;
    os.plan = (struct xsc_plan){0, 5 * MS, 6 * MS, false};
    const uint64_t start = fake.now;

    fake_store_at(start + 5 * MS + 50 * US, word.u32, 4, 1);
    assert_int_equal(wait_site(XSC_FOREVER), 0);
    assert_int_equal(os.sleeps, 1);
    assert_int_equal(os.naps, 1);
    assert_in_range(fake.now - start, 5 * MS + 50 * US, 5 * MS + 51 * US);
}

static void a_doze_ends_at_its_deadline(void **state)
{
    (void)state;
    for (int crowd = 0; crowd < 2; crowd++) {
        set_up(NULL);
        os.plan = (struct xsc_plan){0, XSC_NEVER, 0, crowd};
        const uint64_t start = fake.now;

        assert_int_equal(wait_site(5 * MS + 7), -ETIMEDOUT);
        assert_in_range(fake.now - start, 5 * MS + 7, 5 * MS + 2 * US);
        assert_true(os.sleeps > 16);
        assert_int_equal(counts().parks, 1);
        assert_int_equal(counts().parks_met, 0);
        fake_store_at(fake.now + 3 * MS, word.u32, 4, 1);
        assert_int_equal(wait_site(5 * MS), 0);
        assert_int_equal(counts().parks_met, 1);
    }
    const struct xsc_watch w = XSC_WATCH(word.u32, 0);

    assert_int_equal(xsc_wait_site(NULL, &w, MS), -EINVAL);
}

/* --------------------------------------------------------------------------- starved ---- */

static void back_late_from_a_watch(void **state)
{
    (void)state;
    fake_script[0].wake_ns = 600 * US; /* its CPU was taken away meanwhile */
    fake_store_at(fake.now + 15 * US, word.u32, 4, 1);
    assert_int_equal(park(XSC_FOREVER), 0);
    assert_true(os.starved);

    set_up(NULL);
    fake_script[0].wake_ns = 400 * US;
    fake_store_at(fake.now + 15 * US, word.u32, 4, 1);
    assert_int_equal(park(XSC_FOREVER), 0);
    assert_false(os.starved);
}

static bool starved_by(int cpu, uint64_t after_ns, uint64_t watch_ns)
{
    set_up(NULL);
    waker_cpu = cpu;
    asleep_for_ns = after_ns;
    os.plan.watch_ns = watch_ns;
    assert_int_equal(park(XSC_FOREVER), 0);
    assert_int_equal(os.ended, 1);
    return os.starved;
}

static void woken_at_once_from_the_cpu_it_left(void **state)
{
    (void)state;
    assert_true(starved_by(HERE, 1000, 20 * US));
    assert_true(starved_by(HERE, 4000, 20 * US));
    assert_true(starved_by(HERE, 1000, 2 * US));
    assert_false(starved_by(ELSEWHERE, 1000, 20 * US));
    assert_false(starved_by(HERE, 6000, 20 * US)); /* it may have come because we had left */
    assert_false(starved_by(HERE, 1000, 0));       /* nobody was kept from running by this wait */
}

static void an_unknown_cpu_is_no_evidence(void **state)
{
    (void)state;
    os.cpu = waker_cpu = -1;
    assert_int_equal(park(XSC_FOREVER), 0);
    assert_false(os.starved);
}

/* ---------------------------------------------------------------------------- a crowd ---- */

static void in_a_crowd_nothing_is_watched_learned_or_timed(void **state)
{
    (void)state;
    os.plan = (struct xsc_plan){0, XSC_NEVER, 0, true};
    asleep_for_ns = 0;
    assert_int_equal(xsc_park_init(XSC_PARK_SEQ_CST), 0); /* a barrier would be timed, */
    for (unsigned i = 0; i < XSC_PARK_BUCKETS; i++) {
        xsc_parked[i] = XSC_PARK_FENCED; /* and so would the first long park */
    }
    assert_int_equal(park(XSC_FOREVER), 0);
    const unsigned clocks = fake.clock_reads;

    assert_int_equal(park(XSC_FOREVER), 0);
    assert_int_equal(fake.clock_reads - clocks, 1); /* the waker's stamp */
    assert_int_equal(fake_script[0].waits, 0);
    assert_int_equal(os.learned + os.ended + os.wakings + os.cpu_times[0] + os.cpu_times[1], 0);
    const struct xsc_counts n = counts();

    assert_int_equal(n.parks, 2);
    assert_int_equal(n.parks_met, 2);
    assert_int_equal(n.total, 2);
}

static void in_a_crowd_timeouts_are_kept(void **state)
{
    static const uint64_t lengths[] = {1, 1000, MS, 70 * MS};

    (void)state;
    for (size_t i = 0; i < LENGTH(lengths); i++) {
        set_up(NULL);
        os.plan = (struct xsc_plan){0, XSC_NEVER, 0, true};
        os.in_sleep = NULL;
        const uint64_t start = fake.now;

        assert_int_equal(park(lengths[i]), -ETIMEDOUT);
        assert_in_range(fake.now - start, lengths[i], lengths[i] + 1000);
    }
    set_up(NULL);
    os.plan = (struct xsc_plan){0, XSC_NEVER, 0, true};
    assert_int_equal(park(XSC_FOREVER - 1), 0); /* beyond the clock's end */
    assert_int_equal(os.until_ns, XSC_FOREVER);
}

/* A nap's and a park's are not the same: one sets a timer. */
static void cpu_time_is_told_by_its_kind(void **state)
{
    (void)state;
    os.plan = (struct xsc_plan){0, XSC_NEVER, 0, false};
    park(XSC_FOREVER);
    assert_int_equal(os.cpu_times[0] + os.cpu_times[1], 0); /* nobody asked */
    os.times = true;
    park(XSC_FOREVER);
    assert_int_equal(os.cpu_times[0], 1);
    assert_int_equal(os.cpu_times[1], 0);
    os.plan = (struct xsc_plan){0, 300 * US, 0, false};
    asleep_for_ns = 200 * US; /* woken in its nap */
    park(XSC_FOREVER);
    assert_int_equal(os.cpu_times[0], 1);
    assert_int_equal(os.cpu_times[1], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_watched_event_is_told_by_its_time, set_up),
        cmocka_unit_test_setup(a_sleep_is_told_by_its_wakers_stamp, set_up),
        cmocka_unit_test_setup(a_timeout_is_told_as_long_as_it_was, set_up),
        cmocka_unit_test_setup(a_site_of_ones_own_is_handed_on, set_up),
        cmocka_unit_test_setup(naps_then_watches_then_sleeps, set_up),
        cmocka_unit_test_setup(an_unpark_ends_a_nap, set_up),
        cmocka_unit_test_setup(a_plain_word_is_dozed_for, set_up),
        cmocka_unit_test_setup(dozes_grow_with_the_wait, set_up),
        cmocka_unit_test_setup(a_plain_words_nap_is_one, set_up),
        cmocka_unit_test_setup(a_doze_ends_at_its_deadline, set_up),
        cmocka_unit_test_setup(back_late_from_a_watch, set_up),
        cmocka_unit_test_setup(woken_at_once_from_the_cpu_it_left, set_up),
        cmocka_unit_test_setup(an_unknown_cpu_is_no_evidence, set_up),
        cmocka_unit_test_setup(in_a_crowd_nothing_is_watched_learned_or_timed, set_up),
        cmocka_unit_test_setup(in_a_crowd_timeouts_are_kept, set_up),
        cmocka_unit_test_setup(cpu_time_is_told_by_its_kind, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
