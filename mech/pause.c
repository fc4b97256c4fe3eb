/* SPDX-License-Identifier: MIT */
/*
 * PAUSE: look, hint, look again.
 *
 * - x86: F3 90, on every CPU (a NOP before the Pentium 4). 10 cycles on older Intel, 140 from
 *   Skylake on, 40 to 65 on AMD Zen: so time is counted, not iterations (Intel SDM vol. 2,
 *   PAUSE; Intel Optimization Reference Manual, "Pause latency in Skylake").
 * - riscv64: Zihintpause. A FENCE hint that any CPU decodes, so always there.
 */
#include "mech/mech.h"

#if defined(XSC_ARCH_X86) || defined(XSC_ARCH_RISCV64)

static enum xsc_presence pause_detect(const struct xsc_cpu *cpu, const char **why)
{
    (void)cpu;
    (void)why;
    return XSC_PRESENT;
}

static enum xsc_woke pause_wait(const struct xsc_mech_ctx *ctx, const struct xsc_watch *w,
                                uint64_t deadline, uint64_t *at)
{
    return xsc_poll(ctx, w, deadline, at, xsc_arch_relax);
}

const struct xsc_mechanism xsc_mech_pause = {
    .name = "PAUSE",
    .traits = XSC_TRAITS_pause,
    .detect = pause_detect,
    .wait = pause_wait,
};

#endif
