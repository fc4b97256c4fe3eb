/* SPDX-License-Identifier: MIT */
/*
 * Shards. The public side is xsc/shard.h.
 *
 * THE RING. Cells in lines of their own; position p is in cell p modulo the capacity N (2 or more).
 * A cell's `seq`, 32 bits of a position, says what may be done with it:
 *
 *     p        free: position p may be taken
 *     p + 1    holds the message of position p
 *     p + N    received: free for position p + N, and so on
 *     p + MARK closed, and p is where it ends: MARK is 2^31, N at most 2^24, so no other p means it
 *
 *     sender                                         shard, at position h
 *     S1  t = tail; not OPEN: -EPIPE                 R1  seq of cell h is h + 1 (acquire)
 *     S2  seq of cell t: t - N + 1: full             R2  copy out
 *     S3  tail: t -> t + 1 (compare-and-swap)        R3  seq = h + N (release); h += 1
 *     S4  copy in; seq = t + 1 (release)             R4  room: broadcast
 *     S5  wake
 *
 * S3 gives each position to one sender; S2's acquire pairs with R3, so the shard is done with what
 * S4 overwrites. R1's acquire pairs with S4. So each message is received once, and whole. The tail
 * has 63 bits, which never come round; a sender that loaded t and slept while seq came round to the
 * same 32 bits fails at S3.
 *
 * WAKING WITHOUT DESCRIPTORS. The shard parks for seq of cell h to be anything but h, and S5 is an
 * unpark of the cell's own seq: why that loses nothing is in user/park.c. Only the sender of position
 * h unparks the word that the shard is parked for, so one message costs one wake at most, however
 * many are sent meanwhile. A sender that has lost its CPU between S4 and S5 may make its wake when
 * the shard has long had the message and is parked for the same cell, a round later: it looks, and
 * sleeps again. So do cells that share a bucket of xsc_parked[].
 *
 * WAKING WITH DESCRIPTORS, OR A RING, whose own wait and wake are P4 and W4's then. `awake` takes the
 * place of xsc_parked[]: FENCED as there, ASLEEP for the one that may sleep.
 *
 *     sender                                         shard
 *     S4  seq = t + 1                                P1  awake |= ASLEEP (atomic)
 *     --  compiler barrier                           P2  P1 found FENCED: fence, else membarrier()
 *     W2  awake is 0: done                           P3  seq of cell h is not h: P5
 *     W3  fence; no ASLEEP in awake: done            P4  epoll_wait
 *     W4  awake: ASLEEP off (atomic); was on: ring   P5  awake: ASLEEP off
 *
 * That W2 or W3 sees P1, or P3 sees S4, is the argument of user/park.c, word for word. The sender
 * that takes ASLEEP off rings, so it is one ring a sleep. A sender that finds it off, though the
 * shard sleeps, comes after another's W4: the ring of that one is made or about to be, it ends P4,
 * now or, because an edge is kept, when P4 comes to it; then the shard looks (R1), and goes through
 * P1 to P3 again before it sleeps: its W2 was earlier than that P1, so that P3 sees its S4. A ring
 * for a shard that has left by P5 ends its next P4 for nothing. Without membarrier P4 lasts
 * XSC_SETTLE_NS at most, and where it did, with ASLEEP on throughout, P5 sets FENCED in the same
 * atomic operation: WITHOUT MEMBARRIER in user/park.c. Only the shard sets ASLEEP, so if P5 finds
 * it on, no sender has taken it off since P1.
 *
 * THE END. It is position T, where the tail was when OPEN was taken off it: no position from T on is
 * ever given out, and the positions before T are, each to a sender that will do S4. So the shard has
 * received all there is when it has come to T. That it hears of it, when it waits at T:
 *
 *     stop                                           shard
 *     E1  tail: OPEN off (atomic)                    R3  seq of cell T = T (as T - N was received)
 *     E2  closed = 1 (atomic); fence                 ... comes to h = T, no message
 *     E3  seq of cell T: T -> T + MARK               F1  fence; closed? T is h: the end
 *         (compare-and-swap); done: wake             F2  wait for seq of cell T not to be T
 *
 * E2 and E3, R3 and F1: the litmus of user/park.c again, with a fence on either side. E2's own order
 * is no such fence: an E3 that fails is a load of another object, with the failure order alone
 * (litmus/c11/SHARD-end-unfenced-control). If E3 does not find T there, it missed R3, and so F1 sees
 * E2. If it does, F2 ends by it.
 *
 * ROOM. Senders with a timeout wait for it in an event, whose condition is "S2 would not find it
 * full, or closed": made true by R3 and by E1, followed by a broadcast each.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>

#include <xsc/cas.h>
#include <xsc/event.h>
#include <xsc/shard.h>

#include "core/port.h"
#include "core/watch.h"
#include "user/barrier.h"
#include "user/costs.h"
#include "user/park.h"
#include "user/shard.h"

#define OPEN (1ull << 63)
#define MARK (1u << 31)

#define FENCED 1u
#define ASLEEP 2u

#define LOOK_EVERY 256u /* messages, with descriptors attached */

