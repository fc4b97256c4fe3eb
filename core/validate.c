/* SPDX-License-Identifier: MIT */
#include "core/validate.h"

#include <stddef.h>

#include "core/clock.h"
#include "core/port.h"
#include "core/text.h"

#define MIN_SAMPLES 16       /* of each kind, whatever the budget says */
#define MISS_MARGIN_NS 20000 /* a store this long before the slice's end was not a near thing */
#define MISS_GRACE_NS 50000  /* back later than this, the waiter had lost its CPU */
#define MISSES_EXCUSED 20000 /* and back sooner, in one wait of so many: by chance */
#define LONG_TRIAL 1000      /* waits */
#define STILL_LOOKS 10000000 /* in case that the clock stands still: none takes so many */
#define STILL_WAITS 1000 /* on end that came back at the time at which they began: 16 ms and more */
#define NOP_NS 300       /* quicker than this, with two clock reads, nothing was entered */
#define DELAY_STEP_NS 300 /* and twice arming: the peer stores 0 to 3 steps later */

/*
 * Thresholds tell a mechanism that works from one that traps on every use or oversleeps.
 * They are not performance goals: 5 us is a hundred times what returning takes, and about
 * the price of one exit to a hypervisor; 20 us for a store to be noticed is where a futex
 * starts to be as good. The maxima leave room for a preempted vCPU.
 */
const struct xsc_limits xsc_default_limits = {
    .return_p99 = 5000,
    .cross_p99 = 20000,
    .cross_max = 20000000,
    .overshoot_p50 = 50000,
    .overshoot_p50_stream = 150000,
};

const struct xsc_trial_plan xsc_short_plan = {
    .rounds = 1000,
    .quiet_waits = 6,
    .quiet_ns = XSC_SLICE_NS,
    .budget_ns = 700000,
    .again_ns = 2000000,
    .patience_ns = 3000000,
    .cross = false,
};

/* ----------------------------------------------------------------- the peer's side ---- */

void xsc_peer_main(struct xsc_peer *p)
{
    uint32_t seen = 0;

    for (;;) {
        uint32_t asked;

        while ((asked = __atomic_load_n(&p->request, __ATOMIC_ACQUIRE)) == seen) {
            if (__atomic_load_n(&p->stop, __ATOMIC_ACQUIRE)) {
                return;
            }
            xsc_arch_relax();
        }
        seen = asked;

        const uint64_t due = p->clock->ticks() + p->delay_ticks;
        uint64_t now = p->clock->ticks();

        for (uint32_t looks = 0; !xsc_due(now, due) && looks < STILL_LOOKS; looks++) {
            xsc_arch_relax();
            now = p->clock->ticks();
        }
        p->before = now;
        __atomic_store_n(&p->word, asked, __ATOMIC_RELEASE);
        if (p->wake) {
            p->wake();
        }
        p->after = p->clock->ticks();
        __atomic_store_n(&p->done, asked, __ATOMIC_RELEASE);
    }
}

/* --------------------------------------------------------------- the waiter's side ---- */

struct run {
    const struct xsc_mechanism *m;
    const struct xsc_mech_ctx *ctx;
    const struct xsc_clock *clock;
    const struct xsc_trial_plan *plan;
    struct xsc_trial *out;
    uint64_t slice;  /* ticks */
    uint64_t budget; /* ticks */
};

static struct xsc_watch watch_u32(const uint32_t *word, uint32_t old)
{
    return (struct xsc_watch){word, old, UINT32_MAX, sizeof(*word), XSC_UNTIL_NOT};
}

static void spread_of(struct xsc_spread *s, const struct xsc_histogram *h, uint64_t max)
{
    s->n = xsc_hist_total(h);
    s->p50 = xsc_hist_quantile(h, 500);
    s->p99 = xsc_hist_quantile(h, 990);
    s->max = max;
    /* The buckets' middles must not lie beyond what was really seen. */
    s->p50 = s->p50 > max ? max : s->p50;
    s->p99 = s->p99 > max ? max : s->p99;
}

