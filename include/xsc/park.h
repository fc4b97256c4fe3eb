/* SPDX-License-Identifier: MIT */
/*
 * xsc/park.h - wait for a word of memory to change, off the CPU, with the writer's help
 *
 * WHAT IT IS
 *
 *     waiter                                             writer
 *     uint32_t seen = ring->tail;                        fill the slot;
 *     ...                                                store(&ring->tail, t + 1, release);
 *     xsc_park_u32(&ring->tail, seen, XSC_FOREVER);      xsc_unpark_one(&ring->tail);
 *
 * As xsc_wait_u32() (xsc/wait.h), but a waiter that has watched for a while leaves the CPU,
 * and the writer says so after its store. While no thread is parked, that costs the writer one
 * load and a branch: no atomic read-modify-write, no fence, no system call. That holds from the
 * process's first unpark on; nothing has to be set up for it.
 *
 * HOW IT WAITS
 *
 * 1. The inline part loads the word once. Already changed: no call is made.
 * 2. It watches as xsc_wait() does, for as long as earlier waits for this word have taught; or
 *    naps until just before the event is due, and watches then. A hand-over that is over while
 *    it watches makes no system call on either side.
 * 3. It counts itself in xsc_parked[], makes sure that every writer either sees that count or
 *    has its store seen, looks once more, and sleeps in the kernel (futex).
 *
 * WHY NO WAKE-UP IS LOST, IN SHORT
 *
 *     writer                               waiter
 *     W1 store the word                    P1 count itself in xsc_parked[]
 *     W2 load xsc_parked[]                 P2 full barrier on its own CPU AND on the writer's
 *     W3 not 0: wake                       P3 load the word; unchanged: sleep
 *
 * A wake-up is lost if W2 misses P1 and P3 misses W1. The writer's CPU may execute W2 before W1 is
 * visible, and the writer has no fence. But P2 (membarrier(2)) acts as a full barrier at some point
 * in the writer's instruction stream, after P1 and before P3. If it executes before W2, W2 sees P1;
 * if after W2, W1 is also before it, so P3 sees W1. The long form, with the kernel's part, the
 * variant with fences and the changes between them, is in user/park.c; the models that check it are
 * in models/.
 *
 * WHERE MEMBARRIER IS MISSING or refused (Linux before 4.14, seccomp), or where XSC_PARK=seqcst
 * is set in the environment, writers have to fence. The first waiter that stays parked for 10 ms
 * asks them to, for the words of its bucket: from then on unpark takes its slow path there, which
 * has a fence and looks again: some 10 ns, and still no system call. Until then a waiter does not
 * rely on the writers: it looks at the word for itself when it has been parked for 10 ms.
 *
 * WHAT IS PROMISED
 *
 * - xsc_park_*() return 0 once the word is not `old` (an acquire load said so), -ETIMEDOUT
 *   not before timeout_ns of CLOCK_MONOTONIC have passed, -EINVAL for a NULL or misaligned
 *   word. Nothing else: never -EINTR, never with the word unchanged. timeout_ns 0 looks once;
 *   XSC_FOREVER has no deadline. A timeout looks once more before it is reported, so a store
 *   whose writer died before its unpark is found then.
 * - xsc_unpark_one() after a store ends at least one of the parks of that word whose condition is
 *   met, if there are any, another one for each call; xsc_unpark_all() ends all of those. Waking more
 *   is allowed, and is what happens for 8-byte words: the kernel compares 4 bytes. An unpark only asks
 *   a waiter to re-check. A waiter whose condition is not met (another `old` value, mask or target,
 *   another size at that address) passes the wake on before it sleeps again, so it does not matter
 *   which waiter the kernel wakes, and it wakes by priority.
 * - So where waiters of one word wait for unlike conditions, no wait lasts on with its condition met,
 *   provided that each store that meets the condition of one waiter at most is followed by
 *   xsc_unpark_one(), and each that may meet those of several by xsc_unpark_all().
 * - unpark orders nothing but itself after the stores before it, which may be plain, relaxed or
 *   release: use release (or stronger) where the store publishes something.
 * - Thread-safe; park, unpark: safe in signal handlers. errno is left alone. Not cancellation
 *   points. No allocation. Usable in a child after fork(), where no thread of the parent is parked:
 *   the child's copy of a word in private memory is a word of its own. Stack: as said in xsc/wait.h,
 *   3 KiB at most in the process's first park, which measures what leaving the CPU costs; else 1.5 KiB.
 * - The word's memory may be freed as soon as no thread is in a park for it. That the writer's store
 *   ends the last of them is enough: unpark uses the address only, so one that comes after the memory
 *   was freed is harmless. At worst it wakes a thread that by then sleeps at that address; any waiter
 *   of this library re-checks, as must every user of futex(2). A struct xsc_site may be freed when
 *   no wait that uses it is in progress; no other call touches it.
 *
 * WHAT IS NOT
 *
 * - A store without an unpark ends a park at its timeout only.
 * - Waiter and writer must use the same copy of the library: a plugin with a copy of its own,
 *   statically linked, has an xsc_parked[] of its own.
 * - The plain forms are for one process. Words in memory that other processes write or wait
 *   for take the _shared forms, on both sides.
 * - Waiters of one word with unlike conditions and unlike priorities: xsc_unpark_one() ends a wait
 *   whose condition is met, but a waiter that has already been woken without success comes after
 *   those that have not, whatever its priority. Use xsc_unpark_all() where that matters.
 * - Words that overlap (8 bytes, and a byte of them): use xsc_unpark_all(), and in the _shared forms
 *   of an 8-byte word expect a wake of the smaller one up to a second late.
 * - fork() in a signal handler that interrupted a park, a lock or a wait for an event: the child may
 *   exec or _exit. If its handler returns, the call goes on in the child, where its count is another
 *   process's: it may not be woken, and may disturb the counts of the child's other threads.
 * - A signal handler that interrupted a park and blocks holds up the wake that this thread may have
 *   been given, until it returns. One that leaves by siglongjmp() leaves the thread counted: waits go
 *   on correctly, and unparks in that bucket (signals of that event) stay slow.
 *
 * SHARED FORMS
 *
 * Two processes that share nothing but the mapping have no common place where a waiter could
 * announce itself, so an unpark always makes a system call (some 0.1 us on bare metal), parked or
 * not: xsc_unpark_all_shared() one, xsc_unpark_one_shared() one if it wakes a thread and else two,
 * because it can't know of waiters that have passed a wake on. Where that matters, use an event
 * (xsc/event.h), which brings 4 bytes of its own for this. A parked waiter looks at the word once a
 * second even if no writer wakes it, so a writer that was killed between store and unpark costs a
 * second.
 *
 * Memory that the kernel makes no futex of (a device's, perf's ring, a private mapping that can't be
 * written) can be waited for as well: the waiter naps between its looks, 1 ms at first and a
 * sixteenth of the wait later, at most 16 ms.
 */
