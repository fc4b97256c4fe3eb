/* SPDX-License-Identifier: MIT */
/* bench/fastpath_loops.h - the loops whose length the question fastpath compares */
#ifndef XSC_BENCH_FASTPATH_LOOPS_H
#define XSC_BENCH_FASTPATH_LOOPS_H

#include <stdint.h>

/* Looks n times at a word that has changed. Returns n; less would mean that it had not. */
typedef uint32_t bench_fast_loop(uint32_t n, volatile void *word);

struct bench_fast_pair {
    const char *what;
    bench_fast_loop *bare, *ours;
};

#define BENCH_FAST_KINDS 4u

/* Where the word is, as the compiler sees it. */
struct bench_fast_group {
    const char *where;
    struct bench_fast_pair pairs[BENCH_FAST_KINDS];
};

#define BENCH_FAST_GROUPS 3u

extern const struct bench_fast_group bench_fast_groups[BENCH_FAST_GROUPS];

#endif /* XSC_BENCH_FASTPATH_LOOPS_H */
