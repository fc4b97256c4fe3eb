/* SPDX-License-Identifier: MIT */
/*
 * test_event_wakes: wakes that go to the wrong sleeper, and wakes that come late. A6, A11, M1.
 *
 * The kernel wakes by priority. A waiter that came after the signal, or waits for another value, and has
 * a higher priority than the one that the wake is for, must pass it on: else the other sleeps until
 * the watchdog ends the test. That needs SCHED_FIFO; without the right to it those parts are skipped.
 *
 * A signal in two parts, where the event's memory is another's before the second: nothing is written
 * there, which is checked, and nothing read, which AddressSanitizer would say. (valgrind takes the address
 * in FUTEX_WAKE for one that is read; the kernel does not read it.)
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>

#include <xsc/lock.h>

#include "park_test.h"

#define ROUNDS 50

/* ------------------------------------------------------------------------ priorities ---- */

static struct xsc_event event;
static uint32_t word;
static volatile int old_one = 1, new_one = 1; /* what their waits returned; 1: nothing yet */
static volatile int old_tid, new_tid;

static void *wait_old(void *arg)
{
    old_tid = (int)syscall(SYS_gettid);
    (void)arg;
    const uint32_t key = xsc_event_prepare(&event);

    old_one = xsc_event_wait(&event, key, XSC_FOREVER);
    return NULL;
}

static void *wait_new(void *arg)
{
    new_tid = (int)syscall(SYS_gettid);
    const uint32_t key = xsc_event_prepare(&event);

    (void)arg;
    new_one = xsc_event_wait(&event, key, XSC_FOREVER);
    return NULL;
}

static void *park_old(void *arg)
{
    old_tid = (int)syscall(SYS_gettid);
    (void)arg;
    old_one = xsc_park_u32(&word, 0, XSC_FOREVER);
    return NULL;
}

static void *park_new(void *arg)
{
    new_tid = (int)syscall(SYS_gettid);
    (void)arg;
    new_one = xsc_park_u32(&word, 1, XSC_FOREVER);
    return NULL;
}

static bool start(pthread_t *thread, void *(*body)(void *), bool urgent)
{
    const struct sched_param high = {.sched_priority = 10};
    pthread_attr_t attr;

    pthread_attr_init(&attr);
    if (urgent) {
        pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED);
        pthread_attr_setschedpolicy(&attr, SCHED_FIFO);
        pthread_attr_setschedparam(&attr, &high);
    }
    const int err = pthread_create(thread, &attr, body, NULL);

    pthread_attr_destroy(&attr);
    return !err;
}

/* Its waiter has counted itself and sleeps: not runnable, in two looks. */
static void until_asleep(uint32_t n, const uint32_t *count, const volatile int *tid)
{
    char path[64], line[512];
    unsigned looks = 0;

    while (__atomic_load_n(count, __ATOMIC_ACQUIRE) < n) {
        usleep(1000);
    }
    snprintf(path, sizeof(path), "/proc/self/task/%d/stat", *tid);
    while (looks < 3) {
        FILE *f = fopen(path, "r");
        const char *state = f && fgets(line, sizeof(line), f) ? strrchr(line, ')') : NULL;

        looks = state && state[2] == 'S' ? looks + 1 : 0;
        if (f) {
            fclose(f);
        }
        usleep(5000);
    }
}

