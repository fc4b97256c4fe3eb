/* SPDX-License-Identifier: MIT */
/* words.c - parking on words of 1, 2, 4 and 8 bytes, for the process and between processes */
#define _GNU_SOURCE
#include "chaos.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

struct words {
    uint64_t a __attribute__((aligned(128)));
    uint64_t b __attribute__((aligned(128)));
    uint32_t size;
    uint32_t capacity;
    uint64_t step, modulus; /* of the ring's count */
    uint64_t made, taken;   /* tokens, all episodes: atomic */
};

static struct words *words_of(struct round *r)
{
    return (struct words *)(void *)r->object;
}

/* --------------------------------------------------------------------- words of any size ---- */

static uint64_t load(const void *word, uint32_t size)
{
    switch (size) {
    case 1:
        return __atomic_load_n((const uint8_t *)word, __ATOMIC_ACQUIRE);
    case 2:
        return __atomic_load_n((const uint16_t *)word, __ATOMIC_ACQUIRE);
    case 4:
        return __atomic_load_n((const uint32_t *)word, __ATOMIC_ACQUIRE);
    default:
        return __atomic_load_n((const uint64_t *)word, __ATOMIC_ACQUIRE);
    }
}

static void store(void *word, uint32_t size, uint64_t value)
{
    switch (size) {
    case 1:
        __atomic_store_n((uint8_t *)word, (uint8_t)value, __ATOMIC_RELEASE);
        break;
    case 2:
        __atomic_store_n((uint16_t *)word, (uint16_t)value, __ATOMIC_RELEASE);
        break;
    case 4:
        __atomic_store_n((uint32_t *)word, (uint32_t)value, __ATOMIC_RELEASE);
        break;
    default:
        __atomic_store_n((uint64_t *)word, value, __ATOMIC_RELEASE);
    }
}

