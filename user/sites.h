/* SPDX-License-Identifier: MIT */
/*
 * user/sites.h - what this process has learned about its wait sites
 *
 * A site is found by the address of its word: XSC_SITES of them, given out in turn, then shared. Or
 * it is the caller's own, which is the same thing in other memory. Learning a wait takes some tenths
 * of a microsecond; it is done at the start of the next wait of the site that outlasts the tight
 * spin, when no other work needs the thread yet.
 */
#ifndef XSC_USER_SITES_H
#define XSC_USER_SITES_H

#include <stdbool.h>
#include <stdint.h>

#include "core/policy.h"
#include "user/costs.h"

/* One wait under way. */
struct xsc_stay {
    struct xsc_live_site *site;
    struct xsc_plan plan;
    uint32_t doze_ns; /* of core/costs.h */
    uint64_t timeout_ns;
};

/* Measures the costs, if they have not been. False: another thread is learning, try again. */
bool xsc_sites_measure(void);

/*
 * How to spend a wait for this word, at the caller's own site or (NULL) at that of its address.
 * timeout_ns: of the wait. crowded: the waiter must not keep its CPU. doze_ns: of core/costs.h, always
 * the same at a site.
 */
struct xsc_site;
struct xsc_stay xsc_stay_begin(const volatile void *word, struct xsc_site *own, uint32_t doze_ns,
                               uint64_t timeout_ns, bool crowded);

/*
 * Learns from the site's last wait, if there is one to be learned from. At a new site, whose costs
 * had only been guessed at when the wait was planned, it is planned again.
 */
void xsc_stay_learn(struct xsc_stay *stay);

/* A sleep of this wait has cost so much. */
void xsc_stay_saw(const struct xsc_stay *stay, enum xsc_evidence_of what, uint64_t ns);

/* Whether the sleep that now begins is to have its CPU time measured: two system calls. */
bool xsc_stay_times(const struct xsc_stay *stay);

/* The wait is over, and this is what it has told; its timeout is filled in. */
void xsc_stay_end(const struct xsc_stay *stay, const struct xsc_outcome *was);

#endif /* XSC_USER_SITES_H */
