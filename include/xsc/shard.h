/* SPDX-License-Identifier: MIT */
/*
 * xsc/shard.h - one thread, one mailbox: messages from many, devices, a deadline, in one wait
 *
 *     the shard's thread                                  any other thread
 *     xsc_shard_create(&config, &shard);
 *     xsc_shard_run(shard, cpu, body, arg);               xsc_shard_send(shard, &message);
 *
 *     static int body(struct xsc_shard *self, void *arg)
 *     {
 *         struct message m;
 *         int fd;
 *
 *         for (;;) {
 *             switch (xsc_shard_yield(self, &m, &fd, XSC_FOREVER)) {
 *             case XSC_SHARD_MESSAGE: handle(&m); break;
 *             case XSC_SHARD_DEVICE: serve(fd); break;
 *             case XSC_SHARD_STOP: return 0;
 *             }
 *         }
 *     }
 *
 * The library starts no threads: the one that calls xsc_shard_run() is the shard while that lasts.
 * A mailbox is a ring of messages of one size, copied in and copied out; its capacity and the size
 * are chosen at creation. Many threads send, the shard alone receives, in the order in which the
 * sends took their places.
 *
 * HOW A SHARD WAITS. It watches its mailbox as xsc_park() would: then a send is stores, and
 * no thread enters the kernel. After a while it leaves the CPU, and the send that it waits for
 * makes one system call to wake it (rarely another does too, for nothing: user/shard.c). With
 * descriptors (devices in the configuration), it watches for as long as leaving the CPU costs on
 * this machine and then sleeps in epoll_wait(2), where a device and a message wake it alike. No
 * word shows that a descriptor is ready: a shard that always finds messages looks at its
 * descriptors once in 256 of them, and one that watches sees them when it has watched long enough.
 * After four consecutive unsuccessful watches a shard watches only every 16th wait, until one sees
 * a message. A ring shows what has come in a word, which is watched beside the mailbox: it needs no
 * looks, and the shard enters the kernel to sleep only.
 *
 * NOTHING IS LOST. A send that returned 0 is delivered by a yield of the shard, also after
 * xsc_shard_stop(): yield gives XSC_SHARD_STOP only when every accepted message has been
 * delivered. What a body leaves behind is told by xsc_shard_run() and counted in the statistics,
 * accepted less delivered; another xsc_shard_run() can drain it. Why, is in user/shard.c.
 *
 * WHAT IS NOT PROMISED. A thread that is killed, or stopped for long, in the middle of a send holds
 * up the messages behind its own: a ring that keeps its order can't skip a place that was taken. A
 * signal handler may send, but not with a timeout. A body must return: a thread that leaves it by
 * pthread_exit() leaves an open mailbox that fills up, until a thread calls xsc_shard_stop().
 *
 * FORK. On Linux a child has no shards: to it every mailbox is closed (-EPIPE), so nothing is sent
 * to a copy that no thread reads. Other systems can't tell, and a child must not use its parent's.
 *
 * WHEN IT MAY BE DESTROYED. When no thread is in a call for it or will make one: no send, no stop, no
 * run. A late send or stop touches the shard, and is not harmless; a body's message that carries the
 * last reference is one way to know. What xsc_shard_send() was given may be freed when it returns.
 *
 * errno is left alone. No allocation but by create and attach. No cancellation points.
 */
#ifndef XSC_SHARD_H
#define XSC_SHARD_H

#include <xsc/wait.h>

