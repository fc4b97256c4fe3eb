// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * xsc_doorbell.ko: a register whose write raises an interrupt, as a way to wake sleepers, given to
 * programs as /dev/xsc-doorbellN. What is a device's own is in a file of its own (doorbell.h). No
 * register of those known has a page for itself, so none can be mapped.
 *
 * NO RING IS LOST. Every ring sends a message-signalled interrupt, or adds to one that is still to be
 * sent (doorbell_ivshmem.c). One that arrives while the handler runs is held pending by the
 * interrupt controller, and the handler runs again; so its counting comes after the last ring.
 * Counting is by interrupts, not by a status register: a ring between its reading and its
 * acknowledgement would leave an interrupt with a status of 0. models/doorbell.pml has all of it,
 * and what each step is for.
 *
 * REMOVAL. An open file holds a reference on its bell, not on the device. `gone` is set under the
 * lock that every user of the registers holds, and only then they are unmapped; sleepers are
 * woken to find it set. misc_open() and misc_deregister() exclude each other by misc's own mutex, so
 * no file is opened on a bell whose device's reference has been dropped.
 */
#include <linux/atomic.h>
#include <linux/errno.h>
#include <linux/fs.h>
#include <linux/idr.h>
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/jiffies.h>
#include <linux/kref.h>
#include <linux/ktime.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/poll.h>
#include <linux/rwsem.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/wait.h>

#include "doorbell.h"
#include "xsc_doorbell.h"

#define TRIAL_RINGS 100

#ifdef XSC_WAIT_DEBUG
static unsigned int lose;
module_param(lose, uint, 0444);
MODULE_PARM_DESC(lose, "do not ring this one of a trial's rings, 1 for the first; 0: all are rung");
#else
static const unsigned int lose;
#endif

struct bell {
	struct kref ref;
	const struct xsc_bell_ops *ops;
	struct xsc_bell_hw hw;
	struct rw_semaphore lock; /* read: to use hw; write: to take it away */
	bool gone;
	atomic64_t interrupts;
	u64 last_ns; /* when the last one came; for the trial */
	wait_queue_head_t queue;
	struct xsc_doorbell_info info;
	int id;
	char name[24];
	struct miscdevice misc;
};

struct opener {
	struct bell *bell;
	atomic64_t seen;
};

static DEFINE_IDA(ids);

static void bell_free(struct kref *ref)
{
	kfree(container_of(ref, struct bell, ref));
}

static irqreturn_t rung(int irq, void *data)
{
	struct bell *b = data;

	if (b->ops->acknowledge)
		b->ops->acknowledge(&b->hw);
	WRITE_ONCE(b->last_ns, ktime_get_ns());
	atomic64_inc_return_release(&b->interrupts);
	wake_up_all(&b->queue);
	return IRQ_HANDLED;
}

/* ------------------------------------------------------------------------------ the trial ---- */

/* A peer that rings meanwhile may stand in for one of the trial's own rings. */
static void trial(struct bell *b)
{
	struct xsc_doorbell_info *info = &b->info;
	u32 i;

	info->state = XSC_DOORBELL_TRIAL;
	for (i = 1; i <= TRIAL_RINGS; i++) {
		const u64 before = atomic64_read(&b->interrupts), start = ktime_get_ns();
		u64 ns;

		info->trial_rings++;
		if (i != lose)
			b->ops->ring(&b->hw, b->hw.id);
		if (!wait_event_timeout(b->queue, atomic64_read_acquire(&b->interrupts) != before,
					HZ)) {
			info->trial_lost++;
			break;
		}
		ns = READ_ONCE(b->last_ns) - start;
		info->min_ns = !info->min_ns || ns < info->min_ns ? ns : info->min_ns;
		info->max_ns = max(ns, info->max_ns);
	}
	info->state = info->trial_lost ? XSC_DOORBELL_FAILED : XSC_DOORBELL_STEADY;
	if (info->trial_lost)
		pci_warn(b->hw.pci, "xsc_doorbell: failed: ring %u of its trial never arrived\n",
			 i);
}

