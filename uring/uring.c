/* SPDX-License-Identifier: MIT */
/*
 * A shard's io_uring. The public side is xsc/uring.h, what the shard asks of it is in xsc/shard.h.
 *
 * WAKING. user/shard.c gives each sleep of the shard to one sender, which calls wake(). That has to
 * end the sleep, or the next one if it comes too early: a completion in the queue does, until
 * a thread takes it out. Only the shard's own thread does, in take_wakes(), called
 *
 *     by wait() before it sleeps: a wake-up found there is one for this sleep, or an old one; which
 *         it is is unknown, so wait() returns and the shard looks at its mailbox;
 *     by wait() after it slept, and returns;
 *     by wait() that only looks, and by xsc_uring_next(): outside of P1 to P5, hence when no sleep
 *         is on its way. The message of a wake-up taken here was sent before (its S4 before its
 *         wake()), and the shard looks once more (P3) before it sleeps.
 *
 * TWO AT A TIME. The wake-ups of two sleeps may be under way at once (the first one's sender has
 * lost its CPU), and a sender may be a signal handler in the midst of another wake-up of its own
 * thread. The second ring takes one at a time, and no sender may wait:
 *
 *     N1  n = calls += 1 (atomic); it was not 0: done, the sender that raised it from 0 does it
 *     N2  n = calls; MSG_RING
 *     N3  calls: n -> 0 (compare-and-swap); not n any more: N2
 *
 * A sender that leaves at N1 changed `calls` before the N3 that would end the work, so that fails,
 * and another MSG_RING follows its N1. N1 releases and N2 acquires, so what the caller stored comes
 * first. N3 releases, too: the next N1 that finds 0 uses the second ring after this use.
 *
 * A WAKE-UP THAT CAN'T BE SENT. It goes to a descriptor of our own, so that the program may close its
 * ring's (io_uring_close_ring_fd(3)). A full completion queue (EOVERFLOW) ends a sleep by itself. What
 * else may fail is the second ring, whose descriptor the program closed among others: then the
 * wake-up is sent from a third, made for it. If that fails as well, `unreached` says so, and from
 * then on the shard looks for itself each millisecond. The sleep it is in ends within a second: none
 * is longer. So no message stays for longer than that.
 */
#define _GNU_SOURCE
#include <xsc/uring.h>

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <xsc/cas.h>

#define NS_PER_S 1000000000u
#define LONGEST_NS NS_PER_S   /* then the shard looks for itself */
#define UNREACHED_NS 1000000u /* the same, where wake-ups can't be sent */

/* Not in the header of liburing 2.3. */
#if !defined(IORING_SETUP_DEFER_TASKRUN)
#define IORING_SETUP_DEFER_TASKRUN (1u << 13)
#endif

struct xsc_uring {
    struct io_uring *ring;
    struct xsc_shard_ring of_shard;
    struct io_uring bell; /* from which wake-ups are sent */
    int fd;               /* our own descriptor of the ring, */
    int number;           /* and the program's, which the body is told */
    uint32_t calls, unreached;
    uint64_t wakes;
};

/* ------------------------------------------------------------------------------- wake-ups ---- */

/* One MSG_RING from that ring. 0, or what the kernel has against it. */
static int send_from(struct io_uring *bell, int fd)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(bell);
    struct io_uring_cqe *cqe;
    int err;

    if (!sqe) { /* full of what could not be submitted */
        return -EIO;
    }
    io_uring_prep_msg_ring(sqe, fd, 0, XSC_URING_WAKE, 0);
    do { /* where it can't just now, it is asked again */
        err = io_uring_submit_and_wait(bell, 1);
    } while (err == -EINTR || err == -EAGAIN || err == -EBUSY || err == -ENOMEM);
    if (io_uring_peek_cqe(bell, &cqe)) {
        return err < 0 ? err : -EIO;
    }
    err = cqe->res;
    io_uring_cqe_seen(bell, cqe);
    return err == -EOVERFLOW ? 0 : err; /* a full queue ends the sleep */
}

static void send_wake(struct xsc_uring *u)
{
    struct io_uring third;
    int err = send_from(&u->bell, u->fd);

    if (err < 0 && !io_uring_queue_init(2, &third, 0)) {
        err = send_from(&third, u->fd);
        io_uring_queue_exit(&third);
    }
    if (err < 0) {
        __atomic_store_n(&u->unreached, 1, __ATOMIC_RELAXED);
    }
}

