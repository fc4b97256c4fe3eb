/* SPDX-License-Identifier: MIT */
/*
 * The mutex. The public side is xsc/lock.h; parking and its arguments are in user/park.c.
 *
 * THE WORD. HELD, a byte of its own. RESERVED: free or not, it goes to the one that set this bit.
 * WOKEN: see below. Nobody is in a queue of ours: who waits watches and then parks, for the word.
 *
 *     owner, nobody parked                 waiter
 *     U1  xsc_parked[b] is QUIET           L1  not HELD, not RESERVED: take it (atomic)
 *     U2  store HELD = 0                   L2  else WOKEN off the word, if it is on (atomic)
 *     U3  xsc_parked[b] is QUIET: done     L3  park until the word's bits are not those of L2
 *         else wake one (by address)       L4  back to L1
 *
 *     owner, somebody perhaps parked
 *     S1  HELD off, WOKEN on unless RESERVED (atomic)
 *     S2  WOKEN was off or RESERVED: wake one
 *
 * WHY NO WAKE-UP IS LOST. A waiter is lost if it sleeps in L3 while the lock is free, and nobody is
 * bound to wake it or to take the lock and unlock it (which wakes one in its turn). Let it have
 * seen the lock held in L2. Every unlock after that either
 * - is U2, U3: what park and unpark promise: U3 sees the waiter, or it sees the store;
 * - is S1, S2 with a wake: the same, for S1 is a store to the word. It wakes this waiter or
 *   another, or finds none asleep: then whoever was about to sleep finds the bits changed;
 * - is S1, having found WOKEN, without a wake. So it is to be shown that WOKEN on the word means
 *   that somebody will come to L1 who is not there yet, or is on its way from there to L2. It is
 *   set by S1 only, together with the release. The wake of S2 that follows brings a sleeper to L1:
 *   the bits are not those that it parked with, since nobody parks with WOKEN among them. Finds S2
 *   no sleeper (they share a bucket with another word, or are about to sleep), then those about to
 *   sleep do not, as above. If there is nobody at all, WOKEN stays and means nothing, until the
 *   next waiter, in L2, takes it off before it parks. Because L2 is atomic and sees the lock held,
 *   the owner's S1 comes later, finds no WOKEN and wakes. (An L2 that finds the lock free goes to
 *   L1.)
 * L2 may take off a WOKEN that was meant for another, who is still on its way: then one more is
 * woken than need be. A lock taken in L1 by one who has parked takes WOKEN off, too: this is the
 * one, or as good.
 *
 * WHY WOKEN. Without it every unlock wakes one as long as anybody is parked, and with an owner
 * that comes back at once each of them finds the lock taken and parks again: all the system
 * calls of a hand-over and none of the progress.
 *
 * NOBODY STARVES. Whoever runs may take a free lock: waiting for a sleeper to wake would leave it
 * idle for tens of microseconds at every hand-over, and soon all would be asleep in a convoy. But
 * who has waited for PATIENCE_NS sets RESERVED, which L1 of others, the inline lock and trylock
 * respect. One at a time; it watches the byte HELD, and parks at that byte's address, so that S2
 * can wake it and no other. (WOKEN and RESERVED are never on together: L2 sets the one as it takes
 * the other off, S1 sets WOKEN only where it finds no RESERVED.) U3 can't know: it wakes one of
 * each. RESERVED is set while HELD is on (atomic), so the owner's unlock is later; it is taken off
 * by the one that set it, as it takes the lock, or gives up while it is held: then that owner's
 * unlock wakes one of the others. Who parks while it is reserved and free is woken by the unlock of
 * the one it is reserved for.
 *
 * TIMEOUTS. Who gives up may have been the one woken. But a park that ends at its deadline looks
 * once more, finds WOKEN, and so is no timeout: it comes to L1 and L2 first, which take the lock or
 * take WOKEN off. After that nothing is meant for it any more but what it has reserved.
 *
 * NOTHING IS TOUCHED AFTER U2 AND S1, so the next owner may free the memory.
 *
 * TWO SIZES. U2 stores a byte of a word that others change by 4-byte atomic operations. C11 has no
 * words for that; the CPUs keep each byte coherent and a byte's store single-copy atomic (Intel SDM
 * vol. 3, 9.1.1; DDI 0487, B2.2.1; RISC-V privileged, 3.6.3), and a 4-byte operation is atomic
 * against it.
 */
#include <xsc/lock.h>

#include "core/port.h"
#include "core/wait.h"
#include "core/watch.h"
#include "user/barrier.h"
#include "user/library.h"

