/* SPDX-License-Identifier: MIT */
/*
 * The two locks that are first come, first served. The public side is xsc/lock.h.
 *
 * THE QUEUE LOCK'S WORD. Its lowest byte is HELD; the rest is the last waiter in line, or 0, and
 * then a word of 0 is taken by one exchange and given back by storing 0 to the byte: no node is
 * touched. Otherwise each thread that arrives puts itself last. The first waiter in line watches
 * HELD; it takes the lock by storing 1 to the byte (or, if it is also the last, by an exchange that
 * empties the line), and tells the waiter behind it that it is first now: so that waiter is awake
 * and watching when the owner clears HELD.
 *
 * WHY THEY EXCLUDE. Ticket: each ticket is given out once (until 65536 are waiting), and only the
 * thread whose ticket the owner's half shows is in; only it moves that half on. Queue: while there
 * is a line only the first in it sets HELD, for all others need a word of 0. Each node but
 * the first of a line is told its turn once, by the one before it, when that one has set HELD: so
 * there is one first at a time, and it sees HELD until that owner has left. A line that is empty
 * had its last one leave it by the exchange that also sets HELD.
 *
 * WHY NO WAITER IS FORGOTTEN. Ticket: the waiter watches the half that the unlock stores to, so
 * this is a wait for a word, and core/wait.c has the argument. Queue: a waiter that has put itself
 * behind `before` has not left before it has stored before->next, and `before`, if its attempt to
 * empty the line fails, waits for that store: it is on its way. Then `before` stores turn and
 * unparks, as the unlock does after its store to HELD; user/park.c has the argument.
 *
 * ORDER. The exchange of the word is acquire and release: it publishes the node's fields for the
 * waiter that comes behind. The unlock stores HELD with release, and the thread that takes the lock
 * acquires it: by its exchange, or by the load that ended its wait. The turn is stored with release
 * after the 1 in HELD and waited for with acquire, so the next waiter can't see the 0 from before
 * it.
 *
 * TWO SIZES. HELD is stored to as a byte of a word that others change: user/mutex.c has the
 * sources.
 *
 * THE NEXT ONE'S NODE may be gone (it was on a stack) as soon as its turn is stored, and so may the
 * lock after its unlock's store. The unparks after that use the address only.
 *
 * TOO MANY THREADS. First come, first served is bad where there are more threads than CPUs: the one
 * whose turn it is may be waiting for the CPU on which another watches for its own turn. So waiters
 * that have outlasted the tight spin are counted, in the process, and where there are as many as
 * CPUs, none is left for the owner: then they give up the CPU between two looks (and a waiter that
 * finds such a crowd on arrival does so at once). A waiter that this has not helped parks, if it
 * waits in a queue: it has a word of its own that its predecessor unparks, or is first and unparked
 * by the unlock. For a ticket lock all would have to be woken for one to go on, so there the waiter
 * goes on yielding. Of other processes nothing is known: a ticket's waiter yields every 20 us in
 * any case, which costs about a hundredth of its time, for the owner may have lost this very CPU.
 *
 * UNLIKE PRIORITIES. To yield does not help a thread of lower priority where the waiter runs under a
 * real-time policy. So a loop that yields (a ticket's waiter; the owner that waits for the name of the
 * next in line) asks, from a millisecond after its first YIELDS yields on, whether it must sleep
 * instead: core/wait.h.
 */
#include <xsc/cas.h>
#include <xsc/lock.h>

#include "core/port.h"
#include "core/wait.h"
#include "core/watch.h"
#include "mech/mech.h"
#include "user/cpus.h"
#include "user/library.h"
#include "user/process.h"

/*
 * The pairing, checked: does any mechanism of this architecture need an event that comes with the
 * store? Then unlock must make one, and only then.
 */
#define XSC_OR_TRAITS(id, traits) | (traits)
enum { ANY_TRAIT = 0 XSC_MECHANISMS(XSC_OR_TRAITS) };
_Static_assert(!(ANY_TRAIT & XSC_NEEDS_WAKE) || XSC_UNLOCK_EVENT,
               "xsc/lock.h: unlock makes no event, and some mechanism needs one");
#if !defined(XSC_ARCH_GENERIC) /* built as for an unknown CPU: none of this one's is there */
_Static_assert((ANY_TRAIT & XSC_NEEDS_WAKE) || !XSC_UNLOCK_EVENT,
               "xsc/lock.h: unlock makes an event that no mechanism needs");
#endif
_Static_assert(_Alignof(struct xsc_queue_node) > UINT8_MAX, "HELD has a byte of its own");
_Static_assert(sizeof(struct xsc_ticket) == 4 && sizeof(struct xsc_queue) == sizeof(void *),
               "the sizes that xsc/lock.h promises");

/* C99 inline: these make the external definitions, for callers that can't inline. */
extern inline void xsc_ticket_lock(struct xsc_ticket *t);
extern inline int xsc_ticket_trylock(struct xsc_ticket *t);
extern inline void xsc_ticket_unlock(struct xsc_ticket *t);
extern inline bool xsc_ticket_is_held(const struct xsc_ticket *t);
extern inline bool xsc_ticket_has_waiters(const struct xsc_ticket *t);
extern inline void xsc_queue_lock(struct xsc_queue *q, struct xsc_queue_node *node);
extern inline int xsc_queue_trylock(struct xsc_queue *q, struct xsc_queue_node *node);
extern inline void xsc_queue_unlock(struct xsc_queue *q, struct xsc_queue_node *node);
extern inline bool xsc_queue_is_held(const struct xsc_queue *q);
extern inline bool xsc_queue_has_waiters(const struct xsc_queue *q);

