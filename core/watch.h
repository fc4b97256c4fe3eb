/* SPDX-License-Identifier: MIT */
/*
 * core/watch.h - has the awaited thing happened?
 *
 * The one place where a watched word is loaded and judged. Every load has acquire
 * ordering: a waiter that sees the condition met also sees what the writer wrote before its
 * release store, and the load is single-copy atomic because the word is aligned.
 */
#ifndef XSC_CORE_WATCH_H
#define XSC_CORE_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include <xsc/watch.h>

/* The word's value, zero-extended. */
static inline uint64_t xsc_watch_load(const struct xsc_watch *w)
{
    switch (w->size) {
    case 1:
        return __atomic_load_n((const volatile uint8_t *)w->word, __ATOMIC_ACQUIRE);
    case 2:
        return __atomic_load_n((const volatile uint16_t *)w->word, __ATOMIC_ACQUIRE);
    case 4:
        return __atomic_load_n((const volatile uint32_t *)w->word, __ATOMIC_ACQUIRE);
    default:
        return __atomic_load_n((const volatile uint64_t *)w->word, __ATOMIC_ACQUIRE);
    }
}

/* Whether value v, as xsc_watch_load() gives it, meets the condition. */
static inline bool xsc_watch_holds(const struct xsc_watch *w, uint64_t v)
{
    if (w->until == XSC_UNTIL_NOT) {
        return (v & w->mask) != w->value;
    }
    if (w->until == XSC_UNTIL_EQUAL) {
        return (v & w->mask) == w->value;
    }
    /* The distance past the target, its sign moved up to bit 63. */
    return (int64_t)((v - w->value) << (64 - 8 * w->size)) >= 0;
}

static inline bool xsc_watch_met(const struct xsc_watch *w)
{
    return xsc_watch_holds(w, xsc_watch_load(w));
}

/*
 * Whether the watch makes sense: a word that can be loaded whole, and a condition that
 * some value meets. Non-NULL pointers are assumed readable.
 */
static inline bool xsc_watch_valid(const struct xsc_watch *w)
{
    const uint64_t range = w->size == 8 ? UINT64_MAX : (1ull << (8 * (w->size & 7))) - 1;

    if (!w->word || (w->size != 1 && w->size != 2 && w->size != 4 && w->size != 8) ||
        ((uintptr_t)w->word & (w->size - 1))) {
        return false;
    }
    if (w->until == XSC_UNTIL_EQUAL) {
        return !(w->value & ~(w->mask & range));
    }
    if (w->until == XSC_UNTIL_NOT) {
        return w->value || (w->mask & range);
    }
    return w->until == XSC_UNTIL_REACHED;
}

#endif /* XSC_CORE_WATCH_H */
