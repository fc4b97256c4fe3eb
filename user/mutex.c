/* SPDX-License-Identifier: MIT */
/*
 * The mutex. The public side is xsc/lock.h; parking and its arguments are in user/park.c.
 *
 * THE WORD. HELD, a byte of its own. PARKED: a waiter may be asleep, an unlock is to wake one.
 * RESERVED: free or not, the lock goes to the waiter that set this bit. The mutex keeps no queue of
 * its waiters: each watches the word and then parks for it.
 *
 *     owner, no waiter parked              waiter
 *     U1  xsc_parked[b] is 0               L1  not HELD, not RESERVED: take it (atomic)
 *     U2  store HELD = 0                   L2  else PARKED on, if it is off (atomic)
 *     U3  xsc_parked[b] is 0: done         L3  park until the word's bits are not those of L2
 *         else wake one (by address)       L4  back to L1
 *
 *     owner, a waiter perhaps parked
 *     S1  HELD and PARKED off (atomic)
 *     S2  PARKED was on: wake one
 *
 * WHY NO WAKE-UP IS LOST. A waiter is lost if it sleeps in L3 and no thread is bound to wake it. It
 * is bound to be woken as long as PARKED is on: by the S2 of the next unlock, and there is one, for
 * the lock is held, or a thread is on its way to L1 and will take it. So it is to be shown that
 * where PARKED is off, or the lock is free, either no waiter sleeps or a waiter that is awake is on
 * its way to L1, and that this waiter puts PARKED back on in L1 while others sleep.
 * - U2 leaves PARKED alone. U3 is what park and unpark promise: the owner sees a sleeper and wakes
 *   one, or a waiter that is about to sleep sees the store.
 * - S1, S2: the same, for S1 is a store to the word. The owner wakes a waiter, which then is on its
 *   way, or finds none asleep: then each waiter that was about to sleep finds the bits changed, and
 *   is on its way.
 * - A waiter on its way takes the lock (L1), and puts PARKED on if it has parked and others are
 *   still parked: those that slept before it was woken are counted in xsc_parked[] since before
 *   they slept, and the thread that woke it went through the kernel's lock after them. Or it does
 *   not take the lock (L2), and PARKED goes on.
 * PARKED is taken off in L1, too, where no thread is parked: otherwise a PARKED that U2 has left
 * would keep every thread from the inline part for ever. However old that look at xsc_parked[] is,
 * this is safe: the lock was free and not reserved, and so the sleepers have a waiter on its way.
 * The waiter that had the lock reserved leaves PARKED on, because no other waiter need be on its
 * way then.
 *
 * WHY AN OWNER THAT COMES BACK IS QUICK. Between the wake and the moment at which the woken waiter
 * runs lie tens of microseconds. Meanwhile the word says nothing of it: unlocked it is 0 and locked
 * it is HELD, and the lock and the unlock are one atomic operation each, inline, though others are
 * parked. An unlock makes one system call for each waiter that goes to sleep, and not one for each
 * unlock.
 *
 * NO WAITER STARVES. Any running thread may take a free lock: waiting for a sleeper to wake would
 * leave the lock idle for tens of microseconds at every hand-over, and soon all would be asleep in
 * a convoy. But a waiter that has waited for PATIENCE_NS sets RESERVED, which L1 of others, the
 * inline lock and trylock respect. One waiter at a time; it watches the byte HELD, and parks at
 * that byte's address, so that S2 can wake it and no other: then S1 leaves PARKED as it is, for the
 * unlock that comes after. U3 can't know: it wakes one of each. RESERVED is set while HELD is on
 * (atomic), so the owner's unlock is later; the waiter that set it takes it off, as it takes the
 * lock, or gives up while the lock is held. A waiter that parks while the lock is reserved is woken
 * by the unlock of the thread that it is reserved for.
 *
 * TIMEOUTS. A waiter that gives up may be the one that was woken, on which the others rely. So it
 * leaves only while PARKED is on, or turns it on as it leaves:
 * - It has parked for the word. A park that ends at its deadline looks once more. If the bits are
 *   not those of L2, that is no timeout: the waiter comes to L1 and L2 first, which take the lock
 *   or turn PARKED on. If they are the same, PARKED is among them, and the lock is held or reserved:
 *   the next unlock, or the unlock by the thread that it is reserved for, wakes one of the others.
 * - It has no time left after L2: L2 has turned PARKED on, while the lock was held or reserved.
 * - It has reserved the lock, and relies on PARKED no longer: S2 may have taken PARKED off when it
 *   woke this very waiter, and L2 has turned on RESERVED in its place, so the others' only hope is
 *   that it takes the lock. If the lock is free it does take it. Else it turns RESERVED into PARKED,
 *   in one atomic operation and while the lock is held: the next unlock wakes one.
 * A thread that tries once (trylock, a timeout of 0) is never one that others rely on: it has not
 * parked, and leaves PARKED as it is unless no thread is parked.
 *
 * A WAKE THAT IS DISCARDED. Between the wake and the look of the waiter that was woken, another may
 * have taken the lock and a third may have turned PARKED on, so that the bits are those of L2 again;
 * or an unlock's S2 or U3, delayed for long, hits a waiter that parked since. It goes back to sleep,
 * and nothing is lost: PARKED is among the bits that it has just seen, and the lock was held or
 * reserved. For the same reason it does not matter which of the sleepers the kernel wakes first. So
 * such a wake is not passed on (user/park.c, DISCARDED): under contention it is frequent.
 *
 * NOTHING IS TOUCHED AFTER U2 AND S1, so the next owner may free the memory.
 *
 * TWO SIZES. U2 stores a byte of a word that others change by 4-byte atomic operations. C11 has no
 * words for that; the CPUs keep each byte coherent and a byte's store single-copy atomic (Intel SDM
 * vol. 3, 9.1.1; DDI 0487, B2.2.1; RISC-V privileged, 3.6.3), and a 4-byte operation is atomic
 * against it.
 */
