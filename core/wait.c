/* SPDX-License-Identifier: MIT */
/*
 * The life of one wait, top to bottom:
 *
 *     look once                       the inline part did already; the word moves on
 *     timeout 0: done                 a poll
 *     tight spin, about 1 us          no OS clock, no choice, no statistics but a count
 *     first time: choose              facts, trials, primary and fallback (core/mechanism.c)
 *     health, if an interval is over  (core/health.c)
 *     slice by slice                  the mechanism watches, at most XSC_SLICE_NS at a time
 *     a long wait: nap            for a sixteenth of what it has lasted, between two slices
 *     account for it
 *
 * WHY NO STORE IS LOST. The writer stores, we load: that is all the synchronisation there
 * is. After every return of a mechanism, whatever its cause, the word is loaded again, and a
 * mechanism looks at it once more after arming (mech/). So a store is noticed at the latest
 * when the slice in which it was made ends; a mechanism that is working notices it at once.
 *
 * WHY NO DEADLINE IS EARLY. The deadline is the OS clock's value at the start plus the
 * timeout, and the end is decided by reading that same clock. Ticks, whose rate is known to
 * some parts in ten thousand, only cut the time in between into slices. (Where the OS clock was
 * found to stand still, there is no deadline by it: then the slices are added up.)
 *
 * THE LAST RESORT. No writer unparks a plain word, so its waiter can't leave the CPU for good. But
 * one that has watched for a millisecond may nap between slices, in proportion: the store is
 * noticed later by a sixteenth of what the wait has lasted, or a millisecond, at most (and by the
 * OS's timer slack), and a wait of 100 ms burns an eighth of its time, not all of it. Disabled for
 * XSC_PREFER=latency and for bounded watches (those of a park): but not for a thread that keeps
 * lower ones from running until it sleeps, for one of those may be the writer (core/wait.h).
 */
#include "core/wait.h"

#include <stddef.h>

#include "core/any.h"
#include "core/health.h"
#include "core/mechanism.h"
#include "core/port.h"

#define TIGHT_MIN_TIMEOUT_NS 4000 /* a timeout this short would notice the tight spin */
#define TIGHT_LOOKS_UNCHOSEN 100  /* before the hint's cost is known */
#define SPUN_SHAVE 64             /* more than the counter's rate can be wrong by */
#define LATE_MARGIN_NS 20000      /* a shorter hardware wait is often met at its end by chance */
#define NAP_AFTER_NS 1000000u     /* watched for so long */
#define NAP_MAX_NS 1000000u
#define NAP_PART 16u
#define RECHECK_NS 100000000u /* of a wait that never leaves the CPU */
#define LATE_GRACE_NS 50000   /* later than this after its slice, the thread lost its CPU */

/* *spun_ns: where a counter can tell for next to nothing; else 0. */
static bool tight_spin(const struct xsc_engine *e, const struct xsc_watch *w, uint64_t *spun_ns)
{
    const bool chosen = __atomic_load_n(&e->chosen, __ATOMIC_ACQUIRE);
    const bool timed = chosen && e->clock.hardware;
    const uint32_t looks = chosen ? e->tight_looks : TIGHT_LOOKS_UNCHOSEN;
    const uint64_t start = timed ? e->clock.ticks() : 0;

    for (uint32_t i = looks; i; i--) {
        if (xsc_watch_met(w)) {
            return true;
        }
        xsc_arch_relax();
    }
    if (timed) {
        const uint64_t ns = xsc_elapsed_ns(&e->clock, start, e->clock.ticks());
        const uint64_t unsure = ns / SPUN_SHAVE + e->clock.grain_ns;
        const uint64_t sure = ns > unsure ? ns - unsure : 0;

        *spun_ns = sure < TIGHT_MIN_TIMEOUT_NS ? sure : TIGHT_MIN_TIMEOUT_NS / 2;
    }
    return false;
}

/* ---- what a wait watches with ---- */

struct watcher {
    const struct xsc_mechanism *mech;
    const struct xsc_mech_ctx *ctx;
    uint64_t late_ns; /* a slice that ends later than this is overslept */
};

/*
 * While another thread chooses (or this one does, interrupted by the signal in whose
 * handler we wait) nothing is known of the machine: poll by the OS clock. The clock's rate is
 * one tick a nanosecond: 2^32 in 32.32 fixed point.
 */
