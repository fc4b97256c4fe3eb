/* SPDX-License-Identifier: MIT */
/*
 * tests/native/limits.h - time limits that a slow or loaded machine may stretch
 *
 * XSC_TEST_TIMEOUT_FACTOR, a whole number from 1 to 1000, multiplies every limit of the tests: those
 * that ctest keeps (cmake -DXSC_TEST_TIMEOUT_FACTOR=N), those of scripts, and these.
 */
#ifndef XSC_TEST_LIMITS_H
#define XSC_TEST_LIMITS_H

#include <stdint.h>
#include <stdlib.h>

static inline uint64_t limit(uint64_t of_a_quick_machine)
{
    const char *text = getenv("XSC_TEST_TIMEOUT_FACTOR");
    const long factor = text ? strtol(text, NULL, 10) : 1;

    return of_a_quick_machine * (uint64_t)(factor < 1 ? 1 : factor > 1000 ? 1000 : factor);
}

#endif /* XSC_TEST_LIMITS_H */
