/* SPDX-License-Identifier: MIT */
/* core/wait.c: what a wait returns, when, and what it counts. A1. */
#include "tests/unit/unit_wait.h"

/* ------------------------------------------------------------------- before the watch ---- */

static void timeout_0_looks_once(void **state)
{
    (void)state;
    const uint64_t now = fake.now;

    assert_int_equal(wait(0), XSC_TIMED_OUT);
    assert_int_equal(fake.now, now);
    assert_int_equal(fake_script[0].waits, 0);
    word = 1;
    assert_int_equal(wait(0), XSC_MET);
    assert_int_equal(asks, 0);
    assert_int_equal(counts().total, 0);
}

static void met_at_once_costs_no_clock(void **state)
{
    (void)state;
    word = 1;
    assert_int_equal(wait(XSC_FOREVER), XSC_MET);
    assert_int_equal(fake.clock_reads + fake.counter_reads, 0);
    assert_int_equal(fake_script[0].waits, 0);
    assert_int_equal(counts().total, 0);
}

/*
 * The tight spin calls no port, so in the fake world nothing can happen during it. What has
 * happened since the first look is that the wait was counted.
 */
static const struct xsc_watch spin_counted = {&e.stats.slot[0].tight, 0, UINT64_MAX, 8,
                                              XSC_UNTIL_NOT};

static void met_in_the_tight_spin(void **state)
{

    (void)state;
    e.tight_looks = 5;
    assert_int_equal(xsc_core_wait(&e, &spin_counted, XSC_FOREVER, asked), XSC_MET);
    const struct xsc_counts n = counts();

    assert_int_equal(fake.clock_reads, 0);
    assert_int_equal(fake.counter_reads, 1); /* when the spin began */
    assert_int_equal(fake_script[0].waits, 0);
    assert_int_equal(n.total, 1);
    assert_int_equal(n.changed, 1);
    assert_int_equal(n.shallow, 1);
    assert_int_equal(n.watched, 0);
    assert_int_equal(n.min_ns_plus, 0);
    assert_sound(&n);
}

static void short_timeouts_skip_the_tight_spin(void **state)
{
    (void)state;
    e.tight_looks = 5;
    assert_int_equal(xsc_core_wait(&e, &spin_counted, 3999, asked), XSC_TIMED_OUT);
    assert_int_equal(counts().shallow, 0);
    assert_int_equal(xsc_core_wait(&e, &spin_counted, 4000, asked), XSC_MET);
    assert_int_equal(counts().shallow, 1);
}

/* ---------------------------------------------------------------------------- naps ---- */

/* Until a store `after` the start; how late it was noticed. */
static uint64_t late_by(uint64_t after)
{
    setup(NULL);
    e.naps = 1;
    const uint64_t at = fake.now + after;

    fake_store_at(at, &word, 4, 7);
    assert_int_equal(wait(XSC_FOREVER), XSC_MET);
    return fake.now - at;
}

static void long_waits_nap_in_proportion(void **state)
{
    (void)state;
    assert_true(late_by(MS - 100 * US) < 300);
    assert_int_equal(fake.naps, 0);
    for (uint64_t after = MS; after < 300 * MS; after += after / 7) {
        assert_true(late_by(after + MS / 3) < after / 16 + MS / 16 + 300);
        assert_true(fake.naps > 0);
        assert_in_range(fake.longest_nap, MS / 16, MS);
        const struct xsc_counts n = counts();

        assert_int_equal(n.total, 1);
        assert_int_equal(n.changed, 1);
        assert_in_range(n.sum_ns, after, after + after / 8 + MS);
        /* Naps are in the wait's length, and not in its slices'. */
        assert_true(n.slices_ns + fake.naps * (MS / 16) <= n.sum_ns);
        assert_sound(&n);
    }
    assert_int_equal(fake.longest_nap, MS);
    late_by(10 * MS);
    assert_true(counts().slices_ns < 4 * MS); /* what it burnt of 10 */
}

