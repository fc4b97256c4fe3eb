/* SPDX-License-Identifier: MIT */
/*
 * test_lock: the locks exclude, order memory, serve in the order they promise, time out when they
 * say, and wake each waiter, with as many threads as CPUs and with many more.
 *
 * XSC_TEST_LOCKS: how often each lock is taken for each number of threads (default 200000; 20000 on
 * the port for any system, where to be parked is to nap for a millisecond). Exit 0, 1, 2 (bad
 * number).
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>

#include <xsc/lock.h>

#include "park_test.h"

#define MAX_THREADS 16
#if defined(XSC_TEST_OTHER_PORT)
#define SECTIONS 20000
#else
#define SECTIONS 200000
#endif

enum kind { TICKET, QUEUE, MUTEX, MUTEX_TIMED, MUTEX_TRY, QUEUE_TRY, TICKET_TRY, KINDS };

static const char *const kind_name[] = {
    "ticket", "queue", "mutex", "mutex, timed", "mutex, tried", "queue, tried", "ticket, tried"};

struct shared {
    enum kind kind;
    unsigned threads;
    enum xsc_park_barrier barrier;
    uint64_t n;
    uint32_t yield_in; /* one section in so many gives up its CPU while it holds the lock */

    struct xsc_ticket ticket __attribute__((aligned(128)));
    struct xsc_queue queue __attribute__((aligned(128)));
    struct xsc_mutex mutex __attribute__((aligned(128)));
    /* Under the lock, plain on purpose. */
    uint64_t count __attribute__((aligned(128)));
    uint64_t check[4];
    uint64_t timeouts; /* atomic, as is the next */
    unsigned here;
};

static void acquire(struct shared *s, struct xsc_queue_node *node)
{
    switch (s->kind) {
    case TICKET:
        xsc_ticket_lock(&s->ticket);
        break;
    case TICKET_TRY:
        while (xsc_ticket_trylock(&s->ticket)) {
            sched_yield();
        }
        break;
    case QUEUE:
        xsc_queue_lock(&s->queue, node);
        break;
    case QUEUE_TRY:
        while (xsc_queue_trylock(&s->queue, node)) {
            sched_yield();
        }
        break;
    case MUTEX_TRY:
        while (xsc_mutex_trylock(&s->mutex)) {
            sched_yield();
        }
        break;
    case MUTEX_TIMED: /* so short that many give up, in every state there is */
        while (xsc_mutex_lock_for(&s->mutex, 5000)) {
            __atomic_fetch_add(&s->timeouts, 1, __ATOMIC_RELAXED);
        }
        break;
    default:
        xsc_mutex_lock(&s->mutex);
    }
}

static void release(struct shared *s, struct xsc_queue_node *node)
{
    switch (s->kind) {
    case TICKET:
    case TICKET_TRY:
        xsc_ticket_unlock(&s->ticket);
        break;
    case QUEUE:
    case QUEUE_TRY:
        xsc_queue_unlock(&s->queue, node);
        break;
    default:
        xsc_mutex_unlock(&s->mutex);
    }
}

static void *hammer(void *arg)
{
    struct shared *s = arg;
    struct xsc_queue_node node;

    __atomic_fetch_add(&s->here, 1, __ATOMIC_RELAXED);
    while (__atomic_load_n(&s->here, __ATOMIC_RELAXED) < s->threads) {
        sched_yield();
    }
    for (uint64_t i = 0; i < s->n / s->threads; i++) {
        acquire(s, &node);
        const uint64_t before = s->count;
        bool equal = true;

        for (int k = 0; k < 4; k++) {
            equal &= s->check[k] == before;
            s->check[k] = before + 1;
        }
        if (s->yield_in && before % s->yield_in == 0) {
            sched_yield();
        }
        equal &= s->count == before;
        s->count = before + 1;
        release(s, &node);
        CHECK(equal, "%s: another thread was in at %llu", kind_name[s->kind],
              (unsigned long long)before);
        if (!equal) {
            _exit(1);
        }
    }
    return NULL;
}

