// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * xsc_wait_selftest.ko: waits on all CPUs, through nothing but xsc_wait.h. Loading it fails with
 * -EIO when a wait was wrong. With traffic=1 waits then go on until it is unloaded, some ended by
 * another CPU, some by their deadline; with traffic=2 all by their deadline.
 *
 *   waits       waits of every CPU whose condition a store of its own has met (10,000)
 *   handovers   words that two CPUs hand to each other and back (1,000)
 */
#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/cpu.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/errno.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

#include "xsc_wait.h"

static unsigned int waits = 10000;
module_param(waits, uint, 0444);
static unsigned int handovers = 1000;
module_param(handovers, uint, 0444);
static unsigned int traffic;
module_param(traffic, uint, 0444);

static unsigned long made; /* by traffic, so far */
module_param(made, ulong, 0444);

/*
 * Waits of a millisecond, after each of which others may have the CPU, as any user should where the
 * one that it waits for may need it. So many of them without success, and a wake-up was lost.
 */
#define PATIENCE 60000

struct pair {
	u32 ping ____cacheline_aligned;
	u64 pong ____cacheline_aligned;
	struct task_struct *waiter, *storer;
	struct completion done;
	atomic_t running;
	atomic_t wrong;
};

static struct pair *pairs;
static unsigned int n_pairs;

static void wrong(struct pair *p, const char *what, int err)
{
	if (!atomic_fetch_inc(&p->wrong))
		pr_err("xsc_wait_selftest: %s: %d\n", what, err);
}

static int await_u32(const u32 *word, u32 old)
{
	int err = -ETIMEDOUT, i;

	for (i = 0; i < PATIENCE && err == -ETIMEDOUT; i++) {
		err = xsc_wait(word, old, NSEC_PER_MSEC);
		cond_resched();
	}
	return err;
}

static int await_u64(const u64 *word, u64 old)
{
	int err = -ETIMEDOUT, i;

	for (i = 0; i < PATIENCE && err == -ETIMEDOUT; i++) {
		err = xsc_wait(word, old, NSEC_PER_MSEC);
		cond_resched();
	}
	return err;
}

static void expect(struct pair *p, const char *what, int got, int wanted)
{
	if (got != wanted)
		wrong(p, what, got);
}

/* What one thread can see alone. */
static void own_waits(struct pair *p)
{
	u64 word = 0;
	ktime_t start;
	u32 i;

	for (i = 0; i < waits; i++) {
		smp_store_release(&word, (u64)i + 1);
		/* Not the inline part, which would see that it is over. */
		expect(p, "a wait already over", xsc_wait_slow_u64(&word, i, NSEC_PER_SEC), 0);
		if (!(i & 1023))
			cond_resched();
	}
	for (i = 0; i < 50; i++) {
		start = ktime_get();
		expect(p, "a wait that nothing ends", xsc_wait(&word, (u64)waits, 50000),
		       -ETIMEDOUT);
		if (ktime_to_ns(ktime_sub(ktime_get(), start)) < 50000)
			wrong(p, "a deadline came early", 0);
	}
	/* With neither preemption nor interrupts: it must not try to sleep. */
	preempt_disable();
	expect(p, "with preemption off", xsc_wait(&word, (u64)waits, 200000), -ETIMEDOUT);
	local_irq_disable();
	expect(p, "with interrupts off", xsc_wait(&word, (u64)waits, 200000), -ETIMEDOUT);
	local_irq_enable();
	preempt_enable();
	expect(p, "timeout 0", xsc_wait(&word, (u64)waits, 0), -ETIMEDOUT);
	expect(p, "too long", xsc_wait(&word, (u64)waits, XSC_WAIT_MAX_NS + 1), -EINVAL);
	expect(p, "no word", xsc_wait_slow_u32(NULL, 0, 1), -EINVAL);
	expect(p, "odd address", xsc_wait_slow_u32((u32 *)((char *)&word + 1), 0, 1), -EINVAL);
}

static int waiter_main(void *arg)
{
	struct pair *p = arg;
	u32 i;

	own_waits(p);
	for (i = 1; i <= handovers && !atomic_read(&p->wrong); i++) {
		smp_store_release(&p->ping, i);
		expect(p, "the other CPU's answer", await_u64(&p->pong, i - 1), 0);
	}
	if (atomic_dec_and_test(&p->running))
		complete(&p->done);
	return 0;
}

static int storer_main(void *arg)
{
	struct pair *p = arg;
	u32 i;

	own_waits(p);
	for (i = 1; i <= handovers && !atomic_read(&p->wrong); i++) {
		expect(p, "the other CPU's word", await_u32(&p->ping, i - 1), 0);
		smp_store_release(&p->pong, (u64)i);
	}
	if (atomic_dec_and_test(&p->running))
		complete(&p->done);
	return 0;
}

