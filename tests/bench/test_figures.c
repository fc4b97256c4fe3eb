/* SPDX-License-Identifier: MIT */
/* bench/figures.c: quantiles are samples, ratios are of one round, what is missing stays out. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bench/figures.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* cmocka's own float comparison came later than the cmocka of Debian 12. */
static void assert_is(double value, double wanted)
{
    if (!(fabs(value - wanted) < 1e-9)) {
        fail_msg("%.12g is not %.12g", value, wanted);
    }
}

static void sorts_by_value_not_by_difference(void **state)
{
    uint64_t v[] = {5, UINT64_MAX, 0, 1ull << 63, 1, UINT64_MAX - 1, 5};
    static const uint64_t sorted[] = {0, 1, 5, 5, 1ull << 63, UINT64_MAX - 1, UINT64_MAX};

    (void)state;
    bench_sort(v, COUNT(v));
    assert_memory_equal(v, sorted, sizeof(v));
}

static void quantiles_are_nearest_rank(void **state)
{
    uint64_t v[1000];

    (void)state;
    for (size_t i = 0; i < COUNT(v); i++) {
        v[i] = i + 1;
    }
    assert_int_equal(bench_quantile(v, 1000, 500), 500);
    assert_int_equal(bench_quantile(v, 1000, 990), 990);
    assert_int_equal(bench_quantile(v, 1000, 999), 999);
    assert_int_equal(bench_quantile(v, 1000, 1000), 1000);
    assert_int_equal(bench_quantile(v, 1000, 0), 1);
    assert_int_equal(bench_quantile(v, 100, 990), 99);
    assert_int_equal(bench_quantile(v, 99, 990), 99); /* ceil(98.01) */
    assert_int_equal(bench_quantile(v, 10, 990), 10);
    assert_int_equal(bench_quantile(v, 3, 500), 2);
    assert_int_equal(bench_quantile(v, 2, 500), 1);
    assert_int_equal(bench_quantile(v, 1, 500), 1);
    assert_int_equal(bench_quantile(v, 1, 0), 1);
}

static void spread_of_odd_and_even(void **state)
{
    static const double odd[] = {9, 1, 4}, even[] = {8, 2, 4, 1}, one[] = {3};
    struct bench_spread s = bench_spread_of(odd, COUNT(odd));

    (void)state;
    assert_is(s.median, 4);
    assert_is(s.min, 1);
    assert_is(s.max, 9);
    assert_int_equal(s.n, 3);
    s = bench_spread_of(even, COUNT(even));
    assert_is(s.median, 3);
    assert_is(s.min, 1);
    assert_is(s.max, 8);
    s = bench_spread_of(one, 1);
    assert_is(s.median, 3);
    assert_int_equal(s.n, 1);
}

static void what_is_missing_is_not_counted(void **state)
{
    static const double some[] = {NAN, 5, NAN, 1, 3}, none[] = {NAN, NAN};
    struct bench_spread s = bench_spread_of(some, COUNT(some));

    (void)state;
    assert_int_equal(s.n, 3);
    assert_is(s.median, 3);
    s = bench_spread_of(none, COUNT(none));
    assert_int_equal(s.n, 0);
    assert_true(isnan(s.median));
    s = bench_spread_of(NULL, 0);
    assert_int_equal(s.n, 0);
    assert_is(bench_value_quantile(some, COUNT(some), 990), 5);
    assert_is(bench_value_quantile(some, COUNT(some), 500), 3);
    assert_true(isnan(bench_value_quantile(none, COUNT(none), 500)));
}

/* The ratio of the medians would be 20 / 20 = 1; the median of the ratios is 1.5. */
static void ratios_are_taken_round_by_round(void **state)
{
    static const double ours[] = {15, 20, 300}, theirs[] = {10, 20, 200};
    double ratio[3];

    (void)state;
    bench_ratios(ours, theirs, ratio, 3);
    assert_is(ratio[0], 1.5);
    assert_is(ratio[1], 1);
    assert_is(ratio[2], 1.5);
}

static void no_ratio_to_nothing(void **state)
{
    static const double over[] = {1, NAN, 1, 1, 0}, under[] = {0, 1, NAN, -1, 2};
    double ratio[5];

    (void)state;
    bench_ratios(over, under, ratio, 5);
    for (int i = 0; i < 4; i++) {
        assert_true(isnan(ratio[i]));
    }
    assert_is(ratio[4], 0);
}

static void counts_the_rounds_that_hold(void **state)
{
    static const double v[] = {1.0, 1.2, 1.2000001, NAN, 0.5};

    (void)state;
    assert_int_equal(bench_at_most(v, COUNT(v), 1.2), 3);
    assert_int_equal(bench_at_most(v, COUNT(v), 0.1), 0);
    assert_int_equal(bench_at_most(NULL, 0, 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sorts_by_value_not_by_difference),
        cmocka_unit_test(quantiles_are_nearest_rank),
        cmocka_unit_test(spread_of_odd_and_even),
        cmocka_unit_test(what_is_missing_is_not_counted),
        cmocka_unit_test(ratios_are_taken_round_by_round),
        cmocka_unit_test(no_ratio_to_nothing),
        cmocka_unit_test(counts_the_rounds_that_hold),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