/* With descriptors: after so many consecutive unsuccessful watches, one wait in so many watches. */
#define IN_VAIN 4u
#define AGAIN_EVERY 16u

#define MESSAGE_MAX 65536u
#define CAPACITY_MAX (1u << 24)
#define LINE 64u /* a message and its seq in one, if they fit */
#define APART __attribute__((aligned(128)))

struct cell {
    uint32_t seq;
    uint32_t unused;
    unsigned char message[];
};

struct xsc_shard {
    /* Written by create only. */
    char *cells; /* NULL: this is a child after fork() */
    uint64_t capacity;
    size_t stride, size, memory;
    uint32_t devices;
    struct xsc_poll poll;
    struct xsc_shard_ring ring; /* or what stands for the descriptors; wait NULL: neither */

    APART uint64_t tail; /* positions given out, and OPEN */
    APART uint32_t awake;
    uint32_t closed;
    APART struct xsc_event room;
    APART uint64_t full, wakes; /* counts by senders */

    /* The shard's own; read by the statistics. */
    APART uint64_t head;
    uint64_t parks, looks, ready;
    uint32_t unlooked; /* messages since the last look */
    uint32_t vain;     /* waits since a watch saw a message */
    struct xsc_site site;
    struct xsc_affinity before; /* where its thread could run before; too large for a stack */

    APART uint32_t running;
};

_Static_assert(sizeof(struct xsc_shard) % 128 == 0, "cells begin on a line of their own");

static _Thread_local struct xsc_shard *self; /* what this thread runs */

static struct cell *cell_of(const struct xsc_shard *s, uint64_t position)
{
    return (struct cell *)(void *)(s->cells + (position & (s->capacity - 1)) * s->stride);
}

/* A count with one writer. */
static void count(uint64_t *n)
{
    __atomic_store_n(n, __atomic_load_n(n, __ATOMIC_RELAXED) + 1, __ATOMIC_RELAXED);
}

static uint64_t deadline_of(uint64_t timeout_ns)
{
    if (timeout_ns == XSC_FOREVER) {
        return XSC_FOREVER;
    }
    const uint64_t now_ns = xsc_port_now_ns();

    return timeout_ns < XSC_FOREVER - now_ns ? now_ns + timeout_ns : XSC_FOREVER;
}

/* 0 once the deadline has passed. */
static uint64_t left_until(uint64_t deadline_ns)
{
    if (deadline_ns == XSC_FOREVER) {
        return XSC_FOREVER;
    }
    const uint64_t now_ns = xsc_port_now_ns();

    return now_ns < deadline_ns ? deadline_ns - now_ns : 0;
}

/* Watches for as long as leaving the CPU costs. */
static bool watch_first(const struct xsc_watch *watches, size_t n, uint64_t left_ns)
{
    struct xsc_costs costs;

    xsc_costs_read(&costs);
    return xsc_wait_any(watches, n,
                        costs.park_latency_ns < left_ns ? costs.park_latency_ns : left_ns) >= 0;
}