static void all_free(const struct shared *s)
{
    struct xsc_queue_node node;
    struct shared *t = (struct shared *)s;

    CHECK(s->ticket.word >> 16 == (s->ticket.word & XSC_TICKET_OWNER), "%#x", s->ticket.word);
    CHECK(!s->queue.word, "a waiter is left");
    CHECK(!(s->mutex.word & ~XSC_MUTEX_PARKED), "%#x", s->mutex.word);
    CHECK(!xsc_mutex_trylock(&t->mutex), "a free mutex");
    CHECK(xsc_mutex_trylock(&t->mutex) == -EBUSY, "a held mutex");
    xsc_mutex_unlock(&t->mutex);
    CHECK(!xsc_queue_trylock(&t->queue, &node), "a free queue");
    xsc_queue_unlock(&t->queue, &node);
    for (uint32_t b = 0; b < XSC_PARK_BUCKETS; b++) {
        CHECK(xsc_parked[b] <= XSC_PARK_FENCED, "bucket %u: %u left", b, xsc_parked[b]);
    }
}

static void stress(void *arg)
{
    struct shared *s = arg;
    pthread_t thread[MAX_THREADS];

    if (s->barrier && xsc_park_init(s->barrier) == -ENOTSUP) {
        printf("no membarrier in this kernel, or it is refused\n");
        _exit(SKIP);
    }
    const uint64_t start = now_ns();

    for (unsigned i = 0; i < s->threads; i++) {
        CHECK(!pthread_create(&thread[i], NULL, hammer, s), "%s", strerror(errno));
    }
    for (unsigned i = 0; i < s->threads; i++) {
        pthread_join(thread[i], NULL);
    }
    const struct xsc_stats stats = stats_now();

    printf(
        "# %s, %u threads, %s: %llu sections in %.2f s; %llu slow waits, %llu parks, %llu wakes, "
        "%llu timeouts\n",
        kind_name[s->kind], s->threads, s->barrier == XSC_PARK_SEQ_CST ? "seq_cst" : "auto",
        (unsigned long long)s->count, (double)(now_ns() - start) / 1e9,
        (unsigned long long)stats.total_waits, (unsigned long long)stats.parks,
        (unsigned long long)stats.wakes, (unsigned long long)s->timeouts);
    CHECK(s->count == s->n / s->threads * s->threads, "%llu", (unsigned long long)s->count);
    all_free(s);
}

/* ---------------------------------------------------------------------------- the order ---- */

struct line_up {
    struct xsc_ticket ticket;
    struct xsc_queue queue;
    bool by_queue;
    unsigned order[MAX_THREADS], served;
};

struct member {
    struct line_up *l;
    unsigned me;
    struct xsc_queue_node node;
};

static void *stand_in_line(void *arg)
{
    struct member *m = arg;

    if (m->l->by_queue) {
        xsc_queue_lock(&m->l->queue, &m->node);
    } else {
        xsc_ticket_lock(&m->l->ticket);
    }
    m->l->order[m->l->served++] = m->me;
    if (m->l->by_queue) {
        xsc_queue_unlock(&m->l->queue, &m->node);
    } else {
        xsc_ticket_unlock(&m->l->ticket);
    }
    return NULL;
}

/* They come one after another: each is in the line before the next one starts. */
static void first_come_first_served(void *arg)
{
    static struct member member[MAX_THREADS];
    struct line_up l = {.by_queue = arg != NULL};
    struct xsc_queue_node own;
    pthread_t thread[MAX_THREADS];

    /* Near the end of the tickets: they start again at 0. */
    l.ticket.word = 0xfffcfffcu;
    if (l.by_queue) {
        xsc_queue_lock(&l.queue, &own);
    } else {
        xsc_ticket_lock(&l.ticket);
    }
    for (unsigned i = 0; i < MAX_THREADS; i++) {
        member[i] = (struct member){.l = &l, .me = i};
        CHECK(!pthread_create(&thread[i], NULL, stand_in_line, &member[i]), "%s", strerror(errno));
        while (l.by_queue ? __atomic_load_n(&l.queue.word, __ATOMIC_RELAXED) !=
                                ((uintptr_t)&member[i].node | XSC_QUEUE_HELD)
                          : __atomic_load_n(&l.ticket.word, __ATOMIC_RELAXED) >> 16 !=
                                (uint16_t)(0xfffcu + 2 + i)) {
            sched_yield();
        }
    }
    CHECK(!l.served, "%u got in", l.served);
    if (l.by_queue) {
        CHECK(xsc_queue_trylock(&l.queue, &(struct xsc_queue_node){0}) == -EBUSY, "a held queue");
        xsc_queue_unlock(&l.queue, &own);
    } else {
        CHECK(xsc_ticket_trylock(&l.ticket) == -EBUSY, "a held ticket lock");
        xsc_ticket_unlock(&l.ticket);
    }
    for (unsigned i = 0; i < MAX_THREADS; i++) {
        pthread_join(thread[i], NULL);
        CHECK(l.order[i] == i, "%u came as number %u", l.order[i], i);
    }
    CHECK(l.by_queue || l.ticket.word == 0x000d000du, "%#x", l.ticket.word);
}

