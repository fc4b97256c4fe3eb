/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * doorbell.h - what a device brings to be a doorbell: its registers, and nothing of files, trials or
 * lifetimes, which are doorbell.c's. One more device is one more file with such a struct, a line
 * here and a line in doorbell.c's table.
 */
#ifndef XSC_KERNEL_DOORBELL_H
#define XSC_KERNEL_DOORBELL_H

#include <linux/pci.h>
#include <linux/types.h>

/* One device, found. */
struct xsc_bell_hw {
	struct pci_dev *pci;
	void __iomem *regs; /* all of BAR 0 */
	void __iomem *roll; /* ivshmem: a byte for each peer, 0 where there is none; or NULL */
	u32 id;		    /* its own, among its peers, at most 65535; 0 where it has none */
};

struct xsc_bell_ops {
	unsigned int irq_type;	   /* PCI_IRQ_MSI or PCI_IRQ_MSIX: each ring sends one */
	resource_size_t regs_size; /* BAR 0 is at least this long */

	/* Fills in hw, whose pci and regs are there. -errno: this device will not do. NULL: nothing */
	int (*start)(struct xsc_bell_hw *hw);
	void (*stop)(struct xsc_bell_hw *hw);

	/* After its trial, and before the device goes: peers may ring, or may no more. Or NULL. */
	void (*listed)(struct xsc_bell_hw *hw, bool there);

	/* The device with this id; any value. -ENXIO: known not to be there. May be called by many. */
	long (*ring)(struct xsc_bell_hw *hw, unsigned long id);

	/* In the interrupt. NULL: the device asks for no answer. */
	void (*acknowledge)(struct xsc_bell_hw *hw);
};

extern const struct xsc_bell_ops xsc_bell_edu, xsc_bell_ivshmem;

#endif /* XSC_KERNEL_DOORBELL_H */
