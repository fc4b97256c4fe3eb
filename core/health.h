/* SPDX-License-Identifier: MIT */
/*
 * core/health.h - does the chosen mechanism still do what its trial promised?
 *
 * No thread watches. A slow wait that finds the running interval over (10 s) judges it
 * before it begins to watch, which takes microseconds. One bad interval: DEGRADED.
 * A good one after that: ACTIVE again. Three bad ones in a row: FAILED with the reason, and
 * the fallback is the primary from then on. After a quiet time, which doubles with every
 * roll back, the mechanism is tried again, and trusted again if it passes; the wait that
 * happens to do so may notice its store some milliseconds late, as the first wait of all.
 */
#ifndef XSC_CORE_HEALTH_H
#define XSC_CORE_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

struct xsc_counts;
struct xsc_engine;
struct xsc_mechanism;
struct xsc_trial;

#define XSC_HEALTH_NS 10000000000ull /* an interval */
#define XSC_BAD_INTERVALS 3
#define XSC_QUIET_NS 60000000000ull       /* after the first roll back */
#define XSC_QUIET_MAX_NS 3600000000000ull /* and never longer */

/* Looks at the clock; judges if it is time. Cheap otherwise: one load and a compare. */
void xsc_health_check(struct xsc_engine *e, uint64_t now_ns);

/*
 * Pure: what is wrong with an interval in which the counts grew by *n, if anything, as a
 * sentence in text. An interval with too few waits to judge by is good.
 */
bool xsc_interval_bad(const struct xsc_mechanism *m, const struct xsc_trial *seen,
                      const struct xsc_counts *n, char *text, uint32_t size);

#endif /* XSC_CORE_HEALTH_H */
