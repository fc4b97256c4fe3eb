/* SPDX-License-Identifier: MIT */
/*
 * tests/unit/fake_arch.h - the instructions of any architecture, as entries in a log
 *
 * A test of mechanisms defines one of FAKE_X86, FAKE_ARM64, FAKE_ARM, FAKE_RISCV64 and
 * includes this before the files of mech/. It takes the place of arch/arch.h: the mechanisms
 * of every architecture are compiled, and tested, on every machine. What is tested is what
 * they do: which instructions, in which order, with which operands. What the instructions do
 * is shown elsewhere (tests/emulated, tests/guest).
 */
#ifndef XSC_FAKE_ARCH_H
#define XSC_FAKE_ARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "core/cpu.h"

#define XSC_ARCH_H /* arch/arch.h is left out */

/* What was executed: one letter an instruction, in order. */
static struct {
    char log[64];
    unsigned n;
    const volatile void *word; /* operand of the instruction that arms */
    uint32_t size;
    uint64_t deadline; /* operand of the one that waits */
    uint32_t state;
    bool limit;          /* what UMWAIT's carry flag shall say */
    uint64_t counter;    /* what the counter shows; each wait moves it on to its deadline */
    uint64_t step;       /* and each reading by this */
    void (*armed)(void); /* called when the monitor is armed, and before it is looked after */
} arch;

static void executed(char letter)
{
    if (arch.n < sizeof(arch.log) - 1) {
        arch.log[arch.n++] = letter;
        arch.log[arch.n] = '\0';
    }
}

static uint64_t xsc_arch_counter(void)
{
    return arch.counter += arch.step;
}

static void xsc_arch_relax(void)
{
    executed('r');
}

static void arm_monitor(char letter, const volatile void *word, uint32_t size)
{
    executed(letter);
    arch.word = word;
    arch.size = size;
    if (arch.armed) {
        arch.armed();
    }
}

#if defined(FAKE_X86) || defined(FAKE_ARM64)
static void wait_until(char letter, uint64_t deadline)
{
    executed(letter);
    arch.deadline = deadline;
    if ((int64_t)(deadline - arch.counter) > 0) {
        arch.counter = deadline;
    }
}
#endif

#if defined(FAKE_X86)
#define XSC_ARCH_X86 1
#define XSC_ARCH_NAME "x86-64"

static void xsc_x86_umonitor(const volatile void *p)
{
    arm_monitor('m', p, 0);
}

static bool xsc_x86_umwait(uint32_t state, uint64_t deadline)
{
    arch.state = state;
    wait_until('w', deadline);
    return arch.limit;
}

static bool xsc_x86_tpause(uint32_t state, uint64_t deadline)
{
    arch.state = state;
    wait_until('t', deadline);
    return arch.limit;
}

static void xsc_x86_monitorx(const volatile void *p)
{
    arm_monitor('M', p, 0);
}

static void xsc_x86_mwaitx(uint32_t ticks)
{
    executed('W');
    arch.deadline = ticks;
}

#elif defined(FAKE_ARM64)
#define XSC_ARCH_ARM64 1
#define XSC_ARCH_NAME "arm64"

static uint64_t load(const volatile void *p, uint32_t size)
{
    return size == 1   ? *(const volatile uint8_t *)p
           : size == 2 ? *(const volatile uint16_t *)p
           : size == 4 ? *(const volatile uint32_t *)p
                       : *(const volatile uint64_t *)p;
}

/* The value is loaded, then whatever happens after the load happens. */
static uint64_t xsc_arm64_ldaxr(const volatile void *p, uint32_t size)
{
    const uint64_t v = load(p, size);

    arm_monitor('l', p, size);
    return v;
}

static void xsc_arm64_wfe(void)
{
    executed('w');
}

static void xsc_arm64_wfet(uint64_t deadline)
{
    wait_until('W', deadline);
}

#elif defined(FAKE_ARM)
#define XSC_ARCH_ARM 1
#define XSC_ARCH_NAME "armv7"

static uint64_t xsc_arm_ldrex(const volatile void *p, uint32_t size)
{
    const uint64_t v = *(const volatile uint32_t *)p;

    arm_monitor('l', p, size);
    return v;
}

static void xsc_arm_wfe(void)
{
    executed('w');
}

static void xsc_arm_sev(void)
{
    executed('s');
}

#elif defined(FAKE_RISCV64)
#define XSC_ARCH_RISCV64 1
#define XSC_ARCH_NAME "riscv64"

static void xsc_riscv_reserve(const volatile void *p, uint32_t size)
{
    arm_monitor('l', p, size);
}

static void xsc_riscv_wrs_sto(void)
{
    executed('w');
}
#endif

#endif /* XSC_FAKE_ARCH_H */