#include <xsc/cas.h>
#include <xsc/lock.h>

#include "core/port.h"
#include "core/wait.h"
#include "core/watch.h"
#include "user/barrier.h"
#include "user/library.h"
#include "user/park.h"

_Static_assert(sizeof(struct xsc_mutex) == 4, "what xsc/lock.h promises");
_Static_assert(!(XSC_MUTEX_HELD & (XSC_MUTEX_PARKED | XSC_MUTEX_RESERVED)), "a byte of its own");

/* C99 inline: these make the external definitions, for callers that can't inline. */
extern inline void xsc_mutex_lock(struct xsc_mutex *m);
extern inline int xsc_mutex_trylock(struct xsc_mutex *m);
extern inline int xsc_mutex_lock_for(struct xsc_mutex *m, uint64_t timeout_ns);
extern inline void xsc_mutex_unlock(struct xsc_mutex *m);
extern inline bool xsc_mutex_is_held(const struct xsc_mutex *m);
extern inline bool xsc_mutex_has_waiters(const struct xsc_mutex *m);

#define PATIENCE_NS 10000000u /* several time slices: a preempted waiter is not yet starving */
#define SPINS 8               /* looks before the first park, */
#define FIRST_PAUSE 2         /* each twice as far from the last: hints between them */
#define ONE_PARKED 2u         /* in xsc_parked[]: one parked thread */

#define FLAGS (XSC_MUTEX_HELD | XSC_MUTEX_PARKED | XSC_MUTEX_RESERVED)

/* A waiter. */
struct contender {
    struct xsc_mutex *m;
    uint64_t start_ns, deadline_ns;
    bool reserved, parked;
};

static bool change(struct xsc_mutex *m, uint32_t *was, uint32_t to)
{
    return __atomic_compare_exchange_n(&m->word, was, to, false, XSC_CAS_SEQ_CST);
}

static bool may_take(const struct contender *c, uint32_t was)
{
    return !(was & XSC_MUTEX_HELD) && (c->reserved || !(was & XSC_MUTEX_RESERVED));
}

/* L1. */
static bool take(const struct contender *c, uint32_t *was)
{
    const uint32_t *parked = &xsc_parked[xsc_park_bucket(c->m)];

    while (may_take(c, *was)) {
        const bool others = __atomic_load_n(parked, __ATOMIC_RELAXED) >= ONE_PARKED;
        uint32_t to = *was | XSC_MUTEX_HELD;

        if (c->reserved) {
            to &= ~XSC_MUTEX_RESERVED;
        } else if (!others) {
            to &= ~XSC_MUTEX_PARKED;
        }
        if (others && c->parked) {
            to |= XSC_MUTEX_PARKED;
        }
        if (change(c->m, was, to)) {
            return true;
        }
    }
    return false;
}

static bool spin(const struct contender *c)
{
    for (uint32_t i = 0, pause = FIRST_PAUSE; i < SPINS; i++, pause *= 2) {
        for (uint32_t n = pause; n; n--) {
            xsc_arch_relax();
        }
        uint32_t was = __atomic_load_n(&c->m->word, __ATOMIC_RELAXED);

        if (take(c, &was)) {
            return true;
        }
    }
    return false;
}