static void a_nap_is_no_reason_to_be_early_or_blind(void **state)
{
    (void)state;
    for (uint64_t timeout = MS / 2; timeout < 50 * MS; timeout += timeout / 5) {
        setup(NULL);
        e.naps = 1;
        fake.nap_over_ns = 80 * US;
        const uint64_t start = fake.now;

        assert_int_equal(wait(timeout), XSC_TIMED_OUT);
        assert_in_range(fake.now - start, timeout, timeout + 82 * US);

        /* A store within the last nap: seen, though the nap ends after the deadline. */
        setup(NULL);
        e.naps = 1;
        fake.nap_over_ns = 80 * US;
        fake_store_at(fake.now + timeout - 1, &word, 4, 7);
        assert_int_equal(wait(timeout), XSC_MET);
    }
}

static void latency_or_leaving_the_cpu_does_not_nap(void **state)
{
    (void)state;
    fake_store_at(fake.now + 20 * MS, &word, 4, 7);
    assert_int_equal(wait(XSC_FOREVER), XSC_MET);
    assert_int_equal(fake.naps, 0);

    setup(NULL);
    e.naps = 1;
    fake_mech[2].traits |= XSC_LEAVES_CPU;
    e.chosen = XSC_CHOICE(2, 2);
    fake_store_at(fake.now + 20 * MS, &word, 4, 7);
    assert_int_equal(wait(XSC_FOREVER), XSC_MET);
    assert_int_equal(fake.naps, 0);

    /* A watch of a park: it knows its end. */
    setup(NULL);
    e.naps = 1;
    struct xsc_watching how = {.asked = asked, .n = 1};
    const struct xsc_watch w = changes(&word);

    assert_int_equal(xsc_core_watch(&e, &w, 20 * MS, &how), XSC_TIMED_OUT);
    assert_int_equal(fake.naps, 0);
}

/* ------------------------------------------------------------------- unlike priorities ---- */

/* A writer that this thread keeps from running until it sleeps: it stores in the third nap. */
static void writer_runs(void)
{
    if (fake.naps == 3) {
        word = 7;
    }
}

static void rescue(void *arg)
{
    (void)arg;
    word = 9;
}

/* The writer is of lower priority. In a second the kernel throttles us, and it runs: too late. */
static void keep_the_writer_from_running(void)
{
    setup(NULL);
    fake.must_sleep = true;
    fake.on_nap = writer_runs;
    fake_call_at(fake.now + 950 * MS, rescue, NULL);
}

static void keeping_the_writer_from_running_naps(void **state)
{
    static uint32_t other;
    const struct xsc_watch w[2] = {changes(&other), changes(&word)};
    uint32_t which = 9;

    (void)state;
    keep_the_writer_from_running();
    assert_int_equal(wait(XSC_FOREVER), XSC_MET);
    assert_int_equal(word, 7);
    assert_int_equal(fake.naps, 3);
    assert_int_equal(fake.policy_asks, 1);

    keep_the_writer_from_running();
    assert_int_equal(xsc_core_wait_any(&e, w, 2, XSC_FOREVER, asked, &which), XSC_MET);
    assert_int_equal(which, 1);
    assert_int_equal(word, 7);

    /* The watch of a park, which its plan bounds, but not to less than that. */
    keep_the_writer_from_running();
    struct xsc_watching how = {.asked = asked, .n = 1};

    assert_int_equal(xsc_core_watch(&e, &w[1], 20 * MS, &how), XSC_MET);
    assert_int_equal(word, 7);

    /* Nothing chosen yet: the thread that chooses may be the one that is kept from running. */
    keep_the_writer_from_running();
    e.chosen = 0;
    e.manager = fake.process;
    assert_int_equal(wait(XSC_FOREVER), XSC_MET);
    assert_int_equal(word, 7);
}

static void the_policy_is_asked_for_late_and_seldom(void **state)
{
    (void)state;
    fake.must_sleep = true;
    assert_int_equal(wait(MS - 100 * US), XSC_TIMED_OUT);
    assert_int_equal(fake.policy_asks, 0); /* a hand-over makes no system call */
    assert_int_equal(fake.naps, 0);

    setup(NULL); /* asked for at 1, 2, 4, 8, 16 and 32 ms, or a slice later */
    assert_int_equal(wait(60 * MS), XSC_TIMED_OUT);
    assert_in_range(fake.policy_asks, 5, 6);
    assert_int_equal(fake.naps, 0);

    setup(NULL); /* an engine that naps in any case is not asked */
    e.naps = 1;
    assert_int_equal(wait(60 * MS), XSC_TIMED_OUT);
    assert_int_equal(fake.policy_asks, 0);
    assert_true(fake.naps > 0);
}

