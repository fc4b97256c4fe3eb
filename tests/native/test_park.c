/* SPDX-License-Identifier: MIT */
/*
 * test_park: what xsc/park.h and xsc/event.h promise, within one process: sizes and their
 * neighbours, one and all, timeouts, signals, a store without an unpark, fork.
 *
 * "Parked" is known, not hoped for: the waiter's thread is asleep, in the kernel's own words.
 * Exit 0 or 1.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>

#include "park_test.h"

/* ------------------------------------------------------------------------ a waiter ---- */

struct waiter {
    struct xsc_watch watch;
    struct xsc_event *event; /* instead of the watch */
    uint64_t timeout_ns;
    pthread_t thread;
    volatile int tid, done, end, saved_errno;
};

static void *wait_main(void *arg)
{
    struct waiter *w = arg;

    errno = EXDEV; /* no call here sets this value, so it must be found unchanged */
    __atomic_store_n(&w->tid, (int)syscall(SYS_gettid), __ATOMIC_RELEASE);
    if (w->event) {
        const uint32_t key = xsc_event_prepare(w->event);

        w->end = xsc_event_wait(w->event, key, w->timeout_ns);
    } else {
        w->end = xsc_park_slow(&w->watch, w->timeout_ns);
    }
    w->saved_errno = errno;
    __atomic_store_n(&w->done, 1, __ATOMIC_RELEASE);
    return NULL;
}

static void start(struct waiter *w)
{
    w->tid = w->done = 0;
    CHECK(!pthread_create(&w->thread, NULL, wait_main, w), "no thread");
}

/* 'S' in /proc: asleep. Nothing else in a waiter sleeps once the library has chosen. */
static bool asleep(const struct waiter *w)
{
    char path[64], line[256];
    const int tid = __atomic_load_n(&w->tid, __ATOMIC_ACQUIRE);
    bool sleeps = false;

    snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
    FILE *f = tid ? fopen(path, "r") : NULL;

    if (f) {
        const char *end = fgets(line, sizeof(line), f) ? strrchr(line, ')') : NULL;

        sleeps = end && end[1] && end[2] == 'S';
        fclose(f);
    }
    return sleeps;
}

static void until_asleep(const struct waiter *w)
{
    const uint64_t give_up = now_ns() + LOST_NS;
    const struct timespec moment = {0, 200000};

    for (int in_a_row = 0; in_a_row < 2;) {
        in_a_row = asleep(w) ? in_a_row + 1 : 0;
        nanosleep(&moment, NULL);
        if (now_ns() > give_up) {
            CHECK(false, "the waiter does not leave the CPU");
            return;
        }
    }
}

static void until_done(struct waiter *w)
{
    pthread_join(w->thread, NULL);
    CHECK(w->saved_errno == EXDEV, "errno is %d", w->saved_errno);
}

static void warm_up(void)
{
    uint32_t word = 0;

    CHECK(xsc_park_u32(&word, 0, 100 * MS) == -ETIMEDOUT, "no thread changed it");
    for (uint32_t b = 0; b < XSC_PARK_BUCKETS; b++) {
        /* No waiter is left. FENCED or not: buckets of many parks, or long ones, have gone to fences. */
        CHECK(xsc_parked[b] <= XSC_PARK_FENCED, "bucket %u: %u", b, xsc_parked[b]);
    }
}

/*
 * Without membarrier the first long wait of an event returns after XSC_SETTLE_NS (10 ms), for its caller
 * to look, and the first long park of a bucket looks. Here they are made, so that what follows returns
 * for an unpark or a signal only.
 */
static void settle(struct xsc_event *e, const void *word)
{
    const struct xsc_watch byte = {word, 1, 1, 1, XSC_UNTIL_EQUAL};

    CHECK(xsc_park_slow(&byte, 30 * MS) == -ETIMEDOUT, "not changed");
    if (xsc_park_in_force() != XSC_PARK_ASYMMETRIC) {
        const uint64_t from = now_ns();

        CHECK(!xsc_event_wait(e, xsc_event_prepare(e), LOST_NS), "a look");
        CHECK(now_ns() - from >= 10 * MS, "after %llu ns", (unsigned long long)(now_ns() - from));
        CHECK(e->waiters == XSC_EVENT_FENCED, "waiters %u", e->waiters);
    }
}

