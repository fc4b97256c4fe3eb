/* SPDX-License-Identifier: MIT */
/*
 * arch/arm/arch.h - ARMv7-A and AArch32, user space
 *
 * Facts are from the ARMv7-A ARM (DDI 0406C): "Wait For Event and Send Event" (B1.8.13).
 * Unlike ARMv8, clearing the exclusive monitor is NOT an event there: only SEV, an
 * interrupt or the event stream ends a WFE. So a plain store can't be waited for with it.
 * The generic timer's count may be hidden from user space, so it is not used.
 */
#ifndef XSC_ARCH_ARM_H
#define XSC_ARCH_ARM_H

#include <stdint.h>

#include "core/cpu.h"

#define XSC_ARCH_ARM 1
#define XSC_ARCH_NAME "armv7"

static inline uint64_t xsc_arch_counter(void)
{
    return 0;
}

static inline void xsc_arch_relax(void)
{
    __asm__ __volatile__("yield" ::: "memory");
}

static inline void xsc_arch_features(struct xsc_cpu *cpu)
{
    cpu->counter_reason = "the generic timer may be hidden from user space on 32-bit Arm";
}

/* Load exclusive, then DMB: LDREX has no acquire form before ARMv8. */
static inline uint64_t xsc_arm_ldrex(const volatile void *p, uint32_t size)
{
    uint32_t v;
    uint64_t pair;

    switch (size) {
    case 1:
        __asm__ __volatile__("ldrexb %0, [%1]\n\tdmb ish" : "=r"(v) : "r"(p) : "memory");
        return (uint8_t)v;
    case 2:
        __asm__ __volatile__("ldrexh %0, [%1]\n\tdmb ish" : "=r"(v) : "r"(p) : "memory");
        return (uint16_t)v;
    case 4:
        __asm__ __volatile__("ldrex %0, [%1]\n\tdmb ish" : "=r"(v) : "r"(p) : "memory");
        return v;
    default:
        __asm__ __volatile__("ldrexd %0, %H0, [%1]\n\tdmb ish" : "=r"(pair) : "r"(p) : "memory");
        return pair;
    }
}

static inline void xsc_arm_wfe(void)
{
    __asm__ __volatile__("wfe" ::: "memory");
}

/* DSB ISHST completes the stores before it, so that no woken waiter still sees the old value. */
static inline void xsc_arm_sev(void)
{
    __asm__ __volatile__("dsb ishst\n\tsev" ::: "memory");
}

#endif /* XSC_ARCH_ARM_H */