static void policy_changes(void *arg)
{
    (void)arg;
    fake.must_sleep = true;
}

static void the_policy_may_change_in_a_wait(void **state)
{
    (void)state;
    keep_the_writer_from_running();
    fake.must_sleep = false;
    fake_call_at(fake.now + 10 * MS, policy_changes, NULL);
    assert_int_equal(wait(XSC_FOREVER), XSC_MET);
    assert_int_equal(word, 7);
    assert_in_range(fake.policy_asks, 5, 6);
}

/* What a process's first wait goes by is set while that wait chooses: naps are among it. */
static const char *asked_that_naps(void)
{
    e.naps = 1;
    return NULL;
}

static void a_first_wait_naps_too(void **state)
{
    uint32_t other = 0, which;
    const struct xsc_watch w[] = {changes(&word), changes(&other)};

    (void)state;
    for (int any = 0; any < 2; any++) {
        setup(NULL);
        e.chosen = 0;
        fake_store_at(fake.now + 20 * MS, &word, 4, 7);
        assert_int_equal(any ? xsc_core_wait_any(&e, w, 2, XSC_FOREVER, asked_that_naps, &which)
                             : xsc_core_wait(&e, w, XSC_FOREVER, asked_that_naps),
                         XSC_MET);
        assert_int_not_equal(e.chosen, 0);
        assert_true(fake.naps > 0);
        word = 0;
    }
}

/* The machine is looked at where a wait makes system calls anyway, or lasts very long. */
static void facts_are_read_again(void **state)
{
    (void)state;
    for (int kind = 0; kind < 3; kind++) { /* naps; leaves the CPU; only watches */
        setup(state);
        e.naps = kind == 0;
        if (kind == 1) {
            fake_mech[0].traits = XSC_POLL | XSC_LEAVES_CPU;
        }
        assert_int_equal(wait(500 * US), XSC_TIMED_OUT);
        assert_int_equal(fake.rechecks != 0, kind == 1);
        assert_int_equal(wait(99 * MS), XSC_TIMED_OUT);
        assert_int_equal(fake.rechecks != 0, kind < 2);
        const unsigned before = fake.rechecks;

        assert_int_equal(wait(350 * MS), XSC_TIMED_OUT);
        assert_true(fake.rechecks - before >= 3);
        assert_true(kind < 2 || fake.rechecks - before == 3);
        assert_in_range(fake.rechecked_at, fake.now - 60 * MS, fake.now);
    }
    setup(state); /* and at the start, where each short wait makes system calls */
    fake_mech[0].traits = XSC_POLL | XSC_LEAVES_CPU;
    fake_store_at(fake.now + 10 * US, &word, 4, 1);
    assert_int_equal(wait(MS), XSC_MET);
    assert_int_equal(fake.rechecks, 1);
}

static void any_of_several_naps_too(void **state)
{
    uint32_t other = 0, which;
    const struct xsc_watch w[] = {changes(&word), changes(&other)};

    (void)state;
    e.naps = 1;
    fake_store_at(fake.now + 20 * MS, &other, 4, 7);
    assert_int_equal(xsc_core_wait_any(&e, w, 2, XSC_FOREVER, asked, &which), XSC_MET);
    assert_int_equal(which, 1);
    assert_true(fake.naps > 0);
}

/* ---------------------------------------------------------------------------- the watch ---- */