#define LOOK_AGAIN_NS 20000u /* while watching: are we too many now? */
#define YIELDS 32            /* before a queue's waiter parks */

static uint32_t waiters; /* of this process, past the tight spin, now: user/process.h */

/* Whether there is no CPU left for the one that we all wait for. */
static bool too_many(void)
{
    const uint32_t cpus = __atomic_load_n(&xsc_library.chosen, __ATOMIC_ACQUIRE) ? xsc_cpus() : 1;

    return cpus && xsc_heads(&waiters) >= cpus;
}

/* What a thread that has to wait for another to run has done for it. */
struct aside {
    uint32_t yields;
    uint64_t start_ns; /* when they had not helped */
    struct xsc_giving_way way;
};

/* Lets another thread run: one of its own priority at first, then any. */
static void step_aside(struct aside *a)
{
    const uint64_t now_ns = xsc_port_now_ns();
    uint64_t nap_ns = 0;

    xsc_port_recheck(now_ns);
    if (a->yields++ >= YIELDS) {
        a->start_ns = a->start_ns ? a->start_ns : now_ns;
        nap_ns = xsc_nap_due(&a->way, now_ns - a->start_ns);
    }
    if (nap_ns) {
        xsc_port_nap(nap_ns);
    } else {
        xsc_port_yield();
    }
}

static void wait_for_turn(const struct xsc_watch *w, bool parks)
{
    struct xsc_watching how = {.asked = xsc_set_up_by_environment, .n = 1};
    struct aside aside = {0};
    uint64_t spun_ns;
    bool met = false;

    if (!too_many() && xsc_core_spin(&xsc_library, w, &spun_ns)) {
        return;
    }
    (void)xsc_library_ready();
    const uint32_t generation = xsc_generation();

    xsc_heads_enter(&waiters, generation);
    while (!met) {
        if (too_many() && !(parks && aside.yields >= YIELDS)) {
            step_aside(&aside);
            met = xsc_watch_met(w);
        } else if (parks) {
            met = !xsc_park_slow(w, XSC_FOREVER);
        } else {
            met = xsc_core_watch(&xsc_library, w, LOOK_AGAIN_NS, &how) == XSC_MET;
            how.again = true;
            if (!met) {
                step_aside(&aside);
            }
        }
    }
    xsc_heads_leave(&waiters, generation);
}

void xsc_ticket_lock_slow(struct xsc_ticket *t, uint16_t mine)
{
    const struct xsc_watch w = {(const xsc_half_ *)&t->word + XSC_TICKET_OWNER_HALF, mine,
                                UINT16_MAX, sizeof(xsc_half_), XSC_UNTIL_EQUAL};

    wait_for_turn(&w, false);
}

/* Between its exchange of the word and its store of our next the one behind us may lose its CPU. */
static struct xsc_queue_node *next_of(const struct xsc_queue_node *node)
{
    struct xsc_queue_node *next;
    struct aside aside = {0};

    for (uint32_t looks = 1; !(next = __atomic_load_n(&node->next, __ATOMIC_ACQUIRE)); looks++) {
        if (looks % YIELDS) {
            xsc_arch_relax();
        } else {
            step_aside(&aside);
        }
    }
    return next;
}

static void pass_turn(const struct xsc_queue_node *node)
{
    uint32_t *turn = &next_of(node)->turn;

    __atomic_store_n(turn, 1, __ATOMIC_RELEASE);
    XSC_UNLOCK_SEND_EVENT_();
    xsc_unpark_one(turn);
}

void xsc_queue_lock_slow(struct xsc_queue *q, struct xsc_queue_node *node)
{
    uint8_t *held = (uint8_t *)&q->word + XSC_QUEUE_HELD_BYTE;
    const struct xsc_watch turn = {&node->turn, 0, UINT32_MAX, sizeof(node->turn), XSC_UNTIL_NOT};
    const struct xsc_watch gone = {held, 0, UINT8_MAX, sizeof(*held), XSC_UNTIL_EQUAL};
    uintptr_t was = __atomic_load_n(&q->word, __ATOMIC_RELAXED), last = (uintptr_t)node;

    __atomic_store_n(&node->next, NULL, __ATOMIC_RELAXED);
    __atomic_store_n(&node->turn, 0, __ATOMIC_RELAXED);
    while (!__atomic_compare_exchange_n(&q->word, &was,
                                        was ? last | (was & XSC_QUEUE_HELD) : XSC_QUEUE_HELD, true,
                                        XSC_CAS_ACQ_REL)) {
    }
    if (!was) {
        return;
    }
    struct xsc_queue_node *before = (struct xsc_queue_node *)(was & ~XSC_QUEUE_HELD);

    if (before) {
        __atomic_store_n(&before->next, node, __ATOMIC_RELEASE);
        wait_for_turn(&turn, true);
    }
    wait_for_turn(&gone, true);
    if (__atomic_load_n(&q->word, __ATOMIC_RELAXED) == last &&
        __atomic_compare_exchange_n(&q->word, &last, XSC_QUEUE_HELD, false, XSC_CAS_ACQUIRE)) {
        return;
    }
#if defined(XSC_WHOLE_WORDS_)
    __atomic_fetch_or(&q->word, XSC_QUEUE_HELD, __ATOMIC_ACQUIRE);
#else
    __atomic_store_n(held, 1, __ATOMIC_RELAXED);
#endif
    pass_turn(node);
}
