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

/* A word and a condition on it: made by the macros below, or filled in by hand. */
struct xsc_watch {
    const volatile void *word; /* aligned to size */
    uint64_t value;
    uint64_t mask;  /* ignored for XSC_UNTIL_REACHED */
    uint32_t size;  /* 1, 2, 4 or 8 */
    uint32_t until; /* enum xsc_until */
};

/*
 * XSC_WATCH(word, old)              until *word != old
 * XSC_WATCH_MASK(word, mask, want)  until (*word & mask) == want
 * XSC_WATCH_REACHED(word, target)   until the wrapping counter *word has reached target, a ring
 *                                   index or a ticket: it is at the target or less than half its
 *                                   range past it. One further past counts as not reached: so the
 *                                   target is half the range ahead at most, and a waiter looks
 *                                   again before the counter has gone half round beyond it
 *
 * word points to an integer of 1, 2, 4 or 8 bytes, signed or unsigned, plain, volatile or (in C)
 * _Atomic; any other type does not compile, and neither does a value that is no integer. A value
 * that the word's type can't hold (300 for a uint8_t) makes a watch that every function refuses
 * with -EINVAL; a negative one is taken as the word's own bits. For C and C++.
 */
#define XSC_WATCH(word, old) XSC_WATCH_(word, old, -1, XSC_UNTIL_NOT)
#define XSC_WATCH_MASK(word, mask, want) XSC_WATCH_(word, want, mask, XSC_UNTIL_EQUAL)
#define XSC_WATCH_REACHED(word, target) XSC_WATCH_(word, target, -1, XSC_UNTIL_REACHED)

/* ---------------------------------------------------------------- the inline part ---- */

/* Every integer type: M(type). */
#define XSC_WORD_TYPES_(M)                                                                         \
    M(char)                                                                                        \
    M(signed char)                                                                                 \
    M(unsigned char)                                                                               \
    M(short)                                                                                       \
    M(unsigned short)                                                                              \
    M(int) M(unsigned int) M(long) M(unsigned long) M(long long) M(unsigned long long)

/* Whether v fits `size` bytes, as an unsigned integer or as a sign-extended one. */
static inline int xsc_watch_fits_(uint64_t v, uint32_t size)
{
    const uint64_t range = UINT64_MAX >> (64 - 8 * size);

    return v <= range || (v | range >> 1) == UINT64_MAX;
}

/* A size of 0, which no function takes, for values that don't fit. */
static inline struct xsc_watch xsc_watch_make_(const volatile void *word, uint64_t value,
                                               uint64_t mask, uint32_t size, enum xsc_until until)
{
    const uint64_t range = UINT64_MAX >> (64 - 8 * size);
    struct xsc_watch w;

    w.word = word;
    w.value = value & range;
    w.mask = mask & range;
    w.size = xsc_watch_fits_(value, size) && xsc_watch_fits_(mask, size) ? size : 0;
    w.until = until;
    return w;
}

/*
 * Whether the condition holds now, by one acquire load; false also for a watch to be refused. By its
 * parts, so that a compiler need not build the struct before a wait has to wait.
 */
static inline int xsc_watch_seen_(const volatile void *word, uint64_t value, uint64_t mask,
                                  uint32_t size, enum xsc_until until)
{
    const uint64_t range = UINT64_MAX >> (64 - 8 * size);
    uint64_t v;

    if (!word || ((uintptr_t)word & (size - 1)) || !xsc_watch_fits_(value, size) ||
        !xsc_watch_fits_(mask, size)) {
        return 0;
    }
    switch (size) {
    case 1:
        v = __atomic_load_n((const volatile uint8_t *)word, __ATOMIC_ACQUIRE);
        break;
    case 2:
        v = __atomic_load_n((const volatile uint16_t *)word, __ATOMIC_ACQUIRE);
        break;
    case 4:
        v = __atomic_load_n((const volatile uint32_t *)word, __ATOMIC_ACQUIRE);
        break;
    default:
        v = __atomic_load_n((const volatile uint64_t *)word, __ATOMIC_ACQUIRE);
        break;
    }
    if (until == XSC_UNTIL_NOT) {
        return (v & mask) != (value & range);
    }
    if (until == XSC_UNTIL_EQUAL) {
        return (v & mask) == (value & range);
    }
    /* The distance past the target, as a signed integer of the word's size, is not negative. */
    return !((v - value) >> (8 * size - 1) & 1);
}

/* An integer's bits; no other type has a bitwise or. */
#ifdef __cplusplus
#define XSC_BITS_(value) static_cast<uint64_t>((value) | 0)
#else
#define XSC_BITS_(value) ((uint64_t)((value) | 0))
#endif

/* The size of the integer that word points to, without evaluating it. */
#ifdef __cplusplus
extern "C++" {
template <typename T> struct xsc_word_ {
    static_assert(sizeof(T) == 0,
                  "a word is an integer of 1, 2, 4 or 8 bytes; of a std::atomic<T> that "
                  "is lock-free pass reinterpret_cast<T *>(&it)");
    char bytes[1];
};
#define XSC_WORD_OF_(type)                                                                         \
    template <> struct xsc_word_<type> {                                                           \
        char bytes[sizeof(type)];                                                                  \
    };
XSC_WORD_TYPES_(XSC_WORD_OF_)
XSC_WORD_OF_(bool)
#undef XSC_WORD_OF_
template <typename T> xsc_word_<T> xsc_word_at_(const volatile T *word);
}
#define XSC_WORD_SIZE_(word) static_cast<uint32_t>(sizeof(xsc_word_at_(word).bytes))
#else
#define XSC_WORD_OF_(type)                                                                         \
    type:                                                                                          \
    sizeof(type),
#define XSC_WORD_SIZE_(word)                                                                       \
    ((uint32_t) _Generic(*(word), XSC_WORD_TYPES_(XSC_WORD_OF_) _Bool : sizeof(_Bool)))
#endif

#define XSC_WATCH_(word, value, mask, until)                                                       \
    xsc_watch_make_((word), XSC_BITS_(value), XSC_BITS_(mask), XSC_WORD_SIZE_(word), until)

#endif /* XSC_WATCH_H */
