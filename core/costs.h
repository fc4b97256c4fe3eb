/* SPDX-License-Identifier: MIT */
/*
 * core/costs.h - a plan for a wait, and what it costs
 *
 * A plan says how to spend one wait, times counted from its start:
 *
 *     0          watch_ns         nap_ns             until_ns
 *     |---watch-----|----nap--------|~~~~~~|--watch-----|---park---------->
 *                                 aimed  ended
 *
 * watch (burn the CPU) until watch_ns; leave the CPU with a timer set for nap_ns, from which
 * the machine comes back late; watch until until_ns; park. watch_ns may be 0. No nap
 * (nap_ns is XSC_NEVER): park right after the first watch. until_ns no later than the end of
 * the nap: park right after the nap.
 *
 * Where no writer will call unpark (plain words: costs.doze_ns is not 0) "park" stands for
 * dozing: naps of doze_ns, one after another, with a look at the word after each.
 *
 * WHAT IT COSTS. The cost of a wait = CPU time + weight x (time from the event to its being
 * noticed), counted in tenths of a nanosecond because the weights are 10, 1 and 0.1:
 *
 *     watching      its duration of CPU; the event is noticed watch_latency_ns later
 *     a nap         nap_cpu_ns of CPU; an event in it is noticed when the nap has ended
 *     a park        park_cpu_ns of CPU; the event is noticed park_latency_ns later
 *     dozing        nap_cpu_ns a nap; the event is noticed half a nap later in the mean
 */
#ifndef XSC_CORE_COSTS_H
#define XSC_CORE_COSTS_H

#include <stdbool.h>
#include <stdint.h>

#define XSC_NEVER UINT64_MAX

/* XSC_PREFER: what a nanosecond of latency is worth, in tenths of one of CPU time. */
enum xsc_weight {
    XSC_WEIGHT_CPU = 1,
    XSC_WEIGHT_BALANCED = 10,
    XSC_WEIGHT_LATENCY = 100,
};

/* What waiting costs on this machine, in ns, all at most XSC_COST_MAX: measured, not assumed. */
struct xsc_costs {
    uint32_t watch_latency_ns; /* from a store to a watcher's noticing */
    uint32_t park_cpu_ns;      /* CPU time of going to sleep and waking up */
    uint32_t park_latency_ns;  /* from the writer's unpark to the waiter's running */
    uint32_t nap_cpu_ns;       /* CPU time of one nap */
    uint32_t nap_latency_ns;   /* from a nap's aimed end to the waiter's running, at least, */
    uint32_t nap_jitter_ns;    /* and up to this much more, evenly spread */
    uint32_t doze_ns;          /* 0: can park. Else the naps that stand in for it */
    uint32_t weight;           /* enum xsc_weight; anything from 1 to 100 works */
};

#define XSC_COST_MAX 100000000u

/* A small cloud VM (KVM) and a bare-metal server: for simulation, and until measured. */
#define XSC_COSTS_VM                                                                               \
    {                                                                                              \
        .park_cpu_ns = 13000, .park_latency_ns = 40000, .nap_cpu_ns = 13000,                       \
        .nap_latency_ns = 40000, .weight = XSC_WEIGHT_BALANCED                                     \
    }
#define XSC_COSTS_METAL                                                                            \
    {                                                                                              \
        .park_cpu_ns = 2500, .park_latency_ns = 3500, .nap_cpu_ns = 2500, .nap_latency_ns = 3500,  \
        .weight = XSC_WEIGHT_BALANCED                                                              \
    }

struct xsc_plan {
    uint64_t watch_ns;
    uint64_t nap_ns;   /* when the nap's timer is to fire, or XSC_NEVER */
    uint64_t until_ns; /* of no meaning without a nap */
    bool crowded;      /* leaves the CPU at once, for another's sake */
};

/* The cost of noticing an event by watching, in tenths of a nanosecond. */
static inline uint64_t xsc_cost_notice(const struct xsc_costs *c)
{
    return (uint64_t)c->weight * c->watch_latency_ns;
}

/* One doze: the nap and its lateness. */
static inline uint64_t xsc_doze_period(const struct xsc_costs *c)
{
    return (uint64_t)c->doze_ns + c->nap_latency_ns + c->nap_jitter_ns / 2;
}

/*
 * The cost of a park that is entered `ns` before the event. Dozing is charged its mean: it
 * is half over when the event comes.
 */
