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

/*
 * A clock that has shown the same at so many readings stands still: 20 ms or more, and the coarsest
 * of an OS's moves every 16 ms.
 */
#define STILL_READINGS 1000000u
#define COUNTED_NS 100u /* what a reading is taken to last where nothing else tells */

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

/* Until the OS clock is ns further. False: it stands still. */
static bool os_clock_moves(const struct xsc_clock_sources *from, uint64_t since_ns, uint64_t ns)
{
    uint64_t last_ns = since_ns;

    for (uint32_t readings = 0; readings < STILL_READINGS; readings++) {
        const uint64_t now_ns = from->now_ns();

        if (now_ns - since_ns >= ns) {
            return true;
        }
        if (now_ns != last_ns) {
            last_ns = now_ns;
            readings = 0;
        }
    }
    return false;
}

/* Time by the count of its readings: it moves, whatever else does. */
static uint64_t counted_ns(void)
{
    static uint64_t ns;

    return __atomic_add_fetch(&ns, COUNTED_NS, __ATOMIC_RELAXED);
}

/* The counter's rate against the OS clock, or 0 where one of them does not run. */
static uint64_t measure_hz(const struct xsc_clock_sources *from, bool *still)
{
    const struct pair a = read_pair(from);

    *still = !os_clock_moves(from, a.ns, CALIBRATION_NS);
    if (*still) {
        return 0;
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

static void use_counter(struct xsc_clock *clock, const struct xsc_clock_sources *from, uint64_t hz,
                        const char *source)
{
    clock->ticks = from->counter;
    clock->hardware = true;
    clock->source = source;
    xsc_clock_set_rate(clock, hz);
    clock->grain_ns = xsc_to_ns(clock, grain_of(from)) + 1;
}

static bool usable(uint64_t hz)
{
    return hz >= MIN_HZ && hz <= MAX_HZ;
}

void xsc_clock_init(struct xsc_clock *clock, const struct xsc_cpu *cpu,
                    const struct xsc_clock_sources *from)
{
    uint64_t measured = 0;

    if (cpu->counter_trusted) {
        measured = measure_hz(from, &clock->os_still);
    } else {
        clock->os_still = !os_clock_moves(from, from->now_ns(), 1);
    }
    if (usable(measured)) {
        if (cpu->counter_hz && within(cpu->counter_hz, measured)) {
            use_counter(clock, from, cpu->counter_hz, "counter, at the rate it states");
        } else {
            use_counter(clock, from, measured,
                        cpu->counter_hz ? "counter, measured (the rate it states is wrong)"
                                        : "counter, measured against the OS clock");
        }
        return;
    }
    if (clock->os_still && cpu->counter_trusted && usable(cpu->counter_hz)) {
        use_counter(clock, from, cpu->counter_hz,
                    "counter, at the rate it states (the OS clock stands still)");
        return;
    }
    clock->ticks = clock->os_still ? counted_ns : from->now_ns;
    clock->hardware = false;
    clock->grain_ns = 1;
    clock->source = clock->os_still ? "count of readings (the OS clock stands still)"
                                    : "OS clock (no counter to be trusted)";
    xsc_clock_set_rate(clock, 1000000000u);
}
