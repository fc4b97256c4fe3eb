/* SPDX-License-Identifier: MIT */
/* core/clock.h: ticks and nanoseconds, and how the rate between them is found. */
#include "tests/unit/unit.h"

#include <xsc/watch.h>

#include "core/clock.h"
#include "tests/unit/fake_port.h"

__extension__ typedef unsigned __int128 u128;

static const uint64_t rates[] = {
    500000u,     1000000u,    19200000u,   24000000u,   62500000u,    999999999u,    1000000000u,
    1000000001u, 2600000000u, 2899999997u, 5000000000u, 37500000000u, 100000000000u,
};

static struct xsc_clock at_rate(uint64_t hz)
{
    struct xsc_clock c = {.ticks = fake_counter};

    xsc_clock_set_rate(&c, hz);
    return c;
}

/* ------------------------------------------------------------------------- conversions ---- */

static void multiplication_is_exact(void **state)
{
    uint64_t seed = 1;

    (void)state;
    for (int i = 0; i < 200000; i++) {
        /* Of all lengths, so that the result may or may not fit; modulo 2^64 it is right. */
        const uint64_t a = unit_random(&seed) >> (unit_random(&seed) & 63);
        const uint64_t b = unit_random(&seed) >> (unit_random(&seed) & 63);

        assert_int_equal(xsc_mul_shift32(a, b), (uint64_t)((u128)a * b >> 32));
    }
    assert_int_equal(xsc_mul_shift32(UINT64_MAX, (uint64_t)1 << 32), UINT64_MAX);
    assert_int_equal(xsc_mul_shift32(UINT64_MAX, 0), 0);
}

/* Never more than the truth, and less by no more than the last bit of the factor makes. */
static void conversions_are_exact_to_the_last_bit(void **state)
{
    uint64_t seed = 2;

    (void)state;
    for (size_t r = 0; r < LENGTH(rates); r++) {
        const struct xsc_clock c = at_rate(rates[r]);

        assert_int_equal(c.hz, rates[r]);
        for (int i = 0; i < 20000; i++) {
            const uint64_t x = unit_random(&seed) >> (8 + (unit_random(&seed) & 31));
            const u128 ns = (u128)x * 1000000000u / rates[r];
            const u128 ticks = (u128)x * rates[r] / 1000000000u;

            if (ns <= UINT64_MAX) {
                const uint64_t got = xsc_to_ns(&c, x);

                assert_true(got <= ns && ns - got <= (x >> 32) + 1);
            }
            if (ticks <= UINT64_MAX) {
                const uint64_t got = xsc_to_ticks(&c, x);

                assert_true(got <= ticks && ticks - got <= (x >> 32) + 1);
            }
        }
    }
}

static void whole_rates_lose_nothing(void **state)
{
    const struct xsc_clock mhz = at_rate(1000000), ghz = at_rate(1000000000);
    const struct xsc_clock five = at_rate(5000000000u);

    (void)state;
    assert_int_equal(xsc_to_ns(&mhz, 1), 1000);
    assert_int_equal(xsc_to_ns(&mhz, 86400000000u), 86400000000000u);
    assert_int_equal(xsc_to_ns(&ghz, 123456789012345678u), 123456789012345678u);
    assert_int_equal(xsc_to_ticks(&ghz, UINT64_MAX), UINT64_MAX);
    assert_int_equal(xsc_to_ticks(&five, 3600000000000u), 18000000000000u);
    assert_int_equal(xsc_to_ticks(&mhz, XSC_SLICE_NS), 99); /* less the last bit: wait.c adds 1 */
}

/* A year of ticks at the highest rate, and a slice at the lowest, fit. */
static void large_values_do_not_overflow(void **state)
{
    const uint64_t year_ns = 31557600000000000u;

    (void)state;
    for (size_t r = 0; r < LENGTH(rates); r++) {
        const struct xsc_clock c = at_rate(rates[r]);
        const u128 ticks = (u128)year_ns * rates[r] / 1000000000u;

        if (ticks <= UINT64_MAX) {
            const uint64_t t = xsc_to_ticks(&c, year_ns), back = xsc_to_ns(&c, t);

            assert_true(t <= ticks && ticks - t < ticks / 1000000 + 1);
            assert_true(back <= year_ns && year_ns - back < year_ns / 1000000);
        }
    }
}