static const struct xsc_cpu no_facts;
static const struct xsc_clock os_clock = {
    .ticks = xsc_port_now_ns,
    .hz = 1000000000u,
    .ns_per_tick = 1ull << 32,
    .ticks_per_ns = 1ull << 32,
};
static const struct xsc_mech_ctx bare_ctx = {&no_facts, &os_clock, 1};

static enum xsc_woke bare_wait(const struct xsc_mech_ctx *ctx, const struct xsc_watch *w,
                               uint64_t deadline, uint64_t *at)
{
    return xsc_poll(ctx, w, deadline, at, xsc_arch_relax);
}

static const struct xsc_mechanism bare_mech = {
    .name = "PAUSE", .traits = XSC_POLL, .wait = bare_wait};

static struct watcher watcher_of(const struct xsc_engine *e, uint32_t choice)
{
    if (!choice) {
        return (struct watcher){&bare_mech, &bare_ctx, UINT64_MAX};
    }
    const struct xsc_mech_state *primary = &e->mech[XSC_PRIMARY(choice)];
    const uint64_t late_ns = __atomic_load_n(&primary->late_ns, __ATOMIC_RELAXED);

    return (struct watcher){primary->mech, &e->ctx, late_ns};
}

/* ---- one slice ---- */

static void ran_out(struct xsc_counts *n, const struct watcher *by, uint64_t over_ns)
{
    xsc_count(&n->expired, 1);
    xsc_count_max(&n->max_over_ns, over_ns);
    if (over_ns > by->late_ns) {
        xsc_count(&n->overslept, 1);
    }
}

/* Watches until a condition is met or ticks, *at now, reach end. Moves *at on. */
static bool watch_slice(const struct watcher *by, const struct xsc_watch *w,
                        struct xsc_watching *how, uint64_t *at, uint64_t end, struct xsc_counts *n,
                        bool *late)
{
    const struct xsc_clock *clock = by->ctx->clock;
    const bool one = how->n == 1, monitor = one && by->mech->traits & XSC_MONITOR;
    const uint64_t start = *at;

    for (;;) {
        const uint64_t from = *at;
        const enum xsc_woke woke = one ? by->mech->wait(by->ctx, w, end, at)
                                       : xsc_any_wait(by->mech, by->ctx, w, how->n, &how->met, end,
                                                      at);
        const bool met = woke == XSC_WOKE_MET || (one && xsc_watch_met(w));

        if (monitor) {
            *at = clock->ticks();
        }
        const bool due = xsc_slice_over(*at, start, end);

        if (met) {
            /* Met only when time was up: perhaps the monitor missed the store. */
            *late = monitor && xsc_elapsed_ns(clock, from, *at) >= LATE_MARGIN_NS &&
                    (woke == XSC_WOKE_LIMIT ||
                     (due && xsc_elapsed_ns(clock, end, *at) < LATE_GRACE_NS));
            return true;
        }
        xsc_count(&n->hw_waits, 1);
        if (due) {
            ran_out(n, by, xsc_elapsed_ns(clock, end, *at));
            return false;
        }
        xsc_count(woke == XSC_WOKE_LIMIT ? &n->limited : &n->spurious, 1);
    }
}

/* ---- all slices ---- */

/* The wait's own account, made when no thread waits for it: timeouts, and stores noticed late. */
static void account(struct xsc_slot *slot, uint64_t ns, bool deep, bool met)
{
    struct xsc_counts *n = &slot->n;

    xsc_count(&n->total, 1);
    xsc_count(met ? &n->changed : &n->timeouts, 1);
    xsc_count(deep ? &n->deep : &n->shallow, 1);
    if (met) {
        xsc_count(&n->hw_waits, 1);
        xsc_count(&n->late, 1);
        xsc_count(&n->slices_ns, ns - __atomic_load_n(&slot->in_slices_ns, __ATOMIC_RELAXED));
    }
    xsc_count_watched(n, ns);
    xsc_slot_waited(slot, ns);
}

/* A nap in a wait that has lasted ns. */
static uint64_t nap_after(uint64_t ns)
{
    if (ns < NAP_AFTER_NS) {
        return 0;
    }
    return ns / NAP_PART < NAP_MAX_NS ? ns / NAP_PART : NAP_MAX_NS;
}

