/* SPDX-License-Identifier: MIT */
/*
 * TPAUSE: a nap of the CPU until a TSC deadline, with no monitor (Intel SDM vol. 2, TPAUSE).
 *
 * Same CPUID bit, same OS limit and same C0.1/C0.2 choice as UMWAIT. No store ends it, so
 * between naps the word is looked at: NAP_TICKS is what a store may go unseen for. It
 * stands after PAUSE in the list and is used only by name, and by the probe. Deadlines are
 * coarse on some parts (83 cycles on Alder Lake P-cores: "An Analysis of User-space Idle
 * State Instructions on x86 Processors", ICPE 2025).
 */
#include "mech/mech.h"

#if defined(XSC_ARCH_X86)

#define ASK_C01 1u      /* the quicker of the two to leave: these naps are short */
#define NAP_TICKS 1000u /* some 300 to 500 ns */

static enum xsc_presence tpause_detect(const struct xsc_cpu *cpu, const char **why)
{
    return xsc_mech_umwait.detect(cpu, why);
}

static enum xsc_woke tpause_wait(const struct xsc_mech_ctx *ctx, const struct xsc_watch *w,
                                 uint64_t deadline, uint64_t *at)
{
    (void)ctx;
    do {
        if (xsc_watch_met(w)) {
            return XSC_WOKE_MET;
        }
        const uint64_t nap = *at + NAP_TICKS;

        xsc_x86_tpause(ASK_C01, xsc_due(nap, deadline) ? deadline : nap);
        *at = xsc_arch_counter();
    } while (!xsc_due(*at, deadline));
    return XSC_WOKE;
}

const struct xsc_mechanism xsc_mech_tpause = {
    .name = "TPAUSE",
    .traits = XSC_TRAITS_tpause,
    .detect = tpause_detect,
    .wait = tpause_wait,
};

#endif /* XSC_ARCH_X86 */
