// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Fault injection, built with CONFIG_XSC_WAIT_DEBUG only: a mechanism that passes for a hardware
 * monitor, and misbehaves when told to. On a machine with no monitor at all it shows that one which
 * goes bad is found out, rolled back and explained.
 *
 *   /sys/kernel/debug/xsc_wait/fault        none, stuck, storm or drift: how EMULATED misbehaves
 *   /sys/kernel/debug/xsc_wait/mechanisms   a line each: name, state, reason
 */
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/limits.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/seq_file.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "core/mechanism.h"
#include "module.h"

#define INTERVAL_MS_MIN 100 /* well over two jiffies: see set_up() in main.c */
#define DRIFT_NS 5000000    /* past any limit, the patient ones included */

static bool emulate;
module_param(emulate, bool, 0444);
MODULE_PARM_DESC(emulate, "prefer EMULATED, a monitor made of a loop, to what the CPU has");

static bool patient;
module_param(patient, bool, 0444);
MODULE_PARM_DESC(patient,
		 "trials of few waits with wide limits: for an emulated CPU on a busy host");

static unsigned int interval = 10000;
module_param_named(interval_ms, interval, uint, 0444);
MODULE_PARM_DESC(interval_ms, "length of a health interval, 100 ms or more");

static char *claim;
module_param(claim, charp, 0444);
MODULE_PARM_DESC(claim, "waitpkg: act as if CPUID had it, to see that the fault is contained");

bool xsc_inject_wanted(void)
{
	return emulate;
}

const struct xsc_limits *xsc_inject_limits(void)
{
	static const struct xsc_limits easy = {
		.return_p99 = 100000,
		.cross_p99 = 20000000,
		.cross_max = U64_MAX,
		.overshoot_p50 = 1000000,
		.overshoot_p50_stream = 3000000,
	};

	return patient ? &easy : NULL;
}

/* Few rounds: a host that takes the CPU away makes a store look missed, one in so many. */
const struct xsc_trial_plan *xsc_inject_plan(void)
{
	static const struct xsc_trial_plan calm = {
		.rounds = 50,
		.quiet_waits = 10,
		.quiet_ns = XSC_SLICE_NS,
		.budget_ns = 1000000000,
		.again_ns = U64_MAX,
		.patience_ns = 2000000000,
	};

	return patient ? &calm : NULL;
}

unsigned int xsc_inject_interval_ms(void)
{
	return clamp_t(unsigned int, interval, INTERVAL_MS_MIN, 3600000);
}

void xsc_inject_claims(struct xsc_cpu *cpu)
{
	if (claim && !strcmp(claim, "waitpkg")) {
		cpu->has |= XSC_HAS_WAITPKG;
		cpu->counter_trusted = true;
	}
}

/* ------------------------------------------------------------------------- the mechanism ---- */

enum fault { NONE, STUCK, STORM, DRIFT };

static const char *const fault_names[] = {"none", "stuck", "storm", "drift"};
static u32 fault;

static enum xsc_presence emulated_detect(const struct xsc_cpu *cpu, const char **why)
{
	return XSC_PRESENT;
}

/* Lets time pass to `deadline`; looking, a store ends it. */
static void pass(const struct xsc_mech_ctx *ctx, const struct xsc_watch *w, u64 start, u64 deadline,
		 bool looking)
{
	while (!xsc_slice_over(ctx->clock->ticks(), start, deadline)) {
		if (looking && xsc_watch_met(w))
			return;
		xsc_arch_relax();
	}
}

static enum xsc_woke emulated_wait(const struct xsc_mech_ctx *ctx, const struct xsc_watch *w,
				   uint64_t deadline, uint64_t *at)
{
	if (xsc_watch_met(w))
		return XSC_WOKE_MET;
	switch (READ_ONCE(fault)) {
	case STORM:
		break;
	case STUCK:
		pass(ctx, w, *at, deadline, false);
		break;
	case DRIFT:
		pass(ctx, w, *at, deadline + xsc_to_ticks(ctx->clock, DRIFT_NS), true);
		break;
	default:
		pass(ctx, w, *at, deadline, true);
		break;
	}
	return XSC_WOKE;
}

const struct xsc_mechanism xsc_mech_emulated = {
	.name = "EMULATED",
	.traits = XSC_MONITOR | XSC_DEADLINE,
	.rest_ns = 40000,
	.detect = emulated_detect,
	.wait = emulated_wait,
};

/* -------------------------------------------------------------------------- the files ---- */

static ssize_t fault_read(struct file *file, char __user *buf, size_t size, loff_t *at)
{
	char line[16];
	const int n = scnprintf(line, sizeof(line), "%s\n", fault_names[READ_ONCE(fault)]);

	return simple_read_from_buffer(buf, size, at, line, n);
}

static ssize_t fault_write(struct file *file, const char __user *buf, size_t size, loff_t *at)
{
	char name[16];
	int i;

	if (size >= sizeof(name))
		return -EINVAL;
	if (copy_from_user(name, buf, size))
		return -EFAULT;
	name[size] = '\0';
	i = sysfs_match_string(fault_names, name);
	if (i < 0)
		return i;
	WRITE_ONCE(fault, i);
	return size;
}

static const struct file_operations fault_file = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.read = fault_read,
	.write = fault_write,
	.llseek = default_llseek,
};

static int mechanisms_show(struct seq_file *out, void *unused)
{
	const struct xsc_engine *e = &xsc_kernel_engine;
	u32 i;

	for (i = 0; i < e->n_mechs; i++)
		seq_printf(out, "%s %s %s\n", e->mech[i].mech->name,
			   xsc_state_name(__atomic_load_n(&e->mech[i].state, __ATOMIC_ACQUIRE)),
			   xsc_reason(&e->mech[i]));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(mechanisms);

static struct dentry *dir;

/* Without debugfs there is nothing to inject by; waits are the same. */
void xsc_inject_add(void)
{
	dir = debugfs_create_dir("xsc_wait", NULL);
	debugfs_create_file("fault", 0600, dir, NULL, &fault_file);
	debugfs_create_file("mechanisms", 0400, dir, NULL, &mechanisms_fops);
}

void xsc_inject_remove(void)
{
	debugfs_remove(dir);
}