uint64_t xsc_nap_due(struct xsc_giving_way *way, uint64_t ns)
{
    if (ns < NAP_AFTER_NS) {
        return 0;
    }
    if (!way->must_sleep && ns >= way->ask_ns) {
        way->must_sleep = xsc_port_must_sleep();
        way->ask_ns = 2 * ns;
    }
    return way->must_sleep ? nap_after(ns) : 0;
}

/*
 * How long to nap in a wait that has lasted ns and has left_ns to go; 0: not at all. e->naps is read
 * here, after the choice that sets it: a process's first long wait is the one that chooses.
 */
static uint64_t nap_of(const struct xsc_engine *e, const struct watcher *by,
                       const struct xsc_watching *how, struct xsc_giving_way *way, uint64_t ns,
                       uint64_t left_ns)
{
    if (by->mech->traits & XSC_LEAVES_CPU) {
        return 0;
    }
    const bool naps = how->naps && __atomic_load_n(&e->naps, __ATOMIC_RELAXED);
    const uint64_t nap = naps ? nap_after(ns) : xsc_nap_due(way, ns);

    return nap < left_ns ? nap : left_ns;
}

/*
 * Whether to read again what may have changed about the machine: where the wait makes system calls
 * anyway, or seldom. It has lasted ns, and `before` until its last slice.
 */
static bool recheck_due(const struct watcher *by, uint64_t nap, uint64_t before, uint64_t ns)
{
    return nap || by->mech->traits & XSC_LEAVES_CPU || ns / RECHECK_NS != before / RECHECK_NS;
}

/* After a nap: the time, but before the deadline, so that there is one more slice, if a short one. */
static uint64_t last_look_due(uint64_t deadline_ns)
{
    const uint64_t now_ns = deadline_ns != XSC_FOREVER ? xsc_port_now_ns() : 0;

    return now_ns < deadline_ns ? now_ns : deadline_ns - 1;
}

static enum xsc_end watch_until(const struct xsc_engine *e, const struct xsc_watch *w,
                                uint64_t now_ns, uint64_t deadline_ns, struct xsc_slot *slot,
                                struct xsc_watching *how)
{
    uint32_t choice = __atomic_load_n(&e->chosen, __ATOMIC_ACQUIRE);
    struct watcher by = watcher_of(e, choice);
    uint64_t now = by.ctx->clock->ticks(), ns = 0, from = now;
    struct xsc_giving_way way = {0};
    bool met = false, late = false;

    while (deadline_ns == XSC_FOREVER || now_ns < deadline_ns) {
        uint64_t slice_ns = XSC_SLICE_NS;

        if (deadline_ns != XSC_FOREVER && deadline_ns - now_ns < slice_ns) {
            slice_ns = deadline_ns - now_ns;
        }
        from = now;
        met = watch_slice(&by, w, how, &now, now + xsc_to_ticks(by.ctx->clock, slice_ns) + 1,
                          &slot->n, &late);
        if (met) {
            break;
        }
        const uint64_t slice = xsc_elapsed_ns(by.ctx->clock, from, now), before_ns = ns;

        ns += slice;
        xsc_count(&slot->n.slices_ns, slice);
        __atomic_store_n(&slot->in_slices_ns, ns, __ATOMIC_RELAXED);
        if (deadline_ns != XSC_FOREVER) {
            now_ns = by.ctx->clock->os_still ? now_ns + slice : xsc_port_now_ns();
        }
        const uint64_t nap = nap_of(e, &by, how, &way, ns,
                                    deadline_ns > now_ns ? deadline_ns - now_ns : 0);

        if (recheck_due(&by, nap, before_ns, ns)) {
            xsc_port_recheck(xsc_port_now_ns());
        }
        if (nap) {
            xsc_port_nap(nap);
            from = now;
            now = by.ctx->clock->ticks();
            ns += xsc_elapsed_ns(by.ctx->clock, from, now);
            __atomic_store_n(&slot->in_slices_ns, ns, __ATOMIC_RELAXED);
            now_ns = by.ctx->clock->os_still ? now_ns + nap : last_look_due(deadline_ns);
        }
        /* Chosen, rolled back or reinstated meanwhile: a long wait is not stuck with the old. */
        const uint32_t newer = __atomic_load_n(&e->chosen, __ATOMIC_ACQUIRE);

        if (newer != choice) {
            choice = newer;
            by = watcher_of(e, choice);
            now = by.ctx->clock->ticks();
        }
    }

