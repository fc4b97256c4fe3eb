/* SPDX-License-Identifier: MIT */
/*
 * insn_emu_case.h - the emulated instructions as bytes, so that no compiler flag is needed and the tests
 * decide about the encoding; and what insn_emu_wait_test.c and insn_emu_trap_test.c share
 */
#ifndef XSC_INSN_EMU_CASE_H
#define XSC_INSN_EMU_CASE_H

#include "insn_emu.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#if defined(__x86_64__)

#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <x86intrin.h>

#if defined(__SANITIZE_THREAD__)
#define UNDER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_TSAN 1
#endif
#endif
#ifndef UNDER_TSAN
#define UNDER_TSAN 0
#endif

#define FAR_AWAY (UINT64_C(1) << 62) /* a deadline no test lives to see */

static _Alignas(64) _Atomic uint64_t lines[16][8];

static inline void umonitor(const volatile void *p) /* umonitor %rcx */
{
    __asm__ volatile(".byte 0xf3, 0x0f, 0xae, 0xf1" : : "c"(p) : "memory");
}

static inline bool umwait(uint32_t control, uint64_t deadline) /* umwait %ecx */
{
    bool carry;
    __asm__ volatile(".byte 0xf2, 0x0f, 0xae, 0xf1"
                     : "=@ccc"(carry)
                     : "c"(control), "a"((uint32_t)deadline), "d"((uint32_t)(deadline >> 32))
                     : "memory");
    return carry;
}

static inline bool tpause(uint32_t control, uint64_t deadline) /* tpause %ecx */
{
    bool carry;
    __asm__ volatile(".byte 0x66, 0x0f, 0xae, 0xf1"
                     : "=@ccc"(carry)
                     : "c"(control), "a"((uint32_t)deadline), "d"((uint32_t)(deadline >> 32))
                     : "memory");
    return carry;
}

static inline void monitorx(const volatile void *p, uint64_t extensions)
{
    __asm__ volatile(".byte 0x0f, 0x01, 0xfa" : : "a"(p), "c"(extensions), "d"(0) : "memory");
}

static inline void mwaitx(uint64_t extensions, uint32_t hint, uint32_t ticks)
{
    __asm__ volatile(".byte 0x0f, 0x01, 0xfb"
                     :
                     : "a"(hint), "b"(ticks), "c"(extensions)
                     : "memory");
}

static inline unsigned long counted(enum insn_emu_counter which)
{
    return atomic_load(&insn_emu_count[which]);
}

static inline int set_up(void **state)
{
    (void)state;
    alarm(60);
    insn_emu_set_fault(0);
    insn_emu_set_os_limit(0);
    return insn_emu_install(EMU_WAITPKG | EMU_MWAITX);
}

static atomic_int signals_seen;

static inline void on_usr1(int sig)
{
    (void)sig;
    atomic_fetch_add(&signals_seen, 1);
}

/* 77: this CPU runs the instructions itself, so there is nothing to emulate. */
static inline int run_cases(const struct CMUnitTest *tests, size_t n)
{
    if (insn_emu_install(EMU_WAITPKG | EMU_MWAITX) == -ENOTSUP) {
        puts("insn_emu: skipped: this CPU runs these instructions itself");
        return 77;
    }
    return _cmocka_run_group_tests("insn_emu", tests, n, NULL, NULL);
}

#else

int main(void)
{
    puts("insn_emu: skipped: not an x86-64 machine");
    return insn_emu_install(EMU_WAITPKG) == -ENOSYS ? 77 : 1;
}

#endif
#endif /* XSC_INSN_EMU_CASE_H */
