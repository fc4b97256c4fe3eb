/* SPDX-License-Identifier: MIT */
/*
 * Leaving the CPU, and being woken by the writer. The public side is xsc/park.h.
 *
 * WHAT EACH SIDE STORES AND READS
 *
 *     writer (any thread)                        waiter
 *     W1  store word                             P1  c = xsc_parked[b] += 2        (atomic)
 *     --  compiler barrier                       P2  c without FENCED:  membarrier()
 *     W2  n = xsc_parked[b]    (relaxed)             c with FENCED:     seq_cst fence
 *         n is 0: done                           P3  load word (acquire); changed: P6
 *     W3  seq_cst fence                          P4  futex_wait(word, value of P3)
 *         n = xsc_parked[b]; n < 2: done         P5  back to P3
 *     W4  futex_wake(word)                       P6  xsc_parked[b] -= 2
 *
 * A wake-up is lost if P4 sleeps on the old value and W4 is not executed after that. Between
 * P4 and W4 the kernel settles it: both take the futex's bucket lock, and futex_wait compares
 * under it. Either it sees W1 and does not sleep, or it is queued before W4 looks for
 * sleepers (W1 is visible to the kernel by then: futex_wake begins with a full barrier). So
 * what is to be shown is: P3 and P4's comparison see W1, or W2 (or W3) sees P1.
 *
 * A WRITER THAT DOES NOT FENCE: P1 found no FENCED, so P2 is membarrier(). This is the store-buffer
 * litmus
 *
 *     W1 store word     P1 store counter
 *     W2 load counter   P3 load word             forbidden: W2 misses P1 and P3 misses W1
 *
 * with an explicit barrier only on the right. membarrier() acts as a full barrier B at some point
 * in the writer's instruction stream, at some moment between P1 and P3 (a thread that is not
 * running has been through one when it left its CPU). B is ordered after P1 and before P3 by the
 * kernel. The interleavings:
 *
 *     B W1 W2    W2 is after B, which is after P1: W2 sees P1. The writer wakes.
 *     W1 B W2    both: W2 sees P1, and P3 sees W1. The waiter does not sleep, or is woken as well.
 *     W1 W2 B    W1 is before B, which is before P3: P3 sees W1. The waiter does not sleep.
 *     W1 W2, and the thread exits, or B falls into another store's W1 W2: as the line above.
 *
 * Without B, the CPU could execute W2 while W1 is in the writer's store buffer: the fourth outcome
 * of the litmus, both missed. B forbids just that; the writer needs no fence of its own for it, on
 * any architecture, because B orders everything before it against everything after.
 *
 * Nothing in this depends on what the process was doing when the writer executed W1 and W2: B need
 * only reach the writer's thread, and the waiter registers for that before P1. So a process starts
 * this way, all zeroes, and its writers need no fence before there is a waiter.
 *
 * A WRITER THAT FENCES: P1 found FENCED, so P2 is a fence. Let W2 read the value n.
 *
 *     n is from P1 or later in the counter's order: it includes our 2 until P6. The writer wakes.
 *     n is older than P1, and not 0: the writer executes W3, and the litmus has a fence on both
 *     sides.
 *     n is older than P1, and 0: the writer does not fence, and n is from before FENCED was set. P3
 *     sees that writer's W1 only if the thread that set FENCED has made sure of it: by time (next)
 *     or by membarrier() (RELIEF).
 *
 * P1 is an atomic operation on the very word that carries FENCED, so it knows which of the
 * arguments holds for every n that a writer can have missed it with. (A flag beside the counter
 * could not tell.)
 *
 * WITHOUT MEMBARRIER: the kernel lacks it or refuses it, now or later (a seccomp filter set after
 * the first park), or SEQ_CST was selected. P1 found no FENCED, and P2 can't reach the writers: it
 * is a fence, and the waiter goes on like this:
 *
 *     T1  P3 and P4, but it sleeps until XSC_SETTLE_NS after P1 at most, and as SECOND (DISCARDED
 *         WAKES, below)
 *     T2  P3 once more; changed: P6
 *     T3  FENCED on in xsc_parked[b] (atomic)
 *     T4  P3 to P5 without limit
 *
 * The argument needs a bound that no standard gives (C11: "a reasonable amount of time"): when a
 * load has been satisfied, the stores before it in the program become visible to other CPUs within
 * XSC_SETTLE_NS, 10 ms. What can lie between the two is a CPU's reorder window and store buffer,
 * some microseconds; a thread that loses its CPU in between has been through a full barrier.
 *
 * The waiter S that executes T1 to T4. If W2 reads P1 or later, n is not 0 until S's P6: the writer
 * executes W3 and wakes. If W2 misses P1, it was satisfied before P1 was visible, W1 is visible
 * XSC_SETTLE_NS later, and T2 sees it. Until then S may be late: by 10 ms, not more.
 *
 * A waiter Q whose P1 finds FENCED, as T3 of S left it, however soon after. A W2 that misses Q's P1
 * reads
 *
 *     what T3 left, or later: it has FENCED, because nothing takes FENCED off in a process that
 *     never had a membarrier. The writer fences, Q fences.
 *     from P1 of S up to T3: n includes the 2 of S, which stays counted from P1 to T4. The writer
 *     fences, Q fences.
 *     older than P1 of S: the load was satisfied XSC_SETTLE_NS before T3 or earlier. W1 is visible
 *     by T3, T3 is before Q's P1, and Q's P3 sees W1.
 *
 * S sleeps as SECOND in T1 because a store that it was missed with has no W4: were S a FIRST, the W4 of
 * another store could choose it, S would return because of the first, and the waiter that the other
 * store was for would sleep on. As SECOND it takes a wake from no other waiter.
 *
 * So Q may rely on FENCED from the moment at which it is set, whatever a writer that loaded 0
 * earlier is doing. That S stays counted is what this rests on: T3 after P6, or before T2, would
 * not do.
 *
 * A waiter that comes between P1 of S and T3 finds no FENCED and executes T1 to T4 itself. A
 * park shorter than XSC_SETTLE_NS leaves no FENCED behind, and costs no look; the first longer one
 * of a bucket costs one look; after that the bucket's writers fence, for the process's life.
 *
 * Where membarrier() is refused only later, a T3 may set FENCED in a process in which RELIEF takes
 * it off. There P1 relies on FENCED only with fenced[b] (see RELIEF), which T3 does not set: such
 * waiters try membarrier() and, refused, execute T1 to T4 each time. T3 is then for the sake of
 * time: with fences on both sides, T2 practically never finds what T1 slept through.
 *
 * RELIEF. membarrier() interrupts the other CPUs: in a VM that can cost the waiter more than
 * sleeping does. So a bucket in which waiters park often goes to fences, and when its writers have
 * fenced without a waiter for as long as a membarrier takes, back again:
 *
 *     waiter                                     writer, W3 having found no waiter
 *     P1  found no FENCED                        R3  fenced[b]: 1 -> 0 (compare-and-swap)
 *     R1  FENCED on in xsc_parked[b] (atomic)    R4  FENCED off in xsc_parked[b] (atomic)
 *     P2  membarrier()
 *     R2  fenced[b] = 1, if R1 found it off
 *
 * and a waiter whose P1 finds FENCED needs only a fence if it then reads fenced[b] = 1, else it
 * calls membarrier() all the same. Why that fence is enough: the membarrier of R2's thread lies
 * after R1. If a writer executed W2 before it, W1 was before it too, so our P3, after reading R2
 * with acquire, sees W1. A W2 after it does not read an n from before R1; an n from after R1 with
 * FENCED sends the writer to W3, where the litmus has two fences; and an n without FENCED is from a
 * later R4, and if that R4 is later than our P1, n includes our 2. If that R4 is earlier than P1,
 * then P1 finds no FENCED, or an R1 (or T3) between them has set it, and then fenced[b] = 1 can be
 * only from that R1's own R2, because R3 took the earlier one back before R4. That is why only the
 * thread whose R1 set FENCED may execute R2, and why R3 comes before R4. models/park.pml has all of
 * it.
 *
 * FORK. xsc_parked[] is copied into a child, the threads that it counts are not. The counts carry
 * the generation of their process (user/process.h): P1 and P6 are compare-and-swaps that replace a
 * parent's count, and leave it alone, so in the argument above they are what they were. A writer in
 * a child that finds a parent's count wakes once, and takes it off. That wake is for a thread that
 * forked in a signal handler while it was parked: in the child it sleeps on, counted for the parent.
 * When it wakes, for this or any reason, it finds another generation, and is counted again from P1.
 * (It is not woken for another word of its bucket, whose writer may come first, if it sleeps without
 * a deadline, its handler is SA_RESTART, and that handler has left threads running in the child.)
 * A parent's thread between R1 and R2 never comes to R2 in the child: its count is there, then, and
 * with it FENCED goes off in the child. That is an R4 after an R3 made earlier. Where no membarrier
 * is used FENCED stays: what it rests on are stores made before the fork, which is a full barrier for
 * the only thread of the child.
 *
 * THE WORD AND THE FUTEX
 *
 * The kernel compares 4 aligned bytes.
 * - 4-byte words: those. Expected is the value that P3 judged, so any change is seen, also one to
 *   a value that does not meet the condition: we look and sleep again.
 * - 1 and 2 bytes: the 4 bytes around them. One load gives both the value to judge and the
 *   value to expect; a neighbour's change makes us look again, no more. All words in those 4
 *   bytes sleep on one futex, so each takes the bit of its own address in the futex's bit set:
 *   else an unpark_one for one byte could wake the waiter of another, and be lost.
 * - 8 bytes: a change of the half that the kernel does not compare, made between P3 and P4
 *   together with its W4, would be lost. So these sleep on a sequence number of their bucket:
 *
 *       W4' wide.waiters? then seq += 1 (release); futex_wake(seq, all)
 *       P1' wide.waiters += 1 before P1
 *       P3' key = seq (acquire), then load word; unchanged: futex_wait(seq, key)
 *
 *   If P3' misses W1 then key is from before W4' (acquire would show W1 otherwise), so W4'
 *   changes seq under the sleeper's comparison or wakes it. The key must be read before the word.
 *   All sleepers of the word are woken (and some others: the sequence is the bucket's, told
 *   apart by 32 bits), because the one woken alone might be another word's.
 *   W4' sees P1' whenever W3 sees P1: P1 releases, W3 acquires.
 *
 * DISCARDED WAKES
 *
 * W4 of an unpark_one is a wake for one sleeper, and the kernel chooses it, by priority. It may be one
 * whose condition is not met: another value than the one it waits for, or it parked after W1, before
 * a W4 that was late. If it went back to sleep, the waiter that W1 was for would sleep for ever. So
 * the sleepers of a word are of two classes, told apart by the futex's bit set:
 *
 *     writer, W4                                  waiter, woken by a wake, condition not met
 *     wake `count` of FIRST                       D1  it is SECOND already: back to P3
 *     fewer than that woken, and seconds != 0:    D2  passes the wake on: W4 with a count of 1
 *         wake all of SECOND                      D3  seconds += 1 (atomic); fence
 *                                                 D4  back to P3, sleeping as SECOND from now on;
 *                                                     seconds -= 1 when it leaves
 *
 * Claim: when W4 and what follows from it is over, a waiter returns whose condition is met, or
 * every waiter that was asleep at W4 has looked after W1. The wake is with one FIRST at a time. That
 * one returns, or hands the wake on and is a FIRST no more, so there are at most as many steps as
 * FIRSTs. The last step finds no FIRST asleep and wakes all of SECOND. A SECOND is woken only together
 * with all others, so it takes a wake from none of them and has nothing to pass on.
 * - Asleep at W4, not FIRST, not woken in the last step: impossible but for `seconds` read as 0. Then
 *   D3 and D4's look, with a fence between, against W1 and the look at seconds, with W3's fence
 *   between, are the litmus: that waiter's look sees W1. For the look at `seconds` in a D2, W1 came
 *   before the wake that brought D2 about, and D2 has a fence of its own.
 * - A waiter leaves at its deadline: xsc_sleep() says whether a wake had chosen it, and D2 is done
 *   before it leaves, met or over being decided by a look after that.
 * - A waiter alone in its bucket has none to pass a wake to, and stays FIRST: a waiter that slept for
 *   this word before W4 did its P1 before that, and D2's fence and load see it.
 * - A waiter X may return with the wake because its condition was met by another store. That store
 *   has a W4 of its own, whose wake X does not take: each wait takes one at most. It ends with another
 *   waiter whose condition is met, and so on; so as many such waiters return as there were wakes, and
 *   none is left where each of them had one. (Where a store meets several and wakes one, as where all
 *   wait for the same, the waiter that returned is the one that acts on it.)
 * - 8-byte private words are woken all together: they are like SECOND. 8-byte shared words: a waiter
 *   in futex_waitv() is FIRST and would take any wake, whatever its bits; after D2 it sleeps as where
 *   there is no futex_waitv().
 * - Waits that may discard (xsc_park_no_pass()): the mutex, see there.
 * models/wake.pml has it.
 *
 * SHARED words have no counter (see xsc/park.h), so W always does W4, and the kernel's part of
 * the argument is all there is. Nor have they `seconds`: a wake for one that finds fewer FIRSTs than
 * it is for always makes the second system call. 8-byte shared words sleep on both halves at once with
 * futex_waitv(): queued at the first half, which W4 wakes, before the second is compared.
 * Where the kernel lacks it, on the first half, for a millisecond at a time.
 *
 * REFUSED SLEEPS. Memory that the kernel makes no shared futex of (a device's, perf's ring, a
 * private mapping that can't be written) and a filter that forbids the call end a sleep at once,
 * every time. W4 is refused there, too, so nothing relies on it: the waiter naps between its looks
 * (xsc_nap_if_refused()), and P3 sees W1 when the nap is over.
 */
