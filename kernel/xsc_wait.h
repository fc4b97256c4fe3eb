/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * xsc_wait.h - wait for a word of memory to change, for other drivers
 *
 *	u32 seen = READ_ONCE(ring->tail);
 *	...
 *	err = xsc_wait(&ring->tail, seen, NSEC_PER_MSEC);
 *
 * Any store ends the wait: by a CPU or by a device's DMA to coherent memory. The writer calls
 * nothing. The word is u32 or u64 and naturally aligned.
 *
 * Returns 0 when the word was seen to differ from old, by a load with acquire ordering;
 * -ETIMEDOUT when timeout_ns of ktime_get() have passed, never earlier; -EINVAL for a word that is
 * NULL or not aligned, a timeout beyond XSC_WAIT_MAX_NS, or from an NMI. timeout_ns 0 looks once.
 *
 * Never sleeps and takes no lock, so it may be called with preemption or interrupts off, and from
 * any number of CPUs at once. It does keep its CPU: with interrupts off no longer than you
 * would spin there yourself, and for what takes many milliseconds use wait_event() instead.
 */
#ifndef XSC_WAIT_KERNEL_H
#define XSC_WAIT_KERNEL_H

#include <asm/barrier.h>
#include <linux/types.h>

#define XSC_WAIT_MAX_NS 1000000000ULL

/* The parts that are not inline; GPL-only exports. Calling them directly is fine. */
int xsc_wait_slow_u32(const u32 *word, u32 old, u64 timeout_ns);
int xsc_wait_slow_u64(const u64 *word, u64 old, u64 timeout_ns);

static __always_inline int xsc_wait_u32(const u32 *word, u32 old, u64 timeout_ns)
{
	if (smp_load_acquire(word) != old)
		return 0;
	return xsc_wait_slow_u32(word, old, timeout_ns);
}

static __always_inline int xsc_wait_u64(const u64 *word, u64 old, u64 timeout_ns)
{
	if (smp_load_acquire(word) != old)
		return 0;
	return xsc_wait_slow_u64(word, old, timeout_ns);
}

/* By the word's type. */
#define xsc_wait(word, old, timeout_ns) \
	_Generic(*(word), u32 : xsc_wait_u32, u64 : xsc_wait_u64)(word, old, timeout_ns)

#endif /* XSC_WAIT_KERNEL_H */
