/* SPDX-License-Identifier: MIT */
/* user/event.c: who announces what, to whom, in which order. A6. */
#define _GNU_SOURCE
#include "tests/unit/park_os.h"

static void an_event_learns_that_it_is_quiet(void **state)
{
    (void)state;
    xsc_park_init(XSC_PARK_ASYMMETRIC);
    xsc_event_signal(&event);
    assert_int_equal(event.waiters, XSC_EVENT_QUIET);
    assert_int_equal(event.seq, 0);
    xsc_event_cancel(&event, xsc_event_prepare(&event));
    assert_int_equal(os.barriers[0], 1);
    assert_int_equal(event.waiters, XSC_EVENT_QUIET);

    setup(state);
    xsc_park_init(XSC_PARK_SEQ_CST);
    xsc_event_signal(&event);
    assert_int_equal(event.waiters, 0);
    xsc_event_cancel(&event, xsc_event_prepare(&event));
    assert_int_equal(os.barriers[0], 0);
}

static void signal_in_barrier(void)
{
    assert_int_equal(event.waiters, XSC_EVENT_WAITER + XSC_EVENT_QUIET); /* announced */
    xsc_event_signal(&event);
}

static void prepare_announces_then_reads_the_key(void **state)
{
    (void)state;
    event.waiters = XSC_EVENT_QUIET;
    os.in_barrier = signal_in_barrier;
    const uint32_t key = xsc_event_prepare(&event);

    assert_int_equal(key, 1); /* so the signal's store is seen by the caller's look, */
    xsc_event_signal(&event); /* and a later signal */
    assert_int_equal(xsc_event_wait(&event, key, XSC_FOREVER), 0); /* ends the wait */
    assert_int_equal(os.sleeps + os.wakes, 0);
    assert_int_equal(event.waiters, XSC_EVENT_QUIET);
}

static void signal_while_asleep(void)
{
    assert_int_equal(event.waiters & ~XSC_EVENT_QUIET, XSC_EVENT_WAITER + XSC_EVENT_PARKED);
    xsc_event_signal(&event);
}

static void a_sleeper_is_woken(void **state)
{
    (void)state;
    os.in_sleep = signal_while_asleep;
    assert_int_equal(xsc_event_wait(&event, xsc_event_prepare(&event), XSC_FOREVER), 0);
    assert_int_equal(os.wakes, 1);
    assert_ptr_equal(os.woke, &event.seq);
    assert_int_equal(event.waiters & ~XSC_EVENT_QUIET, 0); /* PARKED is off */
    assert_int_equal(counts().parks, 1);
    xsc_event_signal(&event);
    assert_int_equal(os.wakes, 1);
}

static void others_stay_parked(void **state)
{
    (void)state;
    event.waiters = 2 * XSC_EVENT_WAITER + XSC_EVENT_PARKED;
    leave(&event);
    assert_int_equal(event.waiters, XSC_EVENT_WAITER + XSC_EVENT_PARKED);
    leave(&event);
    assert_int_equal(event.waiters, 0);
    event.waiters = XSC_EVENT_WAITER + XSC_EVENT_PARKED;
    xsc_event_broadcast(&event);
    assert_int_equal(os.woke_count, UINT32_MAX);
    event.waiters = XSC_EVENT_WAITER; /* it watches: no system call */
    xsc_event_broadcast(&event);
    assert_int_equal(os.wakes, 1);
    assert_int_equal(event.seq, 2);
}

static void events_time_out(void **state)
{
    (void)state;
    const uint64_t from = fake.now;

    assert_int_equal(xsc_event_wait(&event, xsc_event_prepare(&event), 3 * MS), -ETIMEDOUT);
    assert_true(fake.now - from >= 3 * MS);
    assert_int_equal(event.waiters, 0);
    assert_int_equal(xsc_event_wait(&event, xsc_event_prepare(&event), 0), -ETIMEDOUT);
    assert_int_equal(event.waiters, 0);
}

static void an_event_lets_look_where_the_barrier_is_refused(void **state)
{
    (void)state;
    event.waiters = XSC_EVENT_QUIET;
    xsc_park_init(XSC_PARK_ASYMMETRIC);
    os.barrier_fails[0] = true;
    const uint64_t from = fake.now;

    assert_int_equal(xsc_event_wait(&event, xsc_event_prepare(&event), XSC_FOREVER), 0);
    assert_in_range(fake.now - from, MS, 2 * MS);
    assert_int_equal(event.waiters, XSC_EVENT_QUIET);
}

static void an_event_naps_where_no_sleep_is_possible(void **state)
{
    for (int shared = 0; shared < 2; shared++) {
        setup(state);
        os.refuses = true;
        const uint64_t from = fake.now;
        const int end = shared ? xsc_event_wait_shared(&event, xsc_event_prepare_shared(&event),
                                                       300 * MS)
                               : xsc_event_wait(&event, xsc_event_prepare(&event), 300 * MS);

        assert_int_equal(end, -ETIMEDOUT);
        assert_in_range(fake.now - from, 300 * MS, 301 * MS);
        assert_in_range(fake.naps, 55, 70);
        assert_int_equal(event.waiters & ~XSC_EVENT_QUIET, 0);
    }
}

static void shared_events(void **state)
{
    (void)state;
    event.waiters = XSC_EVENT_WAITER; /* of another process */
    xsc_event_signal_shared(&event);  /* not joined: it looks */
    assert_int_equal(event.seq, 1);
    assert_int_equal(os.registers[1], 0); /* a writer never pays for that */
    event.waiters = 0;
    const uint32_t key = xsc_event_prepare_shared(&event);

    assert_int_equal(xsc_event_joined, 1);
    assert_int_equal(os.registers[1], 1);
    assert_int_equal(os.barriers[1], 1);
    assert_int_equal(os.barriers[0], 0);
    const uint64_t from = fake.now;

    assert_int_equal(xsc_event_wait_shared(&event, key, XSC_FOREVER), 0); /* to look */
    assert_in_range(fake.now - from, 1000ull * MS, 1001ull * MS);
    assert_true(os.slept_shared);
    assert_int_equal(event.waiters, 0);
    xsc_event_signal_shared(&event);
    assert_int_equal(event.waiters, 0); /* QUIET means nothing to other processes */

    setup(state);
    os.register_fails[1] = os.barrier_fails[1] = true;
    xsc_event_cancel_shared(&event, xsc_event_prepare_shared(&event));
    assert_int_equal(xsc_event_join_shared(), -ENOTSUP);
    assert_int_equal(os.registers[1], 1);
    const uint64_t again = fake.now;

    assert_int_equal(xsc_event_wait_shared(&event, xsc_event_prepare_shared(&event), MS * 10), 0);
    assert_in_range(fake.now - again, MS, 2 * MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_event_learns_that_it_is_quiet),
        TEST(prepare_announces_then_reads_the_key),
        TEST(a_sleeper_is_woken),
        TEST(others_stay_parked),
        TEST(events_time_out),
        TEST(an_event_lets_look_where_the_barrier_is_refused),
        TEST(an_event_naps_where_no_sleep_is_possible),
        TEST(shared_events),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
