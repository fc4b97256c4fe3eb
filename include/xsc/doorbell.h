/* SPDX-License-Identifier: MIT */
/*
 * xsc/doorbell.h - wait for a word of memory to change, and let an interrupt end the wait
 *
 *     waiter                                              writer
 *     xsc_doorbell_open(&bell, "/dev/xsc-doorbell0");
 *     xsc_doorbell_try(&bell, XSC_BELL_TRIAL_RINGS);
 *     ...                                                 fill the slot;
 *     xsc_doorbell_wait_u32(&bell, &ring->tail, seen,     store(&ring->tail, t + 1, release);
 *                           XSC_FOREVER);                 xsc_doorbell_ring(&bell, 0);
 *
 * A doorbell is a register whose write raises an interrupt: /dev/xsc-doorbellN, of the module
 * xsc_doorbell.ko (xsc-doorbell(4)). The software doorbell, path NULL, is an eventfd(2) and needs
 * neither device nor permission; all else is the same.
 *
 * HOW IT WAITS. The word is watched as a park would (xsc/park.h), for as long as earlier waits for
 * it have taught. Then the thread sleeps in the kernel until the bell rings, and looks again. It
 * looks once a second in any case: a writer that was killed between its store and its ring costs a
 * second.
 *
 * NOT BEFORE IT HAS PROVED ITSELF. A bell is DISCOVERED when it is opened, and STEADY after a trial
 * in which no ring was lost. Only a STEADY one is slept on. Any other is FAILED with a reason, or
 * not tried yet, and a wait on it is xsc_wait(): the word is watched by the best mechanism of this
 * machine, and nothing needs to ring. A STEADY bell whose device goes away, or that is found to
 * have lost a ring made by this process, is FAILED from then on, and waits go on without it.
 *
 * SEVERAL WAITERS. Any number of threads may wait on one bell, for words of their own; each ring
 * ends the sleep of all of them, and those whose word has not changed sleep again. No waiter takes
 * a ring from another, because none reads the descriptor: each sleeper listens for edges of its
 * own. Why no ring is lost, also one that is made before the sleep, is in user/doorbell.c.
 *
 * PROCESSES. A child after fork() has a copy of the bell, which rings and listens to the same
 * descriptor: words in shared memory may be waited for. Each process closes its own copy.
 *
 * WHEN IT MAY BE FREED. When xsc_doorbell_close() has returned and no thread is in a call for it or
 * will make one. close may be called while others wait (see there); a ring after that is refused, as
 * long as the struct's memory is there. The word that was waited for is never touched by a ring.
 *
 * Thread-safe. ring and wait are safe in signal handlers. errno is left alone; no allocation; no
 * cancellation points. On a system that is not Linux open is -ENOTSUP, and a wait watches.
 */
#ifndef XSC_DOORBELL_USER_H
#define XSC_DOORBELL_USER_H

#include <xsc/wait.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Other names than those of the driver's xsc_doorbell.h, so that a program may include both. */
enum xsc_bell_state {
    XSC_BELL_CLOSED = 0,
    XSC_BELL_DISCOVERED = 1, /* open, not tried */
    XSC_BELL_TRIAL = 2,      /* being tried */
    XSC_BELL_STEADY = 3,     /* every ring of its trial was heard */
    XSC_BELL_FAILED = 4,     /* xsc_doorbell_read() says why */
};

/* The library's; all zeroes is a closed one. Not to be copied, but by fork(). */
struct xsc_doorbell {
    uint32_t state;  /* enum xsc_bell_state */
    uint32_t inside; /* threads in a call for it */
    int32_t fd;
    uint32_t device; /* 0: software */
    uint32_t reason;
    uint32_t trial_rings, trial_lost;
    uint32_t reserved;
    uint64_t min_ns, max_ns;
    uint64_t begun, done; /* rings by this process */
    uint64_t spare;       /* what its last sleeper listened with, and whose that is */
};

/*
 * Opens the doorbell `path`, or makes a software one: path NULL. *bell is DISCOVERED and returns 0;
 * or what open(2) or eventfd(2) said (-ENOENT: no such doorbell; -EACCES: no permission), -ENOTSUP:
 * a system that is not Linux; then *bell is FAILED: waits on it watch, and it may be closed.
 * -EINVAL: bell is NULL. No other thread may use *bell meanwhile; it must not be open.
 */
