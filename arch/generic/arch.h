/* SPDX-License-Identifier: MIT */
/* arch/generic/arch.h - any CPU with a C11 compiler: no counter, no hint, no features. */
#ifndef XSC_ARCH_GENERIC_H
#define XSC_ARCH_GENERIC_H

#include "core/cpu.h"

#define XSC_ARCH_GENERIC 1
#define XSC_ARCH_NAME "generic"

static inline uint64_t xsc_arch_counter(void)
{
    return 0;
}

/* Keeps the compiler from merging two looks at a word; the CPU is told nothing. */
static inline void xsc_arch_relax(void)
{
    __asm__ __volatile__("" ::: "memory");
}

static inline void xsc_arch_features(struct xsc_cpu *cpu)
{
    cpu->counter_reason = "no counter known for this architecture";
}

#endif /* XSC_ARCH_GENERIC_H */