static void met_in_the_first_slice(void **state)
{
    (void)state;
    fake.step = 0;
    fake_store_at(fake.now + 30 * US, &word, 4, 7);
    const uint64_t start = fake.now;

    assert_int_equal(wait(MS), XSC_MET);
    const struct xsc_counts n = counts();

    assert_int_equal(fake.now - start, 30 * US + 100);
    assert_int_equal(n.total, 1);
    assert_int_equal(n.changed, 1);
    assert_int_equal(n.deep, 1);
    assert_int_equal(n.shallow, 0);
    assert_int_equal(n.watched, 1);
    assert_int_equal(n.hw_waits, 1);
    assert_int_equal(n.woken, 1);
    assert_int_equal(n.sum_ns, 30 * US + 100);
    assert_int_equal(n.max_ns, 30 * US + 100);
    assert_int_equal(n.min_ns_plus, 30 * US + 101);
    assert_int_equal(waits().count[xsc_hist_bucket(30 * US + 100)], 1);
    assert_sound(&n);
}

static void met_in_a_later_slice(void **state)
{
    (void)state;
    for (uint64_t k = 1; k <= 50; k++) {
        setup(NULL);
        fake_store_at(fake.now + k * 100 * US + 50 * US, &word, 4, 7);
        assert_int_equal(wait(k % 2 ? 10 * MS : XSC_FOREVER), XSC_MET);
        const struct xsc_counts n = counts();

        assert_int_equal(n.expired, k);
        assert_int_equal(n.hw_waits, k + 1);
        assert_int_equal(n.woken, 1);
        assert_int_equal(n.overslept + n.spurious + n.limited + n.late + n.timeouts, 0);
        assert_in_range(n.max_over_ns, 60, 60 + 40);
        assert_sound(&n);
    }
}

static void min_max_and_sum_are_of_all_waits(void **state)
{
    static const uint64_t lengths[] = {5000, 90, 300000, 90, 1000000};

    (void)state;
    fake.step = 0;
    fake_script[0].wake_ns = 10;
    fake_script[0].exit_ns = 0;
    for (size_t i = 0; i < LENGTH(lengths); i++) {
        word = 0;
        fake_store_at(fake.now + lengths[i] - 10, &word, 4, 1);
        assert_int_equal(wait(XSC_FOREVER), XSC_MET);
    }
    const struct xsc_counts n = counts();

    assert_int_equal(n.sum_ns, 5000 + 90 + 300000 + 90 + 1000000);
    assert_int_equal(n.max_ns, 1000000);
    assert_int_equal(n.min_ns_plus, 91);
    assert_int_equal(n.watched, 5);
    assert_sound(&n);
}

static void polling_counts_as_shallow(void **state)
{
    (void)state;
    e.chosen = XSC_CHOICE(2, 2);
    fake_store_at(fake.now + 20 * US, &word, 4, 7);
    assert_int_equal(wait(MS), XSC_MET);
    word = 0;
    assert_int_equal(wait(MS), XSC_TIMED_OUT);
    const struct xsc_counts n = counts();

    assert_int_equal(n.shallow, 2);
    assert_int_equal(n.deep, 0);
    assert_int_equal(n.late, 0);
    assert_sound(&n);
}

/* ---------------------------------------------------------------------------- deadlines ---- */

static void no_timeout_ends_early(void **state)
{
    static const uint64_t timeouts[] = {1,      2,       999,        1000,        3999,
                                        4000,   4001,    99999,      100000,      100001,
                                        199999, 1000000, 1000000000, 10000000000u};
    static const uint64_t rates[] = {1000000,    19200000,    62500000,
                                     1000000000, 2600000000u, 5000000000u};

    (void)state;
    for (size_t r = 0; r < LENGTH(rates); r++) {
        for (size_t i = 0; i < LENGTH(timeouts); i++) {
            setup(NULL);
            fake.hz = rates[r];
            fake_engine(&e, 0, 2);
            const uint64_t start = fake.now;

            assert_int_equal(wait(timeouts[i]), XSC_TIMED_OUT);
            assert_true(fake.now - start >= timeouts[i]);
            /* And no later than a slice's overhead and a tick or two. */
            assert_true(fake.now - start - timeouts[i] < 500 + 2 * (1000000000u / rates[r]));
            const struct xsc_counts n = counts();

            assert_int_equal(n.timeouts, 1);
            assert_sound(&n);
        }
    }
}

