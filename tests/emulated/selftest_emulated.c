/* SPDX-License-Identifier: MIT */
/*
 * Linked into a test, makes it run with x86 waits that this CPU lacks. Before main(), by the
 * environment:
 *
 *   XSC_TEST_EMULATE   "waitpkg", "mwaitx" or both: installs the emulation. XSC_TEST_FEATURES
 *                      then makes the library find them; it alone makes it meet a SIGILL
 *   XSC_TEST_FAULT     "never-wakes", "returns-at-once", "spurious", "oversleeps": plays that
 *   XSC_TEST_OS_LIMIT  the OS limit in TSC ticks
 *   XSC_TEST_LIMITS    "patient", and what emulation implies: trials may take the time that a
 *                      trap takes, some ten microseconds, which the library rightly calls too
 *                      slow, and a busy machine is given time to let their peer run;
 *                      "trusting": that, and no wait of a trial is ended by a store;
 *                      "default": the library's own limits
 *
 * Exits 77 where the CPU has the waits itself, so that they can't be emulated.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "insn_emu.h"
#include "user/library.h"

static struct xsc_limits patient;
static struct xsc_trial_plan unhurried;

static void misbehave(void)
{
    static const struct {
        const char *name;
        unsigned flag;
    } known[] = {{"never-wakes", EMU_NEVER_WAKES},
                 {"returns-at-once", EMU_RETURNS_AT_ONCE},
                 {"spurious", EMU_SPURIOUS},
                 {"oversleeps", EMU_OVERSLEEPS}};
    const char *fault = getenv("XSC_TEST_FAULT"), *limit = getenv("XSC_TEST_OS_LIMIT");
    unsigned flags = 0;

    for (size_t i = 0; fault && i < sizeof(known) / sizeof(known[0]); i++) {
        flags |= strcmp(fault, known[i].name) ? 0 : known[i].flag;
    }
    if (fault && !flags) {
        fprintf(stderr, "XSC_TEST_FAULT=%s is not known\n", fault);
        exit(2);
    }
    insn_emu_set_fault(flags);
    if (limit) {
        insn_emu_set_os_limit(strtoull(limit, NULL, 10));
    }
}

static void set_limits(const char *limits)
{
    unhurried = xsc_short_plan;
    unhurried.patience_ns = 5000000000;
    unhurried.budget_ns = 20000000; /* a trap takes microseconds, a preemption milliseconds */
    unhurried.again_ns = 5000000000;
    xsc_library.plan = &unhurried;
    if (!strcmp(limits, "default")) {
        return;
    }
    patient = xsc_default_limits;
    patient.return_p99 = 10000000;
    patient.cross_p99 = 20000000;
    patient.cross_max = 1000000000;
    patient.overshoot_p50 = 2000000;
    xsc_library.limits = &patient;
    if (!strcmp(limits, "trusting")) {
        unhurried.rounds = 0;
    }
}

__attribute__((constructor)) static void emulate(void)
{
    const char *names = getenv("XSC_TEST_EMULATE"), *limits = getenv("XSC_TEST_LIMITS");
    unsigned which = 0;

    if (limits || names) {
        set_limits(limits ? limits : "patient");
    }
    if (!names) {
        return;
    }
    which |= strstr(names, "waitpkg") ? EMU_WAITPKG : 0;
    which |= strstr(names, "mwaitx") ? EMU_MWAITX : 0;
    const int got = insn_emu_install(which);

    if (got) {
        fprintf(stderr, "the x86 waits can't be emulated here: %s\n", strerror(-got));
        exit(77);
    }
    misbehave();
}
