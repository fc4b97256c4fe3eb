/* SPDX-License-Identifier: MIT */
/*
 * UMONITOR / UMWAIT: Intel from Tremont and Alder Lake, Sapphire Rapids on; VIA/Zhaoxin too.
 *
 * - CPUID.(7,0):ECX[5] (WAITPKG). Hypervisors often clear it (Firecracker does so on
 *   purpose); then the instructions are #UD. Never executed without the bit.
 * - UMONITOR arms a write-back cache line; UMWAIT ends at a store to it, at an absolute
 *   TSC deadline, at an interrupt, at the OS limit (CF=1), or for no stated reason
 *   (Intel SDM vol. 2, UMWAIT: "implementation-dependent"). If the line was stored to
 *   after UMONITOR, UMWAIT does not enter the wait; so the look between the two closes
 *   the race with a store that came before UMONITOR.
 * - MSR 0xE1: bit 0 SET means that C0.2 is NOT allowed, so ask for C0.1 (register bit 0
 *   set) then. The CPU would fall back by itself; asking right keeps the probe honest.
 */
#include "mech/mech.h"

#if defined(XSC_ARCH_X86)

#define ASK_C02 0u
#define ASK_C01 1u

static enum xsc_presence umwait_detect(const struct xsc_cpu *cpu, const char **why)
{
    if (!(cpu->has & XSC_HAS_WAITPKG)) {
        *why = cpu->hypervisor
                   ? "CPUID bit WAITPKG clear (masked by the hypervisor, or an older CPU)"
                   : "CPUID bit WAITPKG clear (this CPU does not have it)";
        return XSC_ABSENT;
    }
    if (!cpu->counter_trusted) {
        *why = "has WAITPKG, but its deadlines are TSC values and the TSC can't be trusted here";
        return XSC_ABSENT;
    }
    return XSC_PRESENT;
}

static enum xsc_woke umwait_wait(const struct xsc_mech_ctx *ctx, const struct xsc_watch *w,
                                 uint64_t deadline, uint64_t *at)
{
    const uint32_t state = ctx->cpu->umwait_known && !ctx->cpu->umwait_c02 ? ASK_C01 : ASK_C02;

    (void)at;
    xsc_x86_umonitor(w->word);
    if (xsc_watch_met(w)) {
        return XSC_WOKE_MET;
    }
    return xsc_x86_umwait(state, deadline) ? XSC_WOKE_LIMIT : XSC_WOKE;
}

const struct xsc_mechanism xsc_mech_umwait = {
    .name = "UMWAIT",
    .traits = XSC_TRAITS_umwait,
    .rest_ns = 40000,
    .detect = umwait_detect,
    .wait = umwait_wait,
};

#endif /* XSC_ARCH_X86 */
