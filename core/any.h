/* SPDX-License-Identifier: MIT */
/* core/any.h - one hardware wait for several words; see core/any.c */
#ifndef XSC_CORE_ANY_H
#define XSC_CORE_ANY_H

#include "core/watch.h"
#include "mech/mech.h"

/* Whether one of the n conditions holds; *which: the first that does. */
static inline bool xsc_any_met(const struct xsc_watch *w, uint32_t n, uint32_t *which)
{
    for (uint32_t i = 0; i < n; i++) {
        if (xsc_watch_met(&w[i])) {
            *which = i;
            return true;
        }
    }
    return false;
}

/*
 * Waits by m until one of the n conditions holds, *which, or about `deadline` (ticks). *at, the
 * time at the call, becomes that of the return.
 */
enum xsc_woke xsc_any_wait(const struct xsc_mechanism *m, const struct xsc_mech_ctx *ctx,
                           const struct xsc_watch *w, uint32_t n, uint32_t *which,
                           uint64_t deadline, uint64_t *at);

#endif /* XSC_CORE_ANY_H */
