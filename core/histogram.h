/* SPDX-License-Identifier: MIT */
/*
 * core/histogram.h - a distribution of nanoseconds in a kilobyte
 *
 * Log-linear: each power of two is cut into 8 equal buckets, so a quantile is at most
 * 6.25 % off (a bucket's middle is reported). Values of 2^35 ns and more share the last.
 * Counts are updated with relaxed loads and stores by one owner at a time, or with atomic additions
 * by several; readers may look whenever they like and see some recent state.
 */
#ifndef XSC_CORE_HISTOGRAM_H
#define XSC_CORE_HISTOGRAM_H

#include <stdint.h>

#define XSC_HIST_SUB_BITS 3
#define XSC_HIST_SUB (1u << XSC_HIST_SUB_BITS)
#define XSC_HIST_TOP_BIT 34
#define XSC_HIST_BUCKETS ((XSC_HIST_TOP_BIT - XSC_HIST_SUB_BITS + 2) * XSC_HIST_SUB)

struct xsc_histogram {
    uint32_t count[XSC_HIST_BUCKETS];
};

/*
 * Values below 8 have a bucket each. Above, with h the highest bit set: block h - 2, and
 * in it the three bits below h.
 */
static inline uint32_t xsc_hist_bucket(uint64_t ns)
{
    if (ns < XSC_HIST_SUB) {
        return (uint32_t)ns;
    }
    const uint32_t high = 63 - (uint32_t)__builtin_clzll(ns);

    if (high > XSC_HIST_TOP_BIT) {
        return XSC_HIST_BUCKETS - 1;
    }
    const uint32_t shift = high - XSC_HIST_SUB_BITS;

    return (shift + 1) * XSC_HIST_SUB + (uint32_t)((ns >> shift) & (XSC_HIST_SUB - 1));
}

/* The smallest value that falls into bucket b. */
static inline uint64_t xsc_hist_floor(uint32_t b)
{
    if (b < XSC_HIST_SUB) {
        return b;
    }
    const uint32_t shift = b / XSC_HIST_SUB - 1;

    return (uint64_t)(XSC_HIST_SUB + b % XSC_HIST_SUB) << shift;
}

static inline void xsc_hist_add(struct xsc_histogram *h, uint64_t ns)
{
    uint32_t *c = &h->count[xsc_hist_bucket(ns)];

    const uint32_t n = __atomic_load_n(c, __ATOMIC_RELAXED);

    if (n != UINT32_MAX) { /* full after some hours of short waits: then it stays full */
        __atomic_store_n(c, n + 1, __ATOMIC_RELAXED);
    }
}

/* The same, by several at once. They may find room and fill it together: hence some to spare. */
static inline void xsc_hist_add_shared(struct xsc_histogram *h, uint64_t ns)
{
    uint32_t *c = &h->count[xsc_hist_bucket(ns)];

    if (__atomic_load_n(c, __ATOMIC_RELAXED) < UINT32_MAX - 65536) {
        __atomic_fetch_add(c, 1, __ATOMIC_RELAXED);
    }
}

/* How many values were added. */
uint64_t xsc_hist_total(const struct xsc_histogram *h);

/* The value below which permille/1000 of the values lie; 0 where there are none. */
uint64_t xsc_hist_quantile(const struct xsc_histogram *h, uint32_t permille);

#endif /* XSC_CORE_HISTOGRAM_H */
