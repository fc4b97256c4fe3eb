/* SPDX-License-Identifier: MIT */
#include "core/health.h"

#include <stddef.h>

#include "core/mechanism.h"
#include "core/port.h"
#include "core/text.h"

#define MIN_WAITS 20 /* fewer hardware waits in an interval prove nothing */

/*
 * Success. A slice ends at its deadline with the word changed now and then by chance: the
 * store came in the last moment. One in ten of the waits that a store ended is no chance.
 */
#define LATE_MIN 4
#define LATE_DIV 10

/*
 * Spurious wakes, as a rate over the time waited, because a mechanism without a deadline
 * comes back with every tick of an event stream. Bad: over 100 times a millisecond AND 8
 * times what the trial saw; then nothing sleeps any more.
 */
#define SPURIOUS_PER_S 100000u
#define SPURIOUS_GROWTH 8

/* Latency: half of the slices that ran out ended later than allowed (wait.c counts them). */
#define OVERSLEPT_DIV 2

static void say_of(struct xsc_text *t, uint64_t part, const char *of, uint64_t whole,
                   const char *what)
{
    xsc_text_number(t, part);
    xsc_text_put(t, of);
    xsc_text_number(t, whole);
    xsc_text_put(t, what);
}

bool xsc_interval_bad(const struct xsc_mechanism *m, const struct xsc_trial *seen,
                      const struct xsc_counts *n, char *text, uint32_t size)
{
    struct xsc_text t = xsc_text_in(text, size);
    const uint64_t ended = n->woken + n->late;
    const uint64_t waited_ms = n->slices_ns / 1000000;

    if (n->hw_waits < MIN_WAITS) {
        return false;
    }
    if (m->traits & XSC_MONITOR && n->late >= LATE_MIN && n->late > ended / LATE_DIV) {
        say_of(&t, n->late, " of ", ended, " stores were noticed only when the slice ended");
        return true;
    }
    if (m->traits & XSC_MONITOR && waited_ms) {
        const uint64_t per_s = n->spurious * 1000 / waited_ms;

        if (per_s > SPURIOUS_PER_S && per_s > SPURIOUS_GROWTH * seen->spurious_per_s) {
            say_of(&t, per_s, " spurious wakes a second, ", seen->spurious_per_s,
                   " when it was tried");
            return true;
        }
    }
    if (n->overslept >= LATE_MIN && n->overslept > n->expired / OVERSLEPT_DIV) {
        say_of(&t, n->overslept, " of ", n->expired, " slices ended late, by up to ");
        xsc_text_ns(&t, n->max_over_ns);
        return true;
    }
    return false;
}

/* A sum may have caught a wait in two places at once, and be one too high: see core/stats.c. */
static uint64_t grew(uint64_t now, uint64_t before)
{
    return now > before ? now - before : 0;
}

/* What the counts that health looks at grew by. max_over_ns is of all time: for the text. */
static void count_since(struct xsc_counts *now, const struct xsc_counts *before)
{
    now->hw_waits = grew(now->hw_waits, before->hw_waits);
    now->woken = grew(now->woken, before->woken);
    now->late = grew(now->late, before->late);
    now->expired = grew(now->expired, before->expired);
    now->spurious = grew(now->spurious, before->spurious);
    now->overslept = grew(now->overslept, before->overslept);
    now->slices_ns = grew(now->slices_ns, before->slices_ns);
}

void xsc_roll_back(struct xsc_engine *e, uint64_t now_ns, const char *reason)
{
    const uint32_t choice = __atomic_load_n(&e->chosen, __ATOMIC_RELAXED);
    const uint32_t fallback = XSC_FALLBACK(choice);
    struct xsc_mech_state *s = &e->mech[XSC_PRIMARY(choice)];

    xsc_say(&e->choice_reason, "rolled back from ", s->mech->name);
    xsc_setback(s, now_ns);
    xsc_set_state(s, XSC_STATE_FAILED, reason);
    __atomic_store_n(&e->chosen, XSC_CHOICE(fallback, fallback), __ATOMIC_RELEASE);
}

static void judge(struct xsc_engine *e, uint32_t choice, const struct xsc_counts *grown,
                  uint64_t now_ns)
{
    struct xsc_mech_state *s = &e->mech[XSC_PRIMARY(choice)];
    char text[XSC_REASON_SIZE];

    if (!xsc_interval_bad(s->mech, &s->trial, grown, text, sizeof(text))) {
        if (s->bad_intervals) {
            s->bad_intervals = 0;
            xsc_set_state(s, XSC_STATE_ACTIVE, "recovered");
        }
        return;
    }
    s->bad_intervals++;
    if (s->bad_intervals >= XSC_BAD_INTERVALS && XSC_PRIMARY(choice) != XSC_FALLBACK(choice)) {
        xsc_roll_back(e, now_ns, text);
    } else {
        xsc_set_state(s, XSC_STATE_DEGRADED, text); /* the fallback has nothing to fall to */
    }
}

/*
 * A better mechanism that had a setback, rolled back or left unproven because no other CPU
 * was free for its trial, may prove itself once its quiet time is over.
 */
static void try_again(struct xsc_engine *e, uint32_t choice, uint64_t now_ns)
{
    for (uint32_t i = 0; i < XSC_PRIMARY(choice); i++) {
        struct xsc_mech_state *s = &e->mech[i];

        if (!s->setbacks || now_ns < s->quiet_until_ns || s->mech->traits & XSC_NEEDS_WAKE) {
            continue;
        }
        /* A mechanism asked for by name is not overruled; an uncertain one is not tried unasked. */
        if (e->by_name ? i + 1 != e->by_name : s->uncertain) {
            continue;
        }
        xsc_validate(e, s, e->plan);
        if (xsc_fit(s)) {
            xsc_say(&e->choice_reason, "passed its trial when it was tried again", "");
            __atomic_store_n(&e->chosen, XSC_CHOICE(i, XSC_FALLBACK(choice)), __ATOMIC_RELEASE);
            return;
        }
        if (s->verdict != XSC_UNPROVEN) { /* that one counted itself already */
            xsc_setback(s, now_ns);
        }
    }
}

void xsc_health_check(struct xsc_engine *e, uint64_t now_ns)
{
    const uint64_t next = __atomic_load_n(&e->health.next_ns, __ATOMIC_RELAXED);

    if (next && now_ns < next) {
        return;
    }
    if (!xsc_port_may_judge() || !xsc_manager_lock(e)) {
        return;
    }
    /* Under the lock: another may have judged this interval since we looked. */
    if (__atomic_load_n(&e->health.next_ns, __ATOMIC_RELAXED) == next) {
        const uint32_t choice = __atomic_load_n(&e->chosen, __ATOMIC_RELAXED);
        struct xsc_counts *grown = &e->health.grown;

        xsc_stats_sum(&e->stats, grown, NULL);
        count_since(grown, &e->health.before);
        if (next && grown->hw_waits >= MIN_WAITS) {
            judge(e, choice, grown, now_ns);
        }
        if (next) {
            try_again(e, __atomic_load_n(&e->chosen, __ATOMIC_RELAXED), now_ns);
        }
        /* Too few to judge by go on to count with those of the next interval. */
        if (!next || grown->hw_waits >= MIN_WAITS ||
            choice != __atomic_load_n(&e->chosen, __ATOMIC_RELAXED)) {
            xsc_stats_sum(&e->stats, &e->health.before, NULL);
        }
        __atomic_store_n(&e->health.next_ns, now_ns + e->health_ns, __ATOMIC_RELAXED);
    }
    xsc_manager_unlock(e);
}
