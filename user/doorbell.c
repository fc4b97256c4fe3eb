/* SPDX-License-Identifier: MIT */
/*
 * Doorbells in waits. The public side is xsc/doorbell.h.
 *
 * NO RING IS LOST.
 *
 *     writer                           waiter
 *     W1  store the word               L1  listen: a set of its own, edge-triggered
 *     W2  ring                         L2  load the word; met: out
 *                                      L3  wait for an event of the set; L2
 *
 * The kernel puts a ring into every set that listens, and keeps it there until that set's own L3
 * takes it. W2 after L1: it is in our set when we come to L3, or ends it; L2 follows, and sees W1.
 * W2 before L1: no thread reads the descriptor, so its count is not 0 (eventfd), or not what it was
 * at its opening (the driver), ever since the first ring. L1 finds that and puts it into the set:
 * the first L3 returns at once, for nothing as a rule, and L2 sees W1. So where it stands between
 * L1, L2 and L3 that a ring comes makes no difference. That L2 sees W1 when L3 has told of W2: the
 * ring and L1 or L3 take the same locks of the kernel, one after the other; for a device, writel()
 * comes after the stores before it, and the handler counts with release.
 *
 * SEVERAL WAITERS. What one takes out of its set is in all others still. With one count for all,
 * which the first reader clears, another that was woken might find nothing and sleep on: that is
 * why no waiter reads. The price is a set for each sleeper. One is kept for the next, so that a
 * bell with one waiter at a time makes it once; it has listened all the while, which is L1 done
 * early. A child after fork() has its parent's set, too, and would take events out of it that are
 * the parent's: so a set is used by the process alone that made it.
 *
 * A LOST RING, after the trial. `begun` is counted before W2, `done` after it. The waiter notes
 * `begun` after each event. If `done` is more than it noted, at least one of those rings began
 * after the note and is over. Its event must have come; where it hasn't, not in GRACE_NS more, it
 * is lost.
 *
 *     ring   C1  begun += 1    W2    C2  done += 1        waiter   N1  note = begun
 *                                                                  N2  no event; done > note
 *
 * For `done` rings to be over, as many must have begun; `note` of them may have before N1, no more.
 *
 * CLOSING. Each side stores, and then loads what the other side stores:
 *
 *     call   I1  inside += 1 (atomic)          close  E1  state = CLOSED (atomic)
 *            I2  fence; state: CLOSED? out            E2  fence; wait until inside is 0
 *
 * That I2 sees E1 or E2 sees I1 needs a fence on both sides: close waits with acquire loads
 * (xsc_wait_slow()), and those are not ordered after E1 by E1 being sequentially consistent
 * (litmus/c11/DOORBELL-close-unfenced-control). If I2 sees E1, the call leaves without touching the
 * descriptor; if E2 sees I1, close waits for that call. A sleeping call is rung for, and would look
 * after a second by itself. So no call uses the descriptor when it is closed.
 */
#include "user/doorbell.h"

#include <errno.h>
#include <string.h>

#include <xsc/cas.h>
#include <xsc/doorbell.h>

#include "core/port.h"
#include "core/watch.h"
#include "user/barrier.h"
#include "user/library.h"
#include "user/park.h"
#include "user/process.h"

#define PATIENCE_NS 1000000000u /* for a ring of a trial */
#define GRACE_NS 100000000u     /* for a device's interrupt that may be under way */

enum reason { NOT_TRIED, TRYING, PASSED, NOT_HEARD, NOT_RUNG, LOST, GONE, NOT_OPEN };

/* An array, not pointers: those would have to be relocated. */
static const char reasons[][64] = {
    [NOT_TRIED] = "not tried yet",
    [TRYING] = "being tried",
    [PASSED] = "every ring of its trial was heard",
    [NOT_HEARD] = "a ring of its trial was not heard within a second",
    [NOT_RUNG] = "its trial could not ring, or not listen",
    [LOST] = "a ring was lost",
    [GONE] = "the device is gone",
    [NOT_OPEN] = "could not be opened",
};

