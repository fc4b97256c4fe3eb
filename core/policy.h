/* SPDX-License-Identifier: MIT */
/*
 * core/policy.h - how to spend a wait at this site, learned from its earlier waits
 *
 * WHAT IT IS
 *
 *     struct xsc_plan plan = xsc_site_plan(&site, &costs, crowded);
 *     ... wait as the plan says; it took `ns` ...
 *     xsc_site_learn(&site, &costs, &plan, ns, starved, &scratch);
 *
 * Pure arithmetic over the site's state (under 1 KiB): no clock, no allocation, no floating
 * point, no operating system. The simulator and the library run this same code.
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
 * Where nobody will call unpark (plain words: costs.doze_ns is not 0) "park" stands for
 * dozing: naps of doze_ns, one after another, with a look at the word after each.
 *
 * WHAT IT COSTS. The cost of a wait = CPU time + weight x (time from the event to its being
 * noticed), counted in tenths of a nanosecond because the weights are 10, 1 and 0.1:
 *
 *     watching      its duration of CPU; the event is noticed watch_latency_ns later
 *     a nap         nap_cpu_ns of CPU; an event in it is noticed when the nap has ended
 *     a park        park_cpu_ns of CPU; the event is noticed park_latency_ns later
 *     dozing        nap_cpu_ns a nap; the event is noticed half a nap later in the mean
 *
 * docs/policy.md has the idea, the argument for the bound below, and what was measured.
 *
 * WHAT IS PROMISED. With one thread at a time at a site, over any sequence of waits since it
 * was zeroed, an adversary's included, and whatever was learned: the cost is at most twice
 * that of watching every wait to its end, and at most twice that of parking at once in every
 * wait. (Waits planned as crowded are outside this account: see below.) Threads that share a
 * site may lose each other's updates, hence lose exactness of that account, never its sanity.
 *
 * CROWDED. Watching is wrong where the thread that is to wake us needs the CPU we watch on.
 * Then a plan leaves the CPU at once. The caller says so by `crowded` when it knows (one CPU
 * allowed or online; more runnable threads than CPUs), and by `starved` afterwards when it
 * finds out: the watch was interrupted for longer than an interrupt takes (two looks
 * at the clock far apart, or an involuntary context switch counted) and the event was there
 * when it went on. A site where a quarter of the recent watches were starved is taken to be
 * crowded, but for every 32nd wait, which finds out whether it still is.
 */
#ifndef XSC_CORE_POLICY_H
#define XSC_CORE_POLICY_H

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
    {.park_cpu_ns = 13000, .park_latency_ns = 40000, .nap_cpu_ns = 13000,                          \
     .nap_latency_ns = 40000, .weight = XSC_WEIGHT_BALANCED}
#define XSC_COSTS_METAL                                                                            \
    {.park_cpu_ns = 2500, .park_latency_ns = 3500, .nap_cpu_ns = 2500,                             \
     .nap_latency_ns = 3500, .weight = XSC_WEIGHT_BALANCED}

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

/* ------------------------------------------------------------------------- the site ---- */

#ifndef XSC_SPREAD_POINTS
#define XSC_SPREAD_POINTS 32
#endif
#define XSC_CLASSES 4
#define XSC_RECENT 64

/*
 * A distribution in XSC_SPREAD_POINTS weighted points, sorted; times as 16-bit codes, within
 * 0.03 %. Points are where the waits are, so a periodic event is resolved to a fraction of
 * its jitter and a rare long wait still has a point of its own.
 */
struct xsc_spread {
    uint16_t at[XSC_SPREAD_POINTS];
    uint16_t weight[XSC_SPREAD_POINTS];
    uint32_t total;
    uint32_t grain; /* how coarse: see spread_squeeze() */
    uint32_t n;
};

/* Whose advice: learned from all waits, from those after one like the last, from the latest;
   or none of it: leave at once, or watch for as long as a park costs and then park. */
enum xsc_adviser { XSC_BY_ALL, XSC_BY_CLASS, XSC_BY_RECENT, XSC_AT_ONCE, XSC_SAFE, XSC_ADVISERS };

/* A plan in codes. */
struct xsc_short_plan {
    uint16_t watch, nap, until;
};

/* A learned plan, and the least that one wait under it can add to each account. */
struct xsc_learned {
    struct xsc_short_plan plan;
    uint16_t valid;
    int64_t least[2];
};

#define XSC_LEARNED (XSC_CLASSES + 2) /* all, each class, recent */

/*
 * Zeroed is new. All members are the policy's own. The first four are read and written by
 * any thread (relaxed atomics); the others by the one that has set busy.
 */
struct xsc_site {
    uint32_t busy;    /* a thread is learning here: another's wait is not learned from */
    uint32_t adviser; /* of the next wait: enum xsc_adviser + 1; 0: new */
    uint32_t starved; /* share of starved watches, 65536 = all */
    uint32_t crowded; /* waits since the site was taken to be crowded */
    struct xsc_short_plan next; /* the adviser's plan, where it was learned; also atomic */
    uint16_t bounds[XSC_CLASSES - 1]; /* between the classes, codes */
    uint32_t last_class; /* the class of the last wait */
    uint32_t waits;      /* learned from; saturates */
    uint32_t due;        /* which of learned[] is computed next */
    uint32_t since;      /* waits since one was computed, */
    uint64_t spent;      /* and their cost */
    int64_t account[2];  /* twice what watching, or parking, would have cost, less paid */
    uint64_t cost[XSC_ADVISERS]; /* decaying sum of what each adviser's plans would have cost */
    struct xsc_learned learned[XSC_LEARNED];
    struct xsc_spread after[XSC_CLASSES]; /* waits that came after one of the class */
    uint16_t recent[XSC_RECENT];          /* the latest waits, codes, a ring */
};

/* Working memory for learning, of no meaning between calls: about 4 KB. */
#define XSC_POLICY_POINTS (XSC_CLASSES * XSC_SPREAD_POINTS + 32)
struct xsc_policy_scratch {
    uint16_t at[2][XSC_POLICY_POINTS];
    uint16_t weight[2][XSC_POLICY_POINTS];
    uint64_t sum[XSC_POLICY_POINTS];
    int64_t before[XSC_POLICY_POINTS];
    uint32_t longer[XSC_POLICY_POINTS];
    uint16_t best_until[XSC_POLICY_POINTS];
};

/* How to spend the next wait here. A load, a branch and some shifts; no lock. */
struct xsc_plan xsc_site_plan(struct xsc_site *site, const struct xsc_costs *costs, bool crowded);

/*
 * The wait under `plan` took ns (to the event, or to its timeout); starved: as CROWDED above
 * says. Some tens of ns, and now and then a microsecond to compute a plan anew; may be
 * called late, while the next wait is under way.
 */
void xsc_site_learn(struct xsc_site *site, const struct xsc_costs *costs,
                    const struct xsc_plan *plan, uint64_t ns, bool starved,
                    struct xsc_policy_scratch *scratch);

/* The costs have been measured anew: what was learned stays, what it is worth is forgotten. */
void xsc_site_costs_changed(struct xsc_site *site);

#endif /* XSC_CORE_POLICY_H */
