/* SPDX-License-Identifier: MIT */
/*
 * xsc/wait.h - wait for a word of memory to change
 *
 * WHAT IT IS
 *
 *     uint32_t seen = ring->tail;
 *     ...
 *     int err = xsc_wait_u32(&ring->tail, seen, 1000000);      // or until 1 ms has passed
 *
 * returns 0 once ring->tail is no longer `seen`, -ETIMEDOUT after one millisecond
 * or somewhat more, never less.
 * Any store ends the wait: by another thread, by another process that maps the
 * same page, by a device's DMA, or by code that has never heard of this library.
 * The writer calls nothing.
 *
 * HOW IT WAITS
 *
 * 1. The inline part below loads the word once. Already changed: no call is made.
 * 2. xsc_wait_slow() looks at the word for about a microsecond more (a hand-over
 *    between two running threads ends here: no clock is read, no system call made).
 * 3. Then it watches with the best mechanism that this CPU has AND that has been
 *    tried out on this machine: UMWAIT, MWAITX, WFET, WFE, WRS.STO, or a PAUSE loop.
 *    The first slow wait of a process makes that choice (at most 5 ms, usually far
 *    less). No hardware wait lasts longer than XSC_SLICE_NS before the word is
 *    looked at again by the CPU itself, so that a monitor which misses a store (a
 *    hypervisor's, say) costs a fraction of a millisecond and is found out.
 *
 * WHAT IS PROMISED, to every function here
 *
 * - 0 means that the condition was true of a value loaded from the word. That load
 *   has acquire ordering, so what the writer wrote before a release store is seen.
 * - -ETIMEDOUT is never returned before timeout_ns of CLOCK_MONOTONIC have passed.
 *   How much later depends on the mechanism; xsc-wait-probe prints it.
 * - -EINVAL: the word is NULL, not aligned to its own size, or the condition can
 *   never hold (a wanted bit outside the mask). Nothing was waited for.
 * - No other result: never -EINTR, never a return with the condition unmet.
 *   A value that changes and changes back between two looks may go unseen, as with
 *   any wait for a word; use a counter where every change matters.
 * - timeout_ns 0 looks once. XSC_FOREVER waits without a deadline.
 * - Thread-safe, and safe in a signal handler, also one that interrupted a wait.
 *   No allocation, no lock held while waiting. errno is left alone. Not a
 *   cancellation point. Usable after fork() in the child, without exec.
 * - Stack. At most 3 KiB of the caller's for any function of this library: that is what the first
 *   wait of a process may take, in which it tries the mechanisms, and one in 10 s, in which it
 *   looks whether they still do what they should. Any other call takes 1.5 KiB, those that read
 *   statistics or probe excepted. So on x86-64, arm64 and RISC-V, as built by default. In a signal
 *   handler the kernel's frame comes on top, getauxval(AT_MINSIGSTKSZ) at most, some 1 to 4 KiB as
 *   a rule: an alternate stack of 8 KiB is enough where it is below 5 KiB. What the library cannot
 *   help: where the program is linked for lazy binding, the dynamic linker takes some 3 KiB more
 *   at the program's first call of each function. Link with -z now, or make such a call before a
 *   handler does.
 * - The word's memory may be freed when no wait for it is in progress; its writer only stores.
 * - The word may be any naturally aligned 1, 2, 4 or 8 bytes of ordinary (write-back
 *   cacheable) memory. Uncached memory works too, looked at once a slice.
 * - Every waiter burns its CPU while it watches (UMWAIT and friends burn it in a
 *   shallow sleep). A wait that has lasted a millisecond naps between its looks, for a
 *   sixteenth of what it has lasted and a millisecond at most: so much later, and the OS's
 *   timer slack, is its store seen. XSC_PREFER=latency in the environment forbids that.
 *   Where waits are long and the writer can help, xsc/park.h is better.
 * - Priorities. A waiter under a real-time policy (SCHED_FIFO, SCHED_RR, SCHED_DEADLINE) keeps a
 *   writer of lower priority off its CPU until it sleeps. So such a waiter naps as above after a
 *   millisecond, also with XSC_PREFER=latency, and so does every wait of this library that does
 *   not sleep sooner: the writer has a third of the CPU or more from then on. Which policy it is,
 *   is asked of the kernel after 1, 2, 4, ... ms of a wait: one system call each. A program that
 *   makes shorter waits in a loop never comes to that, and has to sleep itself.
 */
#ifndef XSC_WAIT_H
#define XSC_WAIT_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#include <xsc/watch.h>