static uint32_t state_of(const struct xsc_doorbell *b)
{
    return __atomic_load_n(&b->state, __ATOMIC_SEQ_CST);
}

/* False: it is not, or no longer, in state `from`. */
static bool go(struct xsc_doorbell *b, uint32_t from, uint32_t to, enum reason reason)
{
    if (!__atomic_compare_exchange_n(&b->state, &from, to, false, XSC_CAS_SEQ_CST)) {
        return false;
    }
    __atomic_store_n(&b->reason, reason, __ATOMIC_RELAXED);
    return true;
}

/* 0, or why there is nothing to be done with it. *generation is bell_leave()'s. */
static int bell_enter(struct xsc_doorbell *b, uint32_t *generation)
{
    if (!b) {
        return -EINVAL;
    }
    *generation = xsc_generation();
    xsc_heads_enter(&b->inside, *generation); /* I1 */
    xsc_fence();
    if (state_of(b) == XSC_BELL_CLOSED) { /* I2 */
        xsc_heads_leave(&b->inside, *generation);
        return -EPIPE;
    }
    return 0;
}

static void bell_leave(struct xsc_doorbell *b, uint32_t generation)
{
    xsc_heads_leave(&b->inside, generation);
}

/* A signal ends xsc_poll_wait(), but not this. */
static bool heard(struct xsc_poll *set, uint64_t until_ns)
{
    do {
        if (xsc_poll_wait(set, until_ns) >= 0) {
            return true;
        }
    } while (xsc_port_now_ns() < until_ns);
    return false;
}

/* ------------------------------------------------------------------------ open and close ---- */

int xsc_doorbell_open(struct xsc_doorbell *bell, const char *path)
{
    if (!bell) {
        return -EINVAL;
    }
    const int fd = xsc_bell_open(path);

    *bell = (struct xsc_doorbell){.fd = fd, .device = path != NULL};
    bell->reason = fd < 0 ? NOT_OPEN : NOT_TRIED;
    __atomic_store_n(&bell->state, fd < 0 ? XSC_BELL_FAILED : XSC_BELL_DISCOVERED,
                     __ATOMIC_SEQ_CST);
    return fd < 0 ? fd : 0;
}

int xsc_doorbell_close(struct xsc_doorbell *bell)
{
    const struct xsc_watch none_inside = {.word = bell ? &bell->inside : NULL,
                                          .mask = UINT32_MAX,
                                          .size = sizeof(uint32_t),
                                          .until = XSC_UNTIL_EQUAL};

    if (!bell) {
        return -EINVAL;
    }
    if (__atomic_exchange_n(&bell->state, XSC_BELL_CLOSED, __ATOMIC_SEQ_CST) == XSC_BELL_CLOSED) {
        return -EPIPE; /* else E1 */
    }
    xsc_fence(); /* E2 */
    if (bell->fd >= 0) {
        xsc_bell_ring(bell->fd, bell->device, 0);
    }
    if (xsc_heads(&bell->inside)) { /* of this process: a parent's threads are not inside here */
        xsc_wait_slow(&none_inside, XSC_FOREVER);
    }
    if (bell->spare >> 32 == (uint32_t)xsc_port_process()) {
        xsc_bell_close((int)(uint32_t)bell->spare);
    }
    if (bell->fd >= 0) {
        xsc_bell_close(bell->fd);
    }
    return 0;
}

/* ------------------------------------------------------------------------------ the trial ---- */

static void record(struct xsc_doorbell *b, uint64_t ns)
{
    if (!b->min_ns || ns < b->min_ns) {
        __atomic_store_n(&b->min_ns, ns, __ATOMIC_RELAXED);
    }
    if (ns > b->max_ns) {
        __atomic_store_n(&b->max_ns, ns, __ATOMIC_RELAXED);
    }
}