/* The first execution: one wait for what has happened, which must simply come back. */
struct first {
    const struct run *r;
    uint32_t word;
};

static void first_wait(void *arg)
{
    struct first *f = arg;
    const struct xsc_watch met = watch_u32(&f->word, 0);
    const struct xsc_watch unmet = watch_u32(&f->word, 1);
    const uint64_t now = f->r->clock->ticks();

    uint64_t at = now;

    f->r->m->wait(f->r->ctx, &met, now + f->r->slice, &at);
    f->r->m->wait(f->r->ctx, &unmet, now, &at); /* executes the waiting part, its deadline past */
}

static bool runs_at_all(struct run *r)
{
    struct first f = {r, 1};

    if (r->m->traits & XSC_MAY_FAULT) {
        r->out->fault = xsc_port_try(first_wait, &f);
    }
    return r->out->fault == 0;
}

/*
 * Waits whose condition is met when they begin: long since (the word lies still), or by a
 * store that this very thread has just made and that may still be in its store buffer.
 */
static void met_waits(struct run *r, struct xsc_histogram *h, bool store, struct xsc_spread *s)
{
    uint32_t word __attribute__((aligned(64))) = 1;
    const uint64_t until = r->clock->ticks() + r->budget;
    uint64_t now = 0, max = 0;

    for (uint32_t i = 0; i < r->plan->rounds && (i < MIN_SAMPLES || !xsc_due(now, until)); i++) {
        const struct xsc_watch w = watch_u32(&word, store ? word : 0);
        const uint64_t start = r->clock->ticks();

        if (store) {
            __atomic_store_n(&word, word + 1, __ATOMIC_RELEASE);
        }
        now = start;
        do {
            r->m->wait(r->ctx, &w, start + r->slice, &now);
            now = r->clock->ticks();
        } while (!xsc_watch_met(&w)); /* the loop of core/wait.c, in small */

        const uint64_t ns = xsc_elapsed_ns(r->clock, start, now);

        xsc_hist_add(h, ns);
        max = ns > max ? ns : max;
    }
    spread_of(s, h, max);
}

/* CPU time, and the time it was burnt in. */
struct burnt {
    uint64_t cpu_ns, ns;
};

static void add_burnt(struct burnt *sum, const struct burnt *b)
{
    sum->cpu_ns += b->cpu_ns;
    sum->ns += b->ns;
}

