/* SPDX-License-Identifier: MIT */
/*
 * YIELD: a hint that may do nothing at all, and on most Arm cores without SMT does (DDI
 * 0487, C6.2 "YIELD"; DDI 0406C, A8.8 "YIELD"). The trial measures it: on arm64 ISB is
 * taken instead unless the user asks; on armv7 there is nothing better for a plain store.
 */
#include "mech/mech.h"

#if defined(XSC_ARCH_ARM64) || defined(XSC_ARCH_ARM)

static void relax(void)
{
    __asm__ __volatile__("yield" ::: "memory");
}

static enum xsc_presence yield_detect(const struct xsc_cpu *cpu, const char **why)
{
    (void)cpu;
    (void)why;
    return XSC_PRESENT;
}

static enum xsc_woke yield_wait(const struct xsc_mech_ctx *ctx, const struct xsc_watch *w,
                                uint64_t deadline, uint64_t *at)
{
    return xsc_poll(ctx, w, deadline, at, relax);
}

const struct xsc_mechanism xsc_mech_yield = {
    .name = "YIELD",
    .traits = XSC_TRAITS_yield,
    .detect = yield_detect,
    .wait = yield_wait,
};

#endif