/* One ring; *why is why not. */
static int ring_and_hear(struct xsc_doorbell *b, struct xsc_poll *set, enum reason *why)
{
    const uint64_t start_ns = xsc_port_now_ns();
    const int err = xsc_bell_ring(b->fd, b->device, 0);

    __atomic_fetch_add(&b->trial_rings, 1, __ATOMIC_RELAXED);
    if (err) {
        return err;
    }
    if (!heard(set, start_ns + PATIENCE_NS)) {
        __atomic_store_n(&b->trial_lost, 1, __ATOMIC_RELAXED);
        *why = NOT_HEARD;
        return -EIO;
    }
    record(b, xsc_port_now_ns() - start_ns);
    return 0;
}

static int trial(struct xsc_doorbell *b, uint32_t rings)
{
    const uint32_t before = state_of(b);
    enum reason why = NOT_RUNG;
    struct xsc_poll set;

    if (before == XSC_BELL_TRIAL || !go(b, before, XSC_BELL_TRIAL, TRYING)) {
        return -EBUSY;
    }
    __atomic_store_n(&b->trial_rings, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&b->trial_lost, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&b->min_ns, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&b->max_ns, 0, __ATOMIC_RELAXED);
    int err = xsc_bell_listen(&set, b->fd);

    if (!err) {
        xsc_poll_wait(&set, 0); /* of rings before it */
        while (!err && rings--) {
            err = ring_and_hear(b, &set, &why);
        }
        xsc_poll_close(&set);
    }
    go(b, XSC_BELL_TRIAL, err ? XSC_BELL_FAILED : XSC_BELL_STEADY, err ? why : PASSED);
    return err;
}

int xsc_doorbell_try(struct xsc_doorbell *bell, uint32_t rings)
{
    uint32_t generation = 0;
    int err = rings < XSC_BELL_TRIAL_RINGS ? -EINVAL : bell_enter(bell, &generation);

    if (!err) {
        err = trial(bell, rings);
        bell_leave(bell, generation);
    }
    return err;
}

/* -------------------------------------------------------------------------------- ringing ---- */

int xsc_doorbell_ring(struct xsc_doorbell *bell, uint32_t peer)
{
    uint32_t generation = 0;
    int err = bell_enter(bell, &generation);

    if (err) {
        return err;
    }
    __atomic_fetch_add(&bell->begun, 1, __ATOMIC_SEQ_CST); /* C1 */
    err = xsc_bell_ring(bell->fd, bell->device, peer);
    /* C2; a ring that was not made did not begin. */
    __atomic_fetch_add(err ? &bell->begun : &bell->done, err ? UINT64_MAX : 1, __ATOMIC_SEQ_CST);
    bell_leave(bell, generation);
    return err;
}

/* -------------------------------------------------------------------------------- waiting ---- */

struct listener {
    struct xsc_doorbell *bell;
    const struct xsc_watch *watch;
    bool deaf; /* no set could be made */
};

static uint64_t count_of(const uint64_t *rings)
{
    return __atomic_load_n(rings, __ATOMIC_SEQ_CST);
}

/* L1: with the set that was left by another, or one made now. 0, or why not. */
static int take_set(struct xsc_doorbell *b, struct xsc_poll *set)
{
    uint64_t spare = __atomic_load_n(&b->spare, __ATOMIC_RELAXED);

    if (spare >> 32 == (uint32_t)xsc_port_process() &&
        __atomic_compare_exchange_n(&b->spare, &spare, 0, false, XSC_CAS_ACQUIRE)) {
        *set = (struct xsc_poll){.set = (int)(uint32_t)spare, .bell = -1};
        return 0;
    }
    return xsc_bell_listen(set, b->fd);
}

static void leave_set(struct xsc_doorbell *b, const struct xsc_poll *set)
{
    uint64_t none = 0;

    if (!__atomic_compare_exchange_n(&b->spare, &none,
                                     xsc_port_process() << 32 | (uint32_t)set->set, false,
                                     XSC_CAS_RELEASE)) {
        xsc_poll_close(set);
    }
}

