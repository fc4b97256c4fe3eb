/* SPDX-License-Identifier: MIT */
/*
 * The locks and parking themselves, in every order of their threads' steps up to a number of deviations
 * (tests/unit/interleave.h): no waiter is lost, never are two in. With the OS's or the waiter's
 * part left out the same search finds the lost waiter. G1, G3, A5.
 *
 * XSC_TEST_DEVIATIONS: any value asks for one more deviation than usual (some minutes).
 */
#define _GNU_SOURCE
#include <stdlib.h>

#include "core/mechanism.h"
#include "core/stats.h"
#include "core/wait.h"
#include "user/library.h"

#include "tests/unit/interleave.h"

#include "user/barrier.c"
#include "user/event.c"
#include "user/lock.c"
#include "user/mutex.c"
#include "user/park.c"

struct xsc_engine xsc_library;

/* ------------------------------------------- the parts that are not under test, made short ---- */

enum xsc_park_barrier xsc_config_park(void)
{
    return XSC_PARK_AUTO;
}

const char *xsc_set_up_by_environment(void)
{
    return NULL;
}

int xsc_library_ready(void)
{
    return 0;
}

/* One slot, not shared: statistics are not under test. */
struct xsc_slot *xsc_slot_claim(struct xsc_stats_table *t, uint32_t hint)
{
    static struct xsc_slot slot;

    (void)t;
    (void)hint;
    return &slot;
}

uint32_t xsc_port_slot_hint(void)
{
    return 0;
}

void xsc_stamp_wake(const volatile void *at)
{
    (void)at;
}

/* Watching is looking once; then it is off the CPU. */
int xsc_watch_then(const struct xsc_watch *w, struct xsc_site *own, uint64_t timeout_ns,
                   xsc_sleep_fn *sleep, void *arg)
{
    (void)own;
    const uint64_t until_ns = timeout_ns == XSC_FOREVER ? XSC_FOREVER : il.now_ns + timeout_ns;

    return xsc_watch_met(w) || sleep(arg, until_ns) ? 0 : -ETIMEDOUT;
}

bool xsc_core_spin(struct xsc_engine *e, const struct xsc_watch *w, uint64_t *spun_ns)
{
    (void)e;
    *spun_ns = 0;
    return xsc_watch_met(w);
}

enum xsc_end xsc_core_watch(struct xsc_engine *e, const struct xsc_watch *w, uint64_t timeout_ns,
                            struct xsc_watching *how)
{
    (void)e;
    (void)timeout_ns;
    (void)how;
    xsc_port_yield();
    return xsc_watch_met(w) ? XSC_MET : XSC_TIMED_OUT;
}

/* Equals, all of them: to yield is enough. */
uint64_t xsc_nap_due(struct xsc_giving_way *way, uint64_t ns)
{
    (void)way;
    (void)ns;
    return 0;
}

/* --------------------------------------------------------------------------- scenarios ---- */

static struct xsc_mutex mutex;
static struct xsc_ticket ticket;
static struct xsc_queue queue;
static struct xsc_queue_node nodes[IL_THREADS];
static uint32_t flag, prepared;
static struct xsc_event event;
static unsigned inside, done[IL_THREADS];
static bool impatient;
static uint32_t barrier_kind;
static bool from_zero;

static void reset(void)
{
    mutex = (struct xsc_mutex){0};
    ticket = (struct xsc_ticket){0};
    queue = (struct xsc_queue){0};
    flag = prepared = inside = waiters = fences = takes_ns = 0;
    event = (struct xsc_event){
        0, barrier_kind == XSC_PARK_ASYMMETRIC || from_zero ? 0 : XSC_EVENT_FENCED};
    memset(seconds, 0, sizeof(seconds));
    memset(done, 0, sizeof(done));
    memset(relief, 0, sizeof(relief));
    in_force = barrier_kind;
    for (unsigned i = 0; i < XSC_PARK_BUCKETS; i++) {
        xsc_parked[i] = barrier_kind == XSC_PARK_ASYMMETRIC || from_zero ? 0 : XSC_PARK_FENCED;
    }
    xsc_library.chosen = 1;
    xsc_library.cpu.cpus = 64;
}

static void critical(unsigned me)
{
    if (inside++) {
        il_stop(IL_BROKEN);
    }
    il_step();
    if (impatient) {
        il.now_ns += PATIENCE_NS;
    }
    inside--;
    done[me]++;
}

static void use_mutex(unsigned me)
{
    xsc_mutex_lock(&mutex);
    critical(me);
    xsc_mutex_unlock(&mutex);
}

