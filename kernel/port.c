// SPDX-License-Identifier: GPL-2.0 OR MIT
/* The port of core/port.h that is the kernel's. Nothing here sleeps but the trial's peer. */
#define pr_fmt(fmt) fmt
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/preempt.h>
#include <linux/printk.h>
#include <linux/sched.h>
#include <linux/signal.h>
#include <linux/smp.h>

#include "arch/arch.h"
#include "core/clock.h"
#include "core/port.h"
#include "core/validate.h"
#include "module.h"

uint64_t xsc_port_now_ns(void)
{
	return ktime_get_ns();
}

/* No function that a module may call tells a task's CPU time to the nanosecond. */
uint64_t xsc_port_cpu_ns(void)
{
	return 0;
}

static uint64_t counter(void)
{
	return xsc_arch_counter();
}

void xsc_port_clocks(struct xsc_clock_sources *sources)
{
	sources->counter = counter;
	sources->now_ns = xsc_port_now_ns;
}

/*
 * An instruction that a CPU promises and does not execute is an oops in the kernel, unless the
 * very instruction has a fixup. So those of this CPU are executed once with one; only then the
 * trial executes them as the mechanism does. No CPU has two kinds.
 */
int xsc_port_try(void (*fn)(void *), void *arg)
{
	if (!xsc_claimed_instructions_run())
		return SIGILL;
	fn(arg);
	return 0;
}

/* ---------------------------------------------------------------- a trial's other CPU ---- */

/* One trial at a time: the manager's lock sees to it. */
static struct task_struct *peer_task;

static int peer_thread(void *peer)
{
	xsc_peer_main(peer);
	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (kthread_should_stop())
			break;
		schedule();
	}
	__set_current_state(TASK_RUNNING);
	return 0;
}

/* The waiter must not be moved beside its peer meanwhile: no monitor could be proven there. */
int xsc_port_peer_start(struct xsc_peer *peer)
{
	struct task_struct *task = kthread_create(peer_thread, peer, "xsc_peer");
	unsigned int cpu;

	if (IS_ERR(task)) {
		peer->trouble = "no thread could be started";
		return -1;
	}
	migrate_disable();
	cpu = cpumask_any_but(cpu_online_mask, raw_smp_processor_id());
	if (cpu >= nr_cpu_ids) {
		migrate_enable();
		kthread_stop(task); /* before it ever ran: it never will */
		peer->trouble = "only one CPU is online";
		return -1;
	}
	kthread_bind(task, cpu);
	peer_task = task;
	wake_up_process(task);
	return 0;
}

void xsc_port_peer_stop(struct xsc_peer *peer)
{
	migrate_enable();
	__atomic_store_n(&peer->stop, 1, __ATOMIC_RELEASE);
	kthread_stop(peer_task);
	peer_task = NULL;
}

/* ------------------------------------------------------------------------------- the rest ---- */

/* A wait may be made where nothing may sleep or be scheduled: so these don't. */
void xsc_port_yield(void)
{
	cpu_relax();
}

void xsc_port_nap(uint64_t ns)
{
	ndelay(ns);
}

/* A library goes on with another mechanism and says so here; a module isn't loaded: see main.c. */
void xsc_port_say(const char *line)
{
	pr_debug("%s\n", line);
}

/*
 * Slots of the statistics are per CPU, up to XSC_SLOTS of them. Beyond, CPUs share: a wait takes the
 * first free one of eight from its CPU's own on, and is not counted where all eight are taken.
 */
uint32_t xsc_port_slot_hint(void)
{
	return raw_smp_processor_id();
}

/* No wait here leaves the CPU. */
void xsc_port_recheck(uint64_t now_ns)
{
	(void)now_ns;
}

/* There is one kernel, and it does not fork. */
uint64_t xsc_port_process(void)
{
	return 1;
}

/* A wait may be made with a spin lock held, or with interrupts off. */
bool xsc_port_must_sleep(void)
{
	return false;
}

/* A trial starts a thread and sleeps: not in the middle of a driver's wait. */
bool xsc_port_may_judge(void)
{
	return xsc_watchdog_runs_here();
}