    const bool deep = by.mech->traits & XSC_MONITOR;

    if (met) {
        ns += xsc_elapsed_ns(by.ctx->clock, from, now);
    }
    how->took_ns = ns;
    if (how->again) {
        return met ? XSC_MET : XSC_TIMED_OUT;
    }
    if (met && !late) {
        __atomic_store_n(&slot->last, XSC_LAST(ns, deep), __ATOMIC_RELAXED);
    } else {
        account(slot, ns, deep, met);
    }
    return met ? XSC_MET : XSC_TIMED_OUT;
}

bool xsc_core_spin(struct xsc_engine *e, const struct xsc_watch *w, uint64_t *spun_ns)
{
    const uint32_t hint = xsc_port_slot_hint();

    *spun_ns = 0;
    xsc_count_tight(&e->stats, hint, 1);
    if (tight_spin(e, w, spun_ns)) {
        return true;
    }
    xsc_count_tight(&e->stats, hint, -1);
    return false;
}

static bool leaves_cpu(const struct xsc_engine *e)
{
    const uint32_t choice = __atomic_load_n(&e->chosen, __ATOMIC_ACQUIRE);

    return choice && e->mech[XSC_PRIMARY(choice)].mech->traits & XSC_LEAVES_CPU;
}

enum xsc_end xsc_core_watch(struct xsc_engine *e, const struct xsc_watch *w, uint64_t timeout_ns,
                            struct xsc_watching *how)
{
    const uint64_t now_ns = xsc_port_now_ns();
    const uint64_t deadline_ns = timeout_ns < XSC_FOREVER - now_ns ? now_ns + timeout_ns
                                                                   : XSC_FOREVER;

    if (!__atomic_load_n(&e->chosen, __ATOMIC_ACQUIRE)) {
        xsc_engine_choose(e, how->asked());
    }
    xsc_health_check(e, now_ns);
    if (leaves_cpu(e)) { /* short waits, too: each makes system calls */
        xsc_port_recheck(now_ns);
    }

    struct xsc_slot *slot = xsc_slot_claim(&e->stats, xsc_port_slot_hint());
    const enum xsc_end end = watch_until(e, w, now_ns, deadline_ns, slot, how);

    xsc_slot_release(slot);
    return end;
}

enum xsc_end xsc_core_wait(struct xsc_engine *e, const struct xsc_watch *w, uint64_t timeout_ns,
                           const char *(*asked)(void))
{
    struct xsc_watching how = {.asked = asked, .n = 1, .naps = true};
    uint64_t spun_ns = 0;

    if (xsc_watch_met(w)) {
        return XSC_MET;
    }
    if (!timeout_ns) {
        return XSC_TIMED_OUT;
    }
    if (timeout_ns >= TIGHT_MIN_TIMEOUT_NS && xsc_core_spin(e, w, &spun_ns)) {
        return XSC_MET;
    }
    /* The timeout began before the spin, which took spun_ns at least. */
    return xsc_core_watch(e, w, timeout_ns == XSC_FOREVER ? XSC_FOREVER : timeout_ns - spun_ns,
                          &how);
}

/* No tight spin: to look at many words takes long enough for the clock to be read beside it. */
enum xsc_end xsc_core_wait_any(struct xsc_engine *e, const struct xsc_watch *w, uint32_t n,
                               uint64_t timeout_ns, const char *(*asked)(void), uint32_t *which)
{
    struct xsc_watching how = {.asked = asked, .n = n, .naps = true};

    if (n == 1) {
        *which = 0;
        return xsc_core_wait(e, w, timeout_ns, asked);
    }
    if (xsc_any_met(w, n, which)) {
        return XSC_MET;
    }
    if (!timeout_ns) {
        return XSC_TIMED_OUT;
    }
    const enum xsc_end end = xsc_core_watch(e, w, timeout_ns, &how);

    *which = how.met;
    return end;
}