static void uring_wake(void *arg)
{
    struct xsc_uring *u = arg;
    const int saved = errno;

    if (__atomic_fetch_add(&u->calls, 1, __ATOMIC_ACQ_REL)) {
        return;
    }
    uint32_t n;

    do {
        n = __atomic_load_n(&u->calls, __ATOMIC_ACQUIRE);
        send_wake(u);
        __atomic_fetch_add(&u->wakes, 1, __ATOMIC_RELAXED);
    } while (!__atomic_compare_exchange_n(&u->calls, &n, 0, false, XSC_CAS_ACQ_REL));
    errno = saved;
}

/* The next completion that is none; *woken: there were some. */
static struct io_uring_cqe *take_wakes(struct xsc_uring *u, bool *woken)
{
    struct io_uring_cqe *cqe;

    while (!io_uring_peek_cqe(u->ring, &cqe) && cqe) {
        if (cqe->user_data != XSC_URING_WAKE) {
            return cqe;
        }
        io_uring_cqe_seen(u->ring, cqe);
        *woken = true;
    }
    return NULL;
}

/* -------------------------------------------------------------------------------- waiting ---- */

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static void sleep_until(struct xsc_uring *u, uint64_t deadline_ns)
{
    const uint64_t longest = __atomic_load_n(&u->unreached, __ATOMIC_RELAXED) ? UNREACHED_NS
                                                                              : LONGEST_NS;
    const uint64_t now = now_ns(), left = deadline_ns > now ? deadline_ns - now : 0;
    const uint64_t ns = left < longest ? left : longest;
    struct __kernel_timespec t = {.tv_sec = (int64_t)(ns / NS_PER_S),
                                  .tv_nsec = (long long)(ns % NS_PER_S)};
    struct io_uring_cqe *cqe;

    /* What was prepared and not submitted goes with it. */
    io_uring_submit_and_wait_timeout(u->ring, &cqe, 1, &t, NULL);
}

static int uring_wait(void *arg, uint64_t deadline_ns)
{
    struct xsc_uring *u = arg;
    const int saved = errno;
    bool woken = false;
    bool any = take_wakes(u, &woken);

    if (!any && !woken && deadline_ns) {
        sleep_until(u, deadline_ns);
        any = take_wakes(u, &woken);
    }
    errno = saved;
    return any ? u->number : -1;
}

/* ---------------------------------------------------------------------------- open, close ---- */

int xsc_uring_open(struct io_uring *ring, struct xsc_uring **uring)
{
    const unsigned refused = IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_COOP_TASKRUN |
                             IORING_SETUP_IOPOLL;

    if (!ring || !uring || ring->flags & refused) {
        return -EINVAL;
    }
    if (!(ring->features & IORING_FEAT_EXT_ARG)) {
        return -ENOTSUP; /* sleeping would need a place in the submission queue */
    }
    struct xsc_uring *u = calloc(1, sizeof(*u));

    if (!u) {
        return -ENOMEM;
    }
    u->number = ring->ring_fd;
    u->fd = fcntl(ring->ring_fd, F_DUPFD_CLOEXEC, 0);
    int err = u->fd >= 0 ? io_uring_queue_init(2, &u->bell, 0) : -errno;

    if (err) {
        if (u->fd >= 0) {
            close(u->fd);
        }
        free(u);
        return err;
    }
    u->ring = ring;
    u->of_shard = (struct xsc_shard_ring){ring->cq.ktail, uring_wait, uring_wake, u};
    /* Tried out: the operation's number says nothing on a kernel that does not know it. */
    if (send_from(&u->bell, u->fd) < 0) {
        xsc_uring_close(u);
        return -ENOTSUP;
    }
    *uring = u;
    return 0;
}

void xsc_uring_close(struct xsc_uring *uring)
{
    if (uring) {
        io_uring_queue_exit(&uring->bell);
        close(uring->fd);
        free(uring);
    }
}

const struct xsc_shard_ring *xsc_uring_of_shard(const struct xsc_uring *uring)
{
    return &uring->of_shard;
}

struct io_uring_cqe *xsc_uring_next(struct xsc_uring *uring)
{
    bool woken;

    return uring ? take_wakes(uring, &woken) : NULL;
}

uint64_t xsc_uring_wakes(const struct xsc_uring *uring)
{
    return __atomic_load_n(&uring->wakes, __ATOMIC_RELAXED);
}