#define _GNU_SOURCE
#include "user/park.h"

#include <errno.h>
#include <string.h>

#include <xsc/cas.h>
#include <xsc/park.h>

#include "core/port.h"
#include "core/wait.h"
#include "core/watch.h"
#include "user/barrier.h"
#include "user/library.h"
#include "user/process.h"
#include "user/sleep.h"

/* C99 inline: these make the external definitions, for callers that can't inline. */
#define XSC_EMIT(name, type)                                                                       \
    extern inline int xsc_park_##name(const volatile type *, type, uint64_t);
XSC_EMIT(u8, uint8_t)
XSC_EMIT(u16, uint16_t)
XSC_EMIT(u32, uint32_t)
XSC_EMIT(u64, uint64_t)
XSC_EMIT(u8_shared, uint8_t)
XSC_EMIT(u16_shared, uint16_t)
XSC_EMIT(u32_shared, uint32_t)
XSC_EMIT(u64_shared, uint64_t)
#undef XSC_EMIT
extern inline uint32_t xsc_park_bucket(const volatile void *word);
extern inline void xsc_unpark_one(const volatile void *word);
extern inline void xsc_unpark_all(const volatile void *word);

/* One waiter in xsc_parked[]; bit 0 is XSC_PARK_FENCED. */
#define PARKED_ONE XSC_HEAD
_Static_assert(XSC_HEADS_FLAG == XSC_PARK_FENCED, "the bit that a fork leaves alone");

