/* SPDX-License-Identifier: MIT */
/* xsc/idle.h: every threshold of SPEC I1 at its edges. */
#include "tests/unit/unit.h"

#include <xsc/idle.h>

#define MS ((uint64_t)1000000)
#define BOOTED (15000 * MS)
#define MAX_NS 200000u

static uint64_t now;

static struct xsc_idle booted(uint64_t max_ns)
{
    struct xsc_idle idle;

    xsc_idle_init(&idle, max_ns, 0);
    now = BOOTED;
    return idle;
}

/* Waits in a row, a microsecond apart; gives the answer to the last. */
static uint64_t idle_for(struct xsc_idle *idle, unsigned waits)
{
    uint64_t ns = 0;

    while (waits--) {
        now += 1000;
        ns = xsc_idle_on_wait(idle, now, false);
    }
    return ns;
}

static void sleeps_grow_at_the_named_waits(void **state)
{
    static const struct {
        unsigned wait;
        uint64_t ns;
    } edges[] = {
        {1, 0},        {50, 0},       {51, 20000},   {100, 20000},  {101, 50000},     {200, 50000},
        {201, 100000}, {500, 100000}, {501, 200000}, {502, 200000}, {100000, 200000},
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(edges); i++) {
        struct xsc_idle idle = booted(MAX_NS);

        assert_int_equal(idle_for(&idle, edges[i].wait), edges[i].ns);
    }
}

/* A counter that went on for ever would come round to "no sleep" once in 2^32 waits. */
static void the_count_stays_at_the_top(void **state)
{
    struct xsc_idle idle = booted(MAX_NS);

    (void)state;
    idle_for(&idle, 10000);
    assert_int_equal(idle.waits, XSC_IDLE_HALF + 1);
}

static void work_ends_the_row(void **state)
{
    struct xsc_idle idle = booted(MAX_NS);

    (void)state;
    assert_int_equal(idle_for(&idle, 501), MAX_NS);
    assert_int_equal(xsc_idle_on_wait(&idle, now += 1000, true), 0);
    assert_int_equal(idle_for(&idle, 50), 0);
    assert_int_equal(idle_for(&idle, 1), MAX_NS / 10);

    xsc_idle_on_activity(&idle);
    assert_int_equal(idle_for(&idle, 50), 0);
    assert_int_equal(idle_for(&idle, 1), MAX_NS / 10);
}

static void a_gap_of_more_than_a_millisecond_ends_the_row(void **state)
{
    static const struct {
        uint64_t gap, ns;
    } edges[] = {{999000, MAX_NS}, {1000000, MAX_NS}, {1000001, 0}, {1001000, 0}, {BOOTED, 0}};

    (void)state;
    for (size_t i = 0; i < LENGTH(edges); i++) {
        struct xsc_idle idle = booted(MAX_NS);

        idle_for(&idle, 501);
        assert_int_equal(xsc_idle_on_wait(&idle, now += edges[i].gap, false), edges[i].ns);
        if (!edges[i].ns) { /* that wait was the first of its row */
            assert_int_equal(idle_for(&idle, 49), 0);
            assert_int_equal(idle_for(&idle, 1), MAX_NS / 10);
        }
    }
}

static void a_gap_is_between_waits_of_one_row_only(void **state)
{
    struct xsc_idle idle = booted(MAX_NS);

    (void)state;
    for (unsigned i = 0; i < 600; i++) { /* however long the row is in all */
        xsc_idle_on_wait(&idle, now += MS, false);
    }
    assert_int_equal(xsc_idle_on_wait(&idle, now += MS, false), MAX_NS);
}

static void a_clock_that_goes_back_ends_the_row(void **state)
{
    struct xsc_idle idle = booted(MAX_NS);

    (void)state;
    idle_for(&idle, 501);
    assert_int_equal(xsc_idle_on_wait(&idle, now -= 1, false), 0);
    assert_int_equal(idle.waits, 1);
}

static void nothing_sleeps_in_the_first_15_seconds(void **state)
{
    static const uint64_t starts[] = {0, 1, 123456789012345u};

    (void)state;
    for (size_t i = 0; i < LENGTH(starts); i++) {
        struct xsc_idle idle;

        xsc_idle_init(&idle, MAX_NS, starts[i]);
        now = starts[i] + BOOTED - 1 - 600 * (uint64_t)1000;
        assert_int_equal(idle_for(&idle, 600), 0);
        assert_int_equal(now, starts[i] + BOOTED - 1);
        assert_int_equal(xsc_idle_on_wait(&idle, now += 1, false), MAX_NS);
    }
}

/* Started so late that the clock ends before the 15 s do. */
static void the_first_15_seconds_do_not_wrap(void **state)
{
    struct xsc_idle idle;

    (void)state;
    xsc_idle_init(&idle, MAX_NS, UINT64_MAX - 1000 * MS);
    now = UINT64_MAX - 1000 * MS;
    assert_int_equal(idle_for(&idle, 600), 0);
}

static void zero_is_off(void **state)
{
    struct xsc_idle idle = booted(0);

    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        assert_int_equal(idle_for(&idle, 1), 0);
    }
}

static void no_maximum_overflows(void **state)
{
    struct xsc_idle idle = booted(UINT64_MAX);

    (void)state;
    assert_int_equal(idle_for(&idle, 51), UINT64_MAX / 10);
    assert_int_equal(idle_for(&idle, 50), UINT64_MAX / 4);
    assert_int_equal(idle_for(&idle, 100), UINT64_MAX / 2);
    assert_int_equal(idle_for(&idle, 300), UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sleeps_grow_at_the_named_waits),
        cmocka_unit_test(the_count_stays_at_the_top),
        cmocka_unit_test(work_ends_the_row),
        cmocka_unit_test(a_gap_of_more_than_a_millisecond_ends_the_row),
        cmocka_unit_test(a_gap_is_between_waits_of_one_row_only),
        cmocka_unit_test(a_clock_that_goes_back_ends_the_row),
        cmocka_unit_test(nothing_sleeps_in_the_first_15_seconds),
        cmocka_unit_test(the_first_15_seconds_do_not_wrap),
        cmocka_unit_test(zero_is_off),
        cmocka_unit_test(no_maximum_overflows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
