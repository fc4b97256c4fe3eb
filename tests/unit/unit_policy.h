/* SPDX-License-Identifier: MIT */
/* tests/unit/unit_policy.h - what the tests of the waiting policy share. */
#ifndef XSC_UNIT_POLICY_H
#define XSC_UNIT_POLICY_H

#include "core/policy.h"
#include "unit.h"

#define POLICY_MACHINES 4

/* A VM, bare metal, a VM whose naps are uneven and whose watching isn't free, and naps only. */
static inline struct xsc_costs policy_costs(unsigned machine, unsigned preference)
{
    static const struct xsc_costs machines[POLICY_MACHINES] = {
        XSC_COSTS_VM,
        XSC_COSTS_METAL,
        {.park_cpu_ns = 9999,
         .park_latency_ns = 41234,
         .nap_cpu_ns = 12345,
         .nap_latency_ns = 30001,
         .nap_jitter_ns = 20007,
         .watch_latency_ns = 200},
        {.nap_cpu_ns = 13000, .nap_latency_ns = 40000, .doze_ns = 500000},
    };
    static const uint32_t weights[] = {XSC_WEIGHT_CPU, XSC_WEIGHT_BALANCED, XSC_WEIGHT_LATENCY};
    struct xsc_costs c = machines[machine];

    c.weight = weights[preference];
    return c;
}

/* What a plan can cost at most: the worse of the earliest and latest nap end. */
static inline uint64_t policy_paid(const struct xsc_costs *c, const struct xsc_plan *p, uint64_t ns)
{
    const uint64_t one = xsc_cost_of(c, p, ns, c->nap_latency_ns);
    const uint64_t two = p->nap_ns == XSC_NEVER
                             ? one
                             : xsc_cost_of(c, p, ns,
                                           (uint64_t)c->nap_latency_ns + c->nap_jitter_ns);

    return one > two ? one : two;
}

/* A wait that ended by its event after ns, with no timeout. */
static inline void policy_learn(struct xsc_policy *site, const struct xsc_costs *c,
                                const struct xsc_plan *p, uint64_t ns, bool starved,
                                struct xsc_policy_scratch *scratch)
{
    const struct xsc_outcome was = {.ns = ns, .timeout_ns = XSC_NEVER, .starved = starved};

    xsc_policy_learn(site, c, p, &was, scratch);
}

#endif /* XSC_UNIT_POLICY_H */