/* ------------------------------------------------------------------------ create, destroy ---- */

static bool valid(const struct xsc_shard_config *c)
{
    return c && c->size == sizeof(*c) && c->message_size && c->message_size <= MESSAGE_MAX &&
           c->capacity && c->capacity <= CAPACITY_MAX && c->devices <= 1 && !c->reserved &&
           (!c->ring || (!c->devices && c->ring->tail && c->ring->wait && c->ring->wake));
}

int xsc_shard_create(const struct xsc_shard_config *config, struct xsc_shard **shard)
{
    if (!valid(config) || !shard) {
        return -EINVAL;
    }
    const uint64_t stride = (sizeof(struct cell) + config->message_size + LINE - 1) / LINE * LINE;
    uint64_t capacity = 2;

    while (capacity < config->capacity) {
        capacity *= 2;
    }
    const uint64_t memory = sizeof(struct xsc_shard) + capacity * stride;
    struct xsc_shard *s = memory <= SIZE_MAX ? xsc_shard_map((size_t)memory) : NULL;

    if (!s) {
        return -ENOMEM;
    }
    s->devices = config->devices;
    if (s->devices) {
        const int err = xsc_poll_open(&s->poll);

        if (err) {
            xsc_shard_unmap(s, (size_t)memory);
            return err;
        }
        s->ring = (struct xsc_shard_ring){NULL, xsc_poll_wait, xsc_poll_ring, &s->poll};
    } else if (config->ring) {
        s->ring = *config->ring;
    }
    s->cells = (char *)(s + 1);
    s->capacity = capacity;
    s->stride = (size_t)stride;
    s->size = config->message_size;
    s->memory = (size_t)memory;
    for (uint64_t p = 0; p < capacity; p++) {
        cell_of(s, p)->seq = (uint32_t)p;
    }
    __atomic_store_n(&s->tail, OPEN, __ATOMIC_RELEASE);
    *shard = s;
    return 0;
}

static uint64_t left_behind(const struct xsc_shard *s)
{
    return (__atomic_load_n(&s->tail, __ATOMIC_ACQUIRE) & ~OPEN) -
           __atomic_load_n(&s->head, __ATOMIC_RELAXED);
}

int xsc_shard_destroy(struct xsc_shard *shard)
{
    if (!shard) {
        return -EINVAL;
    }
    if (!shard->cells) { /* the parent's; its descriptors and its pages go with this process */
        return -EBUSY;
    }
    if (__atomic_load_n(&shard->running, __ATOMIC_ACQUIRE) ||
        __atomic_load_n(&shard->tail, __ATOMIC_ACQUIRE) & OPEN) {
        return -EBUSY;
    }
    const uint64_t left = left_behind(shard);

    if (shard->devices) {
        xsc_poll_close(&shard->poll);
    }
    xsc_shard_unmap(shard, shard->memory);
    return left < INT_MAX ? (int)left : INT_MAX;
}

/* --------------------------------------------------------------------------------- waking ---- */

/* W2 to W4. */
static bool ring(struct xsc_shard *s)
{
    __asm__ __volatile__("" ::: "memory");
    if (!__atomic_load_n(&s->awake, __ATOMIC_RELAXED) || !(xsc_fence_load(&s->awake) & ASLEEP) ||
        !(__atomic_fetch_and(&s->awake, ~ASLEEP, __ATOMIC_SEQ_CST) & ASLEEP)) {
        return false;
    }
    s->ring.wake(s->ring.arg);
    return true;
}

static void wake(struct xsc_shard *s, const struct cell *cell)
{
    if (s->ring.wait ? ring(s) : xsc_unpark_told(&cell->seq)) {
        __atomic_fetch_add(&s->wakes, 1, __ATOMIC_RELAXED);
    }
}

/* -------------------------------------------------------------------------------- sending ---- */

