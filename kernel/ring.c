// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * xsc_ring_example.ko: a completion ring as a system call's completion path would use one. A caller
 * takes a ticket, puts a request into the ticket's slot and waits for the slot's flag word; a device,
 * here a thread on a CPU of its own, serves tickets in order.
 *
 * The flag tells whose turn it is. With t the ticket:
 *
 *	t		free, for the caller that holds t		(the caller writes)
 *	t + 1		submitted					(the device reads and writes)
 *	t + 2		served						(the caller reads)
 *	t + SLOTS	free again, for the ticket a round later
 *
 * Each change is a store with release by the one whose turn it was, each look a load with acquire by
 * the one whose turn comes: so request and result have one writer at a time and are seen whole.
 *
 * Loading it runs the ring in rounds, by xsc_wait() and by wait_event() in turn, and tells what a
 * call took with each: parameters xsc_ns, event_ns and ratio_permille (event_ns * 1000 / xsc_ns, of
 * all rounds). It fails with -EIO when a result was wrong and -ETIMEDOUT when one never came.
 */
#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/cpu.h>
#include <linux/cpumask.h>
#include <linux/errno.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/wait.h>

#include "xsc_wait.h"

#define SLOTS 64	    /* a power of two, more than 2 */
#define LIMIT NSEC_PER_MSEC /* of one wait: then others may have the CPU */
#define PATIENCE 60000	    /* such waits, or milliseconds, before a call is given up */

static unsigned int calls = 200;
module_param(calls, uint, 0444);
MODULE_PARM_DESC(calls, "calls of each caller in a round");

static unsigned int rounds = 5;
module_param(rounds, uint, 0444);
MODULE_PARM_DESC(rounds, "rounds with each way of waiting");

static unsigned long xsc_ns, event_ns, ratio_permille;
module_param(xsc_ns, ulong, 0444);
module_param(event_ns, ulong, 0444);
module_param(ratio_permille, ulong, 0444);

struct slot {
	u64 flag ____cacheline_aligned;
	u64 request;
	u64 result;
	wait_queue_head_t queue;
};

struct ring {
	struct slot slot[SLOTS];
	atomic64_t ticket;
	bool events; /* wait_event(), not xsc_wait() */
	u64 total;   /* what the device serves before it ends */
	atomic_t running;
	struct completion done;
	int err;
};

static int await(struct ring *r, struct slot *s, u64 wanted)
{
	unsigned int i;

	if (r->events)
		return wait_event_timeout(s->queue, smp_load_acquire(&s->flag) == wanted,
					  msecs_to_jiffies(PATIENCE))
			       ? 0
			       : -ETIMEDOUT;
	for (i = 0; i < PATIENCE;) {
		const u64 seen = smp_load_acquire(&s->flag);

		if (seen == wanted)
			return 0;
		if (xsc_wait(&s->flag, seen, LIMIT) == -ETIMEDOUT) {
			i++;
			cond_resched();
		}
	}
	return -ETIMEDOUT;
}

static void turn(struct ring *r, struct slot *s, u64 flag)
{
	smp_store_release(&s->flag, flag);
	if (r->events)
		wake_up_all(&s->queue); /* the next caller may wait there beside the device */
}

/* What a system call would do. */
static int call(struct ring *r, u64 request, u64 *result)
{
	const u64 ticket = atomic64_fetch_inc(&r->ticket);
	struct slot *s = &r->slot[ticket % SLOTS];
	int err = await(r, s, ticket);

	if (err)
		return err;
	s->request = request;
	turn(r, s, ticket + 1);
	err = await(r, s, ticket + 2);
	if (err)
		return err;
	*result = s->result;
	turn(r, s, ticket + SLOTS);
	return 0;
}

static void end(struct ring *r, int err)
{
	if (err)
		WRITE_ONCE(r->err, err);
	if (atomic_dec_and_test(&r->running))
		complete(&r->done);
}

