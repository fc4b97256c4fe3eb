/* SPDX-License-Identifier: MIT */
#include "core/histogram.h"

uint64_t xsc_hist_total(const struct xsc_histogram *h)
{
    uint64_t total = 0;

    for (uint32_t b = 0; b < XSC_HIST_BUCKETS; b++) {
        total += __atomic_load_n(&h->count[b], __ATOMIC_RELAXED);
    }
    return total;
}

uint64_t xsc_hist_quantile(const struct xsc_histogram *h, uint32_t permille)
{
    const uint64_t total = xsc_hist_total(h);
    /* The rank of the wanted value, 1 for the smallest: rounded up, so that p100 is the last. */
    const uint64_t rank = total * permille / 1000 + (total * permille % 1000 != 0);
    uint64_t seen = 0;

    for (uint32_t b = 0; b < XSC_HIST_BUCKETS; b++) {
        seen += __atomic_load_n(&h->count[b], __ATOMIC_RELAXED);
        if (seen && seen >= rank) {
            const uint64_t low = xsc_hist_floor(b);

            return b < XSC_HIST_SUB ? low : (low + xsc_hist_floor(b + 1)) / 2;
        }
    }
    return 0;
}