/* Waits that no store ends: is the deadline kept, does anything sleep, what does it burn? */
static void quiet_waits(struct run *r, struct xsc_trial_scratch *scratch)
{
    uint32_t word __attribute__((aligned(64))) = 0;
    const struct xsc_watch w = watch_u32(&word, 0);
    const uint64_t length = xsc_to_ticks(r->clock, r->plan->quiet_ns) + 1;
    struct burnt whole = {0, 0}, undisturbed = {0, 0}; /* not kept from running meanwhile */
    const uint64_t begin = r->clock->ticks(), until = begin + r->budget;
    uint32_t still = 0;
    uint64_t now = begin, rests = 0, early = 0, rest_ns = 0, rest_max = 0, over_max = 0;

    for (uint32_t i = 0; i < r->plan->quiet_waits && (i < 2 || !xsc_due(now, until)); i++) {
        const uint64_t cpu_before = xsc_port_cpu_ns();
        const uint64_t start = r->clock->ticks(), end = start + length;

        for (uint64_t from = start; !xsc_due(from, end); from = now) {
            uint64_t at = from;
            const enum xsc_woke woke = r->m->wait(r->ctx, &w, end, &at);

            now = r->clock->ticks();
            const uint64_t ns = xsc_elapsed_ns(r->clock, from, now);

            still = now == from ? still + 1 : 0;
            if (still == STILL_WAITS) {
                r->out->still = true;
                return;
            }
            xsc_hist_add(&scratch->rest, ns);
            rest_max = ns > rest_max ? ns : rest_max;
            rest_ns += ns;
            rests++;
            if (woke == XSC_WOKE_LIMIT) {
                r->out->rests_limited++;
                /* The shortest: a preemption makes others seem longer than the limit. */
                if (!r->out->os_limit_ns || ns < r->out->os_limit_ns) {
                    r->out->os_limit_ns = ns;
                }
            } else if (!xsc_due(now, end)) {
                early++;
            }
        }
        const uint64_t over = xsc_elapsed_ns(r->clock, end, now);

        xsc_hist_add(&scratch->overshoot, over);
        over_max = over > over_max ? over : over_max;
        const struct burnt one = {xsc_port_cpu_ns() - cpu_before,
                                  xsc_elapsed_ns(r->clock, start, now)};

        add_burnt(&whole, &one);
        if (over < MISS_GRACE_NS) {
            add_burnt(&undisturbed, &one);
        }
    }
    const struct burnt *burnt = undisturbed.ns ? &undisturbed : &whole;

    spread_of(&r->out->overshoot, &scratch->overshoot, over_max);
    spread_of(&r->out->rest, &scratch->rest, rest_max);
    r->out->rest_mean_ns = rests ? rest_ns / rests : 0;
    if (burnt->ns) {
        r->out->cpu_permille = burnt->cpu_ns * 1000 / burnt->ns;
        r->out->spurious_per_s = early * 1000000000u / whole.ns;
    }
}

/*
 * Did the store end the wait? Not where time did, the OS's limit or the slice, and the store
 * was over well before: a miss. Nearer than the margin, or with the waiter back so late that
 * it must have lost its CPU, nothing can be said: such a wait proves nothing either way.
 */
static void judge_end(struct run *r, const struct xsc_peer *peer, enum xsc_woke woke, uint64_t now,
                      uint64_t end)
{
    const bool limited = woke == XSC_WOKE_LIMIT;
    const uint64_t ended = limited ? now : end;

    if (!limited && !xsc_due(now, end)) {
        return;
    }
    /* No limit is longer than a slice: what lasted longer lost its CPU on the way back. */
    if (xsc_elapsed_ns(r->clock, end, now) < MISS_GRACE_NS &&
        !xsc_due(peer->after + xsc_to_ticks(r->clock, MISS_MARGIN_NS), ended)) {
        r->out->missed++;
    } else {
        r->out->unclear++;
    }
}

/* One store by the peer. Returns false when it never came: the peer lost its CPU. */
static bool cross_wait(struct run *r, struct xsc_peer *peer, uint32_t number,
                       struct xsc_histogram *h, uint64_t *max)
{
    const struct xsc_watch w = watch_u32(&peer->word, number - 1);

    /*
     * A step is longer than arming takes: else every store would come before the wait. What
     * arms slower than the limit fails by that.
     */
    const uint64_t arming = r->out->changed.p50, most = xsc_default_limits.return_p99;

    peer->delay_ticks = xsc_to_ticks(
        r->clock, (number & 3) * (DELAY_STEP_NS + 2 * (arming < most ? arming : most)));
    __atomic_store_n(&peer->request, number, __ATOMIC_RELEASE);

    const uint64_t start = r->clock->ticks();
    const uint64_t patience = start + xsc_to_ticks(r->clock, r->plan->patience_ns);
    uint64_t end = start + r->slice, now = start;
    enum xsc_woke woke;
    uint32_t still = 0;

    for (;;) {
        const uint64_t from = now;

        woke = r->m->wait(r->ctx, &w, end, &now);
        const bool met = xsc_watch_met(&w);

        now = r->clock->ticks();
        if (met) {
            break;
        }
        still = now == from ? still + 1 : 0;
        if (still == STILL_WAITS) {
            r->out->still = true;
            return false;
        }
        if (xsc_due(now, patience)) {
            return false;
        }
        if (xsc_due(now, end)) {
            end = now + r->slice;
        }
    }
    const uint64_t ns = xsc_elapsed_ns(r->clock, peer->before, now);

