/* SPDX-License-Identifier: MIT */
/*
 * xsc/watch.h - a word of memory and a condition on it
 *
 * The one type that the public functions, the freestanding core and the mechanisms share.
 * Included by xsc/wait.h; needs nothing but the compiler's own headers.
 */
#ifndef XSC_WATCH_H
#define XSC_WATCH_H

#include <stdint.h>

/* Defined as nothing by a build whose functions are hidden (XSC_HIDDEN). */
#if defined(XSC_API)
#elif defined(__GNUC__) && __GNUC__ >= 4
#define XSC_API __attribute__((visibility("default")))
#else
#define XSC_API
#endif

/* No deadline. Any timeout that runs past the end of the clock means the same. */
#define XSC_FOREVER UINT64_MAX

/* The longest single hardware wait, in nanoseconds. The word is looked at between two. */
#define XSC_SLICE_NS 100000u

/* What a watch waits for. v is the word's value, an unsigned integer of its size. */
enum xsc_until {
    XSC_UNTIL_NOT = 0,     /* (v & mask) != value */
    XSC_UNTIL_EQUAL = 1,   /* (v & mask) == value */
    XSC_UNTIL_REACHED = 2, /* v - value, as a signed integer of the word's size, is >= 0 */
};

/* A word and a condition on it. The functions below fill one in; so may you. */
struct xsc_watch {
    const volatile void *word; /* aligned to size */
    uint64_t value;
    uint64_t mask;  /* of no account to XSC_UNTIL_REACHED */
    uint32_t size;  /* 1, 2, 4 or 8 */
    uint32_t until; /* enum xsc_until */
};

#endif /* XSC_WATCH_H */