XSC_API int xsc_doorbell_open(struct xsc_doorbell *bell, const char *path);

#define XSC_BELL_TRIAL_RINGS 100u

/*
 * The trial: rings, of which there must be XSC_BELL_TRIAL_RINGS at least, one after the other, each
 * to be heard within a second. Takes as long as they do; no other thread or peer should ring
 * meanwhile. Returns
 *   0        STEADY;
 *   -EIO     FAILED: a ring was not heard;
 *   -EINVAL  too few rings, or NULL;
 *   -EBUSY   another thread is trying it;
 *   -EPIPE   closed;
 *   others   FAILED: it can't be rung or listened to, and what the system said.
 * A FAILED one may be tried again.
 */
XSC_API int xsc_doorbell_try(struct xsc_doorbell *bell, uint32_t rings);

/*
 * Rings, whatever the bell's state: one system call. What was stored before is seen by those whose
 * sleep this ends. peer is 0, the bell itself: those of a device of several guests are rung by
 * ioctl(2) on the report's fd (XSC_DOORBELL_RING_PEER of xsc-doorbell(4)). Returns 0, -EPIPE:
 * closed, -ENXIO: another peer, -EIO: refused by the driver, -ENODEV: the device is gone, -EBADF:
 * was not opened, -EINVAL: NULL.
 */
XSC_API int xsc_doorbell_ring(struct xsc_doorbell *bell, uint32_t peer);

/*
 * Waits for the watch's condition. Returns
 *   0           it held of a value loaded with acquire ordering;
 *   -ETIMEDOUT  not before timeout_ns of CLOCK_MONOTONIC have passed (0 looks once, XSC_FOREVER has
 *               no end);
 *   -EPIPE      the bell is closed, or was closed meanwhile;
 *   -EINVAL     NULL, or a watch that makes no sense (xsc/wait.h).
 */
XSC_API int xsc_doorbell_wait(struct xsc_doorbell *bell, const struct xsc_watch *watch,
                              uint64_t timeout_ns);

/*
 * Ends the waits on the bell (-EPIPE), at the latest a second later, and closes it when the last
 * has left. Not from a signal handler. Returns 0, -EPIPE: it is closed, -EINVAL: NULL.
 */
XSC_API int xsc_doorbell_close(struct xsc_doorbell *bell);

struct xsc_doorbell_report {
    uint32_t state;       /* enum xsc_bell_state */
    int32_t fd;           /* for an edge-triggered epoll(7) of one's own. Not to be read from. */
    uint32_t trial_rings; /* of the last trial: made, */
    uint32_t trial_lost;  /* and not heard */
    uint64_t min_ns;      /* from the call that rings to its being heard by the same thread; */
    uint64_t max_ns;      /* 0 where none was */
    uint64_t rings;       /* by this process, those of trials not counted */
    char reason[64];      /* why it is in that state, for people */
};

/*
 * Fills in *out, of which the caller's header knows `size` bytes. Returns 0 or -EINVAL. Each
 * figure is right, all of them together only while no thread uses the bell.
 */
XSC_API int xsc_doorbell_read(const struct xsc_doorbell *bell, struct xsc_doorbell_report *out,
                              size_t size);

/* xsc_doorbell_wait() until *word != old. */
static inline int xsc_doorbell_wait_u32(struct xsc_doorbell *bell, const volatile uint32_t *word,
                                        uint32_t old, uint64_t timeout_ns)
{
    const struct xsc_watch watch = {word, old, UINT32_MAX, sizeof(*word), XSC_UNTIL_NOT};

    return xsc_doorbell_wait(bell, &watch, timeout_ns);
}

static inline int xsc_doorbell_wait_u64(struct xsc_doorbell *bell, const volatile uint64_t *word,
                                        uint64_t old, uint64_t timeout_ns)
{
    const struct xsc_watch watch = {word, old, UINT64_MAX, sizeof(*word), XSC_UNTIL_NOT};

    return xsc_doorbell_wait(bell, &watch, timeout_ns);
}

#ifdef __cplusplus
}
#endif

#endif /* XSC_DOORBELL_USER_H */