    xsc_hist_add(h, ns);
    *max = ns > *max ? ns : *max;

    /* The next request must not be made before this one is acknowledged. */
    for (uint32_t looks = 0; __atomic_load_n(&peer->done, __ATOMIC_ACQUIRE) != number; looks++) {
        if (xsc_due(r->clock->ticks(), patience) || looks == STILL_LOOKS) {
            return false;
        }
        xsc_arch_relax();
    }
    if (r->m->traits & XSC_MONITOR) {
        judge_end(r, peer, woke, now, end);
    }
    return true;
}

static void cross_waits(struct run *r, struct xsc_histogram *h, struct xsc_peer *peer)
{
    const uint64_t until = r->clock->ticks() + r->budget;
    uint64_t max = 0;

    for (uint32_t i = 1; i <= r->plan->rounds; i++) {
        if (i > MIN_SAMPLES && xsc_due(r->clock->ticks(), until)) {
            break;
        }
        if (!cross_wait(r, peer, i, h, &max)) {
            r->out->cross_trouble = "the other CPU's thread was kept from running";
            break;
        }
        if (r->plan->progress && i % 256 == 0) {
            r->plan->progress(r->plan->progress_arg,
                              (uint32_t)((uint64_t)i * 1000 / r->plan->rounds));
        }
    }
    spread_of(&r->out->cross_store, h, max);
    r->out->cross_p999 = xsc_hist_quantile(h, 999);
}

static void cross_part(struct run *r, struct xsc_histogram *h)
{
    /* Static, for a kernel's stack and for the peer that may outlive a scheduling delay. */
    static struct xsc_peer peer;

    peer = (struct xsc_peer){.clock = r->clock, .wake = r->m->wake};
    if (xsc_port_peer_start(&peer)) {
        r->out->cross_trouble = peer.trouble;
        return;
    }
    cross_waits(r, h, &peer);
    xsc_port_peer_stop(&peer);
}

void xsc_trial_run(const struct xsc_mechanism *m, const struct xsc_mech_ctx *ctx,
                   const struct xsc_trial_plan *plan, struct xsc_trial_scratch *scratch,
                   struct xsc_trial *out)
{
    struct run r = {
        .m = m,
        .ctx = ctx,
        .clock = ctx->clock,
        .plan = plan,
        .out = out,
        .slice = xsc_to_ticks(ctx->clock, XSC_SLICE_NS),
        .budget = xsc_to_ticks(ctx->clock, plan->budget_ns),
    };

    *out = (struct xsc_trial){0};
    *scratch = (struct xsc_trial_scratch){0};
    if (!runs_at_all(&r)) {
        return;
    }
    met_waits(&r, &scratch->changed, false, &out->changed);
    met_waits(&r, &scratch->self_store, true, &out->self_store);
    quiet_waits(&r, scratch);
    if (out->still) {
        return;
    }
    if (plan->cross || m->traits & XSC_MONITOR) {
        cross_part(&r, &scratch->cross_store);
    } else {
        out->cross_trouble = "not needed: it polls, and memory is coherent";
    }
}

/* -------------------------------------------------------------------- the judgement ---- */

static void say_ns(struct xsc_text *t, const char *what, uint64_t ns)
{
    xsc_text_put(t, what);
    xsc_text_ns(t, ns);
}

static enum xsc_verdict broken(const struct xsc_trial *t, struct xsc_text *say)
{
    if (t->fault < 0) {
        xsc_text_put(say, "not executed: nothing here could contain it if it faulted");
        return XSC_BROKEN;
    }
    if (t->fault) {
        xsc_text_put(say, "executing it raised signal ");
        xsc_text_number(say, (uint64_t)t->fault);
        xsc_text_put(say, t->fault == 4 ? " (illegal instruction)" : "");
        return XSC_BROKEN;
    }
    if (t->missed > t->cross_store.n / MISSES_EXCUSED) {
        xsc_text_number(say, t->missed);
        xsc_text_put(say, " of ");
        xsc_text_number(say, t->cross_store.n);
        xsc_text_put(say, " stores by another CPU did not end the wait");
        return XSC_BROKEN;
    }
    return XSC_GOOD;
}

