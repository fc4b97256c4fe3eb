/* SPDX-License-Identifier: MIT */
#include "core/clock.h"

#include "core/cpu.h"

#define CALIBRATION_NS 400000u   /* long enough that 50 ns of reading error is 125 ppm */
#define MIN_HZ 500000u           /* below this a counter is too coarse for a slice */
#define MAX_HZ 100000000000ull   /* and above it the fixed point would overflow */
#define CLAIM_TOLERANCE_DIV 200u /* a claimed rate is believed within 0.5 % of the measured */
#define PAIR_TRIES 5
#define GRAIN_TRIES 4
#define GRAIN_LOOKS 100000 /* in case that it stands still after all */

void xsc_clock_set_rate(struct xsc_clock *clock, uint64_t hz)
{
    clock->hz = hz;
    /* 10^9 * 2^32 < 2^62, and hz * 2^32 is split so as not to overflow. */
    clock->ns_per_tick = (1000000000ull << 32) / hz;
    clock->ticks_per_ns = ((hz / 1000000000u) << 32) + ((hz % 1000000000u) << 32) / 1000000000u;
}

struct pair {
    uint64_t ticks;
    uint64_t ns;
};

/* Both clocks at one moment: of a few tries, the one least torn apart by an interruption. */
static struct pair read_pair(const struct xsc_clock_sources *from)
{
    struct pair best = {0, 0};
    uint64_t narrowest = UINT64_MAX;

    for (int i = 0; i < PAIR_TRIES; i++) {
        const uint64_t before = from->counter();
        const uint64_t ns = from->now_ns();
        const uint64_t width = from->counter() - before;

        if (width < narrowest) {
            narrowest = width;
            best = (struct pair){before + width / 2, ns};
        }
    }
    return best;
}

/*
 * By how much the counter moves when it moves, or between two readings where that is more: some
 * cycles of a TSC, 40 ns of a generic timer, 1,000 of an emulator that makes one of microseconds.
 */
static uint64_t grain_of(const struct xsc_clock_sources *from)
{
    uint64_t least = UINT64_MAX;

    for (int i = 0; i < GRAIN_TRIES; i++) {
        const uint64_t start = from->counter();
        uint64_t next = start;

        for (int looks = 0; next == start && looks < GRAIN_LOOKS; looks++) {
            next = from->counter();
        }
        least = next - start < least ? next - start : least;
    }
    return least;
}

/* The counter's rate against the OS clock, or 0 where it does not run. */
static uint64_t measure_hz(const struct xsc_clock_sources *from)
{
    const struct pair a = read_pair(from);

    while (from->now_ns() - a.ns < CALIBRATION_NS) {
    }
    const struct pair b = read_pair(from);

    if (b.ns <= a.ns || b.ticks <= a.ticks) {
        return 0;
    }
    /*
     * Some 10^6 ticks in some 10^5 ns. A long preemption makes both larger, and is halved away;
     * a counter that jumped makes the first absurd, and the rate with it.
     */
    uint64_t ticks = b.ticks - a.ticks, ns = b.ns - a.ns;

    while (ticks >= UINT64_MAX / 1000000000u) {
        ticks /= 2;
        ns /= 2;
    }
    return ns ? ticks * 1000000000u / ns : 0;
}

static bool within(uint64_t claimed, uint64_t measured)
{
    const uint64_t off = claimed > measured ? claimed - measured : measured - claimed;

    return off <= measured / CLAIM_TOLERANCE_DIV;
}

void xsc_clock_init(struct xsc_clock *clock, const struct xsc_cpu *cpu,
                    const struct xsc_clock_sources *from)
{
    if (cpu->counter_trusted) {
        const uint64_t measured = measure_hz(from);

        if (measured >= MIN_HZ && measured <= MAX_HZ) {
            clock->ticks = from->counter;
            clock->hardware = true;
            if (cpu->counter_hz && within(cpu->counter_hz, measured)) {
                clock->source = "counter, at the rate it states";
                xsc_clock_set_rate(clock, cpu->counter_hz);
            } else {
                clock->source = cpu->counter_hz ? "counter, measured (the rate it states is wrong)"
                                                : "counter, measured against the OS clock";
                xsc_clock_set_rate(clock, measured);
            }
            clock->grain_ns = xsc_to_ns(clock, grain_of(from)) + 1;
            return;
        }
    }
    clock->ticks = from->now_ns;
    clock->hardware = false;
    clock->grain_ns = 1;
    clock->source = "OS clock (no counter to be trusted)";
    xsc_clock_set_rate(clock, 1000000000u);
}
