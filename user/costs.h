/* SPDX-License-Identifier: MIT */
/*
 * user/costs.h - what leaving the CPU costs on this machine: measured, and kept up to date
 *
 * The first wait that may leave the CPU measures it with a few short naps, in some 0.3 ms. From
 * then on each real sleep is evidence: a nap that timed out says how late it was, a park that was
 * ended by an unpark of this process says how long that took, and one sleep in a few its CPU time.
 * The policy (core/policy.h) works with what is in force, which follows when the evidence has
 * moved away from it by more than half.
 */
#ifndef XSC_USER_COSTS_H
#define XSC_USER_COSTS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/costs.h"

/* The costs in force, and how often they have changed; 0: not measured yet. Any thread. */
uint32_t xsc_costs_read(struct xsc_costs *costs);

/* One thread at a time (user/sites.c sees to it): measures first, or takes over the evidence. */
void xsc_costs_refresh(void);

/* Evidence, by any thread, in ns. A nap's is its lateness. */
void xsc_costs_nap(uint64_t late_ns);
void xsc_costs_woken(uint64_t latency_ns);
void xsc_costs_cpu(uint64_t cpu_ns);

/* XSC_PREFER: a weight of core/costs.h. Says so, once, where it is set to something unknown. */
uint32_t xsc_preferred_weight(void);

#endif /* XSC_USER_COSTS_H */
