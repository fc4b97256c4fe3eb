/* SPDX-License-Identifier: MIT */
/*
 * test_park_handover: no wake-up is lost between park and unpark, signal and event, however
 * many there are and whenever they come.
 *
 * Two threads hand a count back and forth. Most hand-overs find the other side watching; one
 * in 64 comes just when the watch is over and the other side leaves the CPU, and one in 512
 * long after. Which of them were watched and which parked is counted, and there must be both.
 * XSC_TEST_HANDOVERS: how many for the main kind (default 10^7), the others a part of it. Exit
 * 0, 1, 2 (bad number).
 */
#define _GNU_SOURCE
#include <pthread.h>

#include "park_test.h"

#define WATCH_NS 20000 /* about when a waiter leaves the CPU */

struct line {
    union {
        volatile uint8_t u8;
        volatile uint16_t u16;
        volatile uint32_t u32;
        volatile uint64_t u64;
    } word;
    struct xsc_event event;
} __attribute__((aligned(128)));

enum kind { U8, U16, U32, U64, U64_HIGH, EVENT, U32_SHARED, U64_SHARED, EVENT_SHARED };

static const char *const kind_name[] = {
    "u8",    "u16",        "u32",        "u64",         "u64, high half",
    "event", "u32 shared", "u64 shared", "event shared"};

struct exchange {
    enum kind kind;
    enum xsc_park_barrier barrier;
    uint64_t n;
    bool always_late; /* every hand-over comes about when the watch is over */
    struct line line[2];
};

/* What a count looks like in the word. */
static uint64_t as_word(enum kind kind, uint64_t i)
{
    return kind == U8 ? (uint8_t)i : kind == U16 ? (uint16_t)i : kind == U64_HIGH ? i << 32 : i;
}

static void hand_over(struct line *l, enum kind kind, uint64_t i)
{
    const uint64_t v = as_word(kind, i);

    switch (kind) {
    case U8:
        __atomic_store_n(&l->word.u8, (uint8_t)v, __ATOMIC_RELEASE);
        xsc_unpark_one(&l->word.u8);
        break;
    case U16:
        __atomic_store_n(&l->word.u16, (uint16_t)v, __ATOMIC_RELEASE);
        xsc_unpark_all(&l->word.u16);
        break;
    case U32:
        __atomic_store_n(&l->word.u32, (uint32_t)v, __ATOMIC_RELEASE);
        xsc_unpark_one(&l->word.u32);
        break;
    case U32_SHARED:
        __atomic_store_n(&l->word.u32, (uint32_t)v, __ATOMIC_RELEASE);
        xsc_unpark_one_shared(&l->word.u32);
        break;
    case U64_SHARED:
        __atomic_store_n(&l->word.u64, v, __ATOMIC_RELEASE);
        xsc_unpark_one_shared(&l->word.u64);
        break;
    case EVENT:
        __atomic_store_n(&l->word.u64, v, __ATOMIC_RELEASE);
        xsc_event_signal(&l->event);
        break;
    case EVENT_SHARED:
        __atomic_store_n(&l->word.u64, v, __ATOMIC_RELEASE);
        xsc_event_signal_shared(&l->event);
        break;
    default:
        __atomic_store_n(&l->word.u64, v, __ATOMIC_RELEASE);
        xsc_unpark_one(&l->word.u64);
    }
}

static int wait_for_event(struct line *l, uint64_t old, bool shared)
{
    int end = 0;

    while (!end && __atomic_load_n(&l->word.u64, __ATOMIC_ACQUIRE) == old) {
        const uint32_t key = shared ? xsc_event_prepare_shared(&l->event)
                                    : xsc_event_prepare(&l->event);

        if (__atomic_load_n(&l->word.u64, __ATOMIC_ACQUIRE) != old) {
            (shared ? xsc_event_cancel_shared : xsc_event_cancel)(&l->event, key);
        } else {
            end = (shared ? xsc_event_wait_shared : xsc_event_wait)(&l->event, key, LOST_NS);
        }
    }
    return end;
}

static int receive(struct line *l, enum kind kind, uint64_t i)
{
    const uint64_t old = as_word(kind, i - 1);

    switch (kind) {
    case U8:
        return xsc_park_u8(&l->word.u8, (uint8_t)old, LOST_NS);
    case U16:
        return xsc_park_u16(&l->word.u16, (uint16_t)old, LOST_NS);
    case U32:
        return xsc_park_u32(&l->word.u32, (uint32_t)old, LOST_NS);
    case U32_SHARED:
        return xsc_park_u32_shared(&l->word.u32, (uint32_t)old, LOST_NS);
    case U64_SHARED:
        return xsc_park_u64_shared(&l->word.u64, old, LOST_NS);
    case EVENT:
    case EVENT_SHARED:
        return wait_for_event(l, old, kind == EVENT_SHARED);
    default:
        return xsc_park_u64(&l->word.u64, old, LOST_NS);
    }
}

static bool arrived(const struct line *l, enum kind kind, uint64_t i)
{
    const uint64_t want = as_word(kind, i);

    return kind == U8                          ? l->word.u8 == want
           : kind == U16                       ? l->word.u16 == want
           : kind == U32 || kind == U32_SHARED ? l->word.u32 == (uint32_t)want
                                               : l->word.u64 == want;
}