#define OFTEN 4        /* parks by membarrier before a bucket goes to fences */
#define FENCE_NS 8u    /* about what a fence costs a writer */
#define CHEAP_NS 1000u /* a membarrier that costs less is not worth it */
#define SAMPLED 16u    /* one in so many of a thread's fences that found no waiter is counted */

/* ------------------------------------------------------------------- for both ---- */

uint64_t xsc_next_look(uint64_t deadline_ns, uint64_t every_ns)
{
    if (every_ns == XSC_FOREVER) {
        return deadline_ns;
    }
    const uint64_t next = xsc_port_now_ns() + every_ns;

    return next < deadline_ns ? next : deadline_ns;
}

uint32_t xsc_wake_counted(const volatile uint32_t *word, uint32_t bits, uint32_t count, bool shared)
{
    struct xsc_slot *slot = xsc_slot_claim(&xsc_library.stats, xsc_port_slot_hint());

    xsc_count(&slot->n.wakes, 1);
    xsc_slot_release(slot);
    xsc_stamp_wake(word);
    return xsc_wake(word, bits, count, shared);
}

void xsc_wake_classes(const volatile uint32_t *word, uint32_t first, uint32_t second,
                      uint32_t count, bool look_second, bool shared)
{
    if (count == UINT32_MAX) {
        xsc_wake_counted(word, first | second, count, shared);
    } else if (xsc_wake_counted(word, first, count, shared) < count && look_second) {
        xsc_wake_counted(word, second, UINT32_MAX, shared);
    }
}

