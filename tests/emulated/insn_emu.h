/* SPDX-License-Identifier: MIT
 *
 * The x86 user waits on a CPU that has none, inside one process.
 *
 * A SIGILL handler decodes UMONITOR, UMWAIT, TPAUSE, MONITORX and MWAITX and does what they do, so
 * that code using them can be tested on any x86-64 machine, and so that a CPU or hypervisor that
 * does them badly can be played to it. CPUID still says that they don't exist: the code under test
 * needs a way to be told otherwise.
 *
 * Faithful to the manuals (Intel SDM vol. 2, UMONITOR, UMWAIT, TPAUSE; AMD APM vol. 3, MONITORX,
 * MWAITX):
 *  - one armed 64-byte line a thread; a wait disarms it; a wait with nothing armed returns at once
 *  - UMWAIT and TPAUSE take an absolute TSC deadline in EDX:EAX, set CF when the OS limit ended
 *    them, else clear it, and clear OF, SF, ZF, AF and PF
 *  - MWAITX waits EBX TSC ticks when ECX[1] is set and EBX is not 0, else without limit
 *  - reserved control bits raise SIGSEGV (SI_KERNEL, no address) with RIP at the instruction, as
 *    #GP does; UMONITOR and MONITORX of an unreadable address raise SIGSEGV with that address
 *  - a signal for the waiting thread ends the wait and is then delivered behind the instruction, as
 *    an interrupt would
 *  - the other interrupts of a real machine (its timer) do not end a wait here
 * Unlike a CPU:
 *  - a store that leaves the line's content as it was, or changes it and back, is not seen
 *  - a trap costs some microseconds, and waiting burns the CPU: say nothing about time from here
 *  - SIGILL must not be blocked where a wait is executed (the kernel kills the process), and
 *    instructions with an FS or GS override count as illegal
 *
 * sigaction() and signal() are replaced: once the emulation is installed, a handler that anybody
 * sets for SIGILL is kept behind it, gets what is not emulated, and is what the next sigaction()
 * returns as the old one; a child that shares memory (vfork) has one of its own. Link insn_emu.c
 * into the program, not into a library loaded later.
 *
 * Everything here may be called from any thread and from signal handlers.
 */
#ifndef XSC_TESTS_INSN_EMU_H
#define XSC_TESTS_INSN_EMU_H

#include <stdatomic.h>
#include <stdint.h>

/* What to emulate: flags of insn_emu_install. */
#define EMU_WAITPKG 1u /* UMONITOR, UMWAIT, TPAUSE */
#define EMU_MWAITX 2u  /* MONITORX, MWAITX */

/* How to misbehave: flags of insn_emu_set_fault. */
#define EMU_NEVER_WAKES 1u     /* a stuck monitor: no store ends a wait; deadline and limit do */
#define EMU_RETURNS_AT_ONCE 2u /* trap and skip: no wait waits, TPAUSE neither; CF = 0 */
#define EMU_SPURIOUS 4u        /* waits end early, within 32,768 TSC ticks, for no reason; CF = 0 */
#define EMU_OVERSLEEPS 8u      /* deadline, timer and limit end a wait late; stores do in time */

/* Counters: one of the first five for each instruction emulated (also when it ends in SIGSEGV), and
 * one of the EMU_END_ ones for each UMWAIT, TPAUSE and MWAITX that did not. */
enum insn_emu_counter {
    EMU_UMONITOR,
    EMU_UMWAIT,
    EMU_TPAUSE,
    EMU_MONITORX,
    EMU_MWAITX_WAIT,
    EMU_END_STORE,    /* the line had changed */
    EMU_END_DEADLINE, /* deadline or MWAITX's timer reached */
    EMU_END_OS_LIMIT, /* the OS limit reached before the deadline: CF = 1 */
    EMU_END_SIGNAL,   /* a signal is waiting for the thread */
    EMU_END_UNARMED,  /* nothing armed: did not wait */
    EMU_END_FAULT,    /* ended by EMU_RETURNS_AT_ONCE or EMU_SPURIOUS */
    EMU_RAISED_SEGV,  /* SIGSEGV raised */
    EMU_FORWARDED,    /* not ours: given to the handler behind, or to the default action */
    EMU_COUNTERS
};
extern atomic_ulong insn_emu_count[EMU_COUNTERS];

/* Emulate what the flags name and forward the rest; may be called again to change that, 0 forwards
 * all. Returns 0; -EINVAL for unknown flags; -ENOTSUP when this CPU (or the emulator below) runs
 * one of the instructions itself, so that it cannot be emulated: skip the test then; -ENOSYS on
 * other CPUs than x86-64. */
int insn_emu_install(unsigned which);

/* The OS limit on UMWAIT and TPAUSE in TSC ticks, 0 for none. At first 100,000, as in Linux. */
void insn_emu_set_os_limit(uint64_t ticks);

/* Misbehave as the flags say from the next wait on; 0 ends that. */
void insn_emu_set_fault(unsigned faults);

/* How late EMU_OVERSLEEPS is; 4 ms at first, a timer tick of a common kernel. */
void insn_emu_set_oversleep_ns(uint64_t ns);

/* Set all counters to 0. */
void insn_emu_reset_counts(void);

#endif