/* --------------------------------------------------------------------------- arguments ---- */

static void arguments(void)
{
    union {
        uint64_t u64[2];
        uint8_t bytes[16];
    } m = {{7, 0}};
    struct xsc_event e = XSC_EVENT_INIT;

    CHECK(xsc_park_u8(NULL, 0, MS) == -EINVAL, "NULL");
    CHECK(xsc_park_u16((void *)(m.bytes + 1), 0, MS) == -EINVAL, "misaligned");
    CHECK(xsc_park_u32((void *)(m.bytes + 2), 0, MS) == -EINVAL, "misaligned");
    CHECK(xsc_park_u64((void *)(m.bytes + 4), 0, MS) == -EINVAL, "misaligned");
    CHECK(xsc_park_u64_shared(NULL, 0, MS) == -EINVAL, "NULL");
    CHECK(xsc_park_slow(NULL, MS) == -EINVAL && xsc_park_shared_slow(NULL, MS) == -EINVAL, "NULL");
    CHECK(!xsc_park_u64(&m.u64[0], 8, XSC_FOREVER), "already changed");
    CHECK(xsc_park_u64(&m.u64[0], 7, 0) == -ETIMEDOUT, "looks once");
    _Atomic int16_t counter = -2; /* the macros: any integer word */

    CHECK(!xsc_park(&counter, 7, XSC_FOREVER), "already changed");
    CHECK(xsc_park(&counter, -2, MS) == -ETIMEDOUT, "not changed");
    CHECK(xsc_park(&counter, 0x1fffe, MS) == -EINVAL, "not a value of 16 bits");
    CHECK(!xsc_park_mask(&counter, 6, 6, XSC_FOREVER), "already as wanted");
    CHECK(xsc_park_mask(&counter, 1, 1, MS) == -ETIMEDOUT, "not as wanted");
    CHECK(!xsc_park_reached(&counter, -3, XSC_FOREVER), "already past");
    CHECK(xsc_park_reached(&counter, 1, MS) == -ETIMEDOUT, "not reached");
    CHECK(xsc_park_init((enum xsc_park_barrier)77) == -EINVAL, "no such barrier");
    CHECK(xsc_event_wait(NULL, 0, MS) == -EINVAL, "NULL");
    const uint32_t key = xsc_event_prepare(&e);

    CHECK(e.waiters >= XSC_EVENT_WAITER, "announced");
    xsc_event_cancel(&e, key);
    CHECK(e.waiters < XSC_EVENT_WAITER && !e.seq, "no waiter there");
    xsc_event_signal(&e);
    xsc_event_broadcast(&e);
    CHECK(!e.seq, "a signal without a waiter leaves no trace");
}

/* No earlier than asked, whatever else happens. */
static void timeouts(void)
{
    static const uint64_t lengths[] = {1, 3000, 20000, 20001, 50000, MS, 20 * MS};
    uint64_t word = 7;
    uint32_t narrow = 7;
    struct xsc_event e = XSC_EVENT_INIT;

    settle(&e, &(uint32_t){0});
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        uint64_t from = now_ns();

#define NOT_EARLY(call)                                                                            \
    CHECK((call) == -ETIMEDOUT && now_ns() - from >= lengths[i], "%llu ns after %llu",             \
          (unsigned long long)lengths[i], (unsigned long long)(now_ns() - from));                  \
    from = now_ns()

        NOT_EARLY(xsc_park_u64(&word, 7, lengths[i]));
        NOT_EARLY(xsc_park_u32_shared(&narrow, 7, lengths[i]));
        NOT_EARLY(xsc_park_u64_shared(&word, 7, lengths[i]));
        NOT_EARLY(xsc_event_wait(&e, xsc_event_prepare(&e), lengths[i]));
#if !defined(XSC_TEST_OTHER_PORT) /* which lets look after every nap: that is no timeout */
        NOT_EARLY(xsc_event_wait_shared(&e, xsc_event_prepare_shared(&e), lengths[i]));
#endif
    }
    CHECK(e.waiters <= XSC_EVENT_FENCED, "%u left", e.waiters);
}

/* ------------------------------------------------------------------- words and neighbours ---- */

