// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * QEMU's ivshmem-doorbell (its docs/specs/ivshmem-spec) as a doorbell: PCI 1af4:1110, MSI-X, of which
 * one vector is used. A guest rings another, or itself, by the ID that the ivshmem server gave it.
 *
 * NO RING IS LOST on the way, either. A ring adds to an eventfd of the peer's; the peer's QEMU takes
 * what has been added, then sends one interrupt. A ring before it took is part of what that
 * interrupt stands for, a ring after it makes the eventfd readable again. So rings merge, and after
 * the last one there is an interrupt: models/doorbell.pml, -DEVENTFD.
 *
 * A device that its server has not set up yet ignores rings, and can't tell: it fails its trial. Bound
 * again, it is validated again.
 *
 * ABSENT PEERS. The device ignores a ring to a peer that is not there, and can't tell which peers are. With
 * roll=1 the drivers keep a roll themselves, in the last 64 KiB of the shared memory: a byte for
 * each ID, written by its owner only, so that nothing need be atomic between guests. All guests must
 * then do so, and no program may use these 64 KiB. A guest that dies stays on the roll: a ring to it
 * is ignored by the device as ever.
 */
#include <linux/errno.h>
#include <linux/io.h>
#include <linux/module.h>

#include "doorbell.h"

#define IVSHMEM_POSITION 8
#define IVSHMEM_DOORBELL 12 /* the peer's ID << 16 | vector */
#define IVSHMEM_REGISTERS 16
#define IVSHMEM_MEMORY 2 /* BAR */
#define IDS 65536

static bool roll;
module_param(roll, bool, 0444);
MODULE_PARM_DESC(roll, "ivshmem: keep a roll of peers in the last 64 KiB of the shared memory");

static int ivshmem_start(struct xsc_bell_hw *hw)
{
	const resource_size_t size = pci_resource_len(hw->pci, IVSHMEM_MEMORY);

	/*
	 * ivshmem-plain has the same ID, shared memory and no interrupts. Revision 0, of QEMU before 2.6,
	 * may not know its position yet.
	 */
	if (!hw->pci->msix_cap || hw->pci->revision < 1)
		return -ENODEV;
	hw->id = readl(hw->regs + IVSHMEM_POSITION);
	if (hw->id >= IDS)
		return -ENODEV;
	if (!roll)
		return 0;
	if (size < IDS) {
		pci_err(hw->pci, "xsc_doorbell: no room for a roll in the shared memory\n");
		return -ENOSPC;
	}
	hw->roll = pci_iomap_range(hw->pci, IVSHMEM_MEMORY, size - IDS, IDS);
	return hw->roll ? 0 : -ENOMEM;
}

static void ivshmem_stop(struct xsc_bell_hw *hw)
{
	if (hw->roll)
		pci_iounmap(hw->pci, hw->roll);
}

static void ivshmem_listed(struct xsc_bell_hw *hw, bool there)
{
	if (hw->roll)
		writeb(there, hw->roll + hw->id);
}

static long ivshmem_ring(struct xsc_bell_hw *hw, unsigned long id)
{
	if (id >= IDS || (hw->roll && id != hw->id && !readb(hw->roll + id)))
		return -ENXIO;
	writel((u32)id << 16, hw->regs + IVSHMEM_DOORBELL);
	return 0;
}

const struct xsc_bell_ops xsc_bell_ivshmem = {
	.irq_type = PCI_IRQ_MSIX,
	.regs_size = IVSHMEM_REGISTERS,
	.start = ivshmem_start,
	.stop = ivshmem_stop,
	.listed = ivshmem_listed,
	.ring = ivshmem_ring,
};
