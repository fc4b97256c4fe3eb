/* SPDX-License-Identifier: MIT */
/* core/text.h - short sentences for people, built without a C library. */
#ifndef XSC_CORE_TEXT_H
#define XSC_CORE_TEXT_H

#include <stddef.h>
#include <stdint.h>

struct xsc_text {
    char *at;
    size_t left; /* bytes left, the final NUL counted */
};

/* An empty text in buf; size >= 1. What does not fit is cut off, the NUL never. */
static inline struct xsc_text xsc_text_in(char *buf, size_t size)
{
    buf[0] = '\0';
    return (struct xsc_text){buf, size};
}

static inline void xsc_text_put(struct xsc_text *t, const char *s)
{
    while (*s && t->left > 1) {
        *t->at++ = *s++;
        t->left--;
    }
    *t->at = '\0';
}

static inline void xsc_text_number(struct xsc_text *t, uint64_t n)
{
    char digits[21];
    size_t i = sizeof(digits);

    digits[--i] = '\0';
    do {
        digits[--i] = (char)('0' + n % 10);
        n /= 10;
    } while (n);
    xsc_text_put(t, &digits[i]);
}

/* "830 ns", "12.4 us", "3.0 ms", "2.5 s" */
static inline void xsc_text_ns(struct xsc_text *t, uint64_t ns)
{
    static const struct {
        uint64_t unit;
        const char *name;
    } units[] = {{1000000000, " s"}, {1000000, " ms"}, {1000, " us"}};

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (ns >= units[i].unit) {
            xsc_text_number(t, ns / units[i].unit);
            xsc_text_put(t, ".");
            xsc_text_number(t, ns % units[i].unit * 10 / units[i].unit);
            xsc_text_put(t, units[i].name);
            return;
        }
    }
    xsc_text_number(t, ns);
    xsc_text_put(t, " ns");
}

#endif /* XSC_CORE_TEXT_H */