/* Every size at every place: parked, then brought back, and no other thread. */
static void sizes(void)
{
    static const uint32_t size[] = {1, 2, 4, 8};
    union {
        uint64_t words[2];
        uint8_t bytes[16];
    } m;

    for (size_t i = 0; i < 4; i++) {
        for (uint32_t at = 0; at < 8; at += size[i]) {
            /* Only the last byte changes: the high half, on a little-endian machine. */
            for (uint32_t change = at;
                 change<at + size[i]; change += size[i]> 1 ? size[i] - 1 : 1) {
                memset(&m, 0, sizeof(m));
                struct waiter w = {.watch = {m.bytes + at, 0, UINT64_MAX, size[i], XSC_UNTIL_NOT},
                                   .timeout_ns = LOST_NS};

                start(&w);
                until_asleep(&w);
                __atomic_store_n(&m.bytes[change], 1, __ATOMIC_RELEASE);
                xsc_unpark_one(m.bytes + at);
                until_done(&w);
                CHECK(!w.end, "size %u at %u: %d", size[i], at, w.end);
            }
        }
    }
}

/* Two parked on one futex: each is woken by the unpark of its own word. */
static void neighbours(void)
{
    union {
        uint32_t whole;
        uint8_t byte[4];
    } m;

    for (int round = 0; round < 40; round++) {
        const int first = round % 4, second = (round / 4 + 1 + first) % 4;
        struct waiter w[2];

        if (first == second) {
            continue;
        }
        m.whole = 0;
        w[0] = (struct waiter){.watch = {&m.byte[first], 0, 0xff, 1, XSC_UNTIL_NOT},
                               .timeout_ns = LOST_NS};
        w[1] = (struct waiter){.watch = {&m.byte[second], 0, 0xff, 1, XSC_UNTIL_NOT},
                               .timeout_ns = LOST_NS};
        start(&w[0]);
        until_asleep(&w[0]);
        start(&w[1]);
        until_asleep(&w[1]);
        __atomic_store_n(&m.byte[second], 1, __ATOMIC_RELEASE);
        xsc_unpark_one(&m.byte[second]); /* the first in the queue is not the one it is for */
        until_done(&w[1]);
        CHECK(!w[1].end && !__atomic_load_n(&w[0].done, __ATOMIC_ACQUIRE),
              "second %d, first done %d", w[1].end, w[0].done);
        __atomic_store_n(&m.byte[first], 1, __ATOMIC_RELEASE);
        xsc_unpark_one(&m.byte[first]);
        until_done(&w[0]);
        CHECK(!w[0].end, "first %d", w[0].end);
    }
}

/* Neighbours that change all the time, with and without unparks of their own, are no reason. */
static void restless_neighbours(void)
{
    union {
        uint32_t whole;
        uint8_t byte[4];
        uint16_t pair[2];
    } m = {0};
    struct waiter w = {.watch = {&m.pair[1], 0, UINT64_MAX, 2, XSC_UNTIL_NOT},
                       .timeout_ns = LOST_NS};

    start(&w);
    until_asleep(&w);
    for (int i = 0; i < 100000; i++) {
        __atomic_store_n(&m.byte[i & 1], (uint8_t)i, __ATOMIC_RELEASE);
        if (i % 3 == 0) {
            xsc_unpark_all(&m.byte[i & 1]);
        }
        if (i % 64 == 0) {
            xsc_unpark_one(&m.pair[1]); /* for nothing */
        }
    }
    CHECK(!w.done, "came back with its word unchanged");
    __atomic_store_n(&m.pair[1], 1, __ATOMIC_RELEASE);
    xsc_unpark_one(&m.pair[1]);
    until_done(&w);
    CHECK(!w.end, "%d", w.end);
}

/* The other conditions that a watch can state, parked. */
static void conditions(void)
{
    uint32_t word = 0;
    struct waiter w = {.watch = {&word, 5, UINT32_MAX, 4, XSC_UNTIL_REACHED},
                       .timeout_ns = LOST_NS};

    start(&w);
    for (uint32_t i = 1; i <= 5; i++) {
        until_asleep(&w);
        CHECK(!w.done, "came back at %u", i - 1);
        __atomic_store_n(&word, i, __ATOMIC_RELEASE);
        xsc_unpark_all(&word);
    }
    until_done(&w);
    CHECK(!w.end, "%d", w.end);
}