static inline uint64_t xsc_cost_park(const struct xsc_costs *c, uint64_t ns)
{
    if (!c->doze_ns) {
        return 10 * (uint64_t)c->park_cpu_ns + (uint64_t)c->weight * c->park_latency_ns;
    }
    const uint64_t period = xsc_doze_period(c), nap = 10 * (uint64_t)c->nap_cpu_ns;

    return ns / period * nap + ns % period * nap / period +
           (nap + (uint64_t)c->weight * period) / 2;
}

/*
 * The cost of a wait of `ns` under the plan, in tenths of a nanosecond, when a nap ends
 * `late` ns after the time it was aimed at. All times of the plan and ns are below 2^50.
 */
static inline uint64_t xsc_cost_of(const struct xsc_costs *c, const struct xsc_plan *p, uint64_t ns,
                                   uint64_t late)
{
    if (ns <= p->watch_ns) {
        return 10 * ns + xsc_cost_notice(c);
    }
    if (p->nap_ns == XSC_NEVER) {
        return 10 * p->watch_ns + xsc_cost_park(c, ns - p->watch_ns);
    }
    const uint64_t ended = p->nap_ns + late;
    const uint64_t spent = 10 * (p->watch_ns + c->nap_cpu_ns);

    if (ns <= ended) {
        return spent + (uint64_t)c->weight * (ended - ns);
    }
    if (ns <= p->until_ns) {
        return spent + 10 * (ns - ended) + xsc_cost_notice(c);
    }
    const uint64_t parked = p->until_ns > ended ? p->until_ns : ended;

    return spent + 10 * (parked - ended) + xsc_cost_park(c, ns - parked);
}

/*
 * The nap that follows when a doze has lasted ns: a sixteenth of that, and within bounds. The store is
 * noticed at its end.
 */
#define XSC_DOZE_PART 16u
#define XSC_DOZE_MAX_NS 1000000u

static inline uint64_t xsc_doze_nap(uint32_t doze_ns, uint64_t ns)
{
    const uint64_t part = ns / XSC_DOZE_PART;

    return part < doze_ns || doze_ns > XSC_DOZE_MAX_NS ? doze_ns
           : part < XSC_DOZE_MAX_NS                    ? part
                                                       : XSC_DOZE_MAX_NS;
}

/*
 * Not the mean that xsc_cost_park() charges for a doze, but the cost of one that begins ns before the
 * event, nap by nap. Where events are regular the same nap meets them, early or late.
 */
static inline uint64_t xsc_cost_doze(const struct xsc_costs *c, uint64_t ns)
{
    const uint64_t late = (uint64_t)c->nap_latency_ns + c->nap_jitter_ns / 2;
    uint64_t at = 0, naps = 0;

    do {
        const uint64_t nap = xsc_doze_nap(c->doze_ns, at) + late;
        const uint64_t n = nap >= XSC_DOZE_MAX_NS && ns > at ? (ns - at + nap - 1) / nap : 1;

        at += n * nap;
        naps += n;
    } while (at < ns);
    return 10 * naps * c->nap_cpu_ns + (uint64_t)c->weight * (at - ns);
}

/*
 * UNMET. A wait may end without its event: it timed out, or came back for another reason. Then nothing
 * was noticed late, so all it has cost is CPU time, and so it would have been under any other plan.
 */

/* A park that has lasted ns when the wait ends, unmet. */
static inline uint64_t xsc_unmet_park(const struct xsc_costs *c, uint64_t ns)
{
    if (!c->doze_ns) {
        return 10 * (uint64_t)c->park_cpu_ns;
    }
    const uint64_t period = xsc_doze_period(c), nap = 10 * (uint64_t)c->nap_cpu_ns;

    return ns / period * nap + ns % period * nap / period + nap / 2;
}

/* xsc_cost_of() for a wait that ended after ns, unmet. A nap that would have outlasted it is a park. */
static inline uint64_t xsc_unmet_cost_of(const struct xsc_costs *c, const struct xsc_plan *p,
                                         uint64_t ns, uint64_t late)
{
    if (ns <= p->watch_ns) {
        return 10 * ns;
    }
    if (p->nap_ns >= ns) {
        return 10 * p->watch_ns + xsc_unmet_park(c, ns - p->watch_ns);
    }
    const uint64_t ended = p->nap_ns + late;
    const uint64_t spent = 10 * (p->watch_ns + c->nap_cpu_ns);

    if (ns <= ended) {
        return spent;
    }
    if (ns <= p->until_ns) {
        return spent + 10 * (ns - ended);
    }
    const uint64_t parked = p->until_ns > ended ? p->until_ns : ended;

    return spent + 10 * (parked - ended) + xsc_unmet_park(c, ns - parked);
}

#endif /* XSC_CORE_COSTS_H */