int xsc_shard_stop(struct xsc_shard *shard)
{
    if (!shard) {
        return -EINVAL;
    }
    const uint64_t tail = __atomic_fetch_and(&shard->tail, ~OPEN, __ATOMIC_SEQ_CST); /* E1 */

    if (!(tail & OPEN)) {
        return 0;
    }
    struct cell *cell = cell_of(shard, tail & ~OPEN);
    uint32_t seq = (uint32_t)tail;

    __atomic_fetch_or(&shard->closed, 1, __ATOMIC_SEQ_CST); /* E2 */
    xsc_fence();
    if (__atomic_compare_exchange_n(&cell->seq, &seq, seq + MARK, false, XSC_CAS_SEQ_CST)) {
        wake(shard, cell);
    }
    xsc_event_broadcast(&shard->room);
    return 0;
}

/* S1 to S5. -EAGAIN: full; then *full is the cell that must be free first, and its seq. */
static int try_send(struct xsc_shard *s, const void *message, struct xsc_watch *full)
{
    uint64_t tail = __atomic_load_n(&s->tail, __ATOMIC_RELAXED);

    while (tail & OPEN) {
        struct cell *cell = cell_of(s, tail & ~OPEN);
        const uint32_t seq = __atomic_load_n(&cell->seq, __ATOMIC_ACQUIRE);

        if (seq == (uint32_t)tail) {
            if (__atomic_compare_exchange_n(&s->tail, &tail, tail + 1, false, __ATOMIC_RELAXED,
                                            __ATOMIC_RELAXED)) {
                memcpy(cell->message, message, s->size);
                __atomic_store_n(&cell->seq, (uint32_t)tail + 1, __ATOMIC_RELEASE);
                wake(s, cell);
                return 0;
            }
            continue;
        }
        const uint64_t now = __atomic_load_n(&s->tail, __ATOMIC_RELAXED);

        if (now == tail) { /* not taken by another meanwhile, so seq is of the round before */
            *full = (struct xsc_watch){&cell->seq, seq, UINT32_MAX, sizeof(seq), XSC_UNTIL_NOT};
            return -EAGAIN;
        }
        tail = now;
    }
    return -EPIPE;
}

int xsc_shard_send(struct xsc_shard *shard, const void *message)
{
    struct xsc_watch full;

    if (!shard || !message) {
        return -EINVAL;
    }
    const int err = try_send(shard, message, &full);

    if (err == -EAGAIN) {
        __atomic_fetch_add(&shard->full, 1, __ATOMIC_RELAXED);
    }
    return err;
}

int xsc_shard_send_for(struct xsc_shard *shard, const void *message, uint64_t timeout_ns)
{
    int err = xsc_shard_send(shard, message);

    if (err != -EAGAIN) {
        return err;
    }
    if (!timeout_ns) {
        return -ETIMEDOUT;
    }
    if (self == shard) {
        return -EDEADLK;
    }
    const uint64_t deadline_ns = deadline_of(timeout_ns);
    struct xsc_watch full;

    while ((err = try_send(shard, message, &full)) == -EAGAIN) {
        const uint64_t left_ns = left_until(deadline_ns);

        if (!left_ns) {
            return -ETIMEDOUT;
        }
        if (watch_first(&full, 1, left_ns)) {
            continue;
        }
        const uint32_t key = xsc_event_prepare(&shard->room);

        err = try_send(shard, message, &full);
        if (err != -EAGAIN) {
            xsc_event_cancel(&shard->room, key);
            return err;
        }
        xsc_event_wait(&shard->room, key, left_until(deadline_ns));
    }
    return err;
}

/* ------------------------------------------------------------------------------ receiving ---- */

/* R1 to R4. 0: nothing there. */
static int take(struct xsc_shard *s, void *message)
{
    const uint64_t head = s->head;
    struct cell *cell = cell_of(s, head);
    const uint32_t seq = __atomic_load_n(&cell->seq, __ATOMIC_ACQUIRE);

    if (seq == (uint32_t)head + 1) {
        memcpy(message, cell->message, s->size);
        __atomic_store_n(&cell->seq, (uint32_t)(head + s->capacity), __ATOMIC_RELEASE);
        __atomic_store_n(&s->head, head + 1, __ATOMIC_RELAXED);
        xsc_event_broadcast(&s->room);
        return XSC_SHARD_MESSAGE;
    }
    return seq == (uint32_t)head + MARK ? XSC_SHARD_STOP : 0;
}

