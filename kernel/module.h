/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* module.h - what the files of xsc_wait.ko share */
#ifndef XSC_MODULE_H
#define XSC_MODULE_H

#include <linux/types.h>

struct xsc_cpu;
struct xsc_engine;
struct xsc_limits;
struct xsc_mechanism;
struct xsc_trial_plan;

/* The kernel's one engine. Chosen before anything of this module can be called. */
extern struct xsc_engine xsc_kernel_engine;

/* True only in the watchdog's task, the only one allowed to validate mechanisms. */
bool xsc_watchdog_runs_here(void);

/* facts.c: whether the wait instructions that CPUID promises execute, found out under a fixup. */
bool xsc_claimed_instructions_run(void);

/* sysfs.c: /sys/kernel/xsc/wait. Negative errno, and then nothing is left behind. */
int xsc_sysfs_add(void);
void xsc_sysfs_remove(void);

/* inject.c, with CONFIG_XSC_WAIT_DEBUG only. */
#ifdef XSC_WAIT_DEBUG
extern const struct xsc_mechanism xsc_mech_emulated;
bool xsc_inject_wanted(void);			  /* parameter emulate= */
const struct xsc_limits *xsc_inject_limits(void); /* NULL: the usual ones */
const struct xsc_trial_plan *xsc_inject_plan(void);
unsigned int xsc_inject_interval_ms(void);
void xsc_inject_claims(struct xsc_cpu *cpu); /* parameter claim= */
void xsc_inject_add(void);
void xsc_inject_remove(void);
#else
static inline void xsc_inject_add(void)
{
}
static inline void xsc_inject_remove(void)
{
}
#endif

#endif /* XSC_MODULE_H */
