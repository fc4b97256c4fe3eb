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
    assert_false(os.starved || os.was.unmet || os.was.within);
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

/* Asleep, and while it watches: that the event takes longer, not that it came then. */
static void a_timeout_is_told_as_unmet(void **state)
{
    static const uint64_t lengths[] = {MS, 10 * US, 500};

    (void)state;
    for (size_t i = 0; i < LENGTH(lengths); i++) {
        set_up(NULL);
        os.in_sleep = NULL;
        assert_int_equal(park(lengths[i]), -ETIMEDOUT);
        assert_int_equal(os.sleeps, i == 0);
        assert_in_range(os.ended_ns, lengths[i] - 100, lengths[i] + 1000);
        assert_true(os.was.unmet);
        assert_false(os.starved);
        assert_int_equal(os.wakings, 0);
    }
}

/* Which looks for itself now and then where a waker may be missing: its caller is to look as well. */
static void an_events_look_is_told_as_unmet(void **state)
{
    (void)state;
    os.in_sleep = NULL;
    assert_int_equal(xsc_event_wait_shared(&event, event.seq, XSC_FOREVER), 0);
    assert_in_range(os.ended_ns, XSC_LOOK_SHARED_NS, XSC_LOOK_SHARED_NS + MS);
    assert_true(os.was.unmet);
    assert_int_equal(os.ended, 1);
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

/* The time and the CPU of a wake in one number: any CPU, and a clock that has run for years. */
static void a_stamp_has_both(void **state)
{
    static const struct {
        int cpu, seen;
    } cpus[] = {{-1, -1}, {0, 0}, {1, 1}, {4094, 4094}, {4095, -1}, {100000, -1}};

    (void)state;
    for (size_t i = 0; i < LENGTH(cpus); i++) {
        os.cpu = cpus[i].cpu;
        xsc_stamp_wake(&word);
        assert_int_equal(stamp_cpu(woken[xsc_park_bucket(&word)]), cpus[i].seen);
    }
    for (int bits = 40; bits < 63; bits++) {
        const uint64_t at = (1ull << bits) + 12345;
        const uint64_t stamp = at << STAMP_CPU_BITS | 7;

        assert_true(stamp_ns(stamp, at) == at);
        assert_true(stamp_ns(stamp, at + 1000000000u) == at);
        assert_true(stamp_ns(stamp, at - 1) != at); /* later than now: of no wake that ended this */
    }
    assert_true(stamp_ns(0, 1000) == 0);
}

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
    assert_true(os.was.within); /* some time in that nap */
    assert_in_range(os.was.after_ns, 0, US);
    assert_in_range(os.ended_ns, 200 * US, 201 * US);
    assert_int_equal(os.wakings + os.naps, 0); /* no evidence of what a planned one costs */
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

/* As long as it was planned: to look in between would cost, and wake no thread sooner. */
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

/* Where the kernel refuses to sleep on any word, it naps by the clock. */
static void a_refused_doze_naps(void **state)
{
    (void)state;
    os.refuses = true;
    const uint64_t from = fake.now;

    assert_int_equal(wait_site(500ull * MS), -ETIMEDOUT);
    assert_in_range(fake.now - from, 500ull * MS, 501ull * MS);
    assert_in_range(fake.naps, 500, 1100);
}

/* For an event due in what coming back takes: past its time already, it is begun, not left out. */
static void a_nap_aimed_at_the_start_is_begun(void **state)
{
    (void)state;
    os.plan = (struct xsc_plan){0, 0, 60 * US, false};
    fake_store_at(fake.now + 45 * US, word.u32, 4, 1);
    assert_int_equal(wait_site(XSC_FOREVER), 0);
    assert_int_equal(os.sleeps, 1);
    assert_false(os.was.within);
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

/* With nothing there, too: timed out, or on the way to sleep. A machine with more to run than CPUs. */
static void back_late_without_the_event(void **state)
{
    static const uint64_t timeouts[] = {15 * US, MS, XSC_FOREVER};

    (void)state;
    for (size_t i = 0; i < LENGTH(timeouts); i++) {
        for (uint64_t late = 400 * US; late <= 600 * US; late += 200 * US) {
            set_up(NULL);
            waker_cpu = ELSEWHERE;
            os.in_sleep = timeouts[i] == XSC_FOREVER ? woken_after : NULL;
            fake_script[0].exit_ns = late;
            assert_int_equal(park(timeouts[i]), timeouts[i] == XSC_FOREVER ? 0 : -ETIMEDOUT);
            assert_int_equal(os.ended, 1);
            assert_true(os.starved == (late > 500 * US));
        }
    }
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
    assert_false(starved_by(HERE, 1000, 0));       /* this wait kept no thread from running */
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
    assert_int_equal(fake.clock_reads - clocks, 2); /* the waker's stamp, and the recheck's */
    assert_int_equal(fake.rechecks, 2);
    assert_int_equal(fake_script[0].waits, 0);
    assert_int_equal(os.learned + os.ended + os.wakings + os.cpu_times[0] + os.cpu_times[1], 0);
    const struct xsc_counts n = counts();

    assert_int_equal(n.parks, 2);
    assert_int_equal(n.parks_met, 2);
    assert_int_equal(n.total, 2);
}

/* How many CPUs there are is known only after the choice, which a process's first wait makes. */
static void a_first_wait_on_one_cpu_does_not_watch(void **state)
{
    (void)state;
    for (uint32_t cpus = 1; cpus <= 2; cpus++) {
        set_up(NULL);
        xsc_library.chosen = 0;
        fake.cpu.cpus = cpus;
        assert_int_equal(park(XSC_FOREVER), 0);
        assert_int_not_equal(xsc_library.chosen, 0);
        assert_int_equal(os.ended, cpus - 1);
        assert_int_equal(counts().watched, cpus - 1);
        assert_int_equal(counts().parks_met, 1);
    }
}

static void an_unknown_number_of_cpus_is_no_crowd(void **state)
{
    (void)state;
    xsc_library.cpu.cpus = 0;
    watching = 100 * XSC_HEAD;
    park(MS);
    assert_false(os.asked_crowded);
    xsc_library.cpu.cpus = 2;
    park(MS);
    assert_true(os.asked_crowded);
    watching = 0;
}

/* Watchers of the parent, which a forked child does not have; they come back in the parent only. */
static void a_childs_crowd_is_its_own(void **state)
{
    (void)state;
    const uint32_t parents = xsc_generation();

    for (int i = 0; i < 3; i++) {
        xsc_heads_enter(&watching, parents);
    }
    park(MS);
    assert_true(os.asked_crowded);
    fake.process++;
    park(MS);
    assert_false(os.asked_crowded);
    for (int i = 0; i < 2; i++) {
        xsc_heads_enter(&watching, xsc_generation());
    }
    for (int i = 0; i < 3; i++) { /* as a thread of the parent's that forked while it was counted */
        xsc_heads_leave(&watching, parents);
    }
    park(MS);
    assert_true(os.asked_crowded);
    for (int i = 0; i < 3; i++) { /* and never below none */
        xsc_heads_leave(&watching, xsc_generation());
    }
    assert_int_equal(watching, 0);
    park(MS);
    assert_false(os.asked_crowded);
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
    assert_int_equal(os.cpu_times[0] + os.cpu_times[1], 0); /* no caller asked */
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
        cmocka_unit_test_setup(a_timeout_is_told_as_unmet, set_up),
        cmocka_unit_test_setup(an_events_look_is_told_as_unmet, set_up),
        cmocka_unit_test_setup(a_site_of_ones_own_is_handed_on, set_up),
        cmocka_unit_test_setup(naps_then_watches_then_sleeps, set_up),
        cmocka_unit_test_setup(an_unpark_ends_a_nap, set_up),
        cmocka_unit_test_setup(a_plain_word_is_dozed_for, set_up),
        cmocka_unit_test_setup(dozes_grow_with_the_wait, set_up),
        cmocka_unit_test_setup(a_plain_words_nap_is_one, set_up),
        cmocka_unit_test_setup(a_nap_aimed_at_the_start_is_begun, set_up),
        cmocka_unit_test_setup(a_doze_ends_at_its_deadline, set_up),
        cmocka_unit_test_setup(a_stamp_has_both, set_up),
        cmocka_unit_test_setup(a_refused_doze_naps, set_up),
        cmocka_unit_test_setup(back_late_from_a_watch, set_up),
        cmocka_unit_test_setup(back_late_without_the_event, set_up),
        cmocka_unit_test_setup(woken_at_once_from_the_cpu_it_left, set_up),
        cmocka_unit_test_setup(an_unknown_cpu_is_no_evidence, set_up),
        cmocka_unit_test_setup(in_a_crowd_nothing_is_watched_learned_or_timed, set_up),
        cmocka_unit_test_setup(a_first_wait_on_one_cpu_does_not_watch, set_up),
        cmocka_unit_test_setup(an_unknown_number_of_cpus_is_no_crowd, set_up),
        cmocka_unit_test_setup(a_childs_crowd_is_its_own, set_up),
        cmocka_unit_test_setup(in_a_crowd_timeouts_are_kept, set_up),
        cmocka_unit_test_setup(cpu_time_is_told_by_its_kind, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