/* L1 to L3, until the deadline, or until there is no more reason to listen. */
static bool listen_for(void *arg, uint64_t deadline_ns)
{
    struct listener *l = arg;
    struct xsc_doorbell *b = l->bell;
    struct xsc_poll set;
    bool met;

    l->deaf = take_set(b, &set) != 0;
    if (l->deaf) {
        return false;
    }
    uint64_t note = count_of(&b->begun);

    while (!(met = xsc_watch_met(l->watch)) && state_of(b) == XSC_BELL_STEADY &&
           xsc_port_now_ns() < deadline_ns) {
        bool rung = heard(&set, xsc_next_look(deadline_ns, XSC_LOOK_SHARED_NS));

        if (!rung && count_of(&b->done) > note) {
            rung = heard(&set, xsc_port_now_ns() + GRACE_NS);
            if (!rung) {
                go(b, XSC_BELL_STEADY, XSC_BELL_FAILED, LOST);
            }
        }
        if (b->device && xsc_bell_gone(b->fd)) {
            go(b, XSC_BELL_STEADY, XSC_BELL_FAILED, GONE);
        }
        if (rung) {
            note = count_of(&b->begun);
        }
    }
    leave_set(b, &set);
    return met;
}

/* 0: the deadline has passed. XSC_FOREVER leaves what is as good as for ever. */
static uint64_t left_until(uint64_t deadline_ns)
{
    const uint64_t now_ns = xsc_port_now_ns();

    return deadline_ns > now_ns ? deadline_ns - now_ns : 0;
}

static int wait_by(struct listener *l, uint64_t timeout_ns)
{
    const uint64_t now_ns = xsc_port_now_ns();
    const uint64_t deadline_ns = timeout_ns < XSC_FOREVER - now_ns ? now_ns + timeout_ns
                                                                   : XSC_FOREVER;
    uint64_t left_ns = timeout_ns;
    int err;

    do {
        if (state_of(l->bell) == XSC_BELL_STEADY && !l->deaf) {
            err = xsc_watch_then(l->watch, NULL, left_ns, listen_for, l);
        } else { /* without the bell; but it may be tried, or closed, meanwhile */
            l->deaf = false;
            err = xsc_wait_slow(l->watch,
                                left_ns < XSC_LOOK_SHARED_NS ? left_ns : XSC_LOOK_SHARED_NS);
        }
        if (!err) {
            return 0;
        }
        if (state_of(l->bell) == XSC_BELL_CLOSED) {
            return -EPIPE;
        }
        left_ns = left_until(deadline_ns);
    } while (left_ns);
    return err;
}

int xsc_doorbell_wait(struct xsc_doorbell *bell, const struct xsc_watch *watch, uint64_t timeout_ns)
{
    struct listener l = {.bell = bell, .watch = watch};
    uint32_t generation = 0;
    int err = watch && xsc_watch_valid(watch) ? bell_enter(bell, &generation) : -EINVAL;

    if (!err) {
        err = wait_by(&l, timeout_ns);
        bell_leave(bell, generation);
    }
    return err;
}

int xsc_doorbell_read(const struct xsc_doorbell *bell, struct xsc_doorbell_report *out, size_t size)
{
    if (!bell || !out || !size || size > sizeof(*out)) {
        return -EINVAL;
    }
    struct xsc_doorbell_report r = {
        .state = state_of(bell),
        .fd = bell->fd,
        .trial_rings = __atomic_load_n(&bell->trial_rings, __ATOMIC_RELAXED),
        .trial_lost = __atomic_load_n(&bell->trial_lost, __ATOMIC_RELAXED),
        .min_ns = __atomic_load_n(&bell->min_ns, __ATOMIC_RELAXED),
        .max_ns = __atomic_load_n(&bell->max_ns, __ATOMIC_RELAXED),
        .rings = count_of(&bell->done),
    };

    xsc_copy_text(r.reason, sizeof(r.reason),
                  reasons[__atomic_load_n(&bell->reason, __ATOMIC_RELAXED)]);
    memcpy(out, &r, size);
    return 0;
}
