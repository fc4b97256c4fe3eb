/* SPDX-License-Identifier: MIT */
/* user/event.c: what waiter and writer store and read, in which order. A6. */
#define _GNU_SOURCE
#include "tests/unit/park_os.h"

static void the_waiter_goes_by_what_it_finds(void **state)
{
    (void)state;
    xsc_event_signal(&event);
    assert_int_equal(event.waiters + event.seq, 0);
    xsc_event_cancel(&event, xsc_event_prepare(&event));
    assert_int_equal(os.barriers[0], 1);
    assert_int_equal(event.waiters, 0);
    event.waiters = XSC_EVENT_FENCED;
    xsc_event_cancel(&event, xsc_event_prepare(&event));
    assert_int_equal(os.barriers[0], 1);
    xsc_event_signal(&event);
    assert_int_equal(event.waiters, XSC_EVENT_FENCED);
    assert_int_equal(event.seq, 0);

    setup(state);
    xsc_park_init(XSC_PARK_SEQ_CST);
    xsc_event_signal(&event);
    xsc_event_cancel(&event, xsc_event_prepare(&event));
    assert_int_equal(event.waiters, 0);
    assert_int_equal(os.barriers[0], 0);
}

/* T1 to T4: no membarrier, and no waiter of this event has been counted for 10 ms yet. */
static uint32_t waiters_in_sleep, prepared_key;

static void note_the_waiters(void)
{
    waiters_in_sleep = event.waiters;
}

static void a_long_wait_asks_for_fences(void **state)
{
    (void)state;
    os.register_fails[0] = true;
    os.in_sleep = note_the_waiters;
    for (unsigned i = 0; i < 10; i++) { /* shorter ones do not */
        assert_int_equal(xsc_event_wait(&event, xsc_event_prepare(&event), XSC_SETTLE_NS),
                         -ETIMEDOUT);
    }
    assert_int_equal(event.waiters + event.seq, 0);
    const uint64_t from = fake.now;

    assert_int_equal(xsc_event_wait(&event, xsc_event_prepare(&event), XSC_FOREVER), 0); /* look */
    assert_in_range(fake.now - from, XSC_SETTLE_NS, XSC_SETTLE_NS + MS);
    assert_int_equal(waiters_in_sleep, XSC_EVENT_WAITER | XSC_EVENT_PARKED); /* T3 is after it */
    assert_int_equal(event.waiters, XSC_EVENT_FENCED);
    assert_int_equal(event.seq, 1); /* T2 */
    assert_int_equal(os.wakes, 1);  /* T4: whatever wakes went to those that return for T2 */
    assert_int_equal(os.woke_count, UINT32_MAX);
    assert_int_equal(xsc_event_wait(&event, xsc_event_prepare(&event), 1000 * (uint64_t)MS),
                     -ETIMEDOUT);
    assert_int_equal(waiters_in_sleep & XSC_EVENT_FENCED, XSC_EVENT_FENCED);
    assert_int_equal(os.barriers[0], 0);
}

/* Another waiter asked for fences between our prepare and our wait. Our look may be older: look again. */
static void asked_for_between_prepare_and_wait(void **state)
{
    (void)state;
    os.register_fails[0] = true;
    os.plan.watch_ns = 0;
    prepared_key = xsc_event_prepare(&event);
    signals_must_fence(&event);
    assert_int_equal(xsc_event_wait(&event, prepared_key, XSC_FOREVER), 0);
    assert_int_equal(os.sleeps, 0);
    /* Its key is from after that, so was its look: FENCED is relied on. */
    event = (struct xsc_event)XSC_EVENT_INIT;
    event.waiters = XSC_EVENT_WAITER;
    event.seq = 1;
    event.waiters |= XSC_EVENT_FENCED;
    assert_int_equal(xsc_event_wait(&event, 1, 50 * MS), -ETIMEDOUT);
    assert_int_equal(os.sleeps, 1);
}

static void signal_in_barrier(void)
{
    assert_int_equal(event.waiters, XSC_EVENT_WAITER); /* announced */
    xsc_event_signal(&event);
}

static void prepare_announces_then_reads_the_key(void **state)
{
    (void)state;
    os.in_barrier = signal_in_barrier;
    const uint32_t key = xsc_event_prepare(&event);

    assert_int_equal(key, 1); /* so the signal's store is seen by the caller's look, */
    xsc_event_signal(&event); /* and a later signal */
    assert_int_equal(xsc_event_wait(&event, key, XSC_FOREVER), 0); /* ends the wait */
    assert_int_equal(os.sleeps + os.wakes, 0);
    assert_int_equal(event.waiters, 0);
}

static void signal_while_asleep(void)
{
    assert_int_equal(event.waiters, XSC_EVENT_WAITER + XSC_EVENT_PARKED);
    xsc_event_signal(&event);
}

