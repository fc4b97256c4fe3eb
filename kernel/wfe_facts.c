// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * xsc_wfe_facts.ko: what a bare WFE does in the kernel on this arm64 machine, told by what can end it
 * and not by a clock. A CPU waits with everything else shut out: interrupts masked, its timers' too
 * (an emulator may end a WFE for one that is only pending), no reservation, the event register
 * empty. Arm DDI 0487, D1.6: "Wait for Event mechanism and Send event".
 *
 *   stream   waits that no store ends. They end, so it was the event stream that ended them; without it
 *            they would last for ever, and none is made.
 *   sent     waits that another CPU's SEV ends: that CPU stores first, lets 100 us pass, looks whether
 *            the other still sleeps (slept: how many did), then sends. One that SEV does not end
 *            never ends, where there is no event stream.
 *
 * No wake-up is lost: the sender begins when `asleep` says so, and an event that comes between that
 * store and the WFE is kept in the event register, and ends it at once. It sends until the waiter is
 * awake: an event that an emulator lost would else leave a CPU asleep for good.
 */
#include <linux/completion.h>
#include <linux/cpu.h>
#include <linux/cpufeature.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/errno.h>
#include <linux/irqflags.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/sched.h>

#include <asm/barrier.h>
#include <asm/sysreg.h>
#include <clocksource/arm_arch_timer.h>

static unsigned int rounds = 200;
module_param(rounds, uint, 0444);
MODULE_PARM_DESC(rounds, "waits of each kind");

static bool has_stream;
module_param(has_stream, bool, 0444);
static unsigned int stream, sent, slept;
module_param(stream, uint, 0444);
module_param(sent, uint, 0444);
module_param(slept, uint, 0444);
static unsigned long stream_mean_ns, stream_max_ns; /* for people */
module_param(stream_mean_ns, ulong, 0444);
module_param(stream_max_ns, ulong, 0444);

static u32 asleep ____cacheline_aligned; /* the waiter's: the round whose WFE comes next */
static u32 awake;			 /* ... whose WFE is over */
static u32 word ____cacheline_aligned;	 /* the sender's, which the waiter does not watch */
static u32 done;			 /* ... the round that it has seen to its end */
static DECLARE_COMPLETION(waited);
static DECLARE_COMPLETION(all_sent);

static void wait_alone(u32 round)
{
	unsigned long flags;
	u64 physical, virtual;

	local_irq_save(flags);
	physical = read_sysreg(cntp_ctl_el0);
	virtual = read_sysreg(cntv_ctl_el0);
	write_sysreg(physical | ARCH_TIMER_CTRL_IT_MASK, cntp_ctl_el0);
	write_sysreg(virtual | ARCH_TIMER_CTRL_IT_MASK, cntv_ctl_el0);
	isb();
	asm volatile("clrex\n\tsevl\n\twfe" ::: "memory");
	smp_store_release(&asleep, round);
	asm volatile("wfe" ::: "memory");
	smp_store_release(&awake, round);
	write_sysreg(virtual, cntv_ctl_el0);
	write_sysreg(physical, cntp_ctl_el0);
	isb();
	local_irq_restore(flags);
}

static int waiter(void *unused)
{
	u64 total = 0, ns;
	u32 i;

	for (i = 0; has_stream && i < rounds; i++) {
		const u64 start = ktime_get_ns();

		wait_alone(0);
		ns = ktime_get_ns() - start;
		total += ns;
		stream_max_ns = max_t(unsigned long, stream_max_ns, ns);
		stream++;
	}
	stream_mean_ns = stream ? total / stream : 0;
	for (i = 1; i <= rounds; i++) {
		wait_alone(i);
		sent++;
		while (smp_load_acquire(&done) != i)
			cond_resched();
	}
	complete(&waited);
	return 0;
}

static int sender(void *unused)
{
	u32 i;

	for (i = 1; i <= rounds; i++) {
		while (smp_load_acquire(&asleep) != i)
			cond_resched();
		WRITE_ONCE(word, i);
		udelay(100);
		slept += smp_load_acquire(&awake) != i;
		while (smp_load_acquire(&awake) != i) {
			dsb(ishst);
			sev();
			udelay(10);
		}
		smp_store_release(&done, i);
	}
	complete(&all_sent);
	return 0;
}

static int __init wfe_facts_init(void)
{
	struct task_struct *waits, *sends;
	unsigned int cpu, other;

	has_stream = cpu_have_named_feature(EVTSTRM);
	cpus_read_lock();
	cpu = cpumask_first(cpu_online_mask);
	other = cpumask_next(cpu, cpu_online_mask);
	if (other >= nr_cpu_ids) {
		cpus_read_unlock();
		return -ENODEV;
	}
	waits = kthread_create(waiter, NULL, "xsc_wfe_waits");
	sends = kthread_create(sender, NULL, "xsc_wfe_sends");
	if (IS_ERR(waits) || IS_ERR(sends)) {
		if (!IS_ERR(waits))
			kthread_stop(waits);
		if (!IS_ERR(sends))
			kthread_stop(sends);
		cpus_read_unlock();
		return -ENOMEM;
	}
	kthread_bind(waits, cpu);
	kthread_bind(sends, other);
	wake_up_process(waits);
	wake_up_process(sends);
	/* None of the two CPUs may go meanwhile. */
	wait_for_completion(&waited);
	wait_for_completion(&all_sent);
	cpus_read_unlock();
	pr_info("xsc_wfe_facts: %u waits ended by the event stream (mean %lu, at most %lu ns); "
		"%u by SEV, %u of which a store had not ended\n",
		stream, stream_mean_ns, stream_max_ns, sent, slept);
	return 0;
}

static void __exit wfe_facts_exit(void)
{
}

module_init(wfe_facts_init);
module_exit(wfe_facts_exit);
MODULE_DESCRIPTION("What ends a WFE in the kernel");
MODULE_LICENSE("Dual MIT/GPL");
