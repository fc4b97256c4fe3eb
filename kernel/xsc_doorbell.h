/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * xsc_doorbell.h - /dev/xsc-doorbellN, as programs see it
 *
 * read() gives a u64, the interrupts since this file's last read or its opening, and sleeps while
 * there are none: EAGAIN with O_NONBLOCK, EINVAL for fewer than 8 bytes, ENODEV once the device is
 * gone. Rings that come faster than interrupts are served merge into one: a count may be less than
 * the rings were, but after the last ring there always is an interrupt still to be read of.
 * poll() shows POLLIN where read() would not sleep, and POLLHUP once the device is gone. Any number
 * of openers, each with a count of its own.
 */
#ifndef XSC_DOORBELL_H
#define XSC_DOORBELL_H

#include <linux/ioctl.h>
#include <linux/types.h>

enum xsc_doorbell_state {
	XSC_DOORBELL_DISCOVERED,
	XSC_DOORBELL_TRIAL,
	XSC_DOORBELL_STEADY, /* all rings of its trial arrived */
	XSC_DOORBELL_FAILED, /* some didn't: it rings no more */
};

struct xsc_doorbell_info {
	__u32 state;	   /* enum xsc_doorbell_state */
	__u32 trial_rings; /* rung in the trial */
	__u32 trial_lost;  /* ... and not heard within a second */
	__u32 reserved;	   /* 0 */
	__u64 min_ns;	   /* from ring to interrupt, in the trial; 0 where none arrived */
	__u64 max_ns;
	__u64 interrupts; /* since the device was found */
};

/* Rings. The argument is the peer, by value: 0, oneself; ENXIO for another. EIO: not STEADY. */
#define XSC_DOORBELL_RING _IO('X', 0xd0)
#define XSC_DOORBELL_INFO _IOR('X', 0xd1, struct xsc_doorbell_info)

/*
 * Rings the device with this ID, by value; one's own is as good as any. EIO as above. ENXIO for an ID
 * that can't be, or that is known not to be there: of ivshmem's peers that is known only with the
 * module's parameter roll=1, else a ring to an absent one comes to nothing.
 */
#define XSC_DOORBELL_RING_PEER _IO('X', 0xd2)

/* Returns the device's own ID among its peers, 0 to 65535; 0 where it can have none. */
#define XSC_DOORBELL_ID _IO('X', 0xd3)

#endif /* XSC_DOORBELL_H */