/* F1. */
static bool at_the_end(struct xsc_shard *s)
{
    return xsc_fence_load(&s->closed) && __atomic_load_n(&s->tail, __ATOMIC_ACQUIRE) == s->head;
}

static bool look(struct xsc_shard *s, int *fd)
{
    s->unlooked = 0;
    if (s->devices) {
        count(&s->looks);
    }
    *fd = s->ring.wait(s->ring.arg, 0);
    return *fd >= 0;
}

/* P2. False: a sender may miss that we sleep, and we its message. */
static bool reach_senders(uint32_t before)
{
    if (!(before & FENCED) && xsc_park_in_force() == XSC_PARK_ASYMMETRIC) {
        return xsc_barrier_heavy(false);
    }
    xsc_fence();
    return before & FENCED;
}

/* P5. settled: a P4 that was to end at settled_ns has lasted until then. */
static void get_up(struct xsc_shard *s, bool settled)
{
    uint32_t asleep = ASLEEP;

    if (!settled ||
        !__atomic_compare_exchange_n(&s->awake, &asleep, FENCED, false, XSC_CAS_SEQ_CST)) {
        __atomic_fetch_and(&s->awake, ~ASLEEP, __ATOMIC_RELEASE);
    }
}

/* P1 to P5. */
static bool sleep_at_bell(struct xsc_shard *s, const struct xsc_watch *watch, uint64_t deadline_ns,
                          int *fd)
{
    s->unlooked = 0;
    xsc_barrier_decide(XSC_PARK_AUTO);
    const bool reached = reach_senders(__atomic_fetch_or(&s->awake, ASLEEP, __ATOMIC_SEQ_CST));
    const uint64_t settled_ns = reached ? XSC_FOREVER : xsc_next_look(XSC_FOREVER, XSC_SETTLE_NS);

    count(&s->parks); /* a thread that sees this count sees ASLEEP */
    *fd = -1;
    if (!xsc_watch_met(watch)) {
        *fd = s->ring.wait(s->ring.arg, settled_ns < deadline_ns ? settled_ns : deadline_ns);
    }
    get_up(s, !reached && xsc_port_now_ns() >= settled_ns);
    return *fd >= 0;
}

/* Not where messages come too rarely for that, or only descriptors, noticed when it is over. */
static bool watch_if_worth_it(struct xsc_shard *s, const struct xsc_watch *watches,
                              uint64_t left_ns)
{
    const uint32_t n = s->vain++;

    if (n >= IN_VAIN && n % AGAIN_EVERY) {
        return xsc_watch_met(watches);
    }
    if (!watch_first(watches, s->ring.tail ? 2 : 1, left_ns)) {
        return false;
    }
    s->vain = 0;
    return true;
}

/* For messages and descriptors. */
static int wait_for_both(struct xsc_shard *s, const struct xsc_watch *watch, void *message, int *fd,
                         uint64_t timeout_ns)
{
    const uint64_t deadline_ns = deadline_of(timeout_ns);
    struct xsc_watch watches[2] = {*watch, XSC_WATCH(s->ring.tail, 0)};

    if (!timeout_ns && look(s, fd)) {
        return XSC_SHARD_DEVICE;
    }
    for (;;) {
        const uint64_t left_ns = left_until(deadline_ns);

        if (s->ring
                .tail) { /* what comes after this load is seen by the watch, before it by look() */
            watches[1].value = __atomic_load_n(s->ring.tail, __ATOMIC_ACQUIRE);
            if (look(s, fd)) {
                return XSC_SHARD_DEVICE;
            }
        }
        if (left_ns && !watch_if_worth_it(s, watches, left_ns) &&
            sleep_at_bell(s, watch, deadline_ns, fd)) {
            return XSC_SHARD_DEVICE;
        }
        const int why = take(s, message);

        if (why || !left_ns) {
            return why ? why : XSC_SHARD_TIMEOUT;
        }
    }
}

