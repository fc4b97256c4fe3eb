/* SPDX-License-Identifier: MIT */
/* events.c - event counts: tokens that are waited for, by signal and by broadcast */
#include "chaos.h"

struct tokens {
    uint64_t tokens __attribute__((aligned(128))), room;
    struct xsc_event more __attribute__((aligned(128))), less;
    uint64_t capacity;
    uint32_t broadcasts; /* one in so many wakes is one; 0: none */
};

static struct tokens *tokens_of(struct round *r)
{
    return (struct tokens *)(void *)r->object;
}

static bool try_take(uint64_t *count)
{
    uint64_t seen = __atomic_load_n(count, __ATOMIC_ACQUIRE);

    while (seen) {
        if (__atomic_compare_exchange_n(count, &seen, seen - 1, 0, __ATOMIC_ACQ_REL,
                                        __ATOMIC_ACQUIRE)) {
            return true;
        }
    }
    return false;
}

static void take(struct worker *w, uint64_t *count, struct xsc_event *event)
{
    const bool shared = w->round->shared;

    while (!try_take(count)) {
        const uint32_t key = (shared ? xsc_event_prepare_shared : xsc_event_prepare)(event);

        if (try_take(count)) {
            (shared ? xsc_event_cancel_shared : xsc_event_cancel)(event, key);
            return;
        }
        const uint64_t ns = timeout_of(w), since = ns == XSC_FOREVER ? 0 : now_ns();

        waits_for(w, shared ? "a shared event" : "an event", count, 8, 0, NULL);
        timed_out(w, (shared ? xsc_event_wait_shared : xsc_event_wait)(event, key, ns), since, ns);
    }
}

static void give(struct worker *w, uint64_t *count, struct xsc_event *event)
{
    const bool shared = w->round->shared;
    const uint32_t broadcasts = tokens_of(w->round)->broadcasts;

    __atomic_fetch_add(count, 1, __ATOMIC_RELEASE);
    if (broadcasts && one_in(&w->random, broadcasts)) {
        (shared ? xsc_event_broadcast_shared : xsc_event_broadcast)(event);
    } else {
        (shared ? xsc_event_signal_shared : xsc_event_signal)(event);
    }
}

static void begin(struct round *r)
{
    struct tokens *o = tokens_of(r);

    o->capacity = o->room = 1 + below(&r->random, 4);
    o->broadcasts = one_in(&r->random, 2) ? 0 : 1 + (uint32_t)below(&r->random, 4);
}

static void work(struct worker *w)
{
    struct tokens *o = tokens_of(w->round);

    for (uint64_t n = 0; n < w->quota; n++) {
        if (w->me & 1) {
            take(w, &o->room, &o->less);
            give(w, &o->tokens, &o->more);
        } else {
            take(w, &o->tokens, &o->more);
            give(w, &o->room, &o->less);
        }
        add_to(&w->ops, 1);
    }
}

static void settle(struct round *r)
{
    const struct tokens *o = tokens_of(r);

    if (o->tokens || o->room != o->capacity) {
        failed(r, "%llu tokens and %llu places, not 0 and %llu", (unsigned long long)o->tokens,
               (unsigned long long)o->room, (unsigned long long)o->capacity);
    }
}

const struct kind chaos_event_tokens = {.name = "event-tokens",
                                        .weight = 60,
                                        .burst = 2000,
                                        .shared = true,
                                        .even = true,
                                        .least = 2,
                                        .begin = begin,
                                        .work = work,
                                        .settle = settle};
