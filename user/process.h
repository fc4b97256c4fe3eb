/* SPDX-License-Identifier: MIT */
/*
 * user/process.h - counts of threads that a forked child does not inherit
 *
 * A fork copies the memory of a process, and one of its threads. A count of threads (parked,
 * watching, in a call) that is copied with it counts threads that the child does not have. So such
 * a count carries the generation of the process in which it was made, in the same word:
 *
 *     bits 31..23    generation, where the count is not 0; else 0
 *     bits 22..1     the count
 *     bit 0          a flag of the owner of the word, which a fork leaves alone
 *
 * A count of another generation is none. It is replaced by the first thread of this process that
 * counts itself, in one atomic operation: so there is no moment at which a child has reset some of
 * its counts and not others, and nothing that a thread, or a signal handler that interrupts it,
 * would have to wait for. A thread subtracts itself only from a count of the generation in which it
 * added itself. (A handler may have forked while its thread was counted: that thread goes on in the
 * child, where its count is of the parent's generation, and may have been replaced.)
 *
 * The generation is xsc_port_process() modulo 512: a count is mistaken for a child's own only in
 * the 512th descendant of a process in a line of forks none of which has touched it.
 */
#ifndef XSC_USER_PROCESS_H
#define XSC_USER_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

#include <xsc/cas.h>

#include "core/port.h"

#define XSC_HEAD 2u /* one thread */
#define XSC_HEADS_FLAG 1u
#define XSC_HEADS_SHIFT 23
#define XSC_HEADS_GENERATION (0x1ffu << XSC_HEADS_SHIFT)
#define XSC_HEADS_COUNT (~(XSC_HEADS_GENERATION | XSC_HEADS_FLAG))

/* This process's, as it is in a count: 0 for a program that has not forked. */
static inline uint32_t xsc_generation(void)
{
    return (uint32_t)(xsc_port_process() - 1) << XSC_HEADS_SHIFT;
}

/* The count itself, of threads of this process. */
static inline uint32_t xsc_heads_of(uint32_t word, uint32_t generation)
{
    return (word & XSC_HEADS_GENERATION) == generation ? (word & XSC_HEADS_COUNT) / XSC_HEAD : 0;
}

/* Acquires what those wrote that have left. */
static inline uint32_t xsc_heads(const uint32_t *heads)
{
    const uint32_t word = __atomic_load_n(heads, __ATOMIC_ACQUIRE);

    return word & XSC_HEADS_COUNT ? xsc_heads_of(word, xsc_generation()) : 0;
}

/* Adds the calling thread; returns the word as it was. One sequentially consistent operation. */
static inline uint32_t xsc_heads_enter(uint32_t *heads, uint32_t generation)
{
    uint32_t was = __atomic_load_n(heads, __ATOMIC_RELAXED), to;

    do {
        to = generation | (xsc_heads_of(was, generation) + 1) * XSC_HEAD | (was & XSC_HEADS_FLAG);
    } while (!__atomic_compare_exchange_n(heads, &was, to, true, XSC_CAS_SEQ_CST));
    return was;
}

/* Takes the calling thread off again, with the generation in which it was added. A release. */
static inline void xsc_heads_leave(uint32_t *heads, uint32_t generation)
{
    uint32_t was = __atomic_load_n(heads, __ATOMIC_RELAXED), to;

    do {
        const uint32_t count = xsc_heads_of(was, generation);

        if (!count) {
            return;
        }
        to = (count > 1 ? generation | (count - 1) * XSC_HEAD : 0) | (was & XSC_HEADS_FLAG);
    } while (!__atomic_compare_exchange_n(heads, &was, to, true, XSC_CAS_SEQ_CST));
}

/* Whether the word counts threads, and none of this process. */
static inline bool xsc_heads_inherited(uint32_t word)
{
    return word & XSC_HEADS_COUNT && (word & XSC_HEADS_GENERATION) != xsc_generation();
}

/*
 * A page of memory, zeroed, that is zeroed in a child after fork(): NULL where the OS has no such
 * thing, or can't be trusted to. user/linux.c, user/other.c.
 */
uint32_t *xsc_wiped_page_map(void);
void xsc_wiped_page_unmap(uint32_t *page);

#endif /* XSC_USER_PROCESS_H */