/* ------------------------------------------------------------------ one sleep, by size ---- */

/* The bucket's sequence number for 8-byte words, and how many sleep on it. */
static struct {
    uint32_t seq, waiters;
} wide[XSC_PARK_BUCKETS];

/* The 4 bytes that the kernel compares for a word of up to 4 bytes. */
static const volatile uint32_t *futex_of(const volatile void *word)
{
    return (const volatile uint32_t *)((uintptr_t)word & ~(uintptr_t)3);
}

/* Which of the words in those 4 bytes, and which class of its sleepers: see DISCARDED. */
#define SECOND_SHIFT 4

static uint32_t futex_bit(const volatile void *word, bool second)
{
    return 1u << (((uintptr_t)word & 3) + (second ? SECOND_SHIFT : 0));
}

/* How many sleep as SECOND: user/process.h. Buckets share these: one too many costs a system call. */
#define SECONDS 64u
static uint32_t seconds[SECONDS];

static uint32_t *seconds_of(const volatile void *word)
{
    return &seconds[xsc_park_bucket(word) % SECONDS];
}

/* W4. */
static void wake(const volatile void *word, uint32_t count, bool shared)
{
    xsc_wake_classes(futex_of(word), futex_bit(word, false), futex_bit(word, true), count,
                     shared || xsc_heads(seconds_of(word)), shared);
}

