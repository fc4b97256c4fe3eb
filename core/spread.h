/* SPDX-License-Identifier: MIT */
/* core/spread.h - a distribution of waits in 200 bytes, fine where the waits are */
#ifndef XSC_CORE_SPREAD_H
#define XSC_CORE_SPREAD_H

#include <stdint.h>

#define XSC_SPREAD_POINTS 32
#define XSC_SPREAD_ONE 16u /* the weight of one wait, so that a prior can weigh less */

/*
 * A distribution in XSC_SPREAD_POINTS weighted points, sorted; times as codes
 * (core/code.h). Points are where the waits are, so a periodic event is resolved to a fraction of
 * its jitter and a rare long wait still has a point of its own.
 */
struct xsc_distribution {
    uint32_t at[XSC_SPREAD_POINTS];
    uint16_t weight[XSC_SPREAD_POINTS];
    uint32_t total;
    uint32_t grain; /* how coarse: see spread_squeeze() */
    uint32_t n;
};

/*
 * Adds a wait. Ratios between times below coarse_ns matter less and less: points there may
 * be further apart.
 */
void xsc_spread_add(struct xsc_distribution *s, uint32_t code, uint64_t coarse_ns);

#endif /* XSC_CORE_SPREAD_H */
