/* SPDX-License-Identifier: MIT */
/*
 * MONITORX / MWAITX: AMD from Excavator and Zen on.
 *
 * - CPUID 8000_0001h:ECX[29]. User mode, unless a hypervisor intercepts or hides it.
 * - MONITORX arms the line; MWAITX ends at a store to it, at an interrupt, or, with ECX[1],
 *   after EBX ticks of the TSC's rate: 32 bits and relative (AMD APM vol. 3, MWAITX). A slice
 *   is far below 2^32 ticks, and core/wait.c loops over slices, so long waits need nothing
 *   here but the clamp.
 * - As with UMWAIT, a store between MONITORX and MWAITX keeps the latter from waiting; the
 *   look in between sees one that came before.
 */
#include "mech/mech.h"

#if defined(XSC_ARCH_X86)

static enum xsc_presence mwaitx_detect(const struct xsc_cpu *cpu, const char **why)
{
    if (!(cpu->has & XSC_HAS_MONITORX)) {
        *why = cpu->hypervisor
                   ? "CPUID bit MONITORX clear (masked by the hypervisor, or not an AMD CPU)"
                   : "CPUID bit MONITORX clear (not an AMD CPU, or an older one)";
        return XSC_ABSENT;
    }
    if (!cpu->counter_trusted) {
        *why = "has MONITORX, but its timer counts TSC ticks and the TSC can't be trusted here";
        return XSC_ABSENT;
    }
    return XSC_PRESENT;
}

static enum xsc_woke mwaitx_wait(const struct xsc_mech_ctx *ctx, const struct xsc_watch *w,
                                 uint64_t deadline, uint64_t *at)
{
    (void)ctx;
    (void)at;
    xsc_x86_monitorx(w->word);
    if (xsc_watch_met(w)) {
        return XSC_WOKE_MET;
    }
    const int64_t left = (int64_t)(deadline - xsc_arch_counter());

    if (left > 0) {
        /* At least 1: the manual does not specify a count of 0. */
        xsc_x86_mwaitx(left > UINT32_MAX ? UINT32_MAX : (uint32_t)left);
    }
    return XSC_WOKE;
}

const struct xsc_mechanism xsc_mech_mwaitx = {
    .name = "MWAITX",
    .traits = XSC_TRAITS_mwaitx,
    .rest_ns = 40000,
    .detect = mwaitx_detect,
    .wait = mwaitx_wait,
};

#endif /* XSC_ARCH_X86 */