/* ------------------------------------------------------------------------- many waiters ---- */

#define CROWD 8

static void crowd(bool with_event, uint32_t size)
{
    uint64_t word = 0;
    struct xsc_event e = XSC_EVENT_INIT;
    struct waiter w[CROWD];

    settle(&e, &word);
    for (int i = 0; i < CROWD; i++) {
        w[i] = (struct waiter){.watch = {&word, 0, UINT64_MAX, size, XSC_UNTIL_NOT},
                               .event = with_event ? &e : NULL,
                               .timeout_ns = LOST_NS};
        start(&w[i]);
        until_asleep(&w[i]);
    }
    __atomic_store_n((uint8_t *)&word, 1, __ATOMIC_RELEASE);
    if (with_event) {
        xsc_event_broadcast(&e);
    } else {
        xsc_unpark_all(&word);
    }
    for (int i = 0; i < CROWD; i++) {
        until_done(&w[i]);
        CHECK(!w[i].end, "%d", w[i].end);
    }
    CHECK(e.waiters <= XSC_EVENT_FENCED && xsc_parked[xsc_park_bucket(&word)] <= XSC_PARK_FENCED,
          "a waiter is left");
}

/* Where sleepers look after every nap, more are done than were woken; never fewer. */
#if defined(XSC_TEST_OTHER_PORT)
#define AS_MANY(done, n) ((done) >= (n))
#else
#define AS_MANY(done, n) ((done) == (n))
#endif

/* One unpark, one more done: 4-byte words and events wake no more than asked. */
static void one_at_a_time(bool with_event)
{
    uint32_t word = 0;
    struct xsc_event e = XSC_EVENT_INIT;
    struct waiter w[CROWD];

    settle(&e, &word);
    for (int i = 0; i < CROWD; i++) {
        w[i] = (struct waiter){.watch = {&word, 0, UINT32_MAX, 4, XSC_UNTIL_NOT},
                               .event = with_event ? &e : NULL,
                               .timeout_ns = LOST_NS};
        start(&w[i]);
        until_asleep(&w[i]);
    }
    for (int n = 1; n <= CROWD; n++) {
        int done = 0;

        if (with_event) {
            xsc_event_signal(&e);
        } else {
            __atomic_store_n(&word, (uint32_t)n, __ATOMIC_RELEASE);
            xsc_unpark_one(&word);
        }
        for (const uint64_t until = now_ns() + LOST_NS; done < n && now_ns() < until;) {
            done = 0;
            for (int i = 0; i < CROWD; i++) {
                done += __atomic_load_n(&w[i].done, __ATOMIC_ACQUIRE);
            }
        }
        CHECK(AS_MANY(done, n), "%d done after %d", done, n);
    }
    for (int i = 0; i < CROWD; i++) {
        until_done(&w[i]);
        CHECK(!w[i].end, "%d", w[i].end);
    }
}

/* Tokens: a thread takes one that it finds; unpark_one posts one. A lost one strands a taker. */
struct tokens {
    uint32_t free;
    uint32_t each; /* takes of one taker */
};

static void *take_tokens(void *arg)
{
    struct tokens *t = arg;

    for (uint32_t taken = 0; taken < t->each;) {
        uint32_t free = __atomic_load_n(&t->free, __ATOMIC_RELAXED);

        if (free && __atomic_compare_exchange_n(&t->free, &free, free - 1, 0, __ATOMIC_ACQUIRE,
                                                __ATOMIC_RELAXED)) {
            taken++;
        } else if (!free) {
            const int end = xsc_park_u32(&t->free, 0, LOST_NS);

            CHECK(!end, "taker stranded after %u tokens: %d", taken, end);
            if (end) {
                return NULL;
            }
        }
    }
    return NULL;
}

static void tokens(void)
{
    struct tokens t = {0, 4000};
    pthread_t taker[4];
    uint64_t random = 1234567;

    for (int i = 0; i < 4; i++) {
        CHECK(!pthread_create(&taker[i], NULL, take_tokens, &t), "no thread");
    }
    for (uint32_t i = 0; i < 4 * t.each; i++) {
        __atomic_fetch_add(&t.free, 1, __ATOMIC_RELEASE);
        xsc_unpark_one(&t.free);
        if (next_random(&random) % 8 == 0) {
            spin_for(random >> 32 & 65535);
        }
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(taker[i], NULL);
    }
}

