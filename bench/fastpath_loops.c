/* SPDX-License-Identifier: MIT */
/*
 * A pair of loops for each form of the wait: `bare`, the acquire load and compare that one
 * would write, and `ours`. Both leave the loop where the word has not changed; both load a
 * volatile word, so no look can be merged with another or moved out; neither is inlined.
 * The functions start at a 64-byte boundary, so that neither is lucky with its alignment.
 *
 * What a wait does besides looking is to refuse a NULL or misaligned word. Where the compiler
 * sees the word (`known`) that is nothing; where a pointer was passed in and stays the same
 * (`passed`) it is done once, before the loop; where the pointer could be another one at
 * every call (`fresh`) it is done at every call.
 *
 * See them with: objdump -d --no-show-raw-insn xsc-wait-bench | less +/fast_
 */
#include "bench/fastpath_loops.h"

#include <stddef.h>

#include <xsc/wait.h>

#define LOOP __attribute__((noinline, aligned(64)))
#define TIMEOUT 1000000000u

/* The compiler must believe that the pointer may be another one every time. */
#define LAUNDER(p) __asm__ __volatile__("" : "+r"(p))

#define STAY(p) (void)0

#define BARE_LOOP(name, type, address, each_time, changed)                                         \
    static LOOP uint32_t name(uint32_t n, volatile void *p)                                        \
    {                                                                                              \
        for (uint32_t i = 0; i < n; i++) {                                                         \
            each_time(p);                                                                          \
            const type v = __atomic_load_n((volatile type *)(address), __ATOMIC_ACQUIRE);          \
                                                                                                   \
            if (__builtin_expect(!(changed), 0)) {                                                 \
                return i;                                                                          \
            }                                                                                      \
        }                                                                                          \
        (void)p;                                                                                   \
        return n;                                                                                  \
    }

#define OUR_LOOP(name, type, address, each_time, call)                                             \
    static LOOP uint32_t name(uint32_t n, volatile void *p)                                        \
    {                                                                                              \
        for (uint32_t i = 0; i < n; i++) {                                                         \
            each_time(p);                                                                          \
            volatile type *const word = (volatile type *)(address);                                \
                                                                                                   \
            if (__builtin_expect(call, 0)) {                                                       \
                return i;                                                                          \
            }                                                                                      \
        }                                                                                          \
        (void)p;                                                                                   \
        return n;                                                                                  \
    }

/* changed: over v, the loaded value. call: over word. */
#define DEFINE_LOOPS(id, type, changed, call)                                                      \
    static volatile type word_##id = 1;                                                            \
    BARE_LOOP(fast_bare_known_##id, type, &word_##id, STAY, changed)                               \
    OUR_LOOP(fast_ours_known_##id, type, &word_##id, STAY, call)                                   \
    BARE_LOOP(fast_bare_passed_##id, type, p, STAY, changed)                                       \
    OUR_LOOP(fast_ours_passed_##id, type, p, STAY, call)                                           \
    BARE_LOOP(fast_bare_fresh_##id, type, p, LAUNDER, changed)                                     \
    OUR_LOOP(fast_ours_fresh_##id, type, p, LAUNDER, call)

DEFINE_LOOPS(u32, uint32_t, v != 0, xsc_wait_u32(word, 0, TIMEOUT))
DEFINE_LOOPS(u64, uint64_t, v != 0, xsc_wait_u64(word, 0, TIMEOUT))
DEFINE_LOOPS(mask, uint32_t, (v & 1) == 1, xsc_wait_mask(word, 1, 1, TIMEOUT))
DEFINE_LOOPS(reached, uint32_t, v - 1 <= UINT32_MAX / 2, xsc_wait_reached(word, 1, TIMEOUT))

#define PAIR(where, id, name)                                                                      \
    {                                                                                              \
        name, fast_bare_##where##_##id, fast_ours_##where##_##id                                   \
    }
#define GROUP(text, where)                                                                         \
    {                                                                                              \
        text,                                                                                      \
        {                                                                                          \
            PAIR(where, u32, "xsc_wait_u32"), PAIR(where, u64, "xsc_wait_u64"),                    \
                PAIR(where, mask, "xsc_wait_mask"), PAIR(where, reached, "xsc_wait_reached")       \
        }                                                                                          \
    }

const struct bench_fast_group bench_fast_groups[BENCH_FAST_GROUPS] = {
    GROUP("address known", known),
    GROUP("pointer passed in", passed),
    GROUP("another pointer each call", fresh),
};