#ifdef __cplusplus
extern "C" {
#endif

struct xsc_shard; /* the library's */

/*
 * A queue of the kernel's, or of the program's, whose arrivals show in a word: a shard with one
 * watches its tail beside the mailbox. <xsc/uring.h>, a library of its own, makes it of an
 * io_uring.
 */
struct xsc_shard_ring {
    const volatile uint32_t *tail; /* not what it was: something may have come */

    /*
     * By the shard's thread: 0 or more if there is something for the body, which is told that number
     * as *fd; else -1, once wake() was called (after or before: a call is kept for the next wait),
     * or for no reason, or at deadline_ns of CLOCK_MONOTONIC. 0: looks, and does not enter the
     * kernel for it; XSC_FOREVER: none.
     */
    int (*wait)(void *arg, uint64_t deadline_ns);
    void (*wake)(
        void *arg); /* by any thread, and by signal handlers that send; errno is left alone */
    void *arg;
};

struct xsc_shard_config {
    size_t size;           /* sizeof(struct xsc_shard_config), so that fields can be added */
    uint32_t message_size; /* bytes, 1 to 65536 */
    uint32_t capacity;     /* messages, 1 to 2^24; made a power of two, 2 or more */
    uint32_t devices;      /* 1: descriptors will be attached; 0: never */
    uint32_t reserved;     /* 0 */
    const struct xsc_shard_ring *ring; /* copied; NULL: none. Not with devices */
};

/*
 * Makes a shard with an open, empty mailbox. Returns
 *   0         *shard is it;
 *   -EINVAL   a NULL argument, or a configuration out of its ranges, or devices and a ring;
 *   -ENOMEM   no memory for the ring;
 *   -ENOTSUP  devices, on a system without epoll(7);
 *   others    what epoll_create1(2) or eventfd(2) said.
 * Thread-safe.
 */
XSC_API int xsc_shard_create(const struct xsc_shard_config *config, struct xsc_shard **shard);

/*
 * Frees a shard that is closed and that no thread uses any more, or will. Returns how many accepted
 * messages were not received, 0 as a rule, at most INT_MAX; -EBUSY where it runs or is open
 * (see xsc_shard_stop()); -EINVAL for NULL.
 */
XSC_API int xsc_shard_destroy(struct xsc_shard *shard);

/*
 * Makes the calling thread the shard and calls body(shard, arg): pinned to `cpu` meanwhile, or -1:
 * where it may run now. When body returns the mailbox is closed, if it was not before. Returns
 *   0 or more  what body returned, and nothing was left behind;
 *   -ENOTEMPTY accepted messages are left (body returned 0 or more): run it again to receive them,
 *              or destroy it, which discards them and returns how many;
 *   -EBUSY     another thread runs it, or the calling thread is a shard already;
 *   -EINVAL    NULL, or no such CPU; -ENOTSUP a CPU was asked for where none can be chosen;
 *   -EPIPE     in a child after fork();
 *   less than 0 otherwise: what body returned, or what sched_setaffinity(2) said.
 * So that a body's values can be told from these, let it return 0 or more, or one that run does
 * not.
 */
XSC_API int xsc_shard_run(struct xsc_shard *shard, int cpu,
                          int (*body)(struct xsc_shard *shard, void *arg), void *arg);

/*
 * Closes the mailbox: from now on sends return -EPIPE, senders that wait for room included, and
 * the shard receives what was accepted, then XSC_SHARD_STOP. Returns 0, also for a closed one;
 * -EINVAL for NULL. Does not wait. Thread-safe, and safe in signal handlers.
 */
XSC_API int xsc_shard_stop(struct xsc_shard *shard);

/*
 * Copies message_size bytes from message into the mailbox. Returns
 *   0        accepted: what was written before the call is seen after the yield that delivers it
 *            (release, acquire);
 *   -EAGAIN  the mailbox is full (xsc_shard_send() only);
 *   -ETIMEDOUT  it was full all the time, and timeout_ns of CLOCK_MONOTONIC have passed;
 *   -EPIPE   it is closed;
 *   -EDEADLK it is full and the caller's own: no other thread would make room;
 *   -EINVAL  a NULL argument.
 * Thread-safe; without a timeout safe in signal handlers too. A sender watches for room as long as
 * leaving the CPU costs, then leaves it. A timeout of 0 is xsc_shard_send() that says -ETIMEDOUT.
 */
XSC_API int xsc_shard_send(struct xsc_shard *shard, const void *message);
XSC_API int xsc_shard_send_for(struct xsc_shard *shard, const void *message, uint64_t timeout_ns);

/* Why a yield returned. */
enum xsc_shard_why {
    XSC_SHARD_MESSAGE = 1, /* message_size bytes are at *message */
    XSC_SHARD_DEVICE = 2,  /* *fd is ready, or was a moment ago: read it without blocking; or the
                              ring has something, and *fd is what its wait() returned */
    XSC_SHARD_TIMEOUT = 3, /* timeout_ns of CLOCK_MONOTONIC have passed, and there is no message */
    XSC_SHARD_STOP = 4,    /* closed, and every accepted message has been delivered */
};

/*
 * Called from the shard's body: waits for a message, a device, the deadline or the end. timeout_ns
 * 0 looks once, XSC_FOREVER has no deadline. fd may be NULL in a shard without devices and ring.
 * Returns enum xsc_shard_why; or -EINVAL for a NULL argument, -EPERM for a shard that the caller
 * does not run, -EPIPE in a child after fork().
 */
XSC_API int xsc_shard_yield(struct xsc_shard *shard, void *message, int *fd, uint64_t timeout_ns);

/*
 * Adds, removes a descriptor to be waited for: events are those of epoll_ctl(2), level-triggered
 * unless they say otherwise. By the shard's own thread, or before it runs. Detach before
 * close(2). Returns 0, -EINVAL for NULL or a shard without devices, or what epoll_ctl(2) said.
 */
XSC_API int xsc_shard_attach(struct xsc_shard *shard, int fd, uint32_t events);
XSC_API int xsc_shard_detach(struct xsc_shard *shard, int fd);

/* Counts since creation. accepted and delivered agree once a stop has been reported. */
struct xsc_shard_stats {
    uint64_t accepted;  /* messages taken by sends */
    uint64_t delivered; /* messages given by yields */
    uint64_t full;      /* sends that found no room */
    uint64_t parks;     /* times the shard left the CPU for want of anything to do */
    uint64_t wakes;     /* system calls made by sends and stops, to wake the shard */
    uint64_t looks;     /* system calls made to look at descriptors while there were messages, or
                           with no time to wait */
    uint64_t devices;   /* XSC_SHARD_DEVICE returned */
};

/*
 * Fills in *out, of which the caller's header knows `size` bytes. Kernel entries for a message are
 * (parks + wakes + looks) / delivered; a park is a sleep and what comes before it (the barrier of
 * xsc/park.h, a timer). Returns 0 or -EINVAL. Thread-safe; each count is right, all of them
 * together only while no thread sends.
 */
XSC_API int xsc_shard_stats_read(const struct xsc_shard *shard, struct xsc_shard_stats *out,
                                 size_t size);

#ifdef __cplusplus
}
#endif

#endif /* XSC_SHARD_H */