/* ------------------------------------------------------------------------ interruptions ---- */

static int signals;

static void on_signal(int sig)
{
    uint32_t word = 1;

    (void)sig;
    __atomic_fetch_add(&signals, 1, __ATOMIC_RELEASE);
    xsc_unpark_one(&word); /* both may be done here */
    CHECK(!xsc_park_u32(&word, 0, 0), "already changed");
}

/* Signals interrupt the kernel's sleep, not the park. */
static void signalled(bool with_event)
{
    const struct sigaction act = {.sa_handler = on_signal}; /* and no SA_RESTART */
    uint64_t word = 0;
    struct xsc_event e = XSC_EVENT_INIT;
    struct waiter w = {.watch = {&word, 0, UINT64_MAX, 8, XSC_UNTIL_NOT},
                       .event = with_event ? &e : NULL,
                       .timeout_ns = LOST_NS};

    settle(&e, &word);
    sigaction(SIGUSR1, &act, NULL);
    __atomic_store_n(&signals, 0, __ATOMIC_RELAXED);
    start(&w);
    for (int i = 0; i < 100; i++) {
        until_asleep(&w);
        pthread_kill(w.thread, SIGUSR1);
        for (const uint64_t until = now_ns() + LOST_NS;
             __atomic_load_n(&signals, __ATOMIC_ACQUIRE) <= i && now_ns() < until;) {
        }
    }
    until_asleep(&w);
    CHECK(signals == 100 && !w.done, "%d signals, done %d", signals, w.done);
    __atomic_store_n(&word, 1, __ATOMIC_RELEASE);
    xsc_unpark_one(&word);
    xsc_event_signal(&e);
    until_done(&w);
    CHECK(!w.end, "%d", w.end);
}

/* The waker is gone between its store and its unpark: the timeout finds the store. */
static void never_unparked(void)
{
    uint64_t word = 0;

    for (uint32_t size = 1; size <= 8; size *= 2) {
        struct waiter w = {.watch = {&word, 0, UINT64_MAX, size, XSC_UNTIL_NOT},
                           .timeout_ns = 100 * MS};

        word = 0;
        start(&w);
        until_asleep(&w);
        __atomic_store_n((volatile uint8_t *)&word, 1, __ATOMIC_RELEASE);
        until_done(&w);
        CHECK(!w.end, "size %u: %d", size, w.end);
    }
}

/* -------------------------------------------------------------------------------- fork ---- */

static void in_forked(void *arg)
{
    (void)arg;
    sizes();
    crowd(false, 8);
    crowd(true, 4);
    one_at_a_time(true);
}

static void everything(void *arg)
{
    const enum xsc_park_barrier *barrier = arg;

    if (xsc_park_init(*barrier) == -ENOTSUP) {
        printf("no membarrier in this kernel, or it is refused\n");
        _exit(SKIP);
    }
    CHECK(xsc_park_init(*barrier) == 0, "decided once");
    CHECK(xsc_park_init((enum xsc_park_barrier)(3 - *barrier)) == -EALREADY, "decided once");
    warm_up();
    arguments();
    timeouts();
    sizes();
    neighbours();
    restless_neighbours();
    conditions();
    crowd(false, 1);
    crowd(false, 4);
    crowd(false, 8);
    crowd(true, 4);
    one_at_a_time(false);
    one_at_a_time(true);
    tokens();
    signalled(false);
    signalled(true);
    never_unparked();
    warm_up(); /* every count is back where it was */
    CHECK(!in_child("after fork", in_forked, NULL), "in a forked child");
}

int main(void)
{
    enum xsc_park_barrier asymmetric = XSC_PARK_ASYMMETRIC, seq_cst = XSC_PARK_SEQ_CST;
    const int a = in_child("asymmetric", everything, &asymmetric);
    const int s = in_child("seq_cst", everything, &seq_cst);

    return a && a != SKIP ? 1 : s ? 1 : a;
}