static uint32_t wide_bit(const volatile void *word)
{
    return 1u << ((uintptr_t)word >> 3 & 31);
}

/*
 * Loads 4 bytes of which the caller may own one. They share a page and a cache line; the
 * sanitizers, which would object, are kept out. volatile: one load, as the compiler sees it.
 */
#if defined(__clang__)
__attribute__((no_sanitize("address", "thread")))
#else
__attribute__((no_sanitize_address, no_sanitize_thread))
#endif
static uint32_t
load_around(const volatile uint32_t *at)
{
    return *at;
}

/* The value of the watch's 1 or 2 bytes within the 4 around them, whatever the byte order. */
static uint64_t part_of(const struct xsc_watch *w, uint32_t around)
{
    const size_t at = (uintptr_t)w->word & 3;
    uint8_t byte;
    uint16_t pair;

    if (w->size == 1) {
        memcpy(&byte, (const char *)&around + at, sizeof(byte));
        return byte;
    }
    memcpy(&pair, (const char *)&around + at, sizeof(pair));
    return pair;
}

struct parking {
    const struct xsc_watch *watch;
    bool shared;
    bool may_discard; /* what it does not pass on is not lost */
    uint64_t *parks;  /* NULL, or where they are counted: relaxed, one writer */
};

/*
 * P3 and P4: looks, and sleeps if that may have to last. Every load that says "unchanged" is
 * the one that the kernel's comparison starts from. The caller looks again in any case.
 */
static enum xsc_slept look_and_sleep(const struct parking *p, uint64_t until_ns, bool second)
{
    const struct xsc_watch *w = p->watch;
    const volatile uint32_t *futex = futex_of(w->word);
    const uint32_t bit = futex_bit(w->word, second);
    enum xsc_slept end = XSC_SLEPT_CHANGED;