/* The ticks' rate is off by as much as a wrong claim may be: the OS clock decides. */
static void no_timeout_ends_early_by_a_wrong_rate(void **state)
{
    (void)state;
    for (int off = -5; off <= 5; off++) {
        setup(NULL);
        fake.hz = 2600000000u;
        fake_engine(&e, 0, 2);
        xsc_clock_set_rate(&e.clock, (uint64_t)(2600000000 + off * 2600000));
        for (uint64_t timeout = 1; timeout < 50 * MS; timeout = timeout * 3 + 1) {
            const uint64_t start = fake.now;

            assert_int_equal(wait(timeout), XSC_TIMED_OUT);
            assert_true(fake.now - start >= timeout);
        }
    }
}

static void nearly_forever_is_forever(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        const uint64_t timeouts[] = {XSC_FOREVER, XSC_FOREVER - 1, XSC_FOREVER - fake.now,
                                     XSC_FOREVER - 2 * fake.now};

        setup(NULL);
        fake_store_at(fake.now + 5 * MS, &word, 4, 1);
        assert_int_equal(wait(timeouts[i]), XSC_MET);
        assert_in_range(counts().expired, 49, 51);
    }
}

/* The OS clock is a system call on some machines: without a deadline it is read once. */
static void forever_never_reads_its_deadline(void **state)
{
    (void)state;
    fake_store_at(fake.now + 50 * MS, &word, 4, 1);
    assert_int_equal(wait(XSC_FOREVER), XSC_MET);
    assert_int_equal(fake.clock_reads, 1);
}

static void no_slice_is_longer_than_allowed(void **state)
{
    static const uint64_t rates[] = {1000000, 19200000, 62500000, 1000000000, 5000000000u};

    (void)state;
    for (size_t r = 0; r < LENGTH(rates); r++) {
        setup(NULL);
        fake.hz = rates[r];
        fake_engine(&e, 0, 2);
        fake_preempt_at(fake.now + 777 * US, 3 * MS);
        fake_store_at(fake.now + 20 * MS, &word, 4, 1);
        assert_int_equal(wait(XSC_FOREVER), XSC_MET);
        assert_true(fake_script[0].longest_ns <= XSC_SLICE_NS + 1 + 1000000000u / rates[r]);
        assert_true(fake_script[0].longest_ns + 1000 + 1000000000u / rates[r] >= XSC_SLICE_NS);
    }
}

static void a_store_in_the_last_look_counts(void **state)
{
    (void)state;
    fake.step = 0;
    /* While the mechanism is on its way out of its last slice, past the deadline. */
    fake_store_at(fake.now + 250 * US + 50, &word, 4, 1);
    assert_int_equal(wait(250 * US), XSC_MET);
    assert_int_equal(counts().late, 1);
}

/* What the tight spin takes is taken off the timeout, and never more than it took. */
static void the_timeout_counts_from_before_the_tight_spin(void **state)
{
    static const uint64_t spin_ns[] = {0, 100, 1000, 3000, 3900, 4000, 5000, 1000000};

    (void)state;
    for (size_t i = 0; i < LENGTH(spin_ns); i++) {
        for (uint64_t timeout = 4000; timeout < MS; timeout = timeout * 2 + 1) {
            setup(NULL);
            e.tight_looks = 5;
            const uint64_t start = fake.now;

            fake_preempt_at(start + 30, spin_ns[i]); /* between the counter's two readings */
            assert_int_equal(wait(timeout), XSC_TIMED_OUT);
            assert_true(fake.now - start >= timeout);
            if (spin_ns[i] < 3900) {
                assert_in_range(fake.now - start, timeout, timeout + 400);
            }
        }
    }
}

/* A counter that moves in steps may show one that began before the spin did. */
static void the_spins_share_allows_for_a_coarse_counter(void **state)
{
    static const uint64_t rates[] = {500000, 1000000, 10000000};

    (void)state;
    for (size_t r = 0; r < LENGTH(rates); r++) {
        for (uint64_t into = 1; into < 1000000000u / rates[r]; into += 7) {
            setup(NULL);
            fake.hz = rates[r];
            fake_engine(&e, 2, 2);
            fake_mech_polls(2);
            e.tight_looks = 5;
            fake_advance(into);
            const uint64_t start = fake.now, timeout = 20 * US + into * 5 / 7;

            assert_int_equal(wait(timeout), XSC_TIMED_OUT);
            assert_true(fake.now - start >= timeout);
        }
    }
}

