/* SPDX-License-Identifier: MIT */
/*
 * ISB: the spin hint of arm64 without WFE. It drains the pipeline, some 10 to 40 cycles in
 * which the core issues nothing, which is what PAUSE does elsewhere; YIELD mostly does not
 * (mech/yield.c). Architecturally it orders instruction fetch and nothing more (DDI 0487,
 * C6.2 "ISB"), so it is safe anywhere.
 */
#include "mech/mech.h"

#if defined(XSC_ARCH_ARM64)

static enum xsc_presence isb_detect(const struct xsc_cpu *cpu, const char **why)
{
    (void)cpu;
    (void)why;
    return XSC_PRESENT;
}

static enum xsc_woke isb_wait(const struct xsc_mech_ctx *ctx, const struct xsc_watch *w,
                              uint64_t deadline, uint64_t *at)
{
    return xsc_poll(ctx, w, deadline, at, xsc_arch_relax);
}

const struct xsc_mechanism xsc_mech_isb = {
    .name = "ISB",
    .traits = XSC_TRAITS_isb,
    .detect = isb_detect,
    .wait = isb_wait,
};

#endif /* XSC_ARCH_ARM64 */
