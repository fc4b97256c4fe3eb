/* SPDX-License-Identifier: MIT */
/*
 * LR + WRS.STO: riscv64 with Zawrs.
 *
 * - LR registers a reservation set; WRS.STO stalls until a store to it, an interrupt, or a
 *   short time that the implementation chooses (RISC-V unprivileged specification, "Zawrs").
 *   The look between the two closes the race with an earlier store.
 * - WRS.NTO has no such time and may be made to trap in U-mode: not used.
 * - Found by riscv_hwprobe (Linux 6.4; Zawrs since 6.11). Where that call or that bit's kernel
 *   is missing nothing says whether the CPU has it: tried only when asked for by name.
 */
#include "mech/mech.h"

#if defined(XSC_ARCH_RISCV64)

static enum xsc_presence wrs_detect(const struct xsc_cpu *cpu, const char **why)
{
    if (cpu->has & XSC_HAS_ZAWRS) {
        return XSC_PRESENT;
    }
    if (cpu->unknown & XSC_HAS_ZAWRS) {
        *why = "this kernel has no riscv_hwprobe to ask; XSC_MECHANISM=wrs tries it";
        return XSC_UNCERTAIN;
    }
    *why = "riscv_hwprobe does not report Zawrs (CPU without it, or a kernel before 6.11: "
           "XSC_MECHANISM=wrs tries it)";
    return XSC_UNCERTAIN;
}

static enum xsc_woke wrs_wait(const struct xsc_mech_ctx *ctx, const struct xsc_watch *w,
                              uint64_t deadline, uint64_t *at)
{
    (void)ctx;
    (void)at;
    (void)deadline;
    xsc_riscv_reserve(w->word, w->size);
    if (xsc_watch_met(w)) {
        return XSC_WOKE_MET;
    }
    xsc_riscv_wrs_sto();
    return XSC_WOKE;
}

/*
 * Above what a WRS that does not sleep takes where it is emulated, or trapped and skipped: 400 to 900 ns
 * under user-mode QEMU 11.1, by machine. An implementation whose time is shorter saves next to nothing
 * over PAUSE.
 */
#define REST_NS 2000

const struct xsc_mechanism xsc_mech_wrs = {
    .name = "WRS",
    .traits = XSC_TRAITS_wrs,
    .rest_ns = REST_NS,
    .detect = wrs_detect,
    .wait = wrs_wait,
};

#endif /* XSC_ARCH_RISCV64 */
