/* SPDX-License-Identifier: MIT */
/*
 * LDAXR + WFE: arm64.
 *
 * - A bare WFE on a changing word arms nothing. The exclusive load arms the monitor, and the
 *   other observer's store, by clearing it, is the event (arch/arm64/arch.h). The value that
 *   LDAXR loads is the one that is judged, so there is no gap between arming and looking.
 * - WFE takes no deadline. What bounds it is the event stream, which Linux runs at 10 kHz
 *   where it can (HWCAP_EVTSTRM; Documentation/arch/arm64/elf_hwcaps.rst). Without it a WFE
 *   may outlast any deadline, so it isn't used then.
 * - SCTLR_EL1.nTWE = 0, or HCR_EL2.TWE under a hypervisor, make it trap; either may skip it.
 *   An emulator may make it a NOP. It then works, but nothing sleeps: the trial tells.
 * - An event left over from before (the register is one sticky bit a core) ends the first
 *   WFE at once: harmless, the caller loops.
 */
#include "mech/mech.h"

#if defined(XSC_ARCH_ARM64)

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
    if (xsc_watch_holds(w, xsc_arm64_ldaxr(w->word, w->size))) {
        return XSC_WOKE_MET;
    }
    xsc_arm64_wfe();
    return XSC_WOKE;
}

const struct xsc_mechanism xsc_mech_wfe = {
    .name = "WFE",
    .traits = XSC_TRAITS_wfe,
    .rest_ns = 20000,
    .detect = wfe_detect,
    .wait = wfe_wait,
};

#endif /* XSC_ARCH_ARM64 */
