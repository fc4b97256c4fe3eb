/* SPDX-License-Identifier: MIT */
/* What leaving the CPU costs here. Members are relaxed atomics: each is a figure by itself. */
#define _GNU_SOURCE
#include "user/costs.h"

#include <xsc/watch.h>

#include "core/port.h"
#include "user/config.h"
#include "user/sleep.h"

#define FIRST_NAPS 5
#define FIRST_NAP_NS 20000
#define FOLLOW_SHIFT 5 /* a sample moves a figure by 1/2^5 of it, */
#define FIRST_SHIFT 3  /* the first few by more */
#define WATCH_LATENCY_NS 100

/*
 * Until a park has been seen its CPU time is known to be below a nap's, which sets a timer as well: in a VM
 * ten times dearer than all the rest. Start low: a site that overestimates the cost never parks, so
 * it never corrects the estimate.
 */
#define UNSEEN_PART 4
#define LEAST_NS 200 /* less than entering the kernel takes: not believed */

static struct xsc_evidence everywhere;
static struct xsc_costs in_force;
static uint32_t changes;

static uint32_t get(const uint32_t *p)
{
    return __atomic_load_n(p, __ATOMIC_RELAXED);
}

static void set(uint32_t *p, uint32_t v)
{
    __atomic_store_n(p, v, __ATOMIC_RELAXED);
}

/* ------------------------------------------------------------------------- evidence ---- */

/*
 * Towards the samples' median, a step a sample at most: means follow the preemptions, which are other
 * people's. Two threads at once may lose one's sample, no more.
 */
static void follow(struct xsc_figure *f, uint64_t sample)
{
    const uint32_t now = get(&f->ns), seen = get(&f->seen);
    const uint32_t shift = FIRST_SHIFT + seen / 8, step = (now >> shift) + 1;
    const uint64_t far = sample > now ? sample - now : now - sample;
    const uint32_t by = far < step ? (uint32_t)far : step;

    if (shift < FOLLOW_SHIFT) {
        set(&f->seen, seen + 1);
    }
    if (sample < now) {
        set(&f->ns, now - by);
    } else if (now < XSC_COST_MAX) {
        set(&f->ns, now + by);
    }
}

static void saw(struct xsc_evidence *e, enum xsc_evidence_of what, uint64_t ns)
{
    if (what == XSC_NAP_LATE) {
        const uint32_t mean = get(&e->of[XSC_NAP_LATE].ns);

        follow(&e->of[XSC_NAP_LATE_OFF], ns > mean ? ns - mean : mean - ns);
    }
    follow(&e->of[what], ns);
}

void xsc_costs_saw(struct xsc_evidence *site, enum xsc_evidence_of what, uint64_t ns)
{
    saw(&everywhere, what, ns);
    saw(site, what, ns);
}

static void sort(uint64_t *v, int n)
{
    for (int i = 1; i < n; i++) {
        for (int k = i; k && v[k] < v[k - 1]; k--) {
            const uint64_t t = v[k];

            v[k] = v[k - 1];
            v[k - 1] = t;
        }
    }
}

static uint32_t bounded(uint64_t ns)
{
    return ns < LEAST_NS ? LEAST_NS : ns > XSC_COST_MAX ? XSC_COST_MAX : (uint32_t)ns;
}

/* Medians of a few naps on a word that no thread stores to: a busy machine spoils some of them. */
static void measure(void)
{
    static const uint32_t never;
    uint64_t late[FIRST_NAPS], cpu[FIRST_NAPS], off[FIRST_NAPS];
    const uint64_t slack = xsc_slack(1);

    for (int i = 0; i < FIRST_NAPS; i++) {
        const uint64_t cpu_before = xsc_port_cpu_ns();
        const uint64_t due = xsc_port_now_ns() + FIRST_NAP_NS;

        if (xsc_sleep(&never, 0, 1, due, false) == XSC_SLEPT_REFUSED) {
            xsc_port_nap(FIRST_NAP_NS); /* what the waits will do */
        }
        const uint64_t now = xsc_port_now_ns();

        late[i] = now > due ? now - due : 0;
        cpu[i] = xsc_port_cpu_ns() - cpu_before;
    }
    xsc_slack(slack);
    sort(late, FIRST_NAPS);
    sort(cpu, FIRST_NAPS);
    for (int i = 0; i < FIRST_NAPS; i++) {
        const uint64_t middle = late[FIRST_NAPS / 2];

        off[i] = late[i] > middle ? late[i] - middle : middle - late[i];
    }
    sort(off, FIRST_NAPS);
    const uint64_t late_ns = late[FIRST_NAPS / 2], cpu_ns = cpu[FIRST_NAPS / 2];

    set(&everywhere.of[XSC_NAP_LATE].ns, bounded(late_ns));
    set(&everywhere.of[XSC_NAP_LATE_OFF].ns, bounded(off[FIRST_NAPS / 2]));
    set(&everywhere.of[XSC_NAP_CPU].ns, bounded(cpu_ns));
    set(&everywhere.of[XSC_WOKEN].ns, bounded(late_ns));   /* a timer's, until we see a writer's */
    set(&everywhere.of[XSC_PARK_CPU].ns, bounded(cpu_ns)); /* at most */
}

