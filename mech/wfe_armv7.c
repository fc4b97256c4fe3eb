/* SPDX-License-Identifier: MIT */
/*
 * LDREX + WFE, woken by DSB ISHST + SEV: 32-bit Arm.
 *
 * On ARMv7 the store that clears the exclusive monitor is no event (DDI 0406C, B1.8.13 lists
 * the WFE wake-up events: SEV, interrupts, debug, the event stream). So this ends promptly
 * only for writers that call wake(), such as a lock's unlock, and is never chosen for a word
 * that anybody may store to. The event stream bounds it as on arm64.
 */
#include "mech/mech.h"

#if defined(XSC_ARCH_ARM)

static enum xsc_presence wfe_detect(const struct xsc_cpu *cpu, const char **why)
{
    if (!(cpu->has & XSC_HAS_EVTSTRM)) {
        *why = "no event stream (HWCAP_EVTSTRM clear): a deadline could be overslept";
        return XSC_ABSENT;
    }
    return XSC_PRESENT;
}

static enum xsc_woke wfe_wait(const struct xsc_mech_ctx *ctx, const struct xsc_watch *w,
                              uint64_t deadline, uint64_t *at)
{
    (void)ctx;
    (void)at;
    (void)deadline;
    if (xsc_watch_holds(w, xsc_arm_ldrex(w->word, w->size))) {
        return XSC_WOKE_MET;
    }
    xsc_arm_wfe();
    return XSC_WOKE;
}

const struct xsc_mechanism xsc_mech_wfe_armv7 = {
    .name = "WFE",
    .traits = XSC_TRAITS_wfe_armv7,
    .rest_ns = 20000,
    .detect = wfe_detect,
    .wait = wfe_wait,
    .wake = xsc_arm_sev,
};

#endif /* XSC_ARCH_ARM */