static void elapsed_wraps_and_is_never_negative(void **state)
{
    const struct xsc_clock c = at_rate(1000000000);

    (void)state;
    assert_int_equal(xsc_elapsed_ns(&c, 100, 350), 250);
    assert_int_equal(xsc_elapsed_ns(&c, 100, 100), 0);
    assert_int_equal(xsc_elapsed_ns(&c, 100, 99), 0); /* the other CPU's counter is a hair behind */
    assert_int_equal(xsc_elapsed_ns(&c, UINT64_MAX - 9, 40), 50);
    assert_int_equal(xsc_elapsed_ns(&c, 40, UINT64_MAX - 9), 0);
    assert_int_equal(xsc_elapsed_ns(&c, 0, INT64_MAX), INT64_MAX);
}

static void due_wraps(void **state)
{
    (void)state;
    assert_true(xsc_due(5, 5));
    assert_true(xsc_due(6, 5));
    assert_false(xsc_due(4, 5));
    assert_true(xsc_due(0, UINT64_MAX));
    assert_false(xsc_due(UINT64_MAX, 0));
    assert_true(xsc_due(100, UINT64_MAX - 100));
    assert_true(xsc_due((uint64_t)INT64_MAX, 0));
    assert_false(xsc_due((uint64_t)INT64_MAX + 1, 0));
}

/* ------------------------------------------------------------------------- calibration ---- */

#define PPM(x, n) ((x) / 1000000 * (n))

static struct xsc_clock calibrate(uint64_t hz, uint64_t claimed)
{
    struct xsc_clock c = {0};
    struct xsc_clock_sources from;

    fake.hz = hz;
    fake.cpu.counter_hz = claimed;
    xsc_port_clocks(&from);
    xsc_clock_init(&c, &fake.cpu, &from);
    return c;
}

static void assert_near(uint64_t hz, uint64_t truth, uint64_t ppm)
{
    if (hz + PPM(truth, ppm) + 1 < truth || hz > truth + PPM(truth, ppm) + 1) {
        fail_msg("%ju Hz is not within %ju ppm of %ju Hz", (uintmax_t)hz, (uintmax_t)ppm,
                 (uintmax_t)truth);
    }
}

static void assert_os_clock(const struct xsc_clock *c)
{
    assert_ptr_equal(c->ticks, xsc_port_now_ns);
    assert_false(c->hardware);
    assert_int_equal(c->hz, 1000000000u);
    assert_int_equal(xsc_to_ns(c, 12345678901u), 12345678901u);
    assert_int_equal(xsc_to_ticks(c, 12345678901u), 12345678901u);
    unit_contains(c->source, "OS clock");
}

static void right_claim_is_taken_as_it_is(void **state)
{
    (void)state;
    for (size_t r = 1; r < LENGTH(rates); r++) { /* less the lowest: too coarse to be sure */
        fake_reset();
        const struct xsc_clock c = calibrate(rates[r], rates[r]);

        assert_ptr_equal(c.ticks, fake_counter);
        assert_true(c.hardware);
        assert_int_equal(c.hz, rates[r]);
        assert_string_equal(c.source, "counter, at the rate it states");
    }
}

static void grain_is_a_step_of_the_counter(void **state)
{
    static const uint64_t hz[] = {1000000, 19200000, 100000000, 2600000000u};
    static const uint64_t at_least[] = {1000, 52, 20, 20}; /* or what a reading takes: 20 ns */

    (void)state;
    for (size_t r = 0; r < LENGTH(hz); r++) {
        fake_reset();
        assert_in_range(calibrate(hz[r], hz[r]).grain_ns, at_least[r], at_least[r] * 3);
    }
}

static void no_claim_is_measured(void **state)
{
    (void)state;
    for (size_t r = 1; r < LENGTH(rates) - 1; r++) { /* less the limits themselves */
        fake_reset();
        const struct xsc_clock c = calibrate(rates[r], 0);

        assert_true(c.hardware);
        /* The reading error of 20 ns steps in 400 us; below 10 MHz a tick is longer than that. */
        assert_near(c.hz, rates[r], rates[r] < 10000000 ? 5000 : 200);
        assert_string_equal(c.source, "counter, measured against the OS clock");
    }
}