/* ------------------------------------------------------------------------- in force ---- */

/*
 * An evenly spread lateness has its mean distance from the mean at a quarter of the spread, and
 * its least at half the spread below the mean.
 */
static struct xsc_costs as_seen(const struct xsc_evidence *e, uint32_t doze_ns, uint32_t weight)
{
    const uint32_t late = get(&e->of[XSC_NAP_LATE].ns), off = get(&e->of[XSC_NAP_LATE_OFF].ns);
    const uint32_t half = 2 * off < late / 2 ? 2 * off : late / 2;

    return (struct xsc_costs){
        .watch_latency_ns = WATCH_LATENCY_NS,
        .park_cpu_ns = bounded(get(&e->of[XSC_PARK_CPU].ns)),
        .park_latency_ns = bounded(get(&e->of[XSC_WOKEN].ns)),
        .nap_cpu_ns = bounded(get(&e->of[XSC_NAP_CPU].ns)),
        .nap_latency_ns = late - half,
        .nap_jitter_ns = 2 * half,
        .doze_ns = doze_ns,
        .weight = weight,
    };
}

/* By more than a quarter, and by more than a clock reading or two: plans are made again then. */
static bool moved(uint32_t a, uint32_t b)
{
    const uint32_t far = a > b ? a - b : b - a;

    return far > 500 && far > b / 4;
}

static void store(struct xsc_costs *to, const struct xsc_costs *c)
{
    set(&to->watch_latency_ns, c->watch_latency_ns);
    set(&to->park_cpu_ns, c->park_cpu_ns);
    set(&to->park_latency_ns, c->park_latency_ns);
    set(&to->nap_cpu_ns, c->nap_cpu_ns);
    set(&to->nap_latency_ns, c->nap_latency_ns);
    set(&to->nap_jitter_ns, c->nap_jitter_ns);
    set(&to->doze_ns, c->doze_ns);
    set(&to->weight, c->weight);
}

struct xsc_costs xsc_costs_load(const struct xsc_costs *c)
{
    return (struct xsc_costs){
        get(&c->watch_latency_ns), get(&c->park_cpu_ns),    get(&c->park_latency_ns),
        get(&c->nap_cpu_ns),       get(&c->nap_latency_ns), get(&c->nap_jitter_ns),
        get(&c->doze_ns),          get(&c->weight),
    };
}

/* True: the evidence is far from what was in force, and now it is in force. */
static bool take_over(const struct xsc_evidence *e, struct xsc_costs *old)
{
    const struct xsc_costs new = as_seen(e, old->doze_ns, old->weight);

    if (!moved(new.park_cpu_ns, old->park_cpu_ns) && !moved(new.nap_cpu_ns, old->nap_cpu_ns) &&
        !moved(new.park_latency_ns, old->park_latency_ns) &&
        !moved(new.nap_latency_ns + new.nap_jitter_ns / 2,
               old->nap_latency_ns + old->nap_jitter_ns / 2)) {
        return false;
    }
    store(old, &new);
    return true;
}

void xsc_costs_refresh(void)
{
    if (!get(&changes)) {
        measure();
        const struct xsc_costs first = as_seen(&everywhere, 0, xsc_config_weight());

        store(&in_force, &first);
    } else if (!take_over(&everywhere, &in_force)) {
        return;
    }
    __atomic_store_n(&changes, changes + 1, __ATOMIC_RELEASE);
}

bool xsc_costs_settle(struct xsc_evidence *site, uint32_t doze_ns, struct xsc_costs *c)
{
    if (c->weight) {
        return take_over(site, c);
    }
    for (int i = 0; i < XSC_EVIDENCE; i++) {
        set(&site->of[i].ns, get(&everywhere.of[i].ns));
    }
    if (!get(&everywhere.of[XSC_PARK_CPU].seen)) {
        set(&site->of[XSC_PARK_CPU].ns, get(&everywhere.of[XSC_NAP_CPU].ns) / UNSEEN_PART);
    }
    const struct xsc_costs first = as_seen(site, doze_ns, get(&in_force.weight));

    store(c, &first);
    return true;
}

uint32_t xsc_costs_read(struct xsc_costs *costs)
{
    static const struct xsc_costs until_measured = XSC_COSTS_VM;
    const uint32_t n = __atomic_load_n(&changes, __ATOMIC_ACQUIRE);

    *costs = n ? xsc_costs_load(&in_force) : until_measured;
    return n;
}
