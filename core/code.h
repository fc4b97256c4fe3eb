/* SPDX-License-Identifier: MIT */
/*
 * core/code.h - times in 32 bits
 *
 * As in core/histogram.h, with 24 bits below the highest instead of 3: up to 2^25 ns (33 ms)
 * the code is the time, above it the time's highest 25 bits and their place. Codes are in the
 * order of their times.
 */
#ifndef XSC_CORE_CODE_H
#define XSC_CORE_CODE_H

#include <stdint.h>

#define XSC_CODE_BITS 24
#define XSC_CODE_TIME_MAX ((1ull << 35) - 1) /* 34 s. Longer waits count as this long */
#define XSC_NO_CODE UINT32_MAX

static inline uint64_t xsc_code_time(uint32_t code)
{
    const uint32_t block = code >> XSC_CODE_BITS;

    if (!block) {
        return code;
    }
    return (uint64_t)((1u << XSC_CODE_BITS) | (code & ((1u << XSC_CODE_BITS) - 1))) << (block - 1);
}

/* The code of the greatest time that has one and is not above ns. */
static inline uint32_t xsc_code_below(uint64_t ns)
{
    if (ns > XSC_CODE_TIME_MAX) {
        ns = XSC_CODE_TIME_MAX;
    }
    if (ns < 1u << XSC_CODE_BITS) {
        return (uint32_t)ns;
    }
    const uint32_t shift = 63 - (uint32_t)__builtin_clzll(ns) - XSC_CODE_BITS;

    return (uint32_t)(((shift + 1) << XSC_CODE_BITS) +
                      ((uint32_t)(ns >> shift) & ((1u << XSC_CODE_BITS) - 1)));
}

static inline uint32_t xsc_code_above(uint64_t ns)
{
    const uint32_t c = xsc_code_below(ns);

    return xsc_code_time(c) < ns && ns <= XSC_CODE_TIME_MAX ? c + 1 : c;
}

static inline uint32_t xsc_code_near(uint64_t ns)
{
    const uint32_t c = xsc_code_below(ns);

    if (ns <= XSC_CODE_TIME_MAX && 2 * ns > xsc_code_time(c) + xsc_code_time(c + 1)) {
        return c + 1;
    }
    return c;
}

/* 2^11 times the time's logarithm to base 2, near enough: straight lines between powers of two. */
static inline uint32_t xsc_code_log(uint64_t ns)
{
    const uint32_t high = 63 - (uint32_t)__builtin_clzll(ns | 1);

    return (high << 11) + (uint32_t)((high < 11 ? ns << (11 - high) : ns >> (high - 11)) & 2047);
}

#endif /* XSC_CORE_CODE_H */
