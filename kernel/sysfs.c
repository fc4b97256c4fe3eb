// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * /sys/kernel/xsc/wait/: see docs/abi/sysfs-kernel-xsc-wait. Every file is read-only, one value and
 * a newline. Each read sums the per-CPU slots again, so two files read one after the other may
 * belong to different moments.
 */
#include <linux/errno.h>
#include <linux/kobject.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#include "core/mechanism.h"
#include "module.h"

static u32 choice_now(void)
{
	return __atomic_load_n(&xsc_kernel_engine.chosen, __ATOMIC_ACQUIRE);
}

static const struct xsc_mech_state *primary_now(void)
{
	return &xsc_kernel_engine.mech[XSC_PRIMARY(choice_now())];
}

/* The names of the interface are those of ways to wait: arm64's spin is not one of its own. */
static ssize_t show_name(char *buf, const struct xsc_mechanism *m)
{
	return sysfs_emit(buf, "%s\n", strcmp(m->name, "ISB") ? m->name : "PAUSE");
}

static u32 state_of(const struct xsc_mech_state *s)
{
	return __atomic_load_n(&s->state, __ATOMIC_ACQUIRE);
}

#define SHOW(file) \
	static ssize_t file##_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)

SHOW(type)
{
	return show_name(buf, primary_now()->mech);
}

SHOW(primary)
{
	return show_name(buf, primary_now()->mech);
}

SHOW(fallback)
{
	return show_name(buf, xsc_kernel_engine.mech[XSC_FALLBACK(choice_now())].mech);
}

SHOW(state)
{
	return sysfs_emit(buf, "%s\n", xsc_state_name(state_of(primary_now())));
}

/* The primary's, while it is DEGRADED; else that of the best one that was rolled back. */
SHOW(fail_reason)
{
	const struct xsc_engine *e = &xsc_kernel_engine;
	const struct xsc_mech_state *s = primary_now();
	u32 i;

	if (state_of(s) == XSC_STATE_DEGRADED)
		return sysfs_emit(buf, "%s: %s\n", s->mech->name, xsc_reason(s));
	for (i = 0; i < e->n_mechs; i++) {
		s = &e->mech[i];
		if (s->setbacks && state_of(s) == XSC_STATE_FAILED)
			return sysfs_emit(buf, "%s: %s\n", s->mech->name, xsc_reason(s));
	}
	return sysfs_emit(buf, "none\n");
}

#define SHOW_COUNT(file, value)                                    \
	SHOW(file)                                                 \
	{                                                          \
		struct xsc_counts n;                               \
                                                                   \
		xsc_stats_sum(&xsc_kernel_engine.stats, &n, NULL); \
		return sysfs_emit(buf, "%llu\n", (u64)(value));    \
	}

SHOW_COUNT(total_waits, n.total)
SHOW_COUNT(successful_waits, n.changed)
SHOW_COUNT(timeouts, n.timeouts)
SHOW_COUNT(spurious_wakes, n.spurious)
SHOW_COUNT(min_latency_ns, n.min_ns_plus ? n.min_ns_plus - 1 : 0)
SHOW_COUNT(max_latency_ns, n.max_ns)
SHOW_COUNT(avg_latency_ns, n.watched ? n.sum_ns / n.watched : 0)
SHOW_COUNT(success_rate_pct, n.total ? n.changed * 100 / n.total : 100)
SHOW_COUNT(deep_sleeps, n.deep)
SHOW_COUNT(shallow_spins, n.shallow)

static struct kobj_attribute type_attribute = __ATTR_RO(type);
static struct kobj_attribute state_attribute = __ATTR_RO(state);
static struct kobj_attribute primary_attribute = __ATTR_RO(primary);
static struct kobj_attribute fallback_attribute = __ATTR_RO(fallback);
static struct kobj_attribute total_waits_attribute = __ATTR_RO(total_waits);
static struct kobj_attribute successful_waits_attribute = __ATTR_RO(successful_waits);
static struct kobj_attribute timeouts_attribute = __ATTR_RO(timeouts);
static struct kobj_attribute spurious_wakes_attribute = __ATTR_RO(spurious_wakes);
static struct kobj_attribute min_latency_ns_attribute = __ATTR_RO(min_latency_ns);
static struct kobj_attribute max_latency_ns_attribute = __ATTR_RO(max_latency_ns);
static struct kobj_attribute avg_latency_ns_attribute = __ATTR_RO(avg_latency_ns);
static struct kobj_attribute success_rate_pct_attribute = __ATTR_RO(success_rate_pct);
static struct kobj_attribute deep_sleeps_attribute = __ATTR_RO(deep_sleeps);
static struct kobj_attribute shallow_spins_attribute = __ATTR_RO(shallow_spins);
static struct kobj_attribute fail_reason_attribute = __ATTR_RO(fail_reason);

static struct attribute *attributes[] = {
	&type_attribute.attr,		&state_attribute.attr,
	&primary_attribute.attr,	&fallback_attribute.attr,
	&total_waits_attribute.attr,	&successful_waits_attribute.attr,
	&timeouts_attribute.attr,	&spurious_wakes_attribute.attr,
	&min_latency_ns_attribute.attr, &max_latency_ns_attribute.attr,
	&avg_latency_ns_attribute.attr, &success_rate_pct_attribute.attr,
	&deep_sleeps_attribute.attr,	&shallow_spins_attribute.attr,
	&fail_reason_attribute.attr,	NULL,
};

static const struct attribute_group group = {.attrs = attributes};
static struct kobject *xsc_dir, *wait_dir;

int xsc_sysfs_add(void)
{
	int err = -ENOMEM;

	xsc_dir = kobject_create_and_add("xsc", kernel_kobj);
	if (!xsc_dir)
		return err;
	wait_dir = kobject_create_and_add("wait", xsc_dir);
	if (wait_dir)
		err = sysfs_create_group(wait_dir, &group);
	if (err) {
		kobject_put(wait_dir);
		kobject_put(xsc_dir);
	}
	return err;
}

void xsc_sysfs_remove(void)
{
	sysfs_remove_group(wait_dir, &group);
	kobject_put(wait_dir);
	kobject_put(xsc_dir);
}