static int wait_here(struct xsc_shard *s, void *message, int *fd, uint64_t timeout_ns)
{
    const struct xsc_watch watch = {&cell_of(s, s->head)->seq, (uint32_t)s->head, UINT32_MAX,
                                    sizeof(uint32_t), XSC_UNTIL_NOT};

    if (at_the_end(s)) {
        return XSC_SHARD_STOP;
    }
    if (s->ring.wait) {
        const int why = wait_for_both(s, &watch, message, fd, timeout_ns);

        if (why == XSC_SHARD_DEVICE) {
            count(&s->ready);
        }
        return why;
    }
    if (timeout_ns && !xsc_park_told(&s->site, &watch, timeout_ns, &s->parks)) {
        return take(s, message);
    }
    return XSC_SHARD_TIMEOUT;
}

int xsc_shard_yield(struct xsc_shard *shard, void *message, int *fd, uint64_t timeout_ns)
{
    if (!shard || !message || (shard->ring.wait && !fd)) {
        return -EINVAL;
    }
    if (self != shard) {
        return -EPERM;
    }
    if (!shard->cells) {
        return -EPIPE;
    }
    if (shard->ring.wait && ++shard->unlooked >= LOOK_EVERY && look(shard, fd)) {
        count(&shard->ready);
        return XSC_SHARD_DEVICE;
    }
    const int why = take(shard, message);

    return why ? why : wait_here(shard, message, fd, timeout_ns);
}

int xsc_shard_run(struct xsc_shard *shard, int cpu, int (*body)(struct xsc_shard *shard, void *arg),
                  void *arg)
{
    if (!shard || !body || cpu < -1) {
        return -EINVAL;
    }
    if (!shard->cells) {
        return -EPIPE;
    }
    if (self || __atomic_exchange_n(&shard->running, 1, __ATOMIC_ACQUIRE)) {
        return -EBUSY;
    }
    int end = xsc_shard_pin(cpu, &shard->before);

    if (!end) {
        self = shard;
        end = body(shard, arg);
        self = NULL;
        xsc_shard_stop(shard);
        xsc_shard_unpin(&shard->before);
        if (end >= 0 && shard->cells && left_behind(shard)) {
            end = -ENOTEMPTY;
        }
    }
    __atomic_store_n(&shard->running, 0, __ATOMIC_RELEASE);
    return end;
}

/* ----------------------------------------------------------------- descriptors, statistics ---- */

int xsc_shard_attach(struct xsc_shard *shard, int fd, uint32_t events)
{
    return shard && shard->devices ? xsc_poll_add(&shard->poll, fd, events) : -EINVAL;
}

int xsc_shard_detach(struct xsc_shard *shard, int fd)
{
    return shard && shard->devices ? xsc_poll_remove(&shard->poll, fd) : -EINVAL;
}

int xsc_shard_stats_read(const struct xsc_shard *shard, struct xsc_shard_stats *out, size_t size)
{
    if (!shard || !out || size > sizeof(*out)) {
        return -EINVAL;
    }
    const struct xsc_shard_stats now = {
        .delivered = __atomic_load_n(&shard->head, __ATOMIC_RELAXED),
        .accepted = __atomic_load_n(&shard->tail, __ATOMIC_ACQUIRE) & ~OPEN,
        .full = __atomic_load_n(&shard->full, __ATOMIC_RELAXED),
        .parks = __atomic_load_n(&shard->parks, __ATOMIC_RELAXED),
        .wakes = __atomic_load_n(&shard->wakes, __ATOMIC_RELAXED),
        .looks = __atomic_load_n(&shard->looks, __ATOMIC_RELAXED),
        .devices = __atomic_load_n(&shard->ready, __ATOMIC_RELAXED),
    };

    memcpy(out, &now, size);
    return 0;
}