static void a_sleeper_is_woken(void **state)
{
    (void)state;
    os.in_sleep = signal_while_asleep;
    assert_int_equal(xsc_event_wait(&event, xsc_event_prepare(&event), XSC_FOREVER), 0);
    assert_int_equal(os.wakes, 1);
    assert_ptr_equal(os.woke, &event.seq);
    assert_int_equal(event.waiters, 0); /* PARKED is off */
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

/* A wake for one that prepared before the signal goes to one that prepared after it. */
static void woken_for_an_older_one(void)
{
    if (os.sleeps == 1) {
        xsc_event_signal_end(waking(&event, 1, event.waiters, false));
        assert_int_equal(os.wakes, 1);
        return;
    }
    assert_int_equal(os.wakes, 2); /* passed on */
    assert_int_equal(os.woke_count, 1);
    assert_int_equal(os.woke_bits, FIRST_BIT);
    assert_int_equal(os.slept_bits, SECOND_BIT);
    assert_true(event.waiters & XSC_EVENT_SECOND);
    xsc_event_signal(&event); /* finds no FIRST, and wakes all of SECOND */
    assert_int_equal(os.wakes, 4);
    assert_int_equal(os.woke_count, UINT32_MAX);
    assert_int_equal(os.woke_bits, SECOND_BIT);
}

static void a_discarded_signal_is_passed_on(void **state)
{
    (void)state;
    event.waiters = XSC_EVENT_WAITER; /* another one */
    os.in_sleep = woken_for_an_older_one;
    assert_int_equal(xsc_event_wait(&event, xsc_event_prepare(&event), XSC_FOREVER), 0);
    assert_int_equal(os.sleeps, 2);
    assert_int_equal(event.waiters & ~XSC_EVENT_FENCED,
                     XSC_EVENT_WAITER + XSC_EVENT_PARKED + XSC_EVENT_SECOND);
    leave(&event);
    assert_int_equal(event.waiters & ~XSC_EVENT_FENCED, 0);
}

static void woken_at_the_deadline(void)
{
    xsc_event_signal_end(waking(&event, 1, event.waiters, false));
    fake_advance(2 * MS);
}

static void a_timeout_passes_a_signal_on(void **state)
{
    (void)state;
    event.waiters = XSC_EVENT_WAITER;
    os.in_sleep = woken_at_the_deadline;
    assert_int_equal(xsc_event_wait(&event, xsc_event_prepare(&event), MS), -ETIMEDOUT);
    assert_int_equal(os.sleeps, 1);
    assert_int_equal(os.wakes, 2);

    setup(state); /* alone, there is no waiter to pass it to */
    os.in_sleep = woken_at_the_deadline;
    assert_int_equal(xsc_event_wait(&event, xsc_event_prepare(&event), MS), -ETIMEDOUT);
    assert_int_equal(os.wakes, 1);
    assert_int_equal(event.waiters & ~XSC_EVENT_FENCED, 0);
}

/* A signal in two parts: the second needs the address only. */
static struct xsc_event_wake begun;

static void begin_in_sleep(void)
{
    begun = xsc_event_signal_begin(&event);
    assert_int_equal(event.seq, 1);
    assert_int_equal(os.wakes, 0);
    memset(&event, 0xff, sizeof(event)); /* freed */
    xsc_event_signal_end(begun);
    assert_int_equal(os.wakes, 1);
    assert_int_equal(os.woke_count, 1);
    assert_ptr_equal(os.woke, &event.seq);
    for (size_t i = 0; i < sizeof(event); i++) {
        assert_int_equal(((const uint8_t *)&event)[i], 0xff);
    }
    event = (struct xsc_event){1, XSC_EVENT_WAITER + XSC_EVENT_PARKED};
}

static void a_signal_in_two_parts(void **state)
{
    os.in_sleep = begin_in_sleep;
    assert_int_equal(xsc_event_wait(&event, xsc_event_prepare(&event), XSC_FOREVER), 0);
    assert_int_equal(event.waiters, 0);

    setup(state);
    assert_null(xsc_event_signal_begin(&event).at); /* no waiter is there */
    assert_null(xsc_event_broadcast_begin_shared(&event).at);
    assert_false(xsc_event_has_waiters(&event));
    event.waiters = XSC_EVENT_WAITER; /* it watches: no system call */
    assert_true(xsc_event_has_waiters(&event));
    begun = xsc_event_broadcast_begin(&event);
    assert_int_equal(event.seq, 1);
    assert_null(begun.at);
    xsc_event_signal_end(begun);
    assert_int_equal(os.wakes, 0);
    event.waiters |= XSC_EVENT_PARKED | XSC_EVENT_SECOND;
    begun = xsc_event_broadcast_begin_shared(&event);
    xsc_event_signal_end(begun);
    assert_int_equal(os.wakes, 1);
    assert_int_equal(os.woke_count, UINT32_MAX);
    assert_int_equal(os.woke_bits, FIRST_BIT | SECOND_BIT);
    assert_true(os.woke_shared);
    xsc_event_signal_end(xsc_event_signal_begin_shared(&event));
    assert_int_equal(os.wakes, 3); /* one, which is not there, and then the others */
    assert_int_equal(event.seq, 3);
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
    xsc_park_init(XSC_PARK_ASYMMETRIC);
    os.barrier_fails[0] = true;
    const uint64_t from = fake.now;

    assert_int_equal(xsc_event_wait(&event, xsc_event_prepare(&event), XSC_FOREVER), 0);
    assert_in_range(fake.now - from, XSC_SETTLE_NS, XSC_SETTLE_NS + MS);
    assert_int_equal(event.waiters, XSC_EVENT_FENCED);
    assert_int_equal(xsc_event_wait(&event, xsc_event_prepare(&event), 50 * MS), -ETIMEDOUT);
    assert_int_equal(os.barriers[0], 1);
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
        assert_int_equal(event.waiters & ~XSC_EVENT_FENCED, 0);
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
    assert_int_equal(event.waiters, 0);

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
        TEST(the_waiter_goes_by_what_it_finds),
        TEST(a_long_wait_asks_for_fences),
        TEST(asked_for_between_prepare_and_wait),
        TEST(prepare_announces_then_reads_the_key),
        TEST(a_sleeper_is_woken),
        TEST(others_stay_parked),
        TEST(a_discarded_signal_is_passed_on),
        TEST(a_timeout_passes_a_signal_on),
        TEST(a_signal_in_two_parts),
        TEST(events_time_out),
        TEST(an_event_lets_look_where_the_barrier_is_refused),
        TEST(an_event_naps_where_no_sleep_is_possible),
        TEST(shared_events),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