static int device_main(void *arg)
{
	struct ring *r = arg;
	int err = 0;
	u64 t;

	for (t = 0; t < r->total && !err; t++) {
		struct slot *s = &r->slot[t % SLOTS];

		err = await(r, s, t + 1);
		if (!err) {
			s->result = ~s->request;
			turn(r, s, t + 2);
		}
	}
	end(r, err);
	return 0;
}

static int caller_main(void *arg)
{
	struct ring *r = arg;
	u64 result = 0;
	int err = 0;
	u32 i;

	for (i = 0; i < calls && !err; i++) {
		err = call(r, i, &result);
		if (!err && result != ~(u64)i)
			err = -EIO;
	}
	end(r, err);
	return 0;
}

static struct task_struct *create(int (*fn)(void *), struct ring *r, unsigned int cpu)
{
	struct task_struct *task = kthread_create(fn, r, "xsc_ring/%u", cpu);

	if (!IS_ERR(task))
		set_cpus_allowed_ptr(task, cpumask_of(cpu));
	return task;
}

/* One round: the device on the first CPU, a caller on each of the others. ns: what it took. */
static int run_round(struct ring *r, bool events, u64 *ns)
{
	struct task_struct **tasks;
	unsigned int cpu, n = 0, i;
	ktime_t start;
	int err = 0;

	tasks = kcalloc(nr_cpu_ids, sizeof(*tasks), GFP_KERNEL);
	if (!tasks)
		return -ENOMEM;
	for (i = 0; i < SLOTS; i++)
		r->slot[i].flag = i;
	atomic64_set(&r->ticket, 0);
	r->events = events;
	reinit_completion(&r->done);

	cpus_read_lock();
	for_each_online_cpu(cpu)
	{
		struct task_struct *task = create(n ? caller_main : device_main, r, cpu);

		if (IS_ERR(task)) {
			err = PTR_ERR(task);
			break;
		}
		tasks[n++] = task;
	}
	if (!err && n < 2)
		err = -ENODEV;
	r->total = (u64)calls * (n - 1);
	atomic_set(&r->running, n);
	start = ktime_get();
	for (i = 0; i < n; i++) {
		if (err)
			kthread_stop(tasks[i]); /* it never ran, and never will */
		else
			wake_up_process(tasks[i]);
	}
	cpus_read_unlock();
	if (!err) {
		wait_for_completion(&r->done);
		*ns += ktime_to_ns(ktime_sub(ktime_get(), start));
		err = r->err;
	}
	kfree(tasks);
	return err;
}

static int __init ring_init(void)
{
	struct ring *r;
	u64 by_xsc = 0, by_event = 0, all;
	unsigned int i;
	int err = 0;

	if (!calls || !rounds)
		return -EINVAL;
	r = kzalloc(sizeof(*r), GFP_KERNEL);
	if (!r)
		return -ENOMEM;
	init_completion(&r->done);
	for (i = 0; i < SLOTS; i++)
		init_waitqueue_head(&r->slot[i].queue);
	for (i = 0; i < rounds && !err; i++) {
		err = run_round(r, false, &by_xsc);
		if (!err)
			err = run_round(r, true, &by_event);
	}
	all = r->total * rounds;
	kfree(r);
	if (err)
		return err;
	xsc_ns = by_xsc / all;
	event_ns = by_event / all;
	ratio_permille = by_event * 1000 / (by_xsc ?: 1);
	pr_info("xsc_ring_example: %llu calls each way: xsc_wait %lu ns, wait_event %lu ns a call, "
		"ratio %lu.%03lu\n",
		all, xsc_ns, event_ns, ratio_permille / 1000, ratio_permille % 1000);
	return 0;
}

static void __exit ring_exit(void)
{
}

module_init(ring_init);
module_exit(ring_exit);
MODULE_DESCRIPTION("A completion ring that waits with xsc_wait, as an example");
MODULE_LICENSE("Dual MIT/GPL");
