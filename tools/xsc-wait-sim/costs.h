/* SPDX-License-Identifier: MIT */
/* costs.h - the costs of a machine, built in or read from a file */
#ifndef XSC_SIM_COSTS_H
#define XSC_SIM_COSTS_H

#include "core/policy.h"

/*
 * name: "vm", "metal", or a file of lines "key ns", with '#' comments. Keys: park_cpu_ns and
 * park_latency_ns, which must be there; nap_cpu_ns and nap_latency_ns, by default the same as
 * of a park; nap_jitter_ns and watch_latency_ns, by default 0. The weight is left alone.
 * Returns 0, or -1 after one line on stderr.
 */
int xsc_costs_read(struct xsc_costs *c, const char *name);

#endif /* XSC_SIM_COSTS_H */
