/* SPDX-License-Identifier: MIT */
/* core/histogram.h: buckets, and the quantiles that are read from them. */
#include "tests/unit/unit.h"

#include <stdlib.h>

#include "core/histogram.h"

static struct xsc_histogram h;

static int clear(void **state)
{
    (void)state;
    memset(&h, 0, sizeof(h));
    return 0;
}

static void small_values_have_a_bucket_each(void **state)
{
    (void)state;
    for (uint32_t v = 0; v < 16; v++) { /* 8 to 15: the first octave's buckets are one wide too */
        assert_int_equal(xsc_hist_bucket(v), v);
        assert_int_equal(xsc_hist_floor(v), v);
    }
}

/* Floors grow, every bucket but the small ones is an eighth of its power of two wide. */
static void floors_and_widths(void **state)
{
    (void)state;
    for (uint32_t b = 8; b < XSC_HIST_BUCKETS; b++) {
        const uint64_t low = xsc_hist_floor(b), width = xsc_hist_floor(b + 1) - low;
        uint64_t power = 8;

        while (power * 2 <= low) {
            power *= 2;
        }
        assert_int_equal(width, power / 8);
        assert_true(low > xsc_hist_floor(b - 1));
        assert_true(width * 8 <= low); /* half a width is within 6.25 % of every value in it */
    }
    assert_int_equal(xsc_hist_floor(XSC_HIST_BUCKETS), (uint64_t)1 << 35);
}

static void every_bucket_holds_what_lies_between_its_floors(void **state)
{
    (void)state;
    for (uint32_t b = 0; b < XSC_HIST_BUCKETS; b++) {
        const uint64_t low = xsc_hist_floor(b), next = xsc_hist_floor(b + 1);

        assert_int_equal(xsc_hist_bucket(low), b);
        assert_int_equal(xsc_hist_bucket(next - 1), b);
        assert_int_equal(xsc_hist_bucket(low + (next - low) / 2), b);
        assert_int_equal(xsc_hist_bucket(next), b + 1 < XSC_HIST_BUCKETS ? b + 1 : b);
    }
}

static void what_is_too_large_shares_the_last(void **state)
{
    (void)state;
    for (unsigned bit = 35; bit < 64; bit++) {
        assert_int_equal(xsc_hist_bucket((uint64_t)1 << bit), XSC_HIST_BUCKETS - 1);
    }
    assert_int_equal(xsc_hist_bucket(UINT64_MAX), XSC_HIST_BUCKETS - 1);
    assert_int_equal(xsc_hist_bucket(((uint64_t)1 << 35) - 1), XSC_HIST_BUCKETS - 1);
    xsc_hist_add(&h, UINT64_MAX);
    assert_int_equal(xsc_hist_total(&h), 1);
    assert_in_range(xsc_hist_quantile(&h, 500), xsc_hist_floor(XSC_HIST_BUCKETS - 1),
                    (uint64_t)1 << 35);
}

static void empty_has_no_quantile(void **state)
{
    (void)state;
    assert_int_equal(xsc_hist_total(&h), 0);
    assert_int_equal(xsc_hist_quantile(&h, 0), 0);
    assert_int_equal(xsc_hist_quantile(&h, 500), 0);
    assert_int_equal(xsc_hist_quantile(&h, 1000), 0);
}

static void one_value_is_every_quantile(void **state)
{
    (void)state;
    xsc_hist_add(&h, 7);
    for (uint32_t p = 0; p <= 1000; p++) {
        assert_int_equal(xsc_hist_quantile(&h, p), 7);
    }
}

/* Values below 8 are exact, so that ranks show: of 1..5, p200 is the first, p201 the second. */
static void ranks_are_nearest(void **state)
{
    static const struct {
        uint32_t permille;
        uint64_t value;
    } cases[] = {{0, 1},   {1, 1},   {199, 1}, {200, 1}, {201, 2}, {400, 2}, {401, 3}, {500, 3},
                 {600, 3}, {601, 4}, {800, 4}, {801, 5}, {990, 5}, {999, 5}, {1000, 5}};

    (void)state;
    for (uint64_t v = 1; v <= 5; v++) {
        xsc_hist_add(&h, v);
    }
    for (size_t i = 0; i < LENGTH(cases); i++) {
        assert_int_equal(xsc_hist_quantile(&h, cases[i].permille), cases[i].value);
    }
}