static void wrong_claim_is_measured(void **state)
{
    static const struct {
        uint64_t claimed_permille;
        bool believed;
    } cases[] = {{996, true},  {1004, true},  {994, false}, {1006, false},
                 {500, false}, {2000, false}, {1, false}};

    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        fake_reset();
        const uint64_t truth = 2600000000u, claimed = truth / 1000 * cases[i].claimed_permille;
        const struct xsc_clock c = calibrate(truth, claimed);

        assert_true(c.hardware);
        if (cases[i].believed) {
            assert_int_equal(c.hz, claimed);
        } else {
            assert_near(c.hz, truth, 200);
            unit_contains(c.source, "the rate it states is wrong");
        }
    }
}

static void stopped_counter_is_not_used(void **state)
{
    (void)state;
    fake_reset();
    const struct xsc_clock c = calibrate(0, 24000000);

    assert_os_clock(&c);
}

static uint64_t backward(void)
{
    return UINT64_MAX - fake_counter();
}

static void backward_counter_is_not_used(void **state)
{
    struct xsc_clock c;

    (void)state;
    fake_reset();
    const struct xsc_clock_sources from = {backward, xsc_port_now_ns};

    xsc_clock_init(&c, &fake.cpu, &from);
    assert_os_clock(&c);
}

static void untrusted_counter_is_never_read(void **state)
{
    (void)state;
    fake_reset();
    fake.cpu.counter_trusted = false;
    const struct xsc_clock c = calibrate(2600000000u, 2600000000u);

    assert_os_clock(&c);
    assert_int_equal(fake.counter_reads, 0);
    assert_int_equal(fake.clock_reads, 2); /* it moves; nothing more is waited for */
}

static void absurd_rates_are_not_used(void **state)
{
    static const uint64_t absurd[] = {1, 32768, 490000, 101000000000u, 400000000000u};

    (void)state;
    for (size_t i = 0; i < LENGTH(absurd); i++) {
        fake_reset();
        const struct xsc_clock c = calibrate(absurd[i], absurd[i]);

        assert_os_clock(&c);
    }
}

/* Preempted for 10 ms between the counter and the OS clock, in each reading of the first pair. */
static void preemption_in_a_reading_is_weeded_out(void **state)
{
    (void)state;
    for (uint64_t at = 0; at <= 20 * 3 * 5; at += 10) {
        fake_reset();
        fake_preempt_at(fake.now + at, 10000000);
        const struct xsc_clock c = calibrate(2600000000u, 0);

        assert_true(c.hardware);
        assert_near(c.hz, 2600000000u, 200);
    }
}

static void preemption_in_the_second_pair_is_weeded_out(void **state)
{
    (void)state;
    for (uint64_t at = 400000; at <= 400000 + 1000; at += 10) {
        fake_reset();
        fake_preempt_at(fake.now + at, 3000000);
        const struct xsc_clock c = calibrate(62500000u, 0);

        assert_true(c.hardware);
        assert_near(c.hz, 62500000u, 1000); /* a tick of 16 ns */
    }
}

static void preemption_between_the_pairs_makes_no_difference(void **state)
{
    static const uint64_t lost_ns[] = {1000000, 100000000, 1000000000, 3000000000u, 6900000000u};

    (void)state;
    for (size_t i = 0; i < LENGTH(lost_ns); i++) {
        fake_reset();
        fake_preempt_at(fake.now + 200000, lost_ns[i]);
        const struct xsc_clock c = calibrate(2600000000u, 0);

        assert_near(c.hz, 2600000000u, 200);
    }
}

/* A counter that has been running for centuries and wraps in the middle of it. */
static void counter_may_be_anywhere_but_at_its_end(void **state)
{
    (void)state;
    fake_reset();
    fake.counter_base = (uint64_t)1 << 62;
    const struct xsc_clock c = calibrate(1000000000u, 0);

    assert_near(c.hz, 1000000000u, 200);
}

static void calibration_takes_half_a_millisecond(void **state)
{
    (void)state;
    fake_reset();
    const uint64_t start = fake.now;

    calibrate(2600000000u, 2600000000u);
    assert_in_range(fake.now - start, 400000, 500000);
}

static void jump(void *arg)
{
    (void)arg;
    fake.counter_base += (uint64_t)1 << 45;
}

static void a_counter_that_jumps_is_not_used(void **state)
{
    (void)state;
    fake_reset();
    fake_call_at(fake.now + 200000, jump, NULL);
    const struct xsc_clock c = calibrate(1000000000u, 0);

    assert_os_clock(&c);
}

