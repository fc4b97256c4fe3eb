/* SPDX-License-Identifier: MIT */
/*
 * tests/unit/park_os.h - user/park.c, user/event.c and user/barrier.c over an OS that does what a
 * test says: its barriers and sleeps are counted, refused, and interrupted by what the world
 * does meanwhile. What a process decides once is reset between tests, so the sources themselves are
 * included here. _GNU_SOURCE is the includer's to define.
 */
#ifndef XSC_PARK_OS_H
#define XSC_PARK_OS_H

#include "tests/unit/unit.h"

#include "tests/unit/fake_mech.h"
#include "tests/unit/fake_port.h"
#include "user/barrier.c"
#include "user/config.c"
#include "user/event.c"
#include "user/park.c"
#include "user/watch_then.c"

#define MS 1000000u
#define US 1000u

struct xsc_engine xsc_library;

const char *xsc_set_up_by_environment(void)
{
    return NULL;
}

/* ---------------------------------------------------------------------------- a fake OS ---- */

static struct fake_os {
    bool register_fails[2], barrier_fails[2];    /* [shared] */
    bool no_wide, refuses;                       /* no futex_waitv; no futex in the word */
    void (*in_barrier)(void), (*in_sleep)(void); /* what the world does meanwhile */

    unsigned registers[2], barriers[2], sleeps, wide_sleeps, wakes;
    const volatile void *slept_on, *woke;
    uint32_t expected, slept_bits, woke_bits, woke_count;
    uint64_t until_ns;
    bool slept_shared, woke_shared, asleep, woken;

    /* What the policy would say, and was told. */
    struct xsc_plan plan;
    bool asked_crowded, starved;
    struct xsc_outcome was;
    unsigned begun, learned, ended, naps, wakings, cpu_times[2]; /* of parks, of naps */
    bool times;
    uint32_t doze_ns;
    uint64_t slack, ended_ns, late_ns, waking_ns;
    int cpu;
    struct xsc_site *own;
} os;

struct xsc_stay xsc_stay_begin(const volatile void *at, struct xsc_site *own, uint32_t doze_ns,
                               uint64_t timeout_ns, bool is_crowded)
{
    (void)at;
    os.doze_ns = doze_ns;
    os.own = own;
    os.begun++;
    os.asked_crowded = is_crowded;
    if (is_crowded) {
        return (struct xsc_stay){NULL, {0, XSC_NEVER, 0, true}, doze_ns, timeout_ns};
    }
    return (struct xsc_stay){NULL, os.plan, doze_ns, timeout_ns};
}

void xsc_stay_learn(struct xsc_stay *stay)
{
    (void)stay;
    os.learned++;
}

void xsc_stay_end(const struct xsc_stay *stay, const struct xsc_outcome *was)
{
    (void)stay;
    os.ended++;
    os.was = *was;
    os.ended_ns = was->ns;
    os.starved = was->starved;
}

uint32_t xsc_costs_read(struct xsc_costs *costs)
{
    *costs = (struct xsc_costs)XSC_COSTS_VM;
    return 1;
}

void xsc_stay_saw(const struct xsc_stay *stay, enum xsc_evidence_of what, uint64_t ns)
{
    (void)stay;
    if (what == XSC_NAP_LATE) {
        os.naps++;
        os.late_ns = ns;
    } else if (what == XSC_WOKEN) {
        os.wakings++;
        os.waking_ns = ns;
    } else {
        os.cpu_times[what == XSC_NAP_CPU]++;
    }
}

bool xsc_stay_times(const struct xsc_stay *stay)
{
    (void)stay;
    return os.times;
}

uint64_t xsc_slack(uint64_t ns)
{
    const uint64_t before = os.slack;

    os.slack = ns;
    return before;
}

int xsc_this_cpu(void)
{
    return os.cpu;
}

bool xsc_barrier_register(bool shared)
{
    os.registers[shared]++;
    return !os.register_fails[shared];
}

bool xsc_barrier_everywhere(bool shared)
{
    os.barriers[shared]++;
    if (os.in_barrier) {
        os.in_barrier();
    }
    return !os.barrier_fails[shared];
}

static enum xsc_slept pass_time(uint64_t until_ns)
{
    os.until_ns = until_ns;
    os.asleep = true;
    if (os.in_sleep) {
        os.in_sleep();
    }
    os.asleep = false;
    if (os.woken) {
        os.woken = false;
        return XSC_SLEPT_WOKEN;
    }
    assert_int_not_equal(until_ns, XSC_FOREVER); /* nothing would ever wake it */
    if (until_ns > fake.now) {
        fake_advance(until_ns - fake.now);
    }
    return XSC_SLEPT_TIMED_OUT;
}

enum xsc_slept xsc_sleep(const volatile uint32_t *word, uint32_t expected, uint32_t bits,
                         uint64_t deadline_ns, bool shared)
{
    os.sleeps++;
    os.slept_on = word;
    os.expected = expected;
    os.slept_bits = bits;
    os.slept_shared = shared;
    if (os.refuses) {
        return XSC_SLEPT_REFUSED;
    }
    return *word == expected ? pass_time(deadline_ns) : XSC_SLEPT_CHANGED;
}

enum xsc_slept xsc_sleep_wide(const volatile uint64_t *word, uint64_t expected,
                              uint64_t deadline_ns)
{
    if (os.no_wide || os.refuses) {
        return XSC_SLEPT_REFUSED;
    }
    os.wide_sleeps++;
    os.slept_on = word;
    os.slept_bits = UINT32_MAX; /* futex_waitv() has none: any wake ends it */
    os.slept_shared = true;
    return *word == expected ? pass_time(deadline_ns) : XSC_SLEPT_CHANGED;
}

uint32_t xsc_wake(const volatile uint32_t *word, uint32_t bits, uint32_t count, bool shared)
{
    os.wakes++;
    os.woke = word;
    os.woke_bits = bits;
    os.woke_count = count;
    os.woke_shared = shared;
    if (os.asleep && word == os.slept_on && bits & os.slept_bits && shared == os.slept_shared) {
        os.woken = true;
        return 1;
    }
    return 0;
}

static union {
    uint64_t u64;
    uint32_t u32[2];
    uint16_t u16[4];
    uint8_t u8[8];
} word;
static struct xsc_event event;

static inline uint32_t bucket(void)
{
    return xsc_parked[xsc_park_bucket(&word)];
}

static int setup(void **state)
{
    (void)state;
    fake_reset();
    fake.process = 1; /* has not been forked: its counts are as they look */
    fake_mechs_reset();
    fake_engine(&xsc_library, 0, 2);
    os = (struct fake_os){.plan = {20 * US, XSC_NEVER, 0, false}, .slack = 50000};
    memset(woken, 0, sizeof(woken));
    word.u64 = 0;
    event = (struct xsc_event)XSC_EVENT_INIT;
    in_force = no_shared = xsc_event_joined = 0;
    memset(refused, 0, sizeof(refused));
    memset(xsc_parked, 0, sizeof(xsc_parked));
    memset(wide, 0, sizeof(wide));
    memset(relief, 0, sizeof(relief));
    memset(seconds, 0, sizeof(seconds));
    takes_ns = 0;
    unsetenv("XSC_PARK");
    return 0;
}

static inline struct xsc_counts counts(void)
{
    struct xsc_counts n;

    xsc_stats_sum(&xsc_library.stats, &n, NULL);
    return n;
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

#endif /* XSC_PARK_OS_H */