#ifndef XSC_PARK_H
#define XSC_PARK_H

#include <xsc/wait.h>

#ifdef __cplusplus
extern "C" {
#endif

/* --------------------------------------------------------------------------- waiting ---- */

/* Waits, eventually blocking in the kernel, until *word != old. See "what is promised" above. */
XSC_API XSC_INLINE int xsc_park_u8(const volatile uint8_t *word, uint8_t old, uint64_t timeout_ns);
XSC_API XSC_INLINE int xsc_park_u16(const volatile uint16_t *word, uint16_t old,
                                    uint64_t timeout_ns);
XSC_API XSC_INLINE int xsc_park_u32(const volatile uint32_t *word, uint32_t old,
                                    uint64_t timeout_ns);
XSC_API XSC_INLINE int xsc_park_u64(const volatile uint64_t *word, uint64_t old,
                                    uint64_t timeout_ns);

/* The same for a word in memory that other processes write, with the _shared unparks. */
XSC_API XSC_INLINE int xsc_park_u8_shared(const volatile uint8_t *word, uint8_t old,
                                          uint64_t timeout_ns);
XSC_API XSC_INLINE int xsc_park_u16_shared(const volatile uint16_t *word, uint16_t old,
                                           uint64_t timeout_ns);
XSC_API XSC_INLINE int xsc_park_u32_shared(const volatile uint32_t *word, uint32_t old,
                                           uint64_t timeout_ns);
XSC_API XSC_INLINE int xsc_park_u64_shared(const volatile uint64_t *word, uint64_t old,
                                           uint64_t timeout_ns);

/*
 * The same for any integer word that XSC_WATCH() takes (xsc/watch.h), in C and C++, _Atomic ones
 * included: until *word != old, until (*word & mask) == want, and until the wrapping counter *word has
 * reached target. -EINVAL as xsc_wait(), xsc_wait_mask() and xsc_wait_reached().
 */
#define xsc_park(word, old, timeout_ns)                                                            \
    XSC_WHEN_(word, old, -1, XSC_UNTIL_NOT, timeout_ns, xsc_park_slow)
#define xsc_park_mask(word, mask, want, timeout_ns)                                                \
    XSC_WHEN_(word, want, mask, XSC_UNTIL_EQUAL, timeout_ns, xsc_park_slow)
#define xsc_park_reached(word, target, timeout_ns)                                                 \
    XSC_WHEN_(word, target, -1, XSC_UNTIL_REACHED, timeout_ns, xsc_park_slow)

/*
 * The same for any condition that a struct xsc_watch can state (bits under a mask, a counter
 * that reaches a target): the part of a park that is not inline.
 */
XSC_API int xsc_park_slow(const struct xsc_watch *watch, uint64_t timeout_ns);
XSC_API int xsc_park_shared_slow(const struct xsc_watch *watch, uint64_t timeout_ns);

/*
 * What earlier waits have taught belongs to a site. By itself a word's site is found by its
 * address: there are 16 in the process, for the first 16 words one each, and later words share them
 * (so do two of the first, now and then, whose addresses hash alike). Own one where that fits
 * badly: many words, short-lived ones say, that are awaited at one place, or one word that is
 * awaited for reasons unlike each other.
 *
 *     static struct xsc_site replies; // zeroed is new; nothing to be destroyed
 *     struct xsc_watch reply = XSC_WATCH(&request->done, 0);
 *     err = xsc_park_site(&replies, &reply, 1000000);
 *
 * Threads may share a site, processes may not. It must last as long as any wait that uses it. As
 * xsc_park_slow(); -EINVAL also for a NULL site. The writer's side is the same.
 */
struct xsc_site {
    uint64_t own[224]; /* the library's */
};

XSC_API int xsc_park_site(struct xsc_site *site, const struct xsc_watch *watch,
                          uint64_t timeout_ns);

/*
 * The same for a plain word, whose writer does not unpark: a device's, or that of code which has
 * never heard of this library. Watches for as long as this site's waits have taught, naps until just
 * before the event is due where they come regularly, and at last dozes: naps of 0.2 ms, in a wait of
 * more than 3 ms a sixteenth of what it has dozed, at most 1 ms, each somewhat longer by what the OS
 * is late. So a store is noticed up to that much late: where that is too much, xsc_wait_slow(). Over
 * many waits whose event comes at some fixed time its CPU time and latency are together at most twice
 * those of watching each and of dozing through each (docs/policy.md). Use a site for
 * xsc_park_site() or for xsc_wait_site(), not for both. Returns, ordering and the rest as
 * xsc_park_site().
 */
XSC_API int xsc_wait_site(struct xsc_site *site, const struct xsc_watch *watch,
                          uint64_t timeout_ns);

/* --------------------------------------------------------------------------- writing ---- */

/* After the store: wakes one, or all, of the waiters parked for the word. */
XSC_API XSC_INLINE void xsc_unpark_one(const volatile void *word);
XSC_API XSC_INLINE void xsc_unpark_all(const volatile void *word);

/* The same for waiters in xsc_park_*_shared(), of any process. System calls: see above. */
XSC_API void xsc_unpark_one_shared(const volatile void *word);
XSC_API void xsc_unpark_all_shared(const volatile void *word);

/* ----------------------------------------------------------------------- the barrier ---- */

/* How a waiter and a writer are kept from missing each other. */
enum xsc_park_barrier {
    XSC_PARK_AUTO = 0,       /* to xsc_park_init(): XSC_PARK decides, else the best there is */
    XSC_PARK_SEQ_CST = 1,    /* waiter and, once a waiter has parked for long, writer fence */
    XSC_PARK_ASYMMETRIC = 2, /* membarrier(2), by the waiter alone */
};

/*
 * Selects the barrier now. Optional: otherwise the first thread to park, or to prepare for an
 * event, selects it. Then a process that has several threads already is registered with the
 * kernel, and that thread is blind for some 10 ms, once; called before the first thread is
 * made, it takes a microsecond. In the environment, XSC_PARK=seqcst (ignored in set-user-ID
 * programs) asks for XSC_PARK_SEQ_CST where `want` is XSC_PARK_AUTO. Writers need no call: unpark
 * costs the same before and after. Returns
 *   0          the barrier asked for is in use;
 *   -ENOTSUP   no membarrier here: XSC_PARK_SEQ_CST is in use. Everything works;
 *   -EALREADY  another one was selected earlier, and is kept for the process's life;
 *   -EINVAL    no such value.
 * Thread-safe, also in signal handlers.
 */
XSC_API int xsc_park_init(enum xsc_park_barrier want);

/* The barrier in use: XSC_PARK_AUTO where none has been selected yet. */
XSC_API enum xsc_park_barrier xsc_park_in_force(void);

/* ---------------------------------------------------------------- the inline part ---- */

/*
 * Parked-waiter counts, one per bucket: twice the number of threads parked for the words of that
 * bucket, plus XSC_PARK_FENCED where writers have to fence and look again; where threads of a forked
 * child are parked, also the child's generation, in bits 31 to 23. So 0, which is what a
 * process starts with, means: no waiter is counted, and any waiter that comes makes sure to see a
 * store made before this load. Everything else is for xsc_unpark_slow(). Part of the ABI; written
 * by the library.
 */
#define XSC_PARK_BUCKETS 1024u
#define XSC_PARK_FENCED 1u

XSC_API extern uint32_t xsc_parked[XSC_PARK_BUCKETS];

/* Does the fence where one is needed, looks again, and wakes. count: UINT32_MAX for all. */
XSC_API void xsc_unpark_slow(const volatile void *word, uint32_t count);

/*
 * The bucket of a word: its address in words of 4 bytes, with the bits above a page folded in so
 * that the same field of page-aligned objects spreads too. Neighbours never collide. Words that
 * do cost the writer a futex call that wakes no thread, never a wake-up. A compiler hoists it out of loops.
 */
XSC_API XSC_INLINE uint32_t xsc_park_bucket(const volatile void *word);

XSC_INLINE uint32_t xsc_park_bucket(const volatile void *word)
{
    const uintptr_t a = (uintptr_t)word;

    return (uint32_t)((a >> 2) ^ (a >> 12)) & (XSC_PARK_BUCKETS - 1);
}

/*
 * W2 and W3 of the argument. The compiler must not move the caller's store below the load:
 * that is all the barrier there is.
 */
#define XSC_DEFINE_UNPARK_(name, count)                                                            \
    XSC_INLINE void xsc_unpark_##name(const volatile void *word)                                   \
    {                                                                                              \
        __asm__ __volatile__("" ::: "memory");                                                     \
        if (__builtin_expect(                                                                      \
                __atomic_load_n(&xsc_parked[xsc_park_bucket(word)], __ATOMIC_RELAXED) != 0, 0)) {  \
            xsc_unpark_slow(word, count);                                                          \
        }                                                                                          \
    }

XSC_DEFINE_UNPARK_(one, 1)
XSC_DEFINE_UNPARK_(all, UINT32_MAX)
#undef XSC_DEFINE_UNPARK_

#define XSC_DEFINE_PARK_(name, slow, type)                                                         \
    XSC_INLINE int xsc_park_##name(const volatile type *word, type old, uint64_t timeout_ns)       \
    {                                                                                              \
        if (__builtin_expect(word && !((uintptr_t)word & (sizeof(type) - 1)), 1) &&                \
            __atomic_load_n(word, __ATOMIC_ACQUIRE) != old) {                                      \
            return 0;                                                                              \
        }                                                                                          \
        const struct xsc_watch watch = {word, old, (type) ~(type)0, sizeof(type), XSC_UNTIL_NOT};  \
        return slow(&watch, timeout_ns);                                                           \
    }

XSC_DEFINE_PARK_(u8, xsc_park_slow, uint8_t)
XSC_DEFINE_PARK_(u16, xsc_park_slow, uint16_t)
XSC_DEFINE_PARK_(u32, xsc_park_slow, uint32_t)
XSC_DEFINE_PARK_(u64, xsc_park_slow, uint64_t)
XSC_DEFINE_PARK_(u8_shared, xsc_park_shared_slow, uint8_t)
XSC_DEFINE_PARK_(u16_shared, xsc_park_shared_slow, uint16_t)
XSC_DEFINE_PARK_(u32_shared, xsc_park_shared_slow, uint32_t)
XSC_DEFINE_PARK_(u64_shared, xsc_park_shared_slow, uint64_t)
#undef XSC_DEFINE_PARK_

#ifdef __cplusplus
}
#endif

#endif /* XSC_PARK_H */
