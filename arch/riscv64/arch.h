/* SPDX-License-Identifier: MIT */
/*
 * arch/riscv64/arch.h - RV64
 *
 * Facts are from the RISC-V unprivileged specification: "Zawrs" (wait on reservation set),
 * "Zihintpause", "Zicntr" (rdtime). Encodings, so that any assembler takes them.
 */
#ifndef XSC_ARCH_RISCV64_H
#define XSC_ARCH_RISCV64_H

#include <stdint.h>

#include "core/cpu.h"

#define XSC_ARCH_RISCV64 1
#define XSC_ARCH_NAME "riscv64"

/* Real time, one rate and synchronised over the harts ("Zicntr": "within 1 tick"). */
static inline uint64_t xsc_arch_counter(void)
{
    uint64_t v;

    __asm__ __volatile__("rdtime %0" : "=r"(v)::"memory");
    return v;
}

/* PAUSE: FENCE with pred=W, succ=0, so a hint that CPUs without Zihintpause ignore. */
static inline void xsc_arch_relax(void)
{
    __asm__ __volatile__(".4byte 0x0100000f" ::: "memory");
}

/* The rate of rdtime is in the device tree only: core/clock.c measures it. */
static inline void xsc_arch_features(struct xsc_cpu *cpu)
{
    cpu->counter_trusted = true;
}

/*
 * Registers a reservation set that holds the word: LR exists for 4 and 8 bytes, so a
 * smaller word's aligned 4 bytes are reserved. The value is not used; a look at the word
 * must follow, before WRS.
 */
static inline void xsc_riscv_reserve(const volatile void *p, uint32_t size)
{
    uint64_t v;

    if (size == 8) {
        __asm__ __volatile__("lr.d.aq %0, (%1)" : "=r"(v) : "r"(p) : "memory");
    } else {
        const uintptr_t word = (uintptr_t)p & ~(uintptr_t)3;

        __asm__ __volatile__("lr.w.aq %0, (%1)" : "=r"(v) : "r"(word) : "memory");
    }
    (void)v;
}

/*
 * Stalls until the reservation set is stored to, an interrupt is pending, or a short time
 * of the implementation's choice is over. WRS.NTO has no such time and may trap in U-mode
 * (mstatus.TW, hstatus.VTW), so it is not used.
 */
static inline void xsc_riscv_wrs_sto(void)
{
    __asm__ __volatile__(".4byte 0x01d00073" ::: "memory");
}

#endif /* XSC_ARCH_RISCV64_H */