static void use_mutex_twice(unsigned me)
{
    use_mutex(me);
    use_mutex(me);
}

static void use_mutex_thrice(unsigned me)
{
    use_mutex_twice(me);
    use_mutex(me);
}

/* The first one gives up when it has slept for a while. */
static void use_mutex_timed(unsigned me)
{
    if (me) {
        use_mutex(me);
        return;
    }
    if (!xsc_mutex_lock_for(&mutex, 1000)) {
        critical(me);
        xsc_mutex_unlock(&mutex);
    }
}

/*
 * An owner that comes back, a waiter that gives up after it has waited long enough to reserve the
 * lock, and one that waits for as long as it takes.
 */
static void use_mutex_hurried(unsigned me)
{
    if (me == 1) {
        if (!xsc_mutex_lock_for(&mutex, PATIENCE_NS + PATIENCE_NS / 2)) {
            critical(me);
            xsc_mutex_unlock(&mutex);
        }
    } else if (me) {
        use_mutex(me);
    } else {
        use_mutex_twice(me);
    }
}

static void use_ticket(unsigned me)
{
    xsc_ticket_lock(&ticket);
    critical(me);
    xsc_ticket_unlock(&ticket);
}

static void use_queue(unsigned me)
{
    xsc_queue_lock(&queue, &nodes[me]);
    critical(me);
    xsc_queue_unlock(&queue, &nodes[me]);
}

static void use_queue_twice(unsigned me)
{
    use_queue(me);
    use_queue(me);
}

/* Thread 0 stores and unparks; the others park. */
static void use_park(unsigned me)
{
    if (!me) {
        __atomic_store_n(&flag, 1, __ATOMIC_RELEASE);
        xsc_unpark_all(&flag);
    } else if (xsc_park_u32(&flag, 0, XSC_FOREVER) || flag != 1) {
        il_stop(IL_BROKEN);
    }
}

/* Two waiters for unlike values; the second would be content with never being woken. */
static void use_park_unlike(unsigned me)
{
    if (!me) {
        __atomic_store_n(&flag, 1, __ATOMIC_RELEASE);
        xsc_unpark_one(&flag);
    } else if (me == 1) {
        if (xsc_park_u32(&flag, 0, XSC_FOREVER) || flag != 1) {
            il_stop(IL_BROKEN);
        }
    } else {
        (void)xsc_park_u32(&flag, 1, 1000);
    }
}

/*
 * A signal is for a thread that has prepared. The second comes when it likes and soon leaves; if a
 * signal ended its wait, the first is owed another.
 */
static void use_event(unsigned me)
{
    if (!me) {
        while (!__atomic_load_n(&prepared, __ATOMIC_ACQUIRE)) {
            xsc_port_yield();
        }
        xsc_event_signal(&event);
        return;
    }
    const uint32_t key = xsc_event_prepare(&event);

    if (me == 1) {
        __atomic_store_n(&prepared, 1, __ATOMIC_RELEASE);
        (void)xsc_event_wait(&event, key, XSC_FOREVER);
    } else if (!xsc_event_wait(&event, key, 1000)) {
        xsc_event_broadcast(&event);
    }
}

