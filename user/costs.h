/* SPDX-License-Identifier: MIT */
/*
 * user/costs.h - what leaving the CPU costs on this machine: measured, and kept up to date
 *
 * The first wait that may leave the CPU measures it with a few short naps, in some 0.3 ms. From
 * then on each real sleep is evidence: a nap that timed out says how late it was, a park that was
 * ended by an unpark of this process says how long that took, and one sleep in a few its CPU time.
 *
 * Evidence is kept for the process and for each site. A thread that has slept for 30 ms takes four
 * times as long to come back as one that slept for 30 us: its caches are cold and its CPU is in a deeper
 * state, the host's as well. A site's sleeps are of a kind, so a site reckons with its own (which begin
 * as the process's), and the policy (core/policy.h) with what is in force there, which follows when
 * the evidence has moved away from it by more than a quarter.
 */
#ifndef XSC_USER_COSTS_H
#define XSC_USER_COSTS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/costs.h"

/* Of one kind of cost, in ns: near the median of those seen, and how many those are. */
struct xsc_figure {
    uint32_t ns, seen;
};

enum xsc_evidence_of {
    XSC_NAP_LATE,     /* from a nap's aimed end to the waiter's running */
    XSC_NAP_LATE_OFF, /* the mean distance from that */
    XSC_WOKEN,        /* from an unpark to its waiter's running */
    XSC_PARK_CPU,     /* CPU time of a sleep that is to be woken, */
    XSC_NAP_CPU,      /* and of one with a timer: setting it may be dearer than all the rest */
    XSC_EVIDENCE
};

/* All zeroes is none. Relaxed atomics: each is a figure by itself. */
struct xsc_evidence {
    struct xsc_figure of[XSC_EVIDENCE];
};

/* The process's costs in force, and how often they have changed; 0: not measured yet. Any thread. */
uint32_t xsc_costs_read(struct xsc_costs *costs);

/* What another thread's xsc_costs_settle() has last put there. */
struct xsc_costs xsc_costs_load(const struct xsc_costs *costs);

/*
 * One thread at a time (user/sites.c sees to it). The first measures, or takes the process's evidence
 * over. The second does so for a site with naps of doze_ns: true if its costs in force are new ones.
 */
void xsc_costs_refresh(void);
bool xsc_costs_settle(struct xsc_evidence *site, uint32_t doze_ns, struct xsc_costs *in_force);

/*
 * Records one sample of the given kind for the site and for the process. Thread-safe. A nap's
 * lateness is XSC_NAP_LATE.
 */
void xsc_costs_saw(struct xsc_evidence *site, enum xsc_evidence_of what, uint64_t ns);

#endif /* XSC_USER_COSTS_H */