    if (w->size < 4) {
        const uint32_t around = load_around(futex);

        if (!xsc_watch_holds(w, part_of(w, around))) {
            end = xsc_sleep(futex, around, bit, until_ns, p->shared);
        }
    } else if (w->size == 4) {
        const uint32_t value = (uint32_t)xsc_watch_load(w);

        if (!xsc_watch_holds(w, value)) {
            end = xsc_sleep(futex, value, bit, until_ns, p->shared);
        }
    } else if (!p->shared) {
        uint32_t *seq = &wide[xsc_park_bucket(w->word)].seq;
        const uint32_t key = __atomic_load_n(seq, __ATOMIC_ACQUIRE);

        if (!xsc_watch_met(w)) {
            end = xsc_sleep(seq, key, wide_bit(w->word), until_ns, false);
        }
    } else {
        const uint64_t value = xsc_watch_load(w);
        uint32_t first;

        memcpy(&first, &value, sizeof(first));
        if (!xsc_watch_holds(w, value)) {
            end = second ? XSC_SLEPT_REFUSED
                         : xsc_sleep_wide((const volatile uint64_t *)w->word, value, until_ns);
            if (end == XSC_SLEPT_REFUSED) {
                end = xsc_sleep(futex, first, bit, xsc_next_look(until_ns, XSC_LOOK_REFUSED_NS),
                                true);
            }
        }
    }
    return end;
}

/*
 * D2 to D4. False: this waiter goes on as FIRST. 8-byte private words are woken all together, so
 * that their waiters take no wake from another.
 */
static bool pass_on(const struct parking *p, uint32_t generation)
{
    const volatile void *word = p->watch->word;

    if (p->may_discard || (p->watch->size == 8 && !p->shared) ||
        (!p->shared &&
         xsc_heads_of(xsc_fence_load(&xsc_parked[xsc_park_bucket(word)]), generation) < 2)) {
        return false;
    }
    wake(word, 1, p->shared);
    if (!p->shared) {
        xsc_heads_enter(seconds_of(word), generation);
        xsc_fence();
    }
    return true;
}

/*
 * P3 to P5. A deadline that has passed is reported only after one more look. Comes back also where
 * this process is not, or no longer, of the generation in which a private waiter was counted.
 */
static bool sleep_until_met(const struct parking *p, uint64_t deadline_ns, uint64_t every_ns,
                            uint32_t generation, bool second)
{
    uint64_t refused_ns = 0;

    if (second) { /* T1; a shared waiter, and one for 8 bytes, is none */
        xsc_heads_enter(seconds_of(p->watch->word), generation);
        xsc_fence();
    }
    bool over = false, met = xsc_watch_met(p->watch);

    while (!met && !over) {
        const uint64_t until_ns = xsc_next_look(deadline_ns, every_ns);
        const enum xsc_slept end = look_and_sleep(p, until_ns, second);

        xsc_nap_if_refused(end, &refused_ns, until_ns);
        over = deadline_ns != XSC_FOREVER && xsc_port_now_ns() >= deadline_ns;
        met = xsc_watch_met(p->watch);
        if (end == XSC_SLEPT_WOKEN && !met && !second) {
            second = pass_on(p, generation);
        }
        over = over || (!p->shared && xsc_generation() != generation);
    }
    if (second && !p->shared) {
        xsc_heads_leave(seconds_of(p->watch->word), generation);
    }
    return met;
}

/* -------------------------------------------------------------------------- relief ---- */

/* Beside xsc_parked[]. Apart from `fenced` these are figures: relaxed, and near enough. */
static struct {
    uint32_t fenced; /* see RELIEF above */
    uint32_t parks;  /* by membarrier, since FENCED was taken off */
    uint32_t idle;   /* fences by writers that found no waiter, since the last park */
} relief[XSC_PARK_BUCKETS];

/* Whether this park, which found no FENCED, is to be the last that needs a membarrier. */
static bool parks_often(uint32_t b)
{
    const uint32_t parks = __atomic_add_fetch(&relief[b].parks, 1, __ATOMIC_RELAXED);

    return parks >= OFTEN && xsc_barrier_ns() > CHEAP_NS;
}

/* R1 and T3. True: it was off. */
static bool ask_for_fences(uint32_t b)
{
    return !(__atomic_fetch_or(&xsc_parked[b], XSC_PARK_FENCED, __ATOMIC_SEQ_CST) &
             XSC_PARK_FENCED);
}