/* Stopped for some seconds between the pairs: SIGSTOP, a debugger, a suspended guest. */
static void a_very_long_preemption_does_not_spoil_the_rate(void **state)
{
    (void)state;
    for (uint64_t s = 7; s < 1000; s = s * 3 / 2) {
        fake_reset();
        fake_preempt_at(fake.now + 200000, s * 1000000000u + 900000000u);
        const struct xsc_clock c = calibrate(2600000000u, 0);

        assert_near(c.hz, 2600000000u, 200);
    }
}

static void a_slice_is_over_at_its_end_or_before_its_start(void **state)
{
    (void)state;
    assert_false(xsc_slice_over(100, 100, 150));
    assert_false(xsc_slice_over(149, 100, 150));
    assert_true(xsc_slice_over(150, 100, 150));
    assert_true(xsc_slice_over(151, 100, 150));
    assert_true(xsc_slice_over(99, 100, 150)); /* the counter was set back */
    assert_true(xsc_slice_over(0, 100, 150));
    assert_false(xsc_slice_over(UINT64_MAX, UINT64_MAX - 5, 10));
    assert_false(xsc_slice_over(9, UINT64_MAX - 5, 10));
    assert_true(xsc_slice_over(10, UINT64_MAX - 5, 10));
    assert_true(xsc_slice_over(100, 100, 100));
    assert_true(xsc_slice_over(100, 100, 90)); /* over before it began */
    assert_true(xsc_slice_over(200, 100, 90));
}

/* ---------------------------------------------------------------------- a clock stands still ---- */

static void assert_moves(const struct xsc_clock *c)
{
    const uint64_t start = c->ticks();

    for (unsigned i = 0; i < 1000; i++) {
        if (c->ticks() - start > 10000) {
            return;
        }
    }
    fail_msg("it does not move");
}

static void an_os_clock_that_stands_still_is_told_of(void **state)
{
    (void)state;
    for (int kind = 0; kind < 3; kind++) { /* states its rate; does not; is not trusted */
        fake_reset();
        fake.still = true;
        fake.cpu.counter_trusted = kind < 2;
        const struct xsc_clock c = calibrate(1000000000u, kind == 0 ? 1000000000u : 0);

        assert_true(c.os_still);
        assert_int_equal(c.hardware, kind == 0);
        unit_contains(c.source, "stands still");
        assert_int_equal(c.hz, 1000000000u);
        assert_moves(&c);
    }
}

static void an_os_clock_that_moves_is_not(void **state)
{
    (void)state;
    fake_reset();
    const struct xsc_clock c = calibrate(1000000000u, 0);

    assert_false(c.os_still);
    fake.cpu.counter_trusted = false;
    assert_false(calibrate(1000000000u, 0).os_still);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(multiplication_is_exact),
        cmocka_unit_test(conversions_are_exact_to_the_last_bit),
        cmocka_unit_test(whole_rates_lose_nothing),
        cmocka_unit_test(large_values_do_not_overflow),
        cmocka_unit_test(elapsed_wraps_and_is_never_negative),
        cmocka_unit_test(due_wraps),
        cmocka_unit_test(right_claim_is_taken_as_it_is),
        cmocka_unit_test(an_os_clock_that_stands_still_is_told_of),
        cmocka_unit_test(an_os_clock_that_moves_is_not),
        cmocka_unit_test(grain_is_a_step_of_the_counter),
        cmocka_unit_test(no_claim_is_measured),
        cmocka_unit_test(wrong_claim_is_measured),
        cmocka_unit_test(stopped_counter_is_not_used),
        cmocka_unit_test(backward_counter_is_not_used),
        cmocka_unit_test(untrusted_counter_is_never_read),
        cmocka_unit_test(absurd_rates_are_not_used),
        cmocka_unit_test(preemption_in_a_reading_is_weeded_out),
        cmocka_unit_test(preemption_in_the_second_pair_is_weeded_out),
        cmocka_unit_test(preemption_between_the_pairs_makes_no_difference),
        cmocka_unit_test(counter_may_be_anywhere_but_at_its_end),
        cmocka_unit_test(calibration_takes_half_a_millisecond),
        cmocka_unit_test(a_counter_that_jumps_is_not_used),
        cmocka_unit_test(a_very_long_preemption_does_not_spoil_the_rate),
        cmocka_unit_test(a_slice_is_over_at_its_end_or_before_its_start),
    };

    return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
