/* SPDX-License-Identifier: MIT */
/*
 * xsc/uring.h - an io_uring as a shard's other source of work (xsc/shard.h)
 *
 *     io_uring_queue_init(64, &ring, 0);
 *     xsc_uring_open(&ring, &uring);
 *     config.ring = xsc_uring_of_shard(uring);      ... xsc_shard_create(&config, &shard) ...
 *
 *     in the body, which alone uses the ring:
 *         prepare, io_uring_submit(&ring);
 *         switch (xsc_shard_yield(self, &message, &fd, timeout_ns)) {
 *         case XSC_SHARD_DEVICE:
 *             while ((cqe = xsc_uring_next(uring))) {
 *                 ...
 *                 io_uring_cqe_seen(&ring, cqe);
 *             }
 *
 * A completion moves the tail of the ring's completion queue, which the shard watches beside its
 * mailbox: while it does, neither a message nor a completion takes a system call of the shard's. It
 * enters the kernel to sleep (io_uring_enter(2)), and there a completion or a message ends the
 * sleep: the sender of that message has the kernel put a completion of its own into the ring
 * (IORING_OP_MSG_RING), from a second ring that belongs to this object. Where the kernel refuses
 * that, the shard still has the message within a second: a sleep in the ring is never longer.
 *
 * A library of its own, libxsc-wait-uring, because it needs liburing; libxsc-wait does not. Linux
 * 5.18 or later. Functions are not thread-safe, but for what xsc_shard_send() does by itself.
 */
#ifndef XSC_URING_H
#define XSC_URING_H

#include <xsc/shard.h>

#ifdef __cplusplus
extern "C" {
#endif

struct io_uring; /* liburing's */
struct io_uring_cqe;
struct xsc_uring;

/* Completions with this user_data are wake-ups, and no business of the body's. */
#define XSC_URING_WAKE UINT64_C(0x7873632d77616b65)

/*
 * Makes *uring for a ring that has been set up, and stays where it is. Returns
 *   0         *uring is made;
 *   -EINVAL   NULL; or a ring whose tail moves only when its owner enters the kernel
 *             (IORING_SETUP_DEFER_TASKRUN, _COOP_TASKRUN, _IOPOLL);
 *   -ENOTSUP  a kernel without IORING_OP_MSG_RING (before Linux 5.18);
 *   -EBADF    a ring without a descriptor (IORING_SETUP_REGISTERED_FD_ONLY, or closed already);
 *   -ENOMEM; others: what io_uring_setup(2) said.
 */
XSC_API int xsc_uring_open(struct io_uring *ring, struct xsc_uring **uring);

/*
 * After the shard is destroyed. The ring is the caller's to exit, and ends when both are done: this
 * object has a descriptor of its own for it, so that the program may close its own (registered or
 * not). NULL: nothing.
 */
XSC_API void xsc_uring_close(struct xsc_uring *uring);

/* For struct xsc_shard_config, which copies it; it refers to *uring. Never NULL. */
XSC_API const struct xsc_shard_ring *xsc_uring_of_shard(const struct xsc_uring *uring);

/*
 * The next completion, wake-ups passed over, or NULL. To be marked as seen by io_uring_cqe_seen().
 * Enters the kernel only where completions did not fit into the queue.
 */
XSC_API struct io_uring_cqe *xsc_uring_next(struct xsc_uring *uring);

/* Wake-ups sent, each a system call of some sender's. Thread-safe. */
XSC_API uint64_t xsc_uring_wakes(const struct xsc_uring *uring);

#ifdef __cplusplus
}
#endif

#endif /* XSC_URING_H */
