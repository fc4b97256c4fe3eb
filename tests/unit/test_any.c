/* SPDX-License-Identifier: MIT */
/* core/any.c: one wait for several words. A4. */
#include "tests/unit/unit_wait.h"

#define WORDS 8u
#define REST 2000u /* what a store to a word that is not being watched may wait at most, ns */
#define REST_LINE 20000u
#define REST_AWAY 50000u
#define SLACK 300u /* looks, arming and coming back, in the fake world's time */

static struct line {
    uint32_t word, pad[31];
} lines[WORDS];
static uint32_t shared[16] __attribute__((aligned(64)));
static struct xsc_watch watches[WORDS];

static int set_up(void **state)
{
    setup(state);
    for (uint32_t i = 0; i < WORDS; i++) {
        lines[i].word = 0;
        shared[i] = 0;
        watches[i] = changes(&lines[i].word);
    }
    return 0;
}

static void on_one_line(void)
{
    for (uint32_t i = 0; i < WORDS; i++) {
        watches[i] = changes(&shared[i]);
    }
}

static uint32_t which;

static enum xsc_end wait_any(uint32_t n, uint64_t timeout_ns)
{
    which = UINT32_MAX;
    return xsc_core_wait_any(&e, watches, n, timeout_ns, asked, &which);
}

static void met_at_once(void **state)
{
    (void)state;
    lines[3].word = lines[5].word = 1;
    assert_int_equal(wait_any(WORDS, XSC_FOREVER), XSC_MET);
    assert_int_equal(which, 3);
    assert_int_equal(wait_any(4, 0), XSC_MET);
    assert_int_equal(which, 3);
    assert_int_equal(wait_any(3, 0), XSC_TIMED_OUT);
    assert_int_equal(fake.clock_reads + fake.counter_reads, 0);
    assert_int_equal(counts().total, 0);
}

static void one_word_is_a_plain_wait(void **state)
{
    (void)state;
    fake_store_at(fake.now + 70 * US, &lines[0].word, 4, 1);
    assert_int_equal(wait_any(1, MS), XSC_MET);
    assert_int_equal(which, 0);
    assert_true(fake_script[0].longest_ns > REST_LINE);
    assert_int_equal(fake_script[0].waits, 1);
}

/* Whichever word it is and whenever: seen within a rest, by its own index, and counted once. */
static void each_is_seen_within_a_rest(void **state)
{
    (void)state;
    for (uint32_t n = 2; n <= WORDS; n++) {
        for (uint32_t i = 0; i < n; i++) {
            for (uint64_t after = 1; after < 400 * US; after = after * 3 + 17) {
                set_up(NULL);
                const uint64_t at = fake.now + after;

                fake_store_at(at, &lines[i].word, 4, 7);
                assert_int_equal(wait_any(n, XSC_FOREVER), XSC_MET);
                assert_int_equal(which, i);
                assert_in_range(fake.now, at, at + REST + SLACK);
                const struct xsc_counts c = counts();

                assert_int_equal(c.total, 1);
                assert_int_equal(c.changed, 1);
                assert_int_equal(c.spurious + c.late + c.overslept, 0);
                assert_sound(&c);
            }
        }
    }
    assert_in_range(fake_script[0].longest_ns, REST / 2, REST + SLACK);
}

/* Every word gets its turn: the store that ends a rest at once is to the word being watched. */
static void the_words_take_turns(void **state)
{
    uint32_t at_once = 0;

    (void)state;
    for (uint32_t rest = 0; rest < WORDS; rest++) {
        set_up(NULL);
        fake_script[0].enter_ns = fake_script[0].exit_ns = 0;
        fake.step = 0;
        const uint64_t at = fake.now + rest * (REST + 1) + REST / 2;

        fake_store_at(at, &lines[rest].word, 4, 7);
        assert_int_equal(wait_any(WORDS, XSC_FOREVER), XSC_MET);
        assert_int_equal(which, rest);
        at_once += fake.now - at <= fake_script[0].wake_ns;
    }
    assert_true(at_once >= WORDS - 1);
}

static void one_line_is_watched_longer(void **state)
{
    (void)state;
    fake_mech[0].traits |= XSC_WATCHES_LINE;
    assert_int_equal(wait_any(WORDS, MS), XSC_TIMED_OUT);
    assert_in_range(fake_script[0].longest_ns, REST / 2, REST + SLACK);

    on_one_line();
    assert_int_equal(wait_any(WORDS, MS), XSC_TIMED_OUT);
    assert_in_range(fake_script[0].longest_ns, REST + SLACK, REST_LINE + SLACK);

    /* The last word alone lies elsewhere. */
    fake_script[0].longest_ns = 0;
    watches[WORDS - 1] = changes(&lines[0].word);
    assert_int_equal(wait_any(WORDS, MS), XSC_TIMED_OUT);
    assert_in_range(fake_script[0].longest_ns, REST / 2, REST + SLACK);

    /* A monitor that watches the word only. */
    set_up(NULL);
    on_one_line();
    assert_int_equal(wait_any(WORDS, MS), XSC_TIMED_OUT);
    assert_in_range(fake_script[0].longest_ns, REST / 2, REST + SLACK);
}

