/* SPDX-License-Identifier: MIT */
/*
 * GENERIC: C11 atomics and the OS's own ways to step aside. Works on any CPU and any OS,
 * and is the one to use where the waker needs the very CPU that we would burn: on a machine,
 * or in a CPU set, of one.
 *
 * Some looks with the CPU offered to others in between, then naps of NAP_NS: a store is
 * seen at once by a waker's yield or at the end of a nap.
 */
#include "core/port.h"
#include "mech/mech.h"

#define YIELDS 32
#define NAP_NS 50000u

static enum xsc_presence generic_detect(const struct xsc_cpu *cpu, const char **why)
{
    (void)cpu;
    (void)why;
    return XSC_PRESENT;
}

static enum xsc_woke generic_wait(const struct xsc_mech_ctx *ctx, const struct xsc_watch *w,
                                  uint64_t deadline, uint64_t *at)
{
    bool met = false;

    for (int i = 0; i < YIELDS && !(met = xsc_watch_met(w)); i++) {
        xsc_port_yield();
    }
    *at = ctx->clock->ticks();
    if (!met && !xsc_due(*at, deadline) && !(met = xsc_watch_met(w))) {
        const uint64_t left = xsc_to_ns(ctx->clock, deadline - *at);

        xsc_port_nap(left < NAP_NS ? left : NAP_NS);
        *at = ctx->clock->ticks();
    }
    return met ? XSC_WOKE_MET : XSC_WOKE;
}

const struct xsc_mechanism xsc_mech_generic = {
    .name = "GENERIC",
    .traits = XSC_TRAITS_generic,
    .detect = generic_detect,
    .wait = generic_wait,
};
