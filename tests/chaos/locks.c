/* SPDX-License-Identifier: MIT */
/* locks.c - mutual exclusion, order, timeouts; and no waiter left behind when the last owner has gone */
#include "chaos.h"

#include <errno.h>
#include <sched.h>

#include <xsc/lock.h>

struct locks {
    struct xsc_mutex mutex __attribute__((aligned(128)));
    struct xsc_ticket ticket __attribute__((aligned(128)));
    struct xsc_queue queue __attribute__((aligned(128)));
    uint64_t count __attribute__((aligned(128))); /* plain: under the lock */
    uint64_t check[3];
    uint16_t served;
    uint64_t sections; /* atomic */
};

static struct locks *locks_of(struct round *r)
{
    return (struct locks *)(void *)r->object;
}

/* A critical section: 0 ns holds the lock for an instant. */
static void section(struct worker *w, uint64_t hold_ns)
{
    struct locks *o = locks_of(w->round);
    const uint64_t before = o->count;
    bool alone = true;

    for (unsigned i = 0; i < 3; i++) {
        alone &= o->check[i] == before;
        o->check[i] = before + 1;
    }
    if (hold_ns) {
        sleep_ns(hold_ns);
    } else if (one_in(&w->random, 1024)) {
        sched_yield();
    }
    alone &= o->count == before;
    o->count = before + 1;
    if (!alone) {
        failed(w->round, "worker %u: not alone in section %llu", w->me, (unsigned long long)before);
    }
    add_to(&w->ops, 1);
}

static void settle(struct round *r)
{
    const struct locks *o = locks_of(r);
    uint64_t ops = 0;

    for (unsigned i = 0; i < r->workers; i++) {
        ops += r->worker[i].ops;
    }
    if (o->count != ops) {
        failed(r, "%llu sections counted, %llu made", (unsigned long long)o->count,
               (unsigned long long)ops);
    }
    if (o->mutex.word & (XSC_MUTEX_HELD | XSC_MUTEX_RESERVED)) {
        failed(r, "a mutex that no thread has is %#x", o->mutex.word);
    }
    if (o->queue.word) {
        failed(r, "a queue lock that no thread has is %#llx", (unsigned long long)o->queue.word);
    }
}

/* ------------------------------------------------------------------------------ mutex ---- */

static bool mutex_free(const struct worker *w)
{
    const struct locks *o = locks_of(w->round);

    return !(__atomic_load_n(&o->mutex.word, __ATOMIC_RELAXED) & XSC_MUTEX_HELD);
}

static bool lock_for(struct worker *w, uint64_t ns)
{
    struct xsc_mutex *m = &locks_of(w->round)->mutex;
    const uint64_t since = now_ns();

    waits_for(w, "a mutex, for a time", &m->word, 4, 0, mutex_free);
    return !timed_out(w, xsc_mutex_lock_for(m, ns), since, ns);
}

static void lock(struct worker *w)
{
    struct xsc_mutex *m = &locks_of(w->round)->mutex;

    waits_for(w, "a mutex", &m->word, 4, 0, mutex_free);
    xsc_mutex_lock(m);
    waited(w);
}

static void mutex_work(struct worker *w)
{
    struct xsc_mutex *m = &locks_of(w->round)->mutex;

    for (uint64_t n = 0; n < w->quota;) {
        const uint64_t ns = one_in(&w->random, 4) ? timeout_of(w) : XSC_FOREVER;

        if (one_in(&w->random, 16)) {
            const int err = xsc_mutex_trylock(m);

            if (err) {
                MUST_GIVE(-EBUSY, w->round, err);
                continue;
            }
        } else if (ns != XSC_FOREVER) {
            if (!lock_for(w, ns)) {
                continue;
            }
        } else {
            lock(w);
        }
        section(w, 0);
        xsc_mutex_unlock(m);
        n++;
    }
}

const struct kind chaos_mutex = {.name = "mutex",
                                 .weight = 3000,
                                 .burst = 100000,
                                 .least = 2,
                                 .work = mutex_work,
                                 .settle = settle};

/*
 * Sections of some milliseconds, so that waiters come to reserve the lock (after 10 ms) and to give
 * up in every state there is: before, while reserved, just woken.
 */
static void mutex_long_work(struct worker *w)
{
    struct xsc_mutex *m = &locks_of(w->round)->mutex;

    for (uint64_t n = 0; n < w->quota; n++) {
        if (one_in(&w->random, 2)) {
            lock(w);
        } else if (!lock_for(w, 8000000 + below(&w->random, 30000000))) {
            continue;
        }
        section(w, one_in(&w->random, 4) ? 0 : below(&w->random, 14000000));
        xsc_mutex_unlock(m);
        if (one_in(&w->random, 2)) {
            sleep_ns(below(&w->random, 4000000));
        }
    }
}

const struct kind chaos_mutex_long = {.name = "mutex-long",
                                      .weight = 1,
                                      .burst = 6,
                                      .slow = true,
                                      .least = 3,
                                      .work = mutex_long_work,
                                      .settle = settle};

/* ------------------------------------------------------------------- first come, first ---- */

static bool ticket_free(const struct worker *w)
{
    const uint32_t word = __atomic_load_n(&locks_of(w->round)->ticket.word, __ATOMIC_RELAXED);

    return word >> 16 == (word & XSC_TICKET_OWNER);
}

static void ticket_work(struct worker *w)
{
    struct locks *o = locks_of(w->round);
    struct xsc_ticket *t = &o->ticket;

    for (uint64_t n = 0; n < w->quota; n++) {
        const uint16_t next = (uint16_t)(__atomic_load_n(&t->word, __ATOMIC_RELAXED) >> 16);

        if (one_in(&w->random, 16) && !xsc_ticket_trylock(t)) {
            add_to(&w->turns, 1);
        } else {
            waits_for(w, "a ticket lock", &t->word, 4, 0, ticket_free);
            xsc_ticket_lock(t);
            waited(w);
        }
        const uint16_t mine = (uint16_t)(__atomic_load_n(&t->word, __ATOMIC_RELAXED) &
                                         XSC_TICKET_OWNER);

        if (mine != o->served || (int16_t)(mine - next) < 0) {
            failed(w->round, "worker %u: served as %u, after %u, with a ticket from %u on", w->me,
                   mine, o->served, next);
        }
        o->served = (uint16_t)(mine + 1);
        section(w, 0);
        xsc_ticket_unlock(t);
    }
}

const struct kind chaos_ticket = {.name = "ticket",
                                  .weight = 60,
                                  .burst = 20000,
                                  .spins = true,
                                  .least = 2,
                                  .work = ticket_work,
                                  .settle = settle};

static bool queue_free(const struct worker *w)
{
    return !(__atomic_load_n(&locks_of(w->round)->queue.word, __ATOMIC_RELAXED) & XSC_QUEUE_HELD);
}

static void queue_work(struct worker *w)
{
    struct locks *o = locks_of(w->round);
    struct xsc_queue_node node;

    for (uint64_t n = 0; n < w->quota; n++) {
        if (one_in(&w->random, 16) && !xsc_queue_trylock(&o->queue, &node)) {
            add_to(&w->turns, 1);
        } else {
            waits_for(w, "a queue lock", &o->queue.word, sizeof(o->queue.word), 0, queue_free);
            xsc_queue_lock(&o->queue, &node);
            waited(w);
        }
        section(w, 0);
        xsc_queue_unlock(&o->queue, &node);
    }
}

const struct kind chaos_queue = {.name = "queue",
                                 .weight = 80,
                                 .burst = 10000,
                                 .least = 2,
                                 .work = queue_work,
                                 .settle = settle};