/* *word += by, if it is `seen`. */
static bool change(void *word, uint32_t size, uint64_t seen, uint64_t by)
{
    uint8_t seen8 = (uint8_t)seen;
    uint16_t seen16 = (uint16_t)seen;
    uint32_t seen32 = (uint32_t)seen;

    switch (size) {
    case 1:
        return __atomic_compare_exchange_n((uint8_t *)word, &seen8, (uint8_t)(seen + by), 0,
                                           __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
    case 2:
        return __atomic_compare_exchange_n((uint16_t *)word, &seen16, (uint16_t)(seen + by), 0,
                                           __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
    case 4:
        return __atomic_compare_exchange_n((uint32_t *)word, &seen32, (uint32_t)(seen + by), 0,
                                           __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
    default:
        return __atomic_compare_exchange_n((uint64_t *)word, &seen, seen + by, 0, __ATOMIC_ACQ_REL,
                                           __ATOMIC_RELAXED);
    }
}

static int park(bool shared, const void *word, uint32_t size, uint64_t old, uint64_t ns)
{
    switch (size) {
    case 1:
        return (shared ? xsc_park_u8_shared : xsc_park_u8)(word, (uint8_t)old, ns);
    case 2:
        return (shared ? xsc_park_u16_shared : xsc_park_u16)(word, (uint16_t)old, ns);
    case 4:
        return (shared ? xsc_park_u32_shared : xsc_park_u32)(word, (uint32_t)old, ns);
    default:
        return (shared ? xsc_park_u64_shared : xsc_park_u64)(word, old, ns);
    }
}

/* Parks until *word is not old, or some time; and checks what that returned. */
static void wait_on(struct worker *w, const void *word, uint32_t size, uint64_t old)
{
    const uint64_t ns = timeout_of(w), since = ns == XSC_FOREVER ? 0 : now_ns();

    waits_for(w, w->round->shared ? "a shared park" : "a park", word, size, old, NULL);
    timed_out(w, park(w->round->shared, word, size, old, ns), since, ns);
}

static void unpark_one(const struct round *r, const void *word)
{
    (r->shared ? xsc_unpark_one_shared : xsc_unpark_one)(word);
}

static void unpark_all(const struct round *r, const void *word)
{
    (r->shared ? xsc_unpark_all_shared : xsc_unpark_all)(word);
}

static void any_size(struct round *r)
{
    struct words *o = words_of(r);

    o->size = 1u << below(&r->random, 4);
    o->step = 1;
    o->capacity = 1 + (uint32_t)below(&r->random, 4);
}

/* ------------------------------------------------------------------------------- ring ---- */

/*
 * A count goes round: worker (count % workers) moves it on, the others park for it, each with the value
 * that it has seen. Unlike `old` values, so all are unparked. Of 8-byte words sometimes only the upper
 * half changes.
 */
static void ring_begin(struct round *r)
{
    struct words *o = words_of(r);

    any_size(r);
    o->modulus = o->size == 8 ? UINT64_MAX : 1ull << 8 * o->size;
    if (o->size == 8 && one_in(&r->random, 2)) {
        o->step = 1ull << 32;
        o->modulus = 1ull << 32;
    }
    o->modulus -= o->modulus % r->workers;
    /* Near its end, so that it wraps. */
    store(&o->a, o->size, (o->modulus - r->workers * (1 + below(&r->random, 8))) * o->step);
}

static void ring_work(struct worker *w)
{
    struct round *r = w->round;
    struct words *o = words_of(r);

    for (uint64_t n = 0; n < w->quota;) {
        const uint64_t value = load(&o->a, o->size), count = value / o->step;

        if (count % r->workers != w->me) {
            wait_on(w, &o->a, o->size, value);
            continue;
        }
        store(&o->a, o->size, (count + 1) % o->modulus * o->step);
        unpark_all(r, &o->a);
        n++;
        add_to(&w->ops, 1);
    }
}

const struct kind chaos_ring = {.name = "ring",
                                .weight = 60,
                                .burst = 2000,
                                .shared = true,
                                .least = 2,
                                .begin = ring_begin,
                                .work = ring_work};

/* ------------------------------------------------------------------------------ crowd ---- */

/*
 * The ring with timeouts of some microseconds only, on a loaded machine: a crowd that goes on watching
 * keeps the one whose turn it is from its CPU. A wait that ends by its timeout must not teach to watch.
 * Every other episode does the same by futex(2), and what that takes is the measure, in the same
 * process and under the same load.
 */
#define CROWD_TIMES 20

struct crowd {
    struct words words;
    bool bare;
    uint64_t since_ns, bare_ns, ours_ns;
    pid_t burners[MAX_WORKERS];
    unsigned n_burners;
};

static void crowd_begin(struct round *r)
{
    struct crowd *o = (struct crowd *)(void *)r->object;

    o->words.size = 4;
    o->words.step = 1;
    o->words.modulus = (1ull << 32) - (1ull << 32) % r->workers;
    for (unsigned i = 0; i < 2 + r->workers / 2; i++) {
        const pid_t pid = fork();

        if (!pid) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            for (;;) {
            }
        }
        o->burners[i] = pid;
        o->n_burners += pid > 0;
    }
}

static void crowd_start(struct round *r)
{
    struct crowd *o = (struct crowd *)(void *)r->object;

    o->bare = !o->bare;
    o->since_ns = now_ns();
}

static void crowd_work(struct worker *w)
{
    struct crowd *o = (struct crowd *)(void *)w->round->object;
    uint32_t *word = (uint32_t *)(void *)&o->words.a;

    for (uint64_t n = 0; n < w->quota;) {
        const uint32_t count = __atomic_load_n(word, __ATOMIC_ACQUIRE);
        const uint64_t ns = 1000 + below(&w->random, 60000);

        if (count % w->round->workers == w->me) {
            __atomic_store_n(word, (uint32_t)((count + 1) % o->words.modulus), __ATOMIC_RELEASE);
            if (o->bare) {
                quiet_wake(word);
            } else {
                xsc_unpark_all(word);
            }
            n++;
            add_to(&w->ops, 1);
        } else if (o->bare) {
            quiet_wait(word, count, ns);
        } else {
            const uint64_t since = now_ns();

            waits_for(w, "a park", word, 4, count, NULL);
            timed_out(w, xsc_park_u32(word, count, ns), since, ns);
        }
    }
}

static void crowd_settle(struct round *r)
{
    struct crowd *o = (struct crowd *)(void *)r->object;

    *(o->bare ? &o->bare_ns : &o->ours_ns) += now_ns() - o->since_ns;
    if (o->ours_ns > CROWD_TIMES * o->bare_ns + 1000000000) {
        failed(r, "%llu ms for what takes a bare futex %llu ms: more than %d times as much",
               (unsigned long long)o->ours_ns / 1000000, (unsigned long long)o->bare_ns / 1000000,
               CROWD_TIMES);
    }
}

static void crowd_finish(struct round *r)
{
    struct crowd *o = (struct crowd *)(void *)r->object;

    for (unsigned i = 0; i < o->n_burners; i++) {
        kill(o->burners[i], SIGKILL);
        waitpid(o->burners[i], NULL, 0);
    }
}

const struct kind chaos_crowd = {.name = "crowd",
                                 .weight = 1,
                                 .burst = 39,
                                 .plain = true,
                                 .least = 4,
                                 .begin = crowd_begin,
                                 .start = crowd_start,
                                 .work = crowd_work,
                                 .settle = crowd_settle,
                                 .finish = crowd_finish};

/* ----------------------------------------------------------------------------- tokens ---- */

/*
 * Two counts, of tokens and of room for them: half of the workers turn one into the other, half the
 * other way. All wait for "not 0", so one is unparked for each.
 */
static void tokens_begin(struct round *r)
{
    any_size(r);
    store(&words_of(r)->b, words_of(r)->size, words_of(r)->capacity);
}

static void take(struct worker *w, uint64_t *count)
{
    struct words *o = words_of(w->round);

    for (;;) {
        const uint64_t seen = load(count, o->size);

        if (!seen) {
            wait_on(w, count, o->size, 0);
        } else if (change(count, o->size, seen, UINT64_MAX)) {
            return;
        }
    }
}

static void give(struct worker *w, uint64_t *count)
{
    struct words *o = words_of(w->round);

    while (!change(count, o->size, load(count, o->size), 1)) {
    }
    unpark_one(w->round, count);
}

static void tokens_work(struct worker *w)
{
    struct words *o = words_of(w->round);

    for (uint64_t n = 0; n < w->quota; n++) {
        take(w, w->me & 1 ? &o->b : &o->a);
        give(w, w->me & 1 ? &o->a : &o->b);
        add_to(&w->ops, 1);
    }
}

static void tokens_settle(struct round *r)
{
    const struct words *o = words_of(r);
    const uint64_t a = load(&o->a, o->size), b = load(&o->b, o->size);

    if (a != 0 || b != o->capacity) {
        failed(r, "%llu tokens and %llu places, not 0 and %u", (unsigned long long)a,
               (unsigned long long)b, o->capacity);
    }
}

const struct kind chaos_tokens = {.name = "tokens",
                                  .weight = 60,
                                  .burst = 2000,
                                  .shared = true,
                                  .even = true,
                                  .least = 2,
                                  .begin = tokens_begin,
                                  .work = tokens_work,
                                  .settle = tokens_settle};
