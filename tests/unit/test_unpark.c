/* SPDX-License-Identifier: MIT */
/*
 * The inline part of unpark, signal and unlock: when it leaves the caller's code. The slow paths are
 * counted here in place of the library's; the table is user/barrier.c's, as a process starts with it.
 * A5, A6.
 */
#define _GNU_SOURCE
#include "tests/unit/unit.h"

#include <xsc/lock.h>

#include "tests/unit/fake_port.h"
#include "user/barrier.c"

static struct {
    unsigned unpark, signal, signal_shared, unlock, unlocked;
} slow;
static bool registers;

bool xsc_barrier_register(bool shared)
{
    (void)shared;
    return registers;
}

bool xsc_barrier_everywhere(bool shared)
{
    (void)shared;
    return true;
}

void xsc_unpark_slow(const volatile void *word, uint32_t count)
{
    (void)word;
    (void)count;
    slow.unpark++;
}

void xsc_event_signal_slow(struct xsc_event *event, uint32_t count)
{
    (void)event;
    (void)count;
    slow.signal++;
}

void xsc_event_signal_shared_slow(struct xsc_event *event, uint32_t count)
{
    (void)event;
    (void)count;
    slow.signal_shared++;
}

int xsc_mutex_lock_slow(struct xsc_mutex *m, uint64_t timeout_ns)
{
    (void)m;
    (void)timeout_ns;
    fail();
    return 0;
}

void xsc_mutex_unlock_slow(struct xsc_mutex *m)
{
    m->word = 0;
    slow.unlock++;
}

void xsc_mutex_unlocked(const volatile void *m)
{
    (void)m;
    slow.unlocked++;
}

/* For compilers that do not inline. */
extern inline uint32_t xsc_park_bucket(const volatile void *word);
extern inline void xsc_unpark_one(const volatile void *word);
extern inline void xsc_unpark_all(const volatile void *word);
extern inline void xsc_event_signal(struct xsc_event *event);
extern inline void xsc_event_broadcast(struct xsc_event *event);
extern inline void xsc_event_signal_shared(struct xsc_event *event);
extern inline void xsc_mutex_lock(struct xsc_mutex *m);
extern inline void xsc_mutex_unlock(struct xsc_mutex *m);

static struct {
    uint32_t word;
    struct xsc_event event, mapped;
    struct xsc_mutex mutex;
} x;

static int setup(void **state)
{
    (void)state;
    memset(&x, 0, sizeof(x));
    memset(&slow, 0, sizeof(slow));
    memset(xsc_parked, 0, sizeof(xsc_parked));
    in_force = xsc_event_joined = 0;
    registers = true;
    return 0;
}

static void notify_everything(void)
{
    for (unsigned i = 0; i < 1000; i++) {
        __atomic_store_n(&x.word, i, __ATOMIC_RELEASE);
        xsc_unpark_one(&x.word);
        xsc_unpark_all(&x.word);
        xsc_event_signal(&x.event);
        xsc_event_broadcast(&x.event);
        xsc_mutex_lock(&x.mutex);
        xsc_mutex_unlock(&x.mutex);
    }
}

/* No reset of the table before this one: it is what the program was loaded with. */
static void a_process_that_never_parked_pays_nothing(void **state)
{
    (void)state;
    for (unsigned i = 0; i < XSC_PARK_BUCKETS; i++) {
        assert_int_equal(xsc_parked[i], 0);
    }
    notify_everything();
    assert_int_equal(slow.unpark + slow.signal + slow.unlock + slow.unlocked, 0);
    assert_int_equal(xsc_park_in_force(), XSC_PARK_AUTO);
}

/* Whichever barrier is selected, and before any waiter needs it. */
static void selecting_a_barrier_changes_nothing_for_writers(void **state)
{
    static const enum xsc_park_barrier all[] = {XSC_PARK_AUTO, XSC_PARK_SEQ_CST,
                                                XSC_PARK_ASYMMETRIC};

    for (size_t i = 0; i < 2 * LENGTH(all); i++) {
        setup(state);
        registers = i & 1;
        xsc_park_init(all[i / 2]);
        notify_everything();
        assert_int_equal(slow.unpark + slow.signal + slow.unlock + slow.unlocked, 0);
    }
}

static void what_is_not_0_is_for_the_slow_path(void **state)
{
    static const uint32_t waiting[] = {XSC_PARK_FENCED, 2, 2 | XSC_PARK_FENCED};
    static const uint32_t signals[] = {XSC_EVENT_FENCED, XSC_EVENT_WAITER,
                                       XSC_EVENT_WAITER | XSC_EVENT_PARKED};

    for (size_t i = 0; i < LENGTH(waiting); i++) {
        setup(state);
        xsc_parked[xsc_park_bucket(&x.word)] = waiting[i];
        x.event.waiters = signals[i];
        xsc_unpark_one(&x.word);
        xsc_unpark_all(&x.word);
        xsc_event_signal(&x.event);
        xsc_event_broadcast(&x.event);
        assert_int_equal(slow.unpark, 2);
        assert_int_equal(slow.signal, 2);
    }
}

/* A waiter that is parked for another word is settled inline; a fence is counted in the library. */
static void unlocks(void **state)
{
    (void)state;
    xsc_mutex_lock(&x.mutex);
    xsc_parked[xsc_park_bucket(&x.mutex)] = 2;
    xsc_mutex_unlock(&x.mutex);
    assert_int_equal(x.mutex.word, 0);
    assert_int_equal(slow.unlock, 0);
    xsc_mutex_lock(&x.mutex);
    xsc_parked[xsc_park_bucket(&x.mutex)] = XSC_PARK_FENCED;
    xsc_mutex_unlock(&x.mutex);
    assert_int_equal(slow.unlock, 1);
    assert_int_equal(slow.unlocked, 0);
}

/* Shared: 0 waiters, but another process's barrier reaches us only once we have registered. */
static void shared_signals_fence_until_joined(void **state)
{
    (void)state;
    xsc_event_signal_shared(&x.mapped);
    assert_int_equal(slow.signal_shared, 1);
    assert_int_equal(xsc_event_join_shared(), 0);
    xsc_event_signal_shared(&x.mapped);
    assert_int_equal(slow.signal_shared, 1);
    x.mapped.waiters = XSC_EVENT_WAITER;
    xsc_event_signal_shared(&x.mapped);
    assert_int_equal(slow.signal_shared, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_process_that_never_parked_pays_nothing),
        cmocka_unit_test_setup(selecting_a_barrier_changes_nothing_for_writers, setup),
        cmocka_unit_test_setup(what_is_not_0_is_for_the_slow_path, setup),
        cmocka_unit_test_setup(unlocks, setup),
        cmocka_unit_test_setup(shared_signals_fence_until_joined, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