/* P2, and R1 and R2. False: a writer may miss us, and we its store (WITHOUT MEMBARRIER). */
static bool reach_writers(uint32_t b, uint32_t before)
{
    const bool asymmetric = xsc_park_in_force() == XSC_PARK_ASYMMETRIC;
    bool was_first = false;

    __atomic_store_n(&relief[b].idle, 0, __ATOMIC_RELAXED);
    if (before & XSC_PARK_FENCED) {
        xsc_fence();
        return !asymmetric || __atomic_load_n(&relief[b].fenced, __ATOMIC_ACQUIRE) ||
               xsc_barrier_heavy(false);
    }
    if (!asymmetric) {
        xsc_fence();
        return false;
    }
    if (parks_often(b)) {
        was_first = ask_for_fences(b);
    }
    if (!xsc_barrier_heavy(false)) {
        return false;
    }
    if (was_first) {
        __atomic_store_n(&relief[b].fenced, 1, __ATOMIC_RELEASE);
    }
    return true;
}

/* A writer has fenced and found no waiter: R3 and R4, when that has cost enough. */
static _Thread_local uint32_t fences;

void xsc_park_fenced(uint32_t b)
{
    uint32_t fenced = 1;

    if (++fences % SAMPLED || !__atomic_load_n(&relief[b].fenced, __ATOMIC_RELAXED)) {
        return;
    }
    const uint32_t idle = __atomic_add_fetch(&relief[b].idle, SAMPLED, __ATOMIC_RELAXED);

    if ((uint64_t)idle * FENCE_NS < xsc_barrier_ns()) {
        return;
    }
    if (__atomic_compare_exchange_n(&relief[b].fenced, &fenced, 0, false, XSC_CAS_SEQ_CST)) {
        __atomic_store_n(&relief[b].parks, 0, __ATOMIC_RELAXED);
        __atomic_fetch_and(&xsc_parked[b], ~XSC_PARK_FENCED, __ATOMIC_SEQ_CST);
    }
}

/* -------------------------------------------------------------------------- a child ---- */

/*
 * Takes a count off that is of a process which this one was forked from: see FORK. The
 * compare-and-swap fails where a thread of this process has counted itself; so with the count as it
 * was, none of ours is between R1 and R2.
 */
static void forget_inherited(uint32_t b)
{
    uint32_t was = __atomic_load_n(&xsc_parked[b], __ATOMIC_RELAXED);

    if (xsc_heads_inherited(was)) {
        const bool cut_off = xsc_park_in_force() == XSC_PARK_ASYMMETRIC &&
                             !__atomic_load_n(&relief[b].fenced, __ATOMIC_ACQUIRE);

        __atomic_compare_exchange_n(&xsc_parked[b], &was, cut_off ? 0 : was & XSC_HEADS_FLAG, false,
                                    XSC_CAS_SEQ_CST);
    }
    was = __atomic_load_n(&wide[b].waiters, __ATOMIC_RELAXED);
    if (xsc_heads_inherited(was)) {
        __atomic_compare_exchange_n(&wide[b].waiters, &was, 0, false, XSC_CAS_SEQ_CST);
    }
}

/* ------------------------------------------------------------------------- parking ---- */

/* T1 to T4, by a waiter that is counted. */
static bool sleep_unreached(const struct parking *p, uint32_t b, uint64_t deadline_ns,
                            uint32_t generation)
{
    const uint64_t settled_ns = xsc_next_look(deadline_ns, XSC_SETTLE_NS);
    const bool met = sleep_until_met(p, settled_ns, XSC_FOREVER, generation, p->watch->size < 8);

    if (met || settled_ns == deadline_ns || generation != xsc_generation()) {
        return met;
    }
    ask_for_fences(b);
    return sleep_until_met(p, deadline_ns, XSC_FOREVER, generation, false);
}