/* ------------------------------------------------------------------------------- the file ---- */

static int bell_open(struct inode *inode, struct file *file)
{
	struct bell *b = container_of(file->private_data, struct bell, misc);
	struct opener *o = kzalloc(sizeof(*o), GFP_KERNEL);

	if (!o)
		return -ENOMEM;
	kref_get(&b->ref);
	o->bell = b;
	atomic64_set(&o->seen, atomic64_read(&b->interrupts));
	file->private_data = o;
	return stream_open(inode, file);
}

static int bell_release(struct inode *inode, struct file *file)
{
	struct opener *o = file->private_data;

	kref_put(&o->bell->ref, bell_free);
	kfree(o);
	return 0;
}

static bool news(struct opener *o)
{
	return atomic64_read_acquire(&o->bell->interrupts) != atomic64_read(&o->seen) ||
	       READ_ONCE(o->bell->gone);
}

static ssize_t bell_read(struct file *file, char __user *buf, size_t size, loff_t *at)
{
	struct opener *o = file->private_data;
	u64 now, seen;

	if (size < sizeof(u64))
		return -EINVAL;
	do {
		if (!news(o) && file->f_flags & O_NONBLOCK)
			return -EAGAIN;
		if (wait_event_interruptible(o->bell->queue, news(o)))
			return -ERESTARTSYS;
		if (READ_ONCE(o->bell->gone))
			return -ENODEV;
		/* Of several readers of one file one takes what is new, the others wait on. */
		seen = atomic64_read(&o->seen);
		now = atomic64_read_acquire(&o->bell->interrupts);
	} while (now == seen || atomic64_cmpxchg(&o->seen, seen, now) != seen);
	now -= seen;
	return copy_to_user(buf, &now, sizeof(now)) ? -EFAULT : (ssize_t)sizeof(now);
}

static __poll_t bell_poll(struct file *file, poll_table *table)
{
	struct opener *o = file->private_data;

	poll_wait(file, &o->bell->queue, table);
	if (READ_ONCE(o->bell->gone))
		return EPOLLHUP | EPOLLERR;
	return news(o) ? EPOLLIN | EPOLLRDNORM : 0;
}

static long ring(struct bell *b, unsigned long id)
{
	long err;

	down_read(&b->lock);
	if (b->gone)
		err = -ENODEV;
	else if (b->info.state != XSC_DOORBELL_STEADY)
		err = -EIO;
	else
		err = b->ops->ring(&b->hw, id);
	up_read(&b->lock);
	return err;
}

static long bell_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct bell *b = ((struct opener *)file->private_data)->bell;
	struct xsc_doorbell_info info;

	switch (cmd) {
	case XSC_DOORBELL_RING:
		return arg ? -ENXIO : ring(b, b->hw.id);
	case XSC_DOORBELL_RING_PEER:
		return ring(b, arg);
	case XSC_DOORBELL_ID:
		return b->hw.id;
	case XSC_DOORBELL_INFO:
		info = b->info;
		info.interrupts = atomic64_read(&b->interrupts);
		return copy_to_user((void __user *)arg, &info, sizeof(info)) ? -EFAULT : 0;
	default:
		return -ENOTTY;
	}
}