static const struct scenario {
    const char *name;
    void (*body)(unsigned me);
    unsigned threads, deviations;
    bool impatient, seq_cst;
    struct il_breaks breaks;
    enum il_end end;
    bool from_zero; /* fences: no waiter has asked for them yet */
} scenarios[] = {
    {"park, one waiter", use_park, 2, 5, false, false, {0}, IL_FINE, false},
    {"park, two waiters", use_park, 3, 4, false, false, {0}, IL_FINE, false},
    {"park, two waiters, fences", use_park, 3, 4, false, true, {0}, IL_FINE, false},
    {"park, one waiter, to fences", use_park, 2, 5, false, true, {0}, IL_FINE, true},
    {"park, two waiters, to fences", use_park, 3, 4, false, true, {0}, IL_FINE, true},
    {"park, to fences, stores never settle",
     use_park,
     2,
     5,
     false,
     true,
     {.no_settling = true},
     IL_LOST,
     true},
    {"park, no barrier", use_park, 2, 5, false, false, {.no_barrier = true}, IL_LOST, false},
    {"park, no comparison", use_park, 2, 5, false, false, {.no_compare = true}, IL_LOST, false},
    {"park, no wake", use_park, 2, 5, false, false, {.no_wake = true}, IL_LOST, false},
    {"park, unlike values, unpark_one", use_park_unlike, 3, 4, false, false, {0}, IL_FINE, false},
    {"park, unlike values, unpark_one, fences",
     use_park_unlike,
     3,
     4,
     false,
     true,
     {0},
     IL_FINE,
     false},
    {"event, two waiters", use_event, 3, 3, false, false, {0}, IL_FINE, false},
    {"event, two waiters, fences", use_event, 3, 3, false, true, {0}, IL_FINE, false},
    {"event, no comparison", use_event, 3, 4, false, false, {.no_compare = true}, IL_LOST, false},
    {"event, no wake", use_event, 3, 4, false, false, {.no_wake = true}, IL_LOST, false},
    {"event, wakes not passed on",
     use_event,
     3,
     3,
     false,
     false,
     {.not_told = true},
     IL_LOST,
     false},
    {"park, wakes not passed on",
     use_park_unlike,
     3,
     4,
     false,
     false,
     {.not_told = true},
     IL_LOST,
     false},
    {"ticket, two", use_ticket, 2, 5, false, false, {0}, IL_FINE, false},
    {"ticket, three", use_ticket, 3, 4, false, false, {0}, IL_FINE, false},
    {"queue, two", use_queue, 2, 4, false, false, {0}, IL_FINE, false},
    {"queue, three", use_queue, 3, 3, false, false, {0}, IL_FINE, false},
    {"queue, two, twice each", use_queue_twice, 2, 3, false, false, {0}, IL_FINE, false},
    {"queue, three, fences", use_queue, 3, 3, false, true, {0}, IL_FINE, false},
    {"queue, no comparison", use_queue, 3, 4, false, false, {.no_compare = true}, IL_LOST, false},
    {"queue, no wake", use_queue, 3, 4, false, false, {.no_wake = true}, IL_LOST, false},
    {"queue, no barrier", use_queue, 3, 4, false, false, {.no_barrier = true}, IL_LOST, false},
    {"mutex, two", use_mutex, 2, 4, false, false, {0}, IL_FINE, false},
    {"mutex, two, twice each", use_mutex_twice, 2, 3, false, false, {0}, IL_FINE, false},
    {"mutex, two, twice each, fences", use_mutex_twice, 2, 3, false, true, {0}, IL_FINE, false},
    {"mutex, three", use_mutex, 3, 3, false, false, {0}, IL_FINE, false},
    {"mutex, three, impatient", use_mutex_twice, 3, 3, true, false, {0}, IL_FINE, false},
    {"mutex, three, twice each, fences", use_mutex_twice, 3, 3, false, true, {0}, IL_FINE, false},
    {"mutex, three, impatient, fences", use_mutex_twice, 3, 3, true, true, {0}, IL_FINE, false},
    {"mutex, three, to fences", use_mutex, 3, 3, false, true, {0}, IL_FINE, true},
    {"mutex, two, thrice each, to fences", use_mutex_thrice, 2, 3, false, true, {0}, IL_FINE, true},
    {"queue, three, to fences", use_queue, 3, 3, false, true, {0}, IL_FINE, true},
    {"mutex, three, one gives up", use_mutex_timed, 3, 3, false, false, {0}, IL_FINE, false},
    {"mutex, three, one gives up, impatient",
     use_mutex_timed,
     3,
     3,
     true,
     false,
     {0},
     IL_FINE,
     false},
    {"mutex, three, gives up what it reserved",
     use_mutex_hurried,
     3,
     3,
     true,
     false,
     {0},
     IL_FINE,
     false},
    {"the same, fences", use_mutex_hurried, 3, 3, true, true, {0}, IL_FINE, false},
    {"mutex, no barrier", use_mutex, 2, 5, false, false, {.no_barrier = true}, IL_LOST, false},
    {"mutex, no comparison", use_mutex, 2, 5, false, false, {.no_compare = true}, IL_LOST, false},
    {"mutex, no wake", use_mutex, 2, 5, false, false, {.no_wake = true}, IL_LOST, false},
};

static void every_order(void **state)
{
    const unsigned more = getenv("XSC_TEST_DEVIATIONS") ? 1 : 0;

    (void)state;
    for (size_t i = 0; i < LENGTH(scenarios); i++) {
        const struct scenario *s = &scenarios[i];
        uint64_t runs;

        impatient = s->impatient;
        from_zero = s->from_zero;
        barrier_kind = s->seq_cst ? XSC_PARK_SEQ_CST : XSC_PARK_ASYMMETRIC;
        const enum il_end end = il_explore(s->threads, reset, s->body, s->deviations + more,
                                           s->breaks, &runs);

        printf("# %-40s %8llu runs with at most %u deviations: %s\n", s->name,
               (unsigned long long)runs, s->deviations + more, il_end_name[end]);
        fflush(stdout);
        assert_int_equal(end, s->end);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_order)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