/* P1 to P6. */
static bool park_counted(const struct parking *p, uint64_t deadline_ns, uint32_t generation)
{
    const uint32_t b = xsc_park_bucket(p->watch->word);

    forget_inherited(b);
    if (p->watch->size == 8) {
        xsc_heads_enter(&wide[b].waiters, generation); /* P1' */
    }
    const uint32_t before = xsc_heads_enter(&xsc_parked[b], generation);
    const bool met = reach_writers(b, before)
                         ? sleep_until_met(p, deadline_ns, XSC_FOREVER, generation, false)
                         : sleep_unreached(p, b, deadline_ns, generation);

    xsc_heads_leave(&xsc_parked[b], generation);
    if (p->watch->size == 8) {
        xsc_heads_leave(&wide[b].waiters, generation);
    }
    return met;
}

static bool park_private(void *arg, uint64_t deadline_ns)
{
    const struct parking *p = arg;
    uint32_t generation;
    bool met;

    if (p->parks) {
        __atomic_store_n(p->parks, *p->parks + 1, __ATOMIC_RELAXED);
    }
    xsc_barrier_decide(XSC_PARK_AUTO);
    do {
        generation = xsc_generation();
        met = park_counted(p, deadline_ns, generation);
    } while (!met && generation != xsc_generation());
    return met;
}

static bool park_shared(void *arg, uint64_t deadline_ns)
{
    return sleep_until_met(arg, deadline_ns, XSC_LOOK_SHARED_NS, 0, false);
}

int xsc_park_slow(const struct xsc_watch *watch, uint64_t timeout_ns)
{
    struct parking p = {.watch = watch};

    if (!watch || !xsc_watch_valid(watch)) {
        return -EINVAL;
    }
    return xsc_watch_then(watch, NULL, timeout_ns, park_private, &p);
}

int xsc_park_no_pass(const struct xsc_watch *watch, uint64_t timeout_ns)
{
    struct parking p = {.watch = watch, .may_discard = true};

    return xsc_watch_then(watch, NULL, timeout_ns, park_private, &p);
}

int xsc_park_site(struct xsc_site *site, const struct xsc_watch *watch, uint64_t timeout_ns)
{
    struct parking p = {.watch = watch};

    if (!site || !watch || !xsc_watch_valid(watch)) {
        return -EINVAL;
    }
    return xsc_watch_then(watch, site, timeout_ns, park_private, &p);
}

int xsc_park_told(struct xsc_site *site, const struct xsc_watch *watch, uint64_t timeout_ns,
                  uint64_t *parks)
{
    struct parking p = {.watch = watch, .parks = parks};

    return xsc_watch_then(watch, site, timeout_ns, park_private, &p);
}

int xsc_park_shared_slow(const struct xsc_watch *watch, uint64_t timeout_ns)
{
    struct parking p = {.watch = watch, .shared = true};

    if (!watch || !xsc_watch_valid(watch)) {
        return -EINVAL;
    }
    return xsc_watch_then(watch, NULL, timeout_ns, park_shared, &p);
}

/* ----------------------------------------------------------------------- unparking ---- */

/* True: it made a system call. */
static bool unpark(const volatile void *word, uint32_t count)
{
    const uint32_t b = xsc_park_bucket(word);

    if (xsc_fence_load(&xsc_parked[b]) < PARKED_ONE) { /* W3 */
        xsc_park_fenced(b);
        return false;
    }
    wake(word, count, false); /* W4 */
    if (!((uintptr_t)word & 7) && __atomic_load_n(&wide[b].waiters, __ATOMIC_RELAXED)) {
        __atomic_fetch_add(&wide[b].seq, 1, __ATOMIC_RELEASE); /* W4' */
        xsc_wake_counted(&wide[b].seq, wide_bit(word), UINT32_MAX, false);
    }
    forget_inherited(b);
    return true;
}

void xsc_unpark_slow(const volatile void *word, uint32_t count)
{
    unpark(word, count);
}

bool xsc_unpark_told(const volatile void *word)
{
    __asm__ __volatile__("" ::: "memory"); /* as inline: the store stays before the load */
    return __atomic_load_n(&xsc_parked[xsc_park_bucket(word)], __ATOMIC_RELAXED) != 0 &&
           unpark(word, UINT32_MAX);
}

void xsc_unpark_one_shared(const volatile void *word)
{
    wake(word, 1, true);
}

void xsc_unpark_all_shared(const volatile void *word)
{
    wake(word, UINT32_MAX, true);
}
