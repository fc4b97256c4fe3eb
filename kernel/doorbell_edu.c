// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * QEMU's edu device (its docs/specs/edu) as a doorbell: PCI 1234:11e8, MSI. It has no peers. A write to
 * RAISE sets bits of STATUS and sends an MSI, whether or not there were bits set before; so the status
 * says nothing of how often it rang, and is only acknowledged.
 */
#include <linux/errno.h>
#include <linux/io.h>

#include "doorbell.h"

#define EDU_RAISE 0x60
#define EDU_STATUS 0x24
#define EDU_ACKNOWLEDGE 0x64
#define EDU_REGISTERS 0x68

static long edu_ring(struct xsc_bell_hw *hw, unsigned long id)
{
	if (id)
		return -ENXIO;
	writel(1, hw->regs + EDU_RAISE);
	return 0;
}

static void edu_acknowledge(struct xsc_bell_hw *hw)
{
	const u32 status = readl(hw->regs + EDU_STATUS);

	if (status)
		writel(status, hw->regs + EDU_ACKNOWLEDGE);
}

const struct xsc_bell_ops xsc_bell_edu = {
	.irq_type = PCI_IRQ_MSI,
	.regs_size = EDU_REGISTERS,
	.ring = edu_ring,
	.acknowledge = edu_acknowledge,
};
