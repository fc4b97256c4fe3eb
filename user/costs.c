/* SPDX-License-Identifier: MIT */
/* What leaving the CPU costs here. Members are relaxed atomics: each is a figure by itself. */
#define _GNU_SOURCE
#include "user/costs.h"

#include <stdlib.h>
#include <string.h>

#include <xsc/watch.h>

#include "core/port.h"
#include "user/library.h"
#include "user/sleep.h"

#define FIRST_NAPS 5
#define FIRST_NAP_NS 20000
#define FOLLOW_SHIFT 5 /* a sample moves a figure by 1/2^5 of it */
#define WATCH_LATENCY_NS 100
#define LEAST_NS 200 /* less than entering the kernel takes: not believed */

static struct evidence {
    uint32_t late, late_off; /* a nap's lateness, and the mean distance from it */
    uint32_t woken;          /* from an unpark to its waiter's running */
    uint32_t cpu;            /* CPU time of one sleep */
} seen;

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

/* ----------------------------------------------------------------------- preference ---- */

static uint32_t weight_by_name(const char *name)
{
    static const struct {
        const char *name;
        uint32_t weight;
    } known[] = {
        {"latency", XSC_WEIGHT_LATENCY},
        {"balanced", XSC_WEIGHT_BALANCED},
        {"cpu", XSC_WEIGHT_CPU},
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
        if (!strcmp(name, known[i].name)) {
            return known[i].weight;
        }
    }
    return 0;
}

static uint32_t told;

uint32_t xsc_preferred_weight(void)
{
#if defined(__GLIBC__)
    const char *name = secure_getenv("XSC_PREFER");
#else
    const char *name = getenv("XSC_PREFER");
#endif
    const uint32_t weight = name && *name ? weight_by_name(name) : XSC_WEIGHT_BALANCED;

    if (!weight) {
        if (!__atomic_exchange_n(&told, 1, __ATOMIC_RELAXED)) {
            xsc_port_say("xsc-wait: XSC_PREFER is neither latency, balanced nor cpu; using "
                         "balanced");
        }
        return XSC_WEIGHT_BALANCED;
    }
    return weight;
}

/* ------------------------------------------------------------------------- evidence ---- */

/*
 * Towards the samples' median, a step a sample: means follow the preemptions, which are other
 * people's. Two threads at once may lose one's sample, no more.
 */
static void follow(uint32_t *figure, uint64_t sample)
{
    const uint32_t now = get(figure), step = (now >> FOLLOW_SHIFT) + 1;

    set(figure, sample > now ? (now < XSC_COST_MAX ? now + step : now)
                             : (sample < now && now > step ? now - step : now));
}

void xsc_costs_nap(uint64_t late_ns)
{
    const uint32_t mean = get(&seen.late);

    follow(&seen.late_off, late_ns > mean ? late_ns - mean : mean - late_ns);
    follow(&seen.late, late_ns);
}

void xsc_costs_woken(uint64_t latency_ns)
{
    follow(&seen.woken, latency_ns);
}

void xsc_costs_cpu(uint64_t cpu_ns)
{
    follow(&seen.cpu, cpu_ns);
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

/* Medians of a few naps on a word that nobody stores to: a busy machine spoils some of them. */
static void measure(void)
{
    static const uint32_t never;
    uint64_t late[FIRST_NAPS], cpu[FIRST_NAPS], off[FIRST_NAPS];
    const uint64_t slack = xsc_slack(1);

    for (int i = 0; i < FIRST_NAPS; i++) {
        const uint64_t cpu_before = xsc_port_cpu_ns();
        const uint64_t due = xsc_port_now_ns() + FIRST_NAP_NS;

        xsc_sleep(&never, 0, 1, due, false);
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
    set(&seen.late, bounded(late[FIRST_NAPS / 2]));
    set(&seen.late_off, bounded(off[FIRST_NAPS / 2]));
    set(&seen.woken,
        bounded(late[FIRST_NAPS / 2])); /* a timer's wake-up, until we see a writer's */
    set(&seen.cpu, bounded(cpu[FIRST_NAPS / 2]));
}

/* ------------------------------------------------------------------------- in force ---- */

/*
 * An evenly spread lateness has its mean distance from the mean at a quarter of the spread, and
 * its least at half the spread below the mean.
 */
static struct xsc_costs as_seen(void)
{
    const uint32_t late = get(&seen.late), off = get(&seen.late_off), cpu = get(&seen.cpu);
    const uint32_t half = 2 * off < late / 2 ? 2 * off : late / 2;

    return (struct xsc_costs){
        .watch_latency_ns = WATCH_LATENCY_NS,
        .park_cpu_ns = bounded(cpu),
        .park_latency_ns = bounded(get(&seen.woken)),
        .nap_cpu_ns = bounded(cpu),
        .nap_latency_ns = late - half,
        .nap_jitter_ns = 2 * half,
    };
}

/* By more than half, and by more than a clock reading or two: all plans are made anew then. */
static bool moved(uint32_t a, uint32_t b)
{
    const uint32_t far = a > b ? a - b : b - a;

    return far > 500 && far > b / 2;
}

static void put_in_force(const struct xsc_costs *c)
{
    set(&in_force.watch_latency_ns, c->watch_latency_ns);
    set(&in_force.park_cpu_ns, c->park_cpu_ns);
    set(&in_force.park_latency_ns, c->park_latency_ns);
    set(&in_force.nap_cpu_ns, c->nap_cpu_ns);
    set(&in_force.nap_latency_ns, c->nap_latency_ns);
    set(&in_force.nap_jitter_ns, c->nap_jitter_ns);
    set(&in_force.doze_ns, c->doze_ns);
    set(&in_force.weight, c->weight);
    __atomic_store_n(&changes, changes + 1, __ATOMIC_RELEASE);
}

void xsc_costs_refresh(void)
{
    struct xsc_costs new;

    if (!get(&changes)) {
        measure();
        new = as_seen();
        new.weight = xsc_preferred_weight();
        put_in_force(&new);
        return;
    }
    new = as_seen();
    new.weight = in_force.weight;
    if (moved(new.park_cpu_ns, in_force.park_cpu_ns) ||
        moved(new.park_latency_ns, in_force.park_latency_ns) ||
        moved(new.nap_latency_ns + new.nap_jitter_ns / 2,
              in_force.nap_latency_ns + in_force.nap_jitter_ns / 2)) {
        put_in_force(&new);
    }
}

uint32_t xsc_costs_read(struct xsc_costs *costs)
{
    static const struct xsc_costs until_measured = XSC_COSTS_VM;
    const uint32_t n = __atomic_load_n(&changes, __ATOMIC_ACQUIRE);

    if (!n) {
        *costs = until_measured;
        return 0;
    }
    *costs = (struct xsc_costs){
        get(&in_force.watch_latency_ns), get(&in_force.park_cpu_ns),
        get(&in_force.park_latency_ns),  get(&in_force.nap_cpu_ns),
        get(&in_force.nap_latency_ns),   get(&in_force.nap_jitter_ns),
        get(&in_force.doze_ns),          get(&in_force.weight),
    };
    return n;
}
