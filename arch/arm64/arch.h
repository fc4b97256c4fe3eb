/* SPDX-License-Identifier: MIT */
/*
 * arch/arm64/arch.h - AArch64
 *
 * Facts are from the Arm Architecture Reference Manual (DDI 0487): "Wait For Event
 * mechanism and Send event" (D1.6 in issue J), "Exclusive access instructions and
 * non-shareable memory" (B2.12), WFET (C6.2), CNTVCT_EL0 and CNTFRQ_EL0 (D13.11).
 */
#ifndef XSC_ARCH_ARM64_H
#define XSC_ARCH_ARM64_H

#include <stdint.h>

#include "core/cpu.h"

#define XSC_ARCH_ARM64 1
#define XSC_ARCH_NAME "arm64"

/* The virtual count. ISB, else the read may be taken early, before the loads around it. */
static inline uint64_t xsc_arch_counter(void)
{
    uint64_t v;

    __asm__ __volatile__("isb\n\tmrs %0, cntvct_el0" : "=r"(v)::"memory");
    return v;
}

/* YIELD is a NOP on most cores without SMT; ISB stalls for some ten ns and is what spins use. */
static inline void xsc_arch_relax(void)
{
    __asm__ __volatile__("isb" ::: "memory");
}

/*
 * The counter's frequency is what firmware wrote into CNTFRQ_EL0: 0 under some emulators,
 * so it is a claim to be checked (core/clock.c), never a divisor. The system counter runs
 * at one rate and is the same on all cores (D12.1.2).
 */
static inline void xsc_arch_features(struct xsc_cpu *cpu)
{
    uint64_t hz;

    __asm__ __volatile__("mrs %0, cntfrq_el0" : "=r"(hz));
    cpu->counter_hz = hz & UINT32_MAX;
    cpu->counter_trusted = true;
}

/*
 * Load-acquire exclusive: the load that arms the monitor. From here on a store to the
 * granule by another observer clears the monitor, and that clearing is itself the event
 * that ends a WFE (D1.6.1, "WFE wake-up events": "an event caused by the clearing of the
 * global monitor for the PE"). So the writer needs no SEV.
 */
static inline uint64_t xsc_arm64_ldaxr(const volatile void *p, uint32_t size)
{
    uint64_t v;

    switch (size) {
    case 1:
        __asm__ __volatile__("ldaxrb %w0, [%1]" : "=r"(v) : "r"(p) : "memory");
        return (uint8_t)v;
    case 2:
        __asm__ __volatile__("ldaxrh %w0, [%1]" : "=r"(v) : "r"(p) : "memory");
        return (uint16_t)v;
    case 4:
        __asm__ __volatile__("ldaxr %w0, [%1]" : "=r"(v) : "r"(p) : "memory");
        return (uint32_t)v;
    default:
        __asm__ __volatile__("ldaxr %0, [%1]" : "=r"(v) : "r"(p) : "memory");
        return v;
    }
}

static inline void xsc_arm64_wfe(void)
{
    __asm__ __volatile__("wfe" ::: "memory");
}

/* WFE that also ends once CNTVCT_EL0 reaches deadline. WFET X0, as an encoding: v8.7. */
static inline void xsc_arm64_wfet(uint64_t deadline)
{
    register uint64_t x0 __asm__("x0") = deadline;

    __asm__ __volatile__(".inst 0xd5031000" ::"r"(x0) : "memory");
}

#endif /* XSC_ARCH_ARM64_H */