/* L2: the bits to park with. True: it has been taken instead. */
static bool settle(struct contender *c, uint32_t *bits)
{
    const bool starved = !c->reserved && c->parked &&
                         xsc_port_now_ns() - c->start_ns >= PATIENCE_NS;
    uint32_t was = __atomic_load_n(&c->m->word, __ATOMIC_RELAXED);

    for (;;) {
        if (take(c, &was)) {
            return true;
        }
        const bool reserves = starved && !(was & XSC_MUTEX_RESERVED);
        const uint32_t to = was | (c->reserved || reserves ? XSC_MUTEX_RESERVED : XSC_MUTEX_PARKED);

        if (to == was || change(c->m, &was, to)) {
            c->reserved |= reserves;
            *bits = to & FLAGS;
            return false;
        }
    }
}

/* L3, for what is left of the time. False: it is over. */
static bool park(const struct contender *c, uint32_t bits)
{
    const volatile uint8_t *held = (const uint8_t *)&c->m->word + XSC_MUTEX_HELD_BYTE;
    const struct xsc_watch state = {&c->m->word, bits, FLAGS, sizeof(c->m->word), XSC_UNTIL_NOT};
    const struct xsc_watch given = {held, 0, UINT8_MAX, sizeof(*held), XSC_UNTIL_EQUAL};
    uint64_t left_ns = XSC_FOREVER;

    if (c->deadline_ns != XSC_FOREVER) {
        const uint64_t now_ns = xsc_port_now_ns();

        if (now_ns >= c->deadline_ns) {
            return false;
        }
        left_ns = c->deadline_ns - now_ns;
    }
    return !xsc_park_no_pass(c->reserved ? &given : &state, left_ns);
}

/* Takes it after all if it is free. Else the others are left to the next unlock: see TIMEOUTS. */
static int give_up(const struct contender *c)
{
    uint32_t was = __atomic_load_n(&c->m->word, __ATOMIC_RELAXED);

    for (;;) {
        if (take(c, &was)) {
            return 0;
        }
        const uint32_t to = (was & ~XSC_MUTEX_RESERVED) | XSC_MUTEX_PARKED;

        if (!c->reserved || change(c->m, &was, to)) {
            return -ETIMEDOUT;
        }
    }
}

static uint64_t deadline_after(uint64_t timeout_ns)
{
    const uint64_t now_ns = timeout_ns == XSC_FOREVER ? 0 : xsc_port_now_ns();

    return timeout_ns < XSC_FOREVER - now_ns ? now_ns + timeout_ns : XSC_FOREVER;
}

/* Free, but for a PARKED that keeps the inline part from taking it: no clock, no pause. */
int xsc_mutex_lock_slow(struct xsc_mutex *m, uint64_t timeout_ns)
{
    struct contender c = {.m = m};
    uint32_t was = __atomic_load_n(&m->word, __ATOMIC_RELAXED), bits;

    if (take(&c, &was)) {
        return 0;
    }
    if (!timeout_ns) {
        return -ETIMEDOUT;
    }
    c.deadline_ns = deadline_after(timeout_ns);
    if (spin(&c)) {
        return 0;
    }
    c.start_ns = xsc_port_now_ns();
    while (!settle(&c, &bits)) {
        if (!park(&c, bits)) {
            return give_up(&c);
        }
        c.parked = true;
    }
    return 0;
}

/* ----------------------------------------------------------------------------- unlock ---- */

void xsc_mutex_unlock_slow(struct xsc_mutex *m)
{
    const volatile uint8_t *held = (const uint8_t *)&m->word + XSC_MUTEX_HELD_BYTE;
    uint32_t was = __atomic_load_n(&m->word, __ATOMIC_RELAXED), gone;

    do { /* S1 */
        gone = XSC_MUTEX_HELD | (was & XSC_MUTEX_RESERVED ? 0 : XSC_MUTEX_PARKED);
    } while (!change(m, &was, was & ~gone));
    XSC_UNLOCK_SEND_EVENT_();
    if (was & XSC_MUTEX_RESERVED) { /* S2 */
        xsc_unpark_slow(held, 1);
    } else if (was & XSC_MUTEX_PARKED) {
        xsc_unpark_slow(m, 1);
    } else {
        xsc_park_fenced(xsc_park_bucket(m));
    }
}

/* U3. */
void xsc_mutex_unlocked(const volatile void *m)
{
    xsc_unpark_slow(m, 1);
    xsc_unpark_slow((const volatile uint8_t *)m + XSC_MUTEX_HELD_BYTE, 1);
}
