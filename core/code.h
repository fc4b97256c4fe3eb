/* SPDX-License-Identifier: MIT */
/*
 * core/code.h - times in 16 bits
 *
 * As in core/histogram.h, with 11 bits below the highest instead of 3: up to 2^12 ns the code
 * is the time, above it the time's highest 12 bits and their place. A time is at most 0.05 %
 * off, 0.025 % when the nearest code is taken. Codes are in the order of their times, and a
 * code is near enough the time's logarithm.
 */
#ifndef XSC_CORE_CODE_H
#define XSC_CORE_CODE_H

#include <stdint.h>

#define XSC_CODE_BITS 11
#define XSC_CODE_TIME_MAX ((1ull << 35) - 1) /* 34 s. Longer waits count as this long */
#define XSC_NO_CODE UINT16_MAX

static inline uint64_t xsc_code_time(uint16_t code)
{
    const uint32_t block = (uint32_t)code >> XSC_CODE_BITS;

    if (!block) {
        return code;
    }
    return (uint64_t)((1u << XSC_CODE_BITS) | (code & ((1u << XSC_CODE_BITS) - 1))) << (block - 1);
}

/* The code of the greatest time that has one and is not above ns. */
static inline uint16_t xsc_code_below(uint64_t ns)
{
    if (ns > XSC_CODE_TIME_MAX) {
        ns = XSC_CODE_TIME_MAX;
    }
    if (ns < 1u << XSC_CODE_BITS) {
        return (uint16_t)ns;
    }
    const uint32_t shift = 63 - (uint32_t)__builtin_clzll(ns) - XSC_CODE_BITS;

    return (uint16_t)(((shift + 1) << XSC_CODE_BITS) +
                      ((uint32_t)(ns >> shift) & ((1u << XSC_CODE_BITS) - 1)));
}

static inline uint16_t xsc_code_above(uint64_t ns)
{
    const uint16_t c = xsc_code_below(ns);

    return (uint16_t)(xsc_code_time(c) < ns && ns <= XSC_CODE_TIME_MAX ? c + 1 : c);
}

static inline uint16_t xsc_code_near(uint64_t ns)
{
    const uint16_t c = xsc_code_below(ns);

    return (uint16_t)(ns <= XSC_CODE_TIME_MAX &&
                              2 * ns > xsc_code_time(c) + xsc_code_time((uint16_t)(c + 1))
                          ? c + 1
                          : c);
}

#endif /* XSC_CORE_CODE_H */
