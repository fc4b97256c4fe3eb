/* SPDX-License-Identifier: MIT */
/*
 * Makes the self test one of the x86 waits that this CPU lacks: before main(), it installs
 * the emulation of those that XSC_TEST_EMULATE names ("waitpkg", "mwaitx", "waitpkg,mwaitx")
 * and lets trials take the time that a trap takes, some ten microseconds, where the library
 * rightly calls that too slow. XSC_TEST_FEATURES makes the library find them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "insn_emu.h"
#include "user/library.h"

static struct xsc_limits patient;
static struct xsc_trial_plan unhurried;

__attribute__((constructor)) static void emulate(void)
{
    const char *names = getenv("XSC_TEST_EMULATE");
    unsigned which = 0;

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
    patient = xsc_default_limits;
    patient.return_p99 = 10000000;
    patient.cross_p99 = 20000000;
    patient.cross_max = 1000000000;
    patient.overshoot_p50 = 5000000;
    xsc_library.limits = &patient;
    unhurried = xsc_short_plan;
    unhurried.patience_ns = 5000000000; /* a busy machine is no reason to leave it unproven */
    xsc_library.plan = &unhurried;
}