static void dawdle(uint64_t *random, bool always_late)
{
    const uint64_t r = next_random(random);

    if (r % 512 == 0 && !always_late) {
        spin_for(3ull * WATCH_NS + (r >> 32) % 65536);
    } else if (r % 64 == 1 || always_late) {
        spin_for(WATCH_NS - 2000 + (r >> 32) % 10000);
    }
}

struct side {
    struct exchange *x;
    unsigned me;
};

static void *take_part(void *arg)
{
    const struct side *s = arg;
    struct exchange *x = s->x;
    struct line *mine = &x->line[s->me], *other = &x->line[!s->me];
    uint64_t random = 88172645463325252ull + s->me;

    for (uint64_t i = 1; i <= x->n; i++) {
        if (s->me == 0) {
            dawdle(&random, x->always_late);
            hand_over(other, x->kind, i);
        }
        const int got = receive(mine, x->kind, i);

        CHECK(!got && arrived(mine, x->kind, i), "side %u, hand-over %llu of %llu: %s", s->me,
              (unsigned long long)i, (unsigned long long)x->n, got ? strerror(-got) : "wrong");
        if (got) {
            _exit(1); /* the other side would wait for half a minute more */
        }
        if (s->me) {
            dawdle(&random, x->always_late);
            hand_over(other, x->kind, i);
        }
    }
    return NULL;
}

static void exchange(void *arg)
{
    struct exchange *x = arg;
    struct side side[2] = {{x, 0}, {x, 1}};
    pthread_t thread[2];

    if (x->barrier && xsc_park_init(x->barrier) == -ENOTSUP) {
        printf("no membarrier in this kernel, or it is refused\n");
        _exit(SKIP);
    }
    const uint64_t start = now_ns();

    for (int i = 0; i < 2; i++) {
        CHECK(!pthread_create(&thread[i], NULL, take_part, &side[i]), "%s", strerror(errno));
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(thread[i], NULL);
    }
    const struct xsc_stats s = stats_now();

    printf("# %s%s, %s: %llu hand-overs in %.1f s: %llu slow waits, %llu parked, %llu wakes\n",
           kind_name[x->kind], x->always_late ? ", late" : "",
           xsc_park_in_force() == XSC_PARK_ASYMMETRIC ? "asymmetric"
           : xsc_park_in_force() == XSC_PARK_SEQ_CST  ? "seq_cst"
                                                      : "no counter",
           (unsigned long long)(2 * x->n), (double)(now_ns() - start) / 1e9,
           (unsigned long long)s.total_waits, (unsigned long long)s.parks,
           (unsigned long long)s.wakes);
    CHECK(s.parks > 0, "no thread ever parked");
    /* All of them park where others' work leaves both one CPU, and the policy has seen that. */
    CHECK(s.total_waits >= s.parks, "more parks than waits");
    CHECK(s.wakes > 0, "no thread was ever woken");
    CHECK(!s.timeouts, "%llu timeouts", (unsigned long long)s.timeouts);
    for (uint32_t b = 0; b < XSC_PARK_BUCKETS; b++) {
        CHECK(xsc_parked[b] <= XSC_PARK_FENCED, "bucket %u: %u left", b, xsc_parked[b]);
    }
    for (int i = 0; i < 2; i++) {
        CHECK(x->line[i].event.waiters <= XSC_EVENT_FENCED, "%u left", x->line[i].event.waiters);
    }
}

int main(void)
{
    const uint64_t n = count_from("XSC_TEST_HANDOVERS", 10000000) / 2 + 1; /* there and back */
    const uint64_t part = n / 20 + 1, late = n / 100 + 1;
    struct exchange all[] = {
        {.kind = U32, .barrier = XSC_PARK_ASYMMETRIC, .n = n},
        {.kind = U32, .barrier = XSC_PARK_SEQ_CST, .n = part},
        {.kind = U32, .barrier = XSC_PARK_AUTO, .n = part}, /* decided while both play */
        {.kind = U8, .barrier = XSC_PARK_ASYMMETRIC, .n = part},
        {.kind = U16, .barrier = XSC_PARK_ASYMMETRIC, .n = part},
        {.kind = U64, .barrier = XSC_PARK_ASYMMETRIC, .n = part},
        {.kind = U64_HIGH, .barrier = XSC_PARK_ASYMMETRIC, .n = part},
        {.kind = U64_HIGH, .barrier = XSC_PARK_SEQ_CST, .n = part},
        {.kind = EVENT, .barrier = XSC_PARK_ASYMMETRIC, .n = part},
        {.kind = EVENT, .barrier = XSC_PARK_SEQ_CST, .n = part},
        {.kind = U32_SHARED, .barrier = XSC_PARK_AUTO, .n = part},
        {.kind = U64_SHARED, .barrier = XSC_PARK_AUTO, .n = part},
        {.kind = EVENT_SHARED, .barrier = XSC_PARK_ASYMMETRIC, .n = part},
        {.kind = U32, .barrier = XSC_PARK_ASYMMETRIC, .n = late, .always_late = true},
        {.kind = U64_HIGH, .barrier = XSC_PARK_ASYMMETRIC, .n = late, .always_late = true},
        {.kind = EVENT, .barrier = XSC_PARK_ASYMMETRIC, .n = late, .always_late = true},
        {.kind = EVENT, .barrier = XSC_PARK_SEQ_CST, .n = late, .always_late = true},
    };
    int worst = 0;

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        const int end = in_child(kind_name[all[i].kind], exchange, &all[i]);

        worst = worst == 1 || end == 1 ? 1 : end > worst ? end : worst;
    }
    return worst > 1 && worst != SKIP ? 1 : worst;
}
