/* SPDX-License-Identifier: MIT */
/* kicks.c - naps that a kick ends, and waits that a doorbell ends */
#include "chaos.h"

#include <errno.h>
#include <string.h>

#include <xsc/doorbell.h>
#include <xsc/nap.h>

/* -------------------------------------------------------------------------------- naps ---- */

/* Work for worker i is pending[i]; it is made by the worker before it, which then kicks. */
struct naps {
    struct {
        struct xsc_nap_word nap __attribute__((aligned(128)));
        uint32_t pending;
    } of[MAX_WORKERS];
};

static bool pending(const struct worker *w)
{
    const struct naps *o = (const struct naps *)(const void *)w->round->object;

    return __atomic_load_n(&o->of[w->me].pending, __ATOMIC_RELAXED) != 0;
}

static void nap_work(struct worker *w)
{
    struct naps *o = (struct naps *)(void *)w->round->object;
    const unsigned next = (w->me + 1) % w->round->workers;

    for (uint64_t made = 0, done = 0; made < w->quota || done < w->quota;) {
        if (made < w->quota) {
            __atomic_fetch_add(&o->of[next].pending, 1, __ATOMIC_RELEASE);
            xsc_nap_kick(&o->of[next].nap);
            made++;
        }
        const uint32_t n = __atomic_exchange_n(&o->of[w->me].pending, 0, __ATOMIC_ACQUIRE);

        done += n;
        add_to(&w->ops, n);
        if (!n && done < w->quota && (made == w->quota || one_in(&w->random, 2))) {
            const uint64_t ns = timeout_of(w), since = ns == XSC_FOREVER ? 0 : now_ns();

            waits_for(w, "a nap", &o->of[w->me].nap.state, 4, 0, pending);
            timed_out(w, xsc_nap(&o->of[w->me].nap, ns), since, ns);
        }
    }
}

const struct kind chaos_nap = {
    .name = "nap", .weight = 150, .burst = 4000, .least = 2, .work = nap_work};

/* --------------------------------------------------------------------------- doorbells ---- */

/* A word each, one bell for all: every ring ends the sleep of all of them. */
struct bells {
    struct xsc_doorbell bell;
    struct {
        uint32_t count __attribute__((aligned(128)));
    } of[MAX_WORKERS];
    bool none; /* a port without doorbells: waits watch, and nothing rings */
};

static void bell_begin(struct round *r)
{
    struct bells *o = (struct bells *)(void *)r->object;

    const int err = xsc_doorbell_open(&o->bell, NULL);

    o->none = err == -ENOTSUP;
    if (o->none) {
        return;
    }
    MUST_GIVE(0, r, err);
    MUST_GIVE(0, r, xsc_doorbell_try(&o->bell, XSC_BELL_TRIAL_RINGS));
}

/* The worker's own word follows that of the worker before it; worker 0 begins. */
static void bell_work(struct worker *w)
{
    struct bells *o = (struct bells *)(void *)w->round->object;
    const unsigned before = (w->me + w->round->workers - 1) % w->round->workers;
    uint32_t *mine = &o->of[w->me].count;
    const uint32_t *theirs = &o->of[before].count;

    for (uint64_t n = 0; n < w->quota; n++) {
        /* Worker 0 waits for the end of the last lap, the others for the start of this one. */
        const uint32_t old = w->me ? *mine : *mine - 1;

        while (__atomic_load_n(theirs, __ATOMIC_ACQUIRE) == old) {
            const uint64_t ns = timeout_of(w), since = ns == XSC_FOREVER ? 0 : now_ns();

            waits_for(w, "a doorbell", theirs, 4, old, NULL);
            timed_out(w, xsc_doorbell_wait_u32(&o->bell, theirs, old, ns), since, ns);
        }
        __atomic_store_n(mine, *mine + 1, __ATOMIC_RELEASE);
        if (!o->none) {
            MUST_GIVE(0, w->round, xsc_doorbell_ring(&o->bell, 0));
        }
        add_to(&w->ops, 1);
    }
}

static void bell_finish(struct round *r)
{
    struct bells *o = (struct bells *)(void *)r->object;
    struct xsc_doorbell_report report;

    if (o->none) {
        return;
    }
    MUST_GIVE(0, r, xsc_doorbell_read(&o->bell, &report, sizeof(report)));
    if (report.state != XSC_BELL_STEADY) {
        failed(r, "the doorbell is FAILED: %s", report.reason);
    }
    MUST_GIVE(0, r, xsc_doorbell_close(&o->bell));
}

const struct kind chaos_doorbell = {.name = "doorbell",
                                    .weight = 12,
                                    .burst = 200,
                                    .slow = true,
                                    .least = 2,
                                    .begin = bell_begin,
                                    .work = bell_work,
                                    .finish = bell_finish};