/* ------------------------------------------------------------------------- the deadline ---- */

static void timed(void *arg)
{
    struct xsc_mutex m = {0};
    const uint64_t limits[] = {1, 1000, 100000, 3 * MS};

    (void)arg;
    CHECK(!xsc_mutex_lock_for(&m, 0), "a free mutex, no time");
    CHECK(xsc_mutex_lock_for(&m, 0) == -ETIMEDOUT, "a held mutex, no time");
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        const uint64_t start = now_ns();

        CHECK(xsc_mutex_lock_for(&m, limits[i]) == -ETIMEDOUT, "a held mutex");
        CHECK(now_ns() - start >= limits[i], "early: %llu ns", (unsigned long long)limits[i]);
    }
    CHECK((m.word & ~XSC_MUTEX_PARKED) == XSC_MUTEX_HELD, "%#x", m.word);
    xsc_mutex_unlock(&m);
    CHECK((m.word & ~XSC_MUTEX_PARKED) == 0, "%#x", m.word);
    CHECK(!xsc_mutex_lock_for(&m, XSC_FOREVER), "a free mutex, no deadline");
    xsc_mutex_unlock(&m);
}

/* --------------------------------------------------------------------------- starvation ---- */

struct hog {
    struct xsc_mutex mutex;
    uint64_t taken; /* under it */
    bool done;
};

static void *never_gives_way(void *arg)
{
    struct hog *h = arg;

    while (!__atomic_load_n(&h->done, __ATOMIC_RELAXED)) {
        xsc_mutex_lock(&h->mutex);
        spin_for(20000);
        h->taken++;
        xsc_mutex_unlock(&h->mutex);
    }
    return NULL;
}

/* Two that come back at once, with sections longer than a look: the third gets in all the same. */
static void no_waiter_starves(void *arg)
{
    struct hog h = {0};
    pthread_t thread[2];

    (void)arg;
    for (int i = 0; i < 2; i++) {
        CHECK(!pthread_create(&thread[i], NULL, never_gives_way, &h), "%s", strerror(errno));
    }
    for (int i = 0; i < 20; i++) {
        CHECK(!xsc_mutex_lock_for(&h.mutex, LOST_NS), "starved");
        xsc_mutex_unlock(&h.mutex);
    }
    __atomic_store_n(&h.done, true, __ATOMIC_RELAXED);
    for (int i = 0; i < 2; i++) {
        pthread_join(thread[i], NULL);
    }
}

int main(void)
{
    const uint64_t n = count_from("XSC_TEST_LOCKS", SECTIONS);
    static const unsigned threads[] = {1, 2, 4, MAX_THREADS};
    int worst = 0;

    for (int kind = 0; kind < KINDS; kind++) {
        for (size_t i = 0; i < sizeof(threads) / sizeof(threads[0]); i++) {
            for (int seq_cst = 0; seq_cst < (kind == MUTEX || kind == MUTEX_TIMED ? 2 : 1);
                 seq_cst++) {
                static struct shared s;

                s = (struct shared){.kind = (enum kind)kind,
                                    .threads = threads[i],
                                    .barrier = seq_cst ? XSC_PARK_SEQ_CST : XSC_PARK_AUTO,
                                    .n = kind == MUTEX_TIMED ? n / 10 : n,
                                    .yield_in = i % 2 ? 97 : 0};
                const int end = in_child(kind_name[kind], stress, &s);

                worst = worst == 1 || end == 1 ? 1 : end > worst ? end : worst;
            }
        }
    }
    worst |= in_child("ticket: first come, first served", first_come_first_served, NULL) == 1;
    worst |= in_child("queue: first come, first served", first_come_first_served, &worst) == 1;
    worst |= in_child("mutex: deadlines", timed, NULL) == 1;
    worst |= in_child("mutex: no waiter starves", no_waiter_starves, NULL) == 1;
    return worst;
}