static int priorities(void)
{
    pthread_t a, b;
    const uint32_t *parked = &xsc_parked[xsc_park_bucket(&word)];

    CHECK(start(&a, wait_old, false), "no thread");
    until_asleep(XSC_EVENT_WAITER, &event.waiters, &old_tid);
    const struct xsc_event_wake w = xsc_event_signal_begin(&event);

    if (!start(&b, wait_new, true)) {
        xsc_event_signal_end(w);
        pthread_join(a, NULL);
        return SKIP;
    }
    until_asleep(2 * XSC_EVENT_WAITER, &event.waiters, &new_tid);
    xsc_event_signal_end(w); /* goes to the second, which came after the signal */
    pthread_join(a, NULL);
    CHECK(!old_one, "the wait that the signal was for ended with %d", old_one);
    CHECK(new_one == 1, "the one that came after it ended with %d", new_one);
    xsc_event_signal(&event);
    pthread_join(b, NULL);
    CHECK(!new_one, "then with %d", new_one);
    CHECK(!xsc_event_has_waiters(&event), "a waiter is left");

    old_one = new_one = 1;
    CHECK(start(&a, park_old, false), "no thread");
    until_asleep(2, parked, &old_tid);
    __atomic_store_n(&word, 1, __ATOMIC_RELEASE);
    CHECK(start(&b, park_new, true), "no thread");
    until_asleep(4, parked, &new_tid);
    xsc_unpark_one(&word);
    pthread_join(a, NULL);
    CHECK(!old_one, "the park that the store was for ended with %d", old_one);
    __atomic_store_n(&word, 2, __ATOMIC_RELEASE);
    xsc_unpark_one(&word);
    pthread_join(b, NULL);
    CHECK(!new_one, "the other with %d", new_one);
    return 0;
}

/* -------------------------------------------------------------------------- lifetime ---- */

struct box {
    struct xsc_mutex lock;
    struct xsc_event event;
    int full;
};

#define NEXT_OWNER 0x5a

/* Takes the item, and gives the box's memory away: to the heap, or to a next owner. */
static void *consumer(void *arg)
{
    struct box *box = arg;
    const bool freed = box->full < 0;

    xsc_mutex_lock(&box->lock);
    box->full = box->full < 0 ? 0 : box->full;
    while (!box->full) {
        const uint32_t key = xsc_event_prepare(&box->event);

        xsc_mutex_unlock(&box->lock);
        (void)xsc_event_wait(&box->event, key, MS); /* or finds it without having been woken */
        xsc_mutex_lock(&box->lock);
    }
    xsc_mutex_unlock(&box->lock);
    if (freed) {
        free(box);
    } else {
        memset((void *)box, NEXT_OWNER, sizeof(*box));
    }
    return NULL;
}

static void late_ends(void)
{
    unsigned calls = 0;

    for (int i = 0; i < ROUNDS || (!calls && i < 100 * ROUNDS); i++) {
        struct box *box = calloc(1, sizeof(*box));
        const bool freed = i & 1;
        pthread_t thread;

        box->full = freed ? -1 : 0;
        CHECK(!pthread_create(&thread, NULL, consumer, box), "no thread");
        while (!(__atomic_load_n(&box->event.waiters, __ATOMIC_ACQUIRE) & XSC_EVENT_PARKED)) {
        }
        xsc_mutex_lock(&box->lock);
        box->full = 1;
        const struct xsc_event_wake w = xsc_event_signal_begin(&box->event);

        xsc_mutex_unlock(&box->lock);
        pthread_join(thread, NULL); /* the box is gone */
        calls += w.at != NULL;
        xsc_event_signal_end(w);
        if (!freed) {
            const unsigned char *byte = (const unsigned char *)box;

            for (size_t n = 0; n < sizeof(*box); n++) {
                CHECK(byte[n] == NEXT_OWNER, "byte %zu is 0x%x now", n, byte[n]);
            }
            free(box);
        }
    }
    CHECK(calls, "no end had anything to do");
    printf("# %u late ends made a system call\n", calls);
}

int main(void)
{
    alarm(60); /* a wait that is never woken */
    const int skipped = priorities();

    late_ends();
    if (skipped) {
        printf("skipped: wakes by priority, which need SCHED_FIFO (root, or ulimit -r 10)\n");
    }
    printf("%s - wakes for another waiter, late wakes\n", failures ? "not ok" : "ok");
    return failures ? 1 : skipped;
}