_Static_assert(sizeof(struct xsc_mutex) == 4, "what xsc/lock.h promises");
_Static_assert(!(XSC_MUTEX_HELD & (XSC_MUTEX_WOKEN | XSC_MUTEX_RESERVED)), "a byte of its own");

/* C99 inline: these make the external definitions, for callers that can't inline. */
extern inline void xsc_mutex_lock(struct xsc_mutex *m);
extern inline int xsc_mutex_trylock(struct xsc_mutex *m);
extern inline int xsc_mutex_lock_for(struct xsc_mutex *m, uint64_t timeout_ns);
extern inline void xsc_mutex_unlock(struct xsc_mutex *m);

#define PATIENCE_NS 10000000u /* several time slices: who has lost its CPU is not starved yet */
#define SPINS 8               /* looks before the first park, */
#define FIRST_PAUSE 2         /* each twice as far from the last: hints between them */
#define SOMEBODY 2u           /* in xsc_parked[]: one who is parked */

#define FLAGS (XSC_MUTEX_HELD | XSC_MUTEX_WOKEN | XSC_MUTEX_RESERVED)

/* One who waits. */
struct contender {
    struct xsc_mutex *m;
    uint64_t start_ns, deadline_ns;
    bool reserved, parked;
};

static bool change(struct xsc_mutex *m, uint32_t *was, uint32_t to)
{
    return __atomic_compare_exchange_n(&m->word, was, to, false, __ATOMIC_ACQUIRE,
                                       __ATOMIC_RELAXED);
}

static bool may_take(const struct contender *c, uint32_t was)
{
    return !(was & XSC_MUTEX_HELD) && (c->reserved || !(was & XSC_MUTEX_RESERVED));
}

/* L1. A WOKEN that nobody is left to be meant by goes, too. */
static bool take(const struct contender *c, uint32_t *was)
{
    const uint32_t *parked = &xsc_parked[xsc_park_bucket(c->m)];

    while (may_take(c, *was)) {
        uint32_t to = *was | XSC_MUTEX_HELD;

        if (c->reserved) {
            to &= ~XSC_MUTEX_RESERVED;
        } else if (c->parked || __atomic_load_n(parked, __ATOMIC_RELAXED) < SOMEBODY) {
            to &= ~XSC_MUTEX_WOKEN;
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
        const uint32_t to = (was & ~XSC_MUTEX_WOKEN) | (reserves ? XSC_MUTEX_RESERVED : 0);

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
    return !xsc_park_slow(c->reserved ? &given : &state, left_ns);
}

static int give_up(const struct contender *c)
{
    uint32_t was = __atomic_load_n(&c->m->word, __ATOMIC_RELAXED);

    for (;;) {
        if (take(c, &was)) {
            return 0;
        }
        if (!c->reserved || change(c->m, &was, was & ~XSC_MUTEX_RESERVED)) {
            return -ETIMEDOUT;
        }
    }
}

static uint64_t deadline_after(uint64_t timeout_ns)
{
    const uint64_t now_ns = timeout_ns == XSC_FOREVER ? 0 : xsc_port_now_ns();

    return timeout_ns < XSC_FOREVER - now_ns ? now_ns + timeout_ns : XSC_FOREVER;
}

/* Free, but for a WOKEN that keeps the inline part from taking it: no clock, no pause. */
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
    const bool somebody = __atomic_load_n(&xsc_parked[xsc_park_bucket(m)], __ATOMIC_RELAXED) >=
                          SOMEBODY;
    uint32_t was = __atomic_load_n(&m->word, __ATOMIC_RELAXED), to;

    do { /* S1 */
        to = was & ~XSC_MUTEX_HELD;
        if (somebody && !(was & XSC_MUTEX_RESERVED)) {
            to |= XSC_MUTEX_WOKEN;
        }
    } while (
        !__atomic_compare_exchange_n(&m->word, &was, to, true, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
    XSC_UNLOCK_SEND_EVENT_();
    if (was & XSC_MUTEX_RESERVED) { /* S2 */
        xsc_unpark_slow(held, 1);
    } else if (!(was & XSC_MUTEX_WOKEN)) {
        xsc_unpark_slow(m, 1);
    }
}

/* U3. */
void xsc_mutex_unlocked(const volatile void *m)
{
    xsc_unpark_slow(m, 1);
    xsc_unpark_slow((const volatile uint8_t *)m + XSC_MUTEX_HELD_BYTE, 1);
}