static void one_in_a_hundred_shows_in_p99_only_past_it(void **state)
{
    (void)state;
    for (int i = 0; i < 99; i++) {
        xsc_hist_add(&h, 1);
    }
    xsc_hist_add(&h, 6);
    assert_int_equal(xsc_hist_quantile(&h, 990), 1);
    assert_int_equal(xsc_hist_quantile(&h, 991), 6);
    xsc_hist_add(&h, 6);
    assert_int_equal(xsc_hist_quantile(&h, 990), 6); /* two of 101 */
}

static int by_value(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* Against sorting, for random sets of random lengths: within 6.25 % of the true value. */
static void quantiles_are_within_an_eighth_of_an_octave(void **state)
{
    static uint64_t v[1000];
    uint64_t seed = 3;

    (void)state;
    for (int round = 0; round < 300; round++) {
        const size_t n = unit_between(&seed, 1, LENGTH(v));

        memset(&h, 0, sizeof(h));
        for (size_t i = 0; i < n; i++) {
            v[i] = (unit_random(&seed) >> 29) >> (unit_random(&seed) % 35);
            xsc_hist_add(&h, v[i]);
        }
        qsort(v, n, sizeof(v[0]), by_value);
        assert_int_equal(xsc_hist_total(&h), n);
        for (uint32_t p = 0; p <= 1000; p += 10) {
            const size_t rank = (n * p + 999) / 1000;
            const uint64_t truth = v[rank ? rank - 1 : 0], got = xsc_hist_quantile(&h, p);

            assert_true((got > truth ? got - truth : truth - got) * 16 <= truth);
        }
    }
}

static void quantiles_never_fall(void **state)
{
    uint64_t seed = 4, last = 0;

    (void)state;
    for (int i = 0; i < 500; i++) {
        xsc_hist_add(&h, unit_random(&seed) >> (unit_random(&seed) & 63));
    }
    for (uint32_t p = 0; p <= 1000; p++) {
        const uint64_t q = xsc_hist_quantile(&h, p);

        assert_true(q >= last);
        last = q;
    }
}

static void counts_of_billions_are_summed_right(void **state)
{
    (void)state;
    for (uint32_t b = 0; b < XSC_HIST_BUCKETS; b++) {
        h.count[b] = UINT32_MAX;
    }
    assert_int_equal(xsc_hist_total(&h), (uint64_t)UINT32_MAX * XSC_HIST_BUCKETS);
    assert_int_equal(xsc_hist_quantile(&h, 0), 0);
    /* The middle one of 264 buckets full alike is the 132nd. */
    assert_int_equal(xsc_hist_quantile(&h, 500), (xsc_hist_floor(131) + xsc_hist_floor(132)) / 2);
}

static void a_full_bucket_stays_full(void **state)
{
    (void)state;
    h.count[5] = UINT32_MAX;
    h.count[7] = 10;
    xsc_hist_add(&h, 5);
    assert_int_equal(xsc_hist_quantile(&h, 500), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_values_have_a_bucket_each),
        cmocka_unit_test(floors_and_widths),
        cmocka_unit_test(every_bucket_holds_what_lies_between_its_floors),
        cmocka_unit_test_setup(what_is_too_large_shares_the_last, clear),
        cmocka_unit_test_setup(empty_has_no_quantile, clear),
        cmocka_unit_test_setup(one_value_is_every_quantile, clear),
        cmocka_unit_test_setup(ranks_are_nearest, clear),
        cmocka_unit_test_setup(one_in_a_hundred_shows_in_p99_only_past_it, clear),
        cmocka_unit_test_setup(quantiles_are_within_an_eighth_of_an_octave, clear),
        cmocka_unit_test_setup(quantiles_never_fall, clear),
        cmocka_unit_test_setup(counts_of_billions_are_summed_right, clear),
        cmocka_unit_test_setup(a_full_bucket_stays_full, clear),
    };

    return cmocka_run_group_tests_name("histogram", tests, NULL, NULL);
}
