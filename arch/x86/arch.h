/* SPDX-License-Identifier: MIT */
/*
 * arch/x86/arch.h - x86-64
 *
 * The wait instructions are written as bytes, so that any assembler takes them; the
 * encodings are those of the Intel SDM vol. 2 (UMONITOR, UMWAIT, TPAUSE) and the AMD APM
 * vol. 3 (MONITORX, MWAITX).
 */
#ifndef XSC_ARCH_X86_H
#define XSC_ARCH_X86_H

#include <cpuid.h> /* the compiler's, not the OS's */

#include "core/cpu.h"

#define XSC_ARCH_X86 1
#define XSC_ARCH_NAME "x86-64"

/*
 * The time stamp counter. Not ordered against the loads around it (SDM vol. 2, RDTSC): a
 * deadline looked at some ten cycles early or late is as good.
 */
static inline uint64_t xsc_arch_counter(void)
{
    return __builtin_ia32_rdtsc();
}

static inline void xsc_arch_relax(void)
{
    __builtin_ia32_pause();
}

static inline void xsc_arch_features(struct xsc_cpu *cpu)
{
    unsigned a, b, c, d;

    if (__get_cpuid(1, &a, &b, &c, &d)) {
        cpu->hypervisor = c >> 31;
    }
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d) && c & (1u << 5)) {
        cpu->has |= XSC_HAS_WAITPKG;
    }
    if (__get_cpuid(0x80000001, &a, &b, &c, &d) && c & (1u << 29)) {
        cpu->has |= XSC_HAS_MONITORX;
    }
    /* CPUID 8000_0007h:EDX[8]: the TSC runs at one rate in all P-, C- and T-states. */
    if (__get_cpuid(0x80000007, &a, &b, &c, &d) && d & (1u << 8)) {
        cpu->counter_trusted = true;
    } else {
        cpu->counter_reason = "the TSC is not invariant (CPUID 8000_0007h:EDX[8] clear)";
    }
    /* CPUID 15h: TSC Hz = crystal Hz (ECX) * EBX / EAX; any of them may read 0. */
    if (__get_cpuid(0x15, &a, &b, &c, &d) && a && b && c) {
        cpu->counter_hz = (uint64_t)c * b / a;
    }
}

/* Arms the monitor for the line that holds p. F3 0F AE /6, register operand RAX. */
static inline void xsc_x86_umonitor(const volatile void *p)
{
    __asm__ __volatile__(".byte 0xf3, 0x0f, 0xae, 0xf0" ::"a"(p) : "memory");
}

/*
 * Waits for a store to the armed line or for the TSC to reach deadline. Bit 0 of state: 0
 * asks for C0.2 (deeper, slower to leave), 1 for C0.1; other bits must be 0 (#GP). Gives
 * the carry flag: 1 where the OS's limit (MSR 0xE1) ended the wait. F2 0F AE /6, ECX.
 */
static inline _Bool xsc_x86_umwait(uint32_t state, uint64_t deadline)
{
    _Bool limit;

    __asm__ __volatile__(".byte 0xf2, 0x0f, 0xae, 0xf1"
                         : "=@ccc"(limit)
                         : "c"(state), "a"((uint32_t)deadline), "d"((uint32_t)(deadline >> 32))
                         : "memory");
    return limit;
}

/* As UMWAIT, with no monitor: only time ends it. 66 0F AE /6, ECX. */
static inline _Bool xsc_x86_tpause(uint32_t state, uint64_t deadline)
{
    _Bool limit;

    __asm__ __volatile__(".byte 0x66, 0x0f, 0xae, 0xf1"
                         : "=@ccc"(limit)
                         : "c"(state), "a"((uint32_t)deadline), "d"((uint32_t)(deadline >> 32))
                         : "memory");
    return limit;
}

/* Arms the monitor for the line that holds p. 0F 01 FA; ECX and EDX, extensions and hints, 0. */
static inline void xsc_x86_monitorx(const volatile void *p)
{
    __asm__ __volatile__(".byte 0x0f, 0x01, 0xfa" ::"a"(p), "c"(0), "d"(0) : "memory");
}

/*
 * Waits for a store to the armed line, an interrupt, or (ECX bit 1) for `ticks` TSC ticks
 * from now: EBX, 32 bits, and relative, unlike UMWAIT's. EAX[7:4] is the C-state wanted,
 * less one: 0 asks for C1. 0F 01 FB.
 */
static inline void xsc_x86_mwaitx(uint32_t ticks)
{
    __asm__ __volatile__(".byte 0x0f, 0x01, 0xfb" ::"a"(0), "b"(ticks), "c"(2) : "memory");
}

#endif /* XSC_ARCH_X86_H */