/* A store to another word of the line, made while arming, waits for the rest to end. */
static void on_one_line_a_store_while_arming(void **state)
{
    (void)state;
    fake_mech[0].traits |= XSC_WATCHES_LINE;
    on_one_line();
    fake.step = 0;
    const uint64_t at = fake.now + fake_script[0].enter_ns / 2;

    fake_store_at(at, &shared[5], 4, 7);
    assert_int_equal(wait_any(WORDS, MS), XSC_MET);
    assert_int_equal(which, 5);
    assert_in_range(fake.now, at, at + REST_LINE + SLACK);
}

static void without_a_deadline_it_polls(void **state)
{
    (void)state;
    fake_mech[0].traits &= ~(uint32_t)XSC_DEADLINE;
    fake_script[0].stream_ns = 100 * US;
    fake_store_at(fake.now + 70 * US, &lines[6].word, 4, 7);
    const uint64_t start = fake.now;

    assert_int_equal(wait_any(WORDS, MS), XSC_MET);
    assert_int_equal(which, 6);
    assert_int_equal(fake_script[0].waits, 0);
    assert_in_range(fake.now, start + 70 * US, start + 70 * US + SLACK);
}

static void polling_polls_them_all(void **state)
{
    (void)state;
    e.chosen = XSC_CHOICE(2, 2);
    for (uint32_t i = 0; i < WORDS; i++) {
        lines[i].word = 0;
        fake_store_at(fake.now + 33 * US, &lines[i].word, 4, 1);
        assert_int_equal(wait_any(WORDS, MS), XSC_MET);
        assert_int_equal(which, i);
        lines[i].word = 0;
    }
    assert_int_equal(fake_script[2].waits, 0);
    assert_int_equal(counts().shallow, WORDS);
    assert_int_equal(wait_any(WORDS, MS), XSC_TIMED_OUT);
}

static void leaving_the_cpu_lasts_longer(void **state)
{
    (void)state;
    fake_mech[2].traits = XSC_POLL | XSC_LEAVES_CPU;
    e.chosen = XSC_CHOICE(2, 2);
    fake_store_at(fake.now + 120 * US, &lines[4].word, 4, 1);
    const uint64_t at = fake.now + 120 * US;

    assert_int_equal(wait_any(WORDS, MS), XSC_MET);
    assert_int_equal(which, 4);
    assert_in_range(fake.now, at, at + REST_AWAY + SLACK);
    assert_in_range(fake_script[2].longest_ns, REST_LINE + SLACK, REST_AWAY + SLACK);
}

static void no_deadline_is_early(void **state)
{
    (void)state;
    for (uint64_t timeout = 1; timeout < 3 * MS; timeout = timeout * 2 + 3) {
        for (uint32_t primary = 0; primary <= 2; primary += 2) {
            set_up(NULL);
            e.chosen = XSC_CHOICE(primary, 2);
            const uint64_t start = fake.now;

            fake_store_at(fake.now + timeout + 5 * MS, &lines[1].word, 4, 1);
            assert_int_equal(wait_any(WORDS, timeout), XSC_TIMED_OUT);
            assert_in_range(fake.now, start + timeout, start + timeout + SLACK);
            const struct xsc_counts c = counts();

            assert_int_equal(c.total, 1);
            assert_int_equal(c.timeouts, 1);
            assert_int_equal(c.spurious + c.late + c.overslept, 0);
            assert_sound(&c);
        }
    }
}

/* A store that the monitor does not notice is found at the end of its rest, as any other's. */
static void a_deaf_monitor_costs_a_rest(void **state)
{
    (void)state;
    fake_script[0].miss_every = 1;
    const uint64_t at = fake.now + 150 * US;

    fake_store_at(at, &lines[0].word, 4, 7);
    assert_int_equal(wait_any(3, XSC_FOREVER), XSC_MET);
    assert_int_equal(which, 0);
    assert_in_range(fake.now, at, at + REST + SLACK);
}

static void the_first_wait_chooses(void **state)
{
    (void)state;
    e.chosen = 0;
    e.manager = 1; /* another chooses: it is waited all the same, by the OS clock */
    fake_store_at(fake.now + 40 * US, &lines[7].word, 4, 7);
    assert_int_equal(wait_any(WORDS, MS), XSC_MET);
    assert_int_equal(which, 7);
    assert_int_equal(asks, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(met_at_once, set_up),
        cmocka_unit_test_setup(one_word_is_a_plain_wait, set_up),
        cmocka_unit_test_setup(each_is_seen_within_a_rest, set_up),
        cmocka_unit_test_setup(the_words_take_turns, set_up),
        cmocka_unit_test_setup(one_line_is_watched_longer, set_up),
        cmocka_unit_test_setup(on_one_line_a_store_while_arming, set_up),
        cmocka_unit_test_setup(without_a_deadline_it_polls, set_up),
        cmocka_unit_test_setup(polling_polls_them_all, set_up),
        cmocka_unit_test_setup(leaving_the_cpu_lasts_longer, set_up),
        cmocka_unit_test_setup(no_deadline_is_early, set_up),
        cmocka_unit_test_setup(a_deaf_monitor_costs_a_rest, set_up),
        cmocka_unit_test_setup(the_first_wait_chooses, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