static const struct file_operations bell_file = {
	.owner = THIS_MODULE,
	.open = bell_open,
	.release = bell_release,
	.read = bell_read,
	.poll = bell_poll,
	.unlocked_ioctl = bell_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

/* ----------------------------------------------------------------------------- the device ---- */

static int start(struct bell *b, struct pci_dev *pci)
{
	int err = pci_enable_device(pci);

	if (err)
		return err;
	pci_set_master(pci);
	/* No more than that: memory that a device has beside its registers is for programs to map. */
	err = pci_request_region(pci, 0, "xsc_doorbell");
	if (err)
		goto disable;
	err = -ENODEV;
	if (pci_resource_len(pci, 0) < b->ops->regs_size)
		goto region;
	b->hw.pci = pci;
	b->hw.regs = pci_iomap(pci, 0, 0);
	if (!b->hw.regs)
		goto region;
	err = b->ops->start ? b->ops->start(&b->hw) : 0;
	if (err)
		goto unmap;
	err = pci_alloc_irq_vectors(pci, 1, 1, b->ops->irq_type);
	if (err < 0)
		goto stop;
	err = request_irq(pci_irq_vector(pci, 0), rung, 0, "xsc_doorbell", b);
	if (!err)
		return 0;
	pci_free_irq_vectors(pci);
stop:
	if (b->ops->stop)
		b->ops->stop(&b->hw);
unmap:
	pci_iounmap(pci, b->hw.regs);
region:
	pci_release_region(pci, 0);
disable:
	pci_disable_device(pci);
	return err;
}

static void list(struct bell *b, bool there)
{
	if (b->ops->listed)
		b->ops->listed(&b->hw, there);
}

static void quiesce(struct bell *b)
{
	struct pci_dev *pci = b->hw.pci;

	list(b, false);
	down_write(&b->lock);
	WRITE_ONCE(b->gone, true);
	up_write(&b->lock);
	wake_up_all(&b->queue);
	free_irq(pci_irq_vector(pci, 0), b);
	pci_free_irq_vectors(pci);
	if (b->ops->stop)
		b->ops->stop(&b->hw);
	pci_iounmap(pci, b->hw.regs);
	pci_release_region(pci, 0);
	pci_disable_device(pci);
}

static int bell_probe(struct pci_dev *pci, const struct pci_device_id *which)
{
	struct bell *b = kzalloc(sizeof(*b), GFP_KERNEL);
	int err = -ENOMEM;

	if (!b)
		return err;
	kref_init(&b->ref);
	init_rwsem(&b->lock);
	init_waitqueue_head(&b->queue);
	b->ops = (const struct xsc_bell_ops *)which->driver_data;
	b->id = ida_alloc(&ids, GFP_KERNEL);
	if (b->id < 0) {
		err = b->id;
		goto put;
	}
	err = start(b, pci);
	if (err)
		goto id;
	trial(b);
	snprintf(b->name, sizeof(b->name), "xsc-doorbell%d", b->id);
	b->misc.minor = MISC_DYNAMIC_MINOR;
	b->misc.name = b->name;
	b->misc.fops = &bell_file;
	b->misc.parent = &pci->dev;
	b->misc.mode = 0600;
	err = misc_register(&b->misc);
	if (err)
		goto stop;
	pci_set_drvdata(pci, b);
	list(b, b->info.state == XSC_DOORBELL_STEADY);
	return 0;
stop:
	quiesce(b);
id:
	ida_free(&ids, b->id);
put:
	kref_put(&b->ref, bell_free);
	return err;
}

static void bell_remove(struct pci_dev *pci)
{
	struct bell *b = pci_get_drvdata(pci);

	misc_deregister(&b->misc);
	quiesce(b);
	ida_free(&ids, b->id);
	kref_put(&b->ref, bell_free);
}

static const struct pci_device_id bells[] = {
	{PCI_DEVICE(0x1234, 0x11e8), .driver_data = (kernel_ulong_t)&xsc_bell_edu},
	{PCI_DEVICE(0x1af4, 0x1110), .driver_data = (kernel_ulong_t)&xsc_bell_ivshmem},
	{},
};
MODULE_DEVICE_TABLE(pci, bells);

static struct pci_driver driver = {
	.name = "xsc_doorbell",
	.id_table = bells,
	.probe = bell_probe,
	.remove = bell_remove,
};

static int __init doorbell_init(void)
{
	return pci_register_driver(&driver);
}

static void __exit doorbell_exit(void)
{
	pci_unregister_driver(&driver);
	ida_destroy(&ids);
}

module_init(doorbell_init);
module_exit(doorbell_exit);
MODULE_DESCRIPTION("Doorbells: registers whose write raises an interrupt");
MODULE_LICENSE("Dual MIT/GPL");
