/* SPDX-License-Identifier: MIT */
/*
 * relay.c - one wake-up for a waiter, while the next waiter is already on its way to sleep
 *
 * Waiters take turns: each waits for the end of one generation. The writer, worker 0, ends it when its
 * waiter has said that it waits, and wakes one. Before that wake is made the next waiter begins to wait,
 * for the end of the next generation. The wake-up is not for it: should the kernel prefer it all the same (it
 * wakes by priority), it finds nothing and sleeps again, and the older waiter must be woken
 * nevertheless. The writer waits for that before it goes on, so nothing makes a lost wake-up good.
 */
#include "chaos.h"

#define POLLS 100

struct relay {
    uint32_t generation __attribute__((aligned(128)));
    struct xsc_event event __attribute__((aligned(128)));
    uint32_t first __attribute__((aligned(128))); /* of this episode */
    uint32_t ready;  /* futex: the generation that is waited for, + 1 */
    uint32_t passed; /* futex: the generation whose wake-up has been made, + 1 */
    uint32_t back;   /* futex: the generation whose waiter has returned, + 1 */
    bool one;        /* word: unpark_one */
    uint32_t seq;    /* of the event, before the signal of this generation */
};

static struct relay *relay_of(const struct worker *w)
{
    return (struct relay *)(void *)w->round->object;
}

static uint32_t generation(const struct relay *o)
{
    return __atomic_load_n(&o->generation, __ATOMIC_ACQUIRE);
}

static void tell(uint32_t *word, uint32_t value)
{
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
    quiet_wake(word);
}

static void until(const uint32_t *word, uint32_t value)
{
    uint32_t seen;

    while ((seen = __atomic_load_n(word, __ATOMIC_ACQUIRE)) != value) {
        quiet_wait(word, seen, UINT64_MAX);
    }
}

/* That the waiter of generation g waits, the first time only: by the next the writer may have gone on. */
static void tell_ready(struct relay *o, uint32_t g)
{
    if ((int32_t)(g + 1 - __atomic_load_n(&o->ready, __ATOMIC_ACQUIRE)) > 0) {
        tell(&o->ready, g + 1);
    }
}

static void write_generations(struct worker *w, void (*wake)(struct relay *o, bool shared))
{
    struct relay *o = relay_of(w);

    for (uint32_t g = o->first; g != o->first + (uint32_t)w->quota; g++) {
        until(&o->ready, g + 1);
        if (one_in(&w->random, 2)) { /* it sleeps by then */
            sleep_ns(below(&w->random, 300000));
        }
        __atomic_store_n(&o->seq, __atomic_load_n(&o->event.seq, __ATOMIC_RELAXED),
                         __ATOMIC_RELAXED);
        __atomic_store_n(&o->generation, g + 1, __ATOMIC_RELEASE);
        wake(o, w->round->shared);
        tell(&o->passed, g + 1);
        until(&o->back, g + 1);
        add_to(&w->ops, 1);
    }
}

/*
 * Until it is this waiter's turn, as early as can be: of a word from the store on; of an event once
 * the signal has moved its seq on, for that signal may end the wait of any thread that prepared
 * before it. Either is before the wake.
 */
static bool is_turn(const struct relay *o, uint32_t g, bool event)
{
    return generation(o) == g && (!event || __atomic_load_n(&o->event.seq, __ATOMIC_ACQUIRE) !=
                                                __atomic_load_n(&o->seq, __ATOMIC_RELAXED));
}

static void until_turn(struct worker *w, uint32_t g, bool event)
{
    struct relay *o = relay_of(w);

    for (unsigned i = 0; !is_turn(o, g, event) && i < POLLS; i++) {
        sleep_ns(20000);
    }
    if (!is_turn(o, g, event)) {
        uint32_t seen;

        while ((int32_t)((seen = __atomic_load_n(&o->passed, __ATOMIC_ACQUIRE)) - g) < 0) {
            quiet_wait(&o->passed, seen, UINT64_MAX);
        }
    }
}

static void wait_generations(struct worker *w, void (*wait)(struct worker *w, uint32_t g),
                             bool event)
{
    struct relay *o = relay_of(w);
    const uint32_t waiters = w->round->workers - 1, quota = (uint32_t)w->quota;

    for (uint32_t i = w->me - 1; i < quota; i += waiters) {
        const uint32_t g = o->first + i;

        until_turn(w, g, event);
        while (generation(o) == g) {
            wait(w, g);
        }
        tell(&o->back, g + 1);
    }
}

static void start(struct round *r)
{
    struct relay *o = (struct relay *)(void *)r->object;

    o->first = o->passed = o->generation;
}

static void begin(struct round *r)
{
    struct relay *o = (struct relay *)(void *)r->object;

    o->generation = (uint32_t)draw(&r->random);
    o->ready = o->back = o->generation;
    o->one = one_in(&r->random, 2);
}

/* ----------------------------------------------------------------------------- events ---- */

static void signal_event(struct relay *o, bool shared)
{
    (shared ? xsc_event_signal_shared : xsc_event_signal)(&o->event);
}

static void wait_event(struct worker *w, uint32_t g)
{
    struct relay *o = relay_of(w);
    const bool shared = w->round->shared;
    const uint32_t key = (shared ? xsc_event_prepare_shared : xsc_event_prepare)(&o->event);

    if (generation(o) != g) {
        (shared ? xsc_event_cancel_shared : xsc_event_cancel)(&o->event, key);
        return;
    }
    const uint64_t ns = timeout_of(w), since = ns == XSC_FOREVER ? 0 : now_ns();

    tell_ready(o, g);
    waits_for(w, shared ? "a shared event" : "an event", &o->generation, 4, g, NULL);
    timed_out(w, (shared ? xsc_event_wait_shared : xsc_event_wait)(&o->event, key, ns), since, ns);
}

static void event_work(struct worker *w)
{
    if (w->me) {
        wait_generations(w, wait_event, true);
    } else {
        write_generations(w, signal_event);
    }
}

const struct kind chaos_event_relay = {.name = "event-relay",
                                       .weight = 2,
                                       .burst = 300,
                                       .shared = true,
                                       .slow = true,
                                       .unfenced = true, /* the library may move seq on by itself */
                                       .least = 3,
                                       .begin = begin,
                                       .start = start,
                                       .work = event_work};

/* ------------------------------------------------------------------------------- words ---- */

/* Each has seen another value. One wake must reach the waiter that the store was for all the same. */
static void unpark_word(struct relay *o, bool shared)
{
    if (o->one) {
        (shared ? xsc_unpark_one_shared : xsc_unpark_one)(&o->generation);
        return;
    }
    (shared ? xsc_unpark_all_shared : xsc_unpark_all)(&o->generation);
}

static void wait_word(struct worker *w, uint32_t g)
{
    struct relay *o = relay_of(w);
    const bool shared = w->round->shared;
    const uint64_t ns = timeout_of(w), since = ns == XSC_FOREVER ? 0 : now_ns();

    tell_ready(o, g);
    waits_for(w, shared ? "a shared park" : "a park", &o->generation, 4, g, NULL);
    timed_out(w, (shared ? xsc_park_u32_shared : xsc_park_u32)(&o->generation, g, ns), since, ns);
}

static void word_work(struct worker *w)
{
    if (w->me) {
        wait_generations(w, wait_word, false);
    } else {
        write_generations(w, unpark_word);
    }
}

const struct kind chaos_relay = {.name = "relay",
                                 .weight = 4,
                                 .burst = 300,
                                 .shared = true,
                                 .slow = true,
                                 .least = 3,
                                 .begin = begin,
                                 .start = start,
                                 .work = word_work};
