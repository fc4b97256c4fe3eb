/* SPDX-License-Identifier: MIT */
/*
 * core/clock.h - ticks for hardware deadlines, nanoseconds for people
 *
 * Two clocks are in use. xsc_port_now_ns() is the OS's monotonic clock, and the only one
 * that a caller's timeout is measured by. Ticks are what the hardware takes as a deadline
 * and what is cheap to read in a loop: the CPU's counter where it can be trusted, else the
 * OS clock again, one tick a nanosecond. Ticks only ever measure a slice or a trial, so an
 * error of some hundred parts in a million in their rate is negligible.
 */
#ifndef XSC_CORE_CLOCK_H
#define XSC_CORE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

struct xsc_cpu;

struct xsc_clock {
    uint64_t (*ticks)(void);
    uint64_t hz;          /* ticks a second */
    uint64_t ns_per_tick; /* 32.32 fixed point */
    uint64_t ticks_per_ns;
    uint64_t grain_ns;  /* the counter's step: what lies between two readings may be less by it */
    bool hardware;      /* ticks are the CPU's own counter */
    bool os_still;      /* the OS clock did not move: timeouts are measured in ticks, too */
    const char *source; /* how the rate was found, for people */
};

/* The clock reads are the only things core needs to know the time. */
struct xsc_clock_sources {
    uint64_t (*counter)(void); /* the CPU's counter */
    uint64_t (*now_ns)(void);  /* the OS clock */
};

/*
 * Chooses and calibrates. Where the counter is trusted and says its rate, that rate is
 * held against the OS clock for a moment (a guest may be told its host's); where it does
 * not, the rate is measured. Takes about half a millisecond, or nothing for the OS clock; 20 ms or
 * more where the OS clock stands still (an emulator's, or one that is interposed): then ticks are
 * the counter's, if it states its rate, or a count of their own readings.
 */
void xsc_clock_init(struct xsc_clock *clock, const struct xsc_cpu *cpu,
                    const struct xsc_clock_sources *from);

/* Sets the rate. hz must lie between 1 Hz and 100 GHz. */
void xsc_clock_set_rate(struct xsc_clock *clock, uint64_t hz);

/* (a * b) >> 32, as far as the result fits in 64 bits. */
static inline uint64_t xsc_mul_shift32(uint64_t a, uint64_t b)
{
    const uint64_t al = (uint32_t)a, ah = a >> 32, bl = (uint32_t)b, bh = b >> 32;

    return ((ah * bh) << 32) + ah * bl + al * bh + ((al * bl) >> 32);
}

static inline uint64_t xsc_to_ns(const struct xsc_clock *c, uint64_t ticks)
{
    return xsc_mul_shift32(ticks, c->ns_per_tick);
}

static inline uint64_t xsc_to_ticks(const struct xsc_clock *c, uint64_t ns)
{
    return xsc_mul_shift32(ns, c->ticks_per_ns);
}

/* What lies between two readings, in ns; 0 where the second CPU's counter is a hair behind. */
static inline uint64_t xsc_elapsed_ns(const struct xsc_clock *c, uint64_t from, uint64_t to)
{
    return (int64_t)(to - from) > 0 ? xsc_to_ns(c, to - from) : 0;
}

/* Whether reading t has come to the deadline, both modulo 2^64. */
static inline bool xsc_due(uint64_t t, uint64_t deadline)
{
    return (int64_t)(t - deadline) >= 0;
}

/*
 * Whether the slice from start to end is over at t: t is at end or past it, or before start,
 * where the counter was set back (a suspend, a move to another host).
 */
static inline bool xsc_slice_over(uint64_t t, uint64_t start, uint64_t end)
{
    return xsc_due(t, end) || !xsc_due(t, start);
}

#endif /* XSC_CORE_CLOCK_H */
