/* SPDX-License-Identifier: MIT */
/*
 * LDAXR + WFET: arm64 with FEAT_WFxT (v8.7).
 *
 * As mech/wfe.c, and also ends when CNTVCT_EL0 reaches the operand: an absolute deadline
 * (DDI 0487, C6.2 "WFET"). Ticks of a trusted counter are CNTVCT_EL0, so the deadline is
 * handed on as it is. HWCAP2_WFXT, bit 31 of AT_HWCAP2.
 */
#include "mech/mech.h"

#if defined(XSC_ARCH_ARM64)

static enum xsc_presence wfet_detect(const struct xsc_cpu *cpu, const char **why)
{
    if (!(cpu->has & XSC_HAS_WFXT)) {
        *why = "HWCAP2_WFXT clear (CPU older than Armv8.7, or an OS that does not report it)";
        return XSC_ABSENT;
    }
    if (!cpu->counter_trusted) {
        *why = "has WFXT, but its deadlines are CNTVCT_EL0 values and that can't be trusted here";
        return XSC_ABSENT;
    }
    return XSC_PRESENT;
}

static enum xsc_woke wfet_wait(const struct xsc_mech_ctx *ctx, const struct xsc_watch *w,
                               uint64_t deadline, uint64_t *at)
{
    (void)ctx;
    (void)at;
    if (xsc_watch_holds(w, xsc_arm64_ldaxr(w->word, w->size))) {
        return XSC_WOKE_MET;
    }
    xsc_arm64_wfet(deadline);
    return XSC_WOKE;
}

const struct xsc_mechanism xsc_mech_wfet = {
    .name = "WFET",
    .traits = XSC_TRAITS_wfet,
    .rest_ns = 40000,
    .detect = wfet_detect,
    .wait = wfet_wait,
};

#endif /* XSC_ARCH_ARM64 */
