/* SPDX-License-Identifier: MIT */
#include "core/spread.h"

#include "core/code.h"

#define ONE XSC_SPREAD_ONE
#define FULL (1u << 16) /* a spread's weight is halved when it gets here: 4096 waits */

static void spread_halve(struct xsc_distribution *s)
{
    s->total = 0;
    s->grain /= 2;
    for (uint32_t i = 0; i < s->n; i++) {
        s->weight[i] = (uint16_t)(s->weight[i] - s->weight[i] / 2); /* a rare one stays */
        s->total += s->weight[i];
    }
}

/* The first point at or past code. */
static uint32_t spread_find(const struct xsc_distribution *s, uint32_t code)
{
    uint32_t low = 0, high = s->n;

    while (low < high) {
        const uint32_t middle = (low + high) / 2;

        if (s->at[middle] < code) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Merges a wait into point i. */
static void spread_absorb(struct xsc_distribution *s, uint32_t i, uint32_t code)
{
    const uint64_t mean = (xsc_code_time(s->at[i]) * s->weight[i] + xsc_code_time(code) * ONE) /
                          (s->weight[i] + ONE);

    s->at[i] = xsc_code_near(mean);
    s->weight[i] = (uint16_t)(s->weight[i] + ONE);
}

/* Inserts a wait as point i. */
static void spread_insert(struct xsc_distribution *s, uint32_t i, uint32_t code)
{
    for (uint32_t k = s->n++; k > i; k--) {
        s->at[k] = s->at[k - 1];
        s->weight[k] = s->weight[k - 1];
    }
    s->at[i] = code;
    s->weight[i] = ONE;
}

/* Merges point i with the next. */
static void spread_join(struct xsc_distribution *s, uint32_t i)
{
    const uint32_t both = (uint32_t)s->weight[i] + s->weight[i + 1];
    const uint64_t sum = xsc_code_time(s->at[i]) * s->weight[i] +
                         xsc_code_time(s->at[i + 1]) * s->weight[i + 1];

    s->at[i] = xsc_code_near(sum / both);
    s->weight[i] = (uint16_t)both;
    s->n--;
    for (uint32_t k = i + 1; k < s->n; k++) {
        s->at[k] = s->at[k + 1];
        s->weight[k] = s->weight[k + 1];
    }
}

/* How far apart two times are: by ratio, of the times with `coarse` added to both. */
static uint32_t apart(uint32_t a, uint32_t b, uint64_t coarse)
{
    return xsc_code_log(xsc_code_time(b) + coarse) - xsc_code_log(xsc_code_time(a) + coarse);
}

/*
 * A wait for a full spread, which belongs before point i. Of all neighbours those two are
 * made one for which distance x the lesser weight is the least: most often the wait and a
 * point next to it. grain is the least of that among the points themselves, lately.
 */
static void spread_squeeze(struct xsc_distribution *s, uint32_t i, uint32_t code, uint64_t coarse)
{
    const uint32_t below = i ? apart(s->at[i - 1], code, coarse) : UINT32_MAX / ONE;
    const uint32_t above = i < s->n ? apart(code, s->at[i], coarse) : UINT32_MAX / ONE;
    const uint32_t nearer = below < above ? below : above;
    uint32_t pair = 0, last = 0;

    if (nearer * ONE > s->grain) {
        s->grain = UINT32_MAX;
        for (uint32_t k = 0; k < s->n; k++) {
            const uint32_t log = xsc_code_log(xsc_code_time(s->at[k]) + coarse);

            if (k) {
                const uint32_t w = s->weight[k] < s->weight[k - 1] ? s->weight[k]
                                                                   : s->weight[k - 1];

                if ((log - last) * w < s->grain) {
                    s->grain = (log - last) * w;
                    pair = k - 1;
                }
            }
            last = log;
        }
    }
    if (nearer * ONE <= s->grain) {
        spread_absorb(s, below < above ? i - 1 : i, code);
    } else {
        spread_join(s, pair);
        /* Looked for again: between the two that were joined, it may lie on either side of both. */
        spread_insert(s, spread_find(s, code), code);
    }
}

void xsc_spread_add(struct xsc_distribution *s, uint32_t code, uint64_t coarse)
{
    const uint32_t i = spread_find(s, code);

    if (s->total + ONE >= FULL) {
        spread_halve(s);
    }
    if (i < s->n && s->at[i] == code) {
        s->weight[i] = (uint16_t)(s->weight[i] + ONE);
    } else if (s->n == XSC_SPREAD_POINTS) {
        spread_squeeze(s, i, code, coarse);
    } else {
        spread_insert(s, i, code);
    }
    s->total += ONE;
}
