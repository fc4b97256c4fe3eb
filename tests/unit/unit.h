/* SPDX-License-Identifier: MIT */
/* tests/unit/unit.h - what every unit test includes: cmocka with what it needs before it. */
#ifndef XSC_UNIT_H
#define XSC_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define LENGTH(a) (sizeof(a) / sizeof((a)[0]))

/* splitmix64 (Steele, Lea, Flood 2014): the same numbers on every machine. */
static inline uint64_t unit_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* Uniform enough for tests: from low to high, both included. */
static inline uint64_t unit_between(uint64_t *state, uint64_t low, uint64_t high)
{
    return low + unit_random(state) % (high - low + 1);
}

static inline void unit_contains(const char *text, const char *part)
{
    if (!strstr(text, part)) {
        fail_msg("\"%s\" does not contain \"%s\"", text, part);
    }
}

#endif /* XSC_UNIT_H */