/* The counter's rate may be stated up to half a percent wrong: the share is taken smaller. */
static void the_spins_share_allows_for_a_wrong_rate(void **state)
{
    (void)state;
    for (uint64_t spin = 100; spin < 4000; spin += 100) {
        for (uint64_t timeout = 4000; timeout < 300 * US; timeout = timeout * 3 / 2) {
            setup(NULL);
            e.tight_looks = 5;
            xsc_clock_set_rate(&e.clock, fake.hz / 1000 * 995); /* so all seems to take longer */
            fake.step = 1;
            fake_script[0].enter_ns = fake_script[0].exit_ns = 0;
            const uint64_t start = fake.now;

            fake_preempt_at(start + 2, spin);
            assert_int_equal(wait(timeout), XSC_TIMED_OUT);
            assert_true(fake.now - start >= timeout);
        }
    }
}

/* Where the only clock is the OS's, the tight spin does without. */
static void without_a_counter_the_spin_reads_no_clock(void **state)
{
    (void)state;
    e.tight_looks = 5;
    e.clock.ticks = xsc_port_now_ns;
    e.clock.hardware = false;
    assert_int_equal(xsc_core_wait(&e, &spin_counted, XSC_FOREVER, asked), XSC_MET);
    assert_int_equal(fake.clock_reads + fake.counter_reads, 0);
    const uint64_t start = fake.now;

    assert_int_equal(wait(4000), XSC_TIMED_OUT);
    assert_true(fake.now - start >= 4000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(timeout_0_looks_once, setup),
        cmocka_unit_test_setup(met_at_once_costs_no_clock, setup),
        cmocka_unit_test_setup(met_in_the_tight_spin, setup),
        cmocka_unit_test_setup(short_timeouts_skip_the_tight_spin, setup),
        cmocka_unit_test_setup(long_waits_nap_in_proportion, setup),
        cmocka_unit_test_setup(a_nap_is_no_reason_to_be_early_or_blind, setup),
        cmocka_unit_test_setup(latency_or_leaving_the_cpu_does_not_nap, setup),
        cmocka_unit_test_setup(any_of_several_naps_too, setup),
        cmocka_unit_test_setup(keeping_the_writer_from_running_naps, setup),
        cmocka_unit_test_setup(the_policy_is_asked_for_late_and_seldom, setup),
        cmocka_unit_test_setup(the_policy_may_change_in_a_wait, setup),
        cmocka_unit_test_setup(a_first_wait_naps_too, setup),
        cmocka_unit_test_setup(facts_are_read_again, setup),
        cmocka_unit_test_setup(met_in_the_first_slice, setup),
        cmocka_unit_test_setup(met_in_a_later_slice, setup),
        cmocka_unit_test_setup(min_max_and_sum_are_of_all_waits, setup),
        cmocka_unit_test_setup(polling_counts_as_shallow, setup),
        cmocka_unit_test_setup(no_timeout_ends_early, setup),
        cmocka_unit_test_setup(no_timeout_ends_early_by_a_wrong_rate, setup),
        cmocka_unit_test_setup(nearly_forever_is_forever, setup),
        cmocka_unit_test_setup(forever_never_reads_its_deadline, setup),
        cmocka_unit_test_setup(no_slice_is_longer_than_allowed, setup),
        cmocka_unit_test_setup(a_store_in_the_last_look_counts, setup),
        cmocka_unit_test_setup(the_timeout_counts_from_before_the_tight_spin, setup),
        cmocka_unit_test_setup(the_spins_share_allows_for_a_coarse_counter, setup),
        cmocka_unit_test_setup(the_spins_share_allows_for_a_wrong_rate, setup),
        cmocka_unit_test_setup(without_a_counter_the_spin_reads_no_clock, setup),
    };

    return cmocka_run_group_tests_name("wait", tests, NULL, NULL);
}
