// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * xsc_wait.ko: the core of xsc-wait in the kernel. Chooses when it is loaded, watches over the
 * choice every 10 s, and waits on behalf of callers of xsc_wait().
 *
 * LIFETIME. A caller of xsc_wait() has a reference on this module by the symbol, so no wait is under
 * way when it is unloaded. Of its own it then ends, in this order: the files (whose removal waits
 * for readers), fault injection, the watchdog (and with it a trial, and the trial's thread).
 */
#include <linux/errno.h>
#include <linux/export.h>
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/preempt.h>
#include <linux/workqueue.h>

#include "core/health.h"
#include "core/mechanism.h"
#include "core/wait.h"
#include "core/watch.h"
#include "module.h"
#include "xsc_wait.h"

#define WATCHDOG_MS 10000

static char *mechanism;
module_param(mechanism, charp, 0444);
MODULE_PARM_DESC(mechanism, "mechanism to use instead of the best, such as pause or wfe");

struct xsc_engine xsc_kernel_engine;

/*
 * As the library's, less what leaves the CPU: a wait may be made where nothing may sleep. Nor
 * those for writers that send an event, which only locks have. The last one polls and can't fail.
 */
static const struct xsc_mechanism *const table[] = {
#ifdef XSC_WAIT_DEBUG
	&xsc_mech_emulated,
#endif
#if defined(XSC_ARCH_X86)
	&xsc_mech_umwait,
	&xsc_mech_mwaitx,
	&xsc_mech_pause,
#elif defined(XSC_ARCH_ARM64)
	&xsc_mech_wfet,
	&xsc_mech_wfe,
	&xsc_mech_isb,
#elif defined(XSC_ARCH_RISCV64)
	&xsc_mech_wrs,
	&xsc_mech_pause,
#endif
};

/* Longer than the library's: it is made at load, before any wait. */
static const struct xsc_trial_plan load_plan = {
	.rounds = 1000,
	.quiet_waits = 10,
	.quiet_ns = XSC_SLICE_NS,
	.budget_ns = 10 * NSEC_PER_MSEC,
	.again_ns = 500 * NSEC_PER_MSEC,
	.patience_ns = 200 * NSEC_PER_MSEC,
	.cross = false,
};

/* ------------------------------------------------------------------------- waiting ---- */

static int wait_for(const void *word, u32 size, u64 old, u64 timeout_ns)
{
	const struct xsc_watch w = {
		.word = word,
		.value = old,
		.mask = U64_MAX >> (64 - 8 * size),
		.size = size,
		.until = XSC_UNTIL_NOT,
	};

	if (!xsc_watch_valid(&w) || timeout_ns > XSC_WAIT_MAX_NS || in_nmi())
		return -EINVAL;
	return xsc_core_wait(&xsc_kernel_engine, &w, timeout_ns, NULL) == XSC_MET ? 0 : -ETIMEDOUT;
}

int xsc_wait_slow_u32(const u32 *word, u32 old, u64 timeout_ns)
{
	return wait_for(word, sizeof(*word), old, timeout_ns);
}
EXPORT_SYMBOL_GPL(xsc_wait_slow_u32);

int xsc_wait_slow_u64(const u64 *word, u64 old, u64 timeout_ns)
{
	return wait_for(word, sizeof(*word), old, timeout_ns);
}
EXPORT_SYMBOL_GPL(xsc_wait_slow_u64);

/* ------------------------------------------------------------------------ the watchdog ---- */

static void watch_over(struct work_struct *work);
static DECLARE_DELAYED_WORK(watchdog, watch_over);

static unsigned int interval_ms(void)
{
#ifdef XSC_WAIT_DEBUG
	return xsc_inject_interval_ms();
#else
	return WATCHDOG_MS;
#endif
}

static struct task_struct *watching;

bool xsc_watchdog_runs_here(void)
{
	return READ_ONCE(watching) == current;
}

static void watch_over(struct work_struct *work)
{
	WRITE_ONCE(watching, current);
	xsc_health_check(&xsc_kernel_engine, ktime_get_ns());
	WRITE_ONCE(watching, NULL);
	/* A trial spins for milliseconds: not among the per-CPU work that others wait for. */
	queue_delayed_work(system_unbound_wq, &watchdog, msecs_to_jiffies(interval_ms()));
}

/* ------------------------------------------------------------------------ load and unload ---- */

static void set_up(struct xsc_engine *e)
{
	e->plan = &load_plan;
	/* Timers go by jiffies: an interval must be over when its work runs. */
	e->health_ns = (u64)interval_ms() * NSEC_PER_MSEC - 2 * TICK_NSEC;
	e->table = table;
	e->n_mechs = ARRAY_SIZE(table);
#ifdef XSC_WAIT_DEBUG
	e->limits = xsc_inject_limits();
	e->plan = xsc_inject_plan() ?: &load_plan;
	if (!xsc_inject_wanted()) {
		e->table++;
		e->n_mechs--;
	}
#endif
}

static int __init xsc_wait_init(void)
{
	struct xsc_engine *e = &xsc_kernel_engine;
	enum xsc_chose chose;
	int err;

	set_up(e);
	chose = xsc_engine_choose(e, mechanism && *mechanism ? mechanism : NULL);
	if (chose != XSC_CHOSE) {
		pr_err("xsc_wait: not loaded: mechanism %s\n", e->refusal);
		return chose == XSC_CHOSE_UNKNOWN ? -EINVAL : -EOPNOTSUPP;
	}
	err = xsc_sysfs_add();
	if (err)
		return err;
	xsc_inject_add();
	queue_delayed_work(system_unbound_wq, &watchdog, 0);
	pr_info("xsc_wait: waits with %s (%s); fallback %s; clock: %s\n",
		e->mech[XSC_PRIMARY(e->chosen)].mech->name, xsc_said(&e->choice_reason),
		e->mech[XSC_FALLBACK(e->chosen)].mech->name, e->clock.source);
	return 0;
}

static void __exit xsc_wait_exit(void)
{
	xsc_sysfs_remove();
	xsc_inject_remove();
	cancel_delayed_work_sync(&watchdog);
}

/* Before the drivers that use it, where all are built in. */
subsys_initcall(xsc_wait_init);
module_exit(xsc_wait_exit);

MODULE_DESCRIPTION("Waiting for a word of memory to change, in the best way this CPU allows");
MODULE_LICENSE("Dual MIT/GPL");