/* Of many waits some are hit by a preemption: one in a thousand is let off. */
static uint64_t cross_largest(const struct xsc_trial *t)
{
    return t->cross_store.n > LONG_TRIAL ? t->cross_p999 : t->cross_store.max;
}

static enum xsc_verdict slow(const struct xsc_mechanism *m, const struct xsc_trial *t,
                             const struct xsc_limits *limits, struct xsc_text *say)
{
    const bool punctual = !(m->traits & XSC_LEAVES_CPU); /* else it's the OS that is late */

    if (t->changed.p99 > limits->return_p99) {
        say_ns(say, "slow to return: p99 ", t->changed.p99);
    } else if (t->self_store.p99 > limits->return_p99) {
        say_ns(say, "slow to see its own store: p99 ", t->self_store.p99);
    } else if (punctual && t->overshoot.p50 > xsc_overshoot_limit(m, limits)) {
        say_ns(say, "oversleeps its deadline: p50 ", t->overshoot.p50);
    } else if (t->cross_store.n && t->cross_store.p99 > limits->cross_p99) {
        say_ns(say, "slow to wake: p99 ", t->cross_store.p99);
    } else if (t->cross_store.n && cross_largest(t) > limits->cross_max) {
        say_ns(say, "slow to wake: max ", cross_largest(t));
    } else {
        return XSC_GOOD;
    }
    return XSC_SLOW;
}

bool xsc_trial_sleeps(const struct xsc_mechanism *m, const struct xsc_trial *t)
{
    /*
     * The median, for one preemption lifts the mean of many NOPs. Every other one ended by the
     * OS's limit, and the one between by what was left: a sleep that is known to be cut short.
     */
    return t->rest.p50 >= m->rest_ns || (t->rests_limited && t->rests_limited * 2 >= t->rest.n);
}

enum xsc_verdict xsc_trial_judge(const struct xsc_mechanism *m, const struct xsc_trial *t,
                                 const struct xsc_limits *limits, char *text, uint32_t size)
{
    struct xsc_text say = xsc_text_in(text, size);
    enum xsc_verdict v = broken(t, &say);

    if (v != XSC_GOOD) {
        return v;
    }
    if (t->still) {
        xsc_text_put(&say, "not proven: the clock stands still");
        return XSC_UNPROVEN;
    }
    v = slow(m, t, limits, &say);
    if (v != XSC_GOOD) {
        return v;
    }
    if (m->traits & XSC_MONITOR && !xsc_trial_sleeps(m, t)) {
        xsc_text_put(&say, "runs but does not sleep: comes back after ");
        xsc_text_ns(&say, t->rest.p50);
        xsc_text_put(&say, t->rest.p50 < NOP_NS ? " (a NOP here)" : " (trapped and skipped?)");
        return XSC_NO_SLEEP;
    }
    if (m->traits & XSC_MONITOR && t->cross_trouble) {
        xsc_text_put(&say, "not proven: ");
        xsc_text_put(&say, t->cross_trouble);
        return XSC_UNPROVEN;
    }
    if (m->traits & XSC_MONITOR && t->unclear > t->cross_store.n / 2) {
        xsc_text_put(&say, "not proven: it was kept from its CPU in ");
        xsc_text_number(&say, t->unclear);
        xsc_text_put(&say, " of ");
        xsc_text_number(&say, t->cross_store.n);
        xsc_text_put(&say, " waits");
        return XSC_UNPROVEN;
    }
    xsc_text_put(&say, "passed");
    return XSC_GOOD;
}