#ifdef __cplusplus
extern "C" {
#define XSC_INLINE inline
#else
#define XSC_INLINE inline /* C99 inline: user/library.c emits the external definitions */
#endif

/* Version of this header; xsc_version() gives that of the library. */
#define XSC_VERSION_MAJOR 0
#define XSC_VERSION_MINOR 1
#define XSC_VERSION_PATCH 0
#define XSC_VERSION "0.1.0"

/*
 * Waits until the watch's condition holds: the part of a wait that is not inline.
 * Calling it directly is fine. Returns as the page above promises.
 */
XSC_API int xsc_wait_slow(const struct xsc_watch *watch, uint64_t timeout_ns);

/* Waits until *word != old. */
XSC_API XSC_INLINE int xsc_wait_u8(const volatile uint8_t *word, uint8_t old, uint64_t timeout_ns);
XSC_API XSC_INLINE int xsc_wait_u16(const volatile uint16_t *word, uint16_t old,
                                    uint64_t timeout_ns);
XSC_API XSC_INLINE int xsc_wait_u32(const volatile uint32_t *word, uint32_t old,
                                    uint64_t timeout_ns);
XSC_API XSC_INLINE int xsc_wait_u64(const volatile uint64_t *word, uint64_t old,
                                    uint64_t timeout_ns);

/*
 * The same for any integer word that XSC_WATCH() takes (xsc/watch.h), in C and C++: until *word != old,
 * until (*word & mask) == want, and until the wrapping counter *word has reached target. -EINVAL
 * where want has a bit that mask lacks, and where a value does not fit the word.
 */
#define xsc_wait(word, old, timeout_ns) XSC_WAIT_(word, old, -1, XSC_UNTIL_NOT, timeout_ns)
#define xsc_wait_mask(word, mask, want, timeout_ns)                                                \
    XSC_WAIT_(word, want, mask, XSC_UNTIL_EQUAL, timeout_ns)
#define xsc_wait_reached(word, target, timeout_ns)                                                 \
    XSC_WAIT_(word, target, -1, XSC_UNTIL_REACHED, timeout_ns)

/*
 * Waits until one of the conditions of n watches holds, and returns its index; the lowest, where
 * several are seen to hold at once. -EINVAL also where n is 0 or more than INT_MAX.
 *
 * A monitor holds one cache line. What is done for n > 1: all words are looked at, then one is
 * watched for 2 us at most, another each time, so that a store to any of them is seen 2 us later
 * at the most. UMWAIT and MWAITX rest for up to 20 us where all words lie in one 64-byte line, for
 * then any store to it ends the rest: put words that are awaited together there. WFE and WRS.STO
 * take no deadline and are not used; there the words are polled. Each look costs a load a word.
 */
XSC_API int xsc_wait_any(const struct xsc_watch *watches, size_t n, uint64_t timeout_ns);

/*
 * How the library shall choose. Not needed: the first slow wait chooses by itself, with
 * XSC_MECHANISM from the environment (ignored in set-user-ID programs) as its only advice.
 * Calling xsc_init() first moves that work out of the first wait and reports configuration errors.
 */
struct xsc_config {
    size_t size;           /* sizeof(struct xsc_config), so that fields can be added */
    const char *mechanism; /* "umwait", "pause", ... in any case; NULL: XSC_MECHANISM, else best */
};

/*
 * Chooses now. config may be NULL. Returns
 *   0         the choice is made (by this call or before it);
 *   -EINVAL   config->size is unknown, or the mechanism's name is;
 *   -ENOTSUP  this CPU, or this machine, can't run the mechanism that was asked for. The
 *             library still works, with the best one it has; xsc_mechanism_read() says why;
 *   -EALREADY a choice was made earlier and it is not the mechanism asked for;
 *   -EBUSY    another thread is choosing at this moment.
 * Thread-safe. Not for signal handlers.
 */
XSC_API int xsc_init(const struct xsc_config *config);

/* The library's version, "0.1.0". */
XSC_API const char *xsc_version(void);

/* ---------------------------------------------------------------- the inline part ---- */

/*
 * One acquire load, one compare; the test for a NULL or misaligned word folds away where
 * the compiler sees the word's address.
 */
static inline int xsc_when_(const volatile void *word, uint64_t value, uint64_t mask, uint32_t size,
                            enum xsc_until until, uint64_t timeout_ns,
                            int (*slow)(const struct xsc_watch *, uint64_t))
{
    if (__builtin_expect(xsc_watch_seen_(word, value, mask, size, until), 1)) {
        return 0;
    }
    const struct xsc_watch watch = xsc_watch_make_(word, value, mask, size, until);

    return slow(&watch, timeout_ns);
}

#define XSC_WHEN_(word, value, mask, until, timeout_ns, slow)                                      \
    xsc_when_((word), XSC_BITS_(value), XSC_BITS_(mask), XSC_WORD_SIZE_(word), until,              \
              (timeout_ns), slow)
#define XSC_WAIT_(word, value, mask, until, timeout_ns)                                            \
    XSC_WHEN_(word, value, mask, until, timeout_ns, xsc_wait_slow)

#define XSC_DEFINE_WAIT_(bits, type)                                                               \
    XSC_INLINE int xsc_wait_u##bits(const volatile type *word, type old, uint64_t timeout_ns)      \
    {                                                                                              \
        if (__builtin_expect(word && !((uintptr_t)word & (sizeof(type) - 1)), 1) &&                \
            __atomic_load_n(word, __ATOMIC_ACQUIRE) != old) {                                      \
            return 0;                                                                              \
        }                                                                                          \
        const struct xsc_watch watch = {word, old, (type) ~(type)0, sizeof(type), XSC_UNTIL_NOT};  \
        return xsc_wait_slow(&watch, timeout_ns);                                                  \
    }

XSC_DEFINE_WAIT_(8, uint8_t)
XSC_DEFINE_WAIT_(16, uint16_t)
XSC_DEFINE_WAIT_(32, uint32_t)
XSC_DEFINE_WAIT_(64, uint64_t)
#undef XSC_DEFINE_WAIT_

#ifdef __cplusplus
}
#endif

#endif /* XSC_WAIT_H */