/*
 * Traffic: the storer raises ping every 50 us and more, so that a wait is well past its tight spin;
 * and every other wait is for pong, which does not change.
 */
static int traffic_storer(void *arg)
{
	struct pair *p = arg;

	while (!kthread_should_stop()) {
		smp_store_release(&p->ping, p->ping + 1);
		usleep_range(40, 70);
	}
	return 0;
}

static int traffic_waiter(void *arg)
{
	struct pair *p = arg;
	int err;

	while (!kthread_should_stop()) {
		if (traffic == 1) {
			err = await_u32(&p->ping, smp_load_acquire(&p->ping));
			expect(p, "traffic, a store", err, 0);
		}
		err = xsc_wait(&p->pong, p->pong, 150000);
		expect(p, "traffic, a deadline", err, -ETIMEDOUT);
		WRITE_ONCE(made, made + 2); /* one of the waiters' is as good as all */
		cond_resched();
	}
	return 0;
}

static struct task_struct *start(int (*fn)(void *), struct pair *p, unsigned int cpu)
{
	struct task_struct *task = kthread_create(fn, p, "xsc_selftest/%u", cpu);

	if (!IS_ERR(task)) {
		get_task_struct(task);
		set_cpus_allowed_ptr(task, cpumask_of(cpu)); /* gone with the CPU, it moves on */
		wake_up_process(task);
	}
	return task;
}

static void stop(struct task_struct **task)
{
	if (!IS_ERR_OR_NULL(*task)) {
		kthread_stop(*task);
		put_task_struct(*task);
	}
	*task = NULL;
}

/*
 * A thread on every CPU, two and two. The last of an odd number of CPUs has both of a pair: it
 * shows that a wait gives way in time, too.
 */
static int start_all(int (*waiter)(void *), int (*storer)(void *))
{
	unsigned int cpu, i = 0;
	int err = 0;

	cpus_read_lock();
	for (cpu = cpumask_first(cpu_online_mask); i < n_pairs && cpu < nr_cpu_ids; i++) {
		unsigned int next = cpumask_next(cpu, cpu_online_mask);
		struct pair *p = &pairs[i];

		p->ping = 0;
		p->pong = 0;
		atomic_set(&p->running, 2);
		reinit_completion(&p->done);
		p->storer = start(storer, p, next < nr_cpu_ids ? next : cpu);
		p->waiter = start(waiter, p, cpu);
		if (IS_ERR(p->storer) || IS_ERR(p->waiter)) {
			err = -ENOMEM;
			break;
		}
		cpu = next < nr_cpu_ids ? cpumask_next(next, cpu_online_mask) : next;
	}
	cpus_read_unlock();
	return err;
}

/* kthread_stop() of a thread that has ended is fine: start() holds a reference. */
static int stop_all(bool wait)
{
	unsigned int i;
	int wrongs = 0;

	for (i = 0; i < n_pairs; i++) {
		struct pair *p = &pairs[i];

		if (wait && !IS_ERR_OR_NULL(p->waiter) && !IS_ERR_OR_NULL(p->storer))
			wait_for_completion(&p->done);
		stop(&p->waiter);
		stop(&p->storer);
		wrongs += atomic_read(&p->wrong);
	}
	return wrongs;
}

static int __init selftest_init(void)
{
	unsigned int i;
	int err, wrongs;

	n_pairs = DIV_ROUND_UP(num_online_cpus(), 2);
	pairs = kcalloc(n_pairs, sizeof(*pairs), GFP_KERNEL);
	if (!pairs)
		return -ENOMEM;
	for (i = 0; i < n_pairs; i++)
		init_completion(&pairs[i].done);
	err = start_all(waiter_main, storer_main);
	wrongs = stop_all(!err);
	if (!err && wrongs)
		err = -EIO;
	if (!err && traffic)
		err = start_all(traffic_waiter, traffic_storer);
	if (err) {
		stop_all(false);
		kfree(pairs);
		return err;
	}
	pr_info("xsc_wait_selftest: %u CPUs, %u waits and %u hand-overs each, as they should be\n",
		num_online_cpus(), waits, handovers);
	return 0;
}

static void __exit selftest_exit(void)
{
	if (stop_all(false))
		pr_err("xsc_wait_selftest: waits went wrong\n");
	kfree(pairs);
}

module_init(selftest_init);
module_exit(selftest_exit);
MODULE_DESCRIPTION("Self-test of xsc_wait");
MODULE_LICENSE("Dual MIT/GPL");
