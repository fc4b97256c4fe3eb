/* SPDX-License-Identifier: MIT */
/* core/wait.c in signal handlers, forked children, and while others choose. A7. */
#include "tests/unit/unit_wait.h"

/* ------------------------------------------------------------------ waits within waits ---- */

static uint32_t inner_word;
static enum xsc_end inner_end;
static uint64_t inner_timeout;

static void handler(void)
{
    const struct xsc_watch w = changes(&inner_word);

    fake_script[0].inside = NULL;
    inner_end = xsc_core_wait(&e, &w, inner_timeout, asked);
}

static void a_wait_in_a_signal_handler(void **state)
{
    (void)state;
    inner_word = 0;
    inner_timeout = 300 * US;
    fake.hint = 5;
    fake_script[0].inside = handler;
    fake_store_at(fake.now + MS, &word, 4, 1);
    assert_int_equal(wait(XSC_FOREVER), XSC_MET);
    assert_int_equal(inner_end, XSC_TIMED_OUT);
    const struct xsc_counts n = counts();

    assert_int_equal(n.total, 2);
    assert_int_equal(n.changed, 1);
    assert_int_equal(n.timeouts, 1);
    assert_int_not_equal(e.stats.slot[5].last, 0); /* settled by the slot's next owner */
    assert_int_equal(e.stats.slot[6].n.timeouts, 1);
    assert_int_equal(e.stats.slot[6].n.total, 1);
    assert_sound(&n);
}

/* The handler does what the interrupted wait waits for. */
static void handler_stores(void)
{
    fake_script[0].inside = NULL;
    word = 1;
}

static void a_store_by_a_signal_handler(void **state)
{
    (void)state;
    fake_script[0].inside = handler_stores;
    assert_int_equal(wait(XSC_FOREVER), XSC_MET);
}

static void with_all_slots_taken(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < XSC_SLOTS; i++) {
        e.stats.slot[i].claimed = (uint32_t)fake.process;
    }
    assert_int_equal(wait(250 * US), XSC_TIMED_OUT);
    fake_store_at(fake.now + 50 * US, &word, 4, 1);
    assert_int_equal(wait(XSC_FOREVER), XSC_MET);
    const struct xsc_counts n = counts();

    assert_int_equal(e.stats.uncounted, 2);
    assert_int_equal(n.total + n.hw_waits + n.sum_ns, 0);
    assert_int_equal(e.stats.slot[0].claimed, fake.process); /* and no claimed slot was freed */
}

/* -------------------------------------------------------------------- nothing chosen yet ---- */

static void while_another_thread_chooses(void **state)
{
    (void)state;
    e.chosen = 0;
    e.manager = fake.process;
    const uint64_t start = fake.now;

    assert_int_equal(wait(10 * MS), XSC_TIMED_OUT);
    assert_in_range(fake.now - start, 10 * MS, 10 * MS + 2 * US);
    fake_store_at(fake.now + MS, &word, 4, 1);
    assert_int_equal(wait(XSC_FOREVER), XSC_MET);
    const struct xsc_counts n = counts();

    assert_int_equal(asks, 2);
    assert_int_equal(e.chosen, 0);
    assert_int_equal(e.manager, fake.process);
    assert_int_equal(fake_script[0].waits, 0);
    assert_int_equal(fake.counter_reads, 0); /* not yet known to be trustworthy */
    assert_int_equal(n.shallow, 2);
    assert_int_equal(n.deep, 0);
    assert_int_equal(n.overslept, 0);
    assert_int_equal(n.watched, 2);
    assert_sound(&n);
}

/* Chosen by the first caller. */
static void the_first_slow_wait_chooses(void **state)
{
    (void)state;
    e.chosen = 0;
    fake_store_at(fake.now + 500 * MS, &word, 4, 1);
    assert_int_equal(wait(XSC_FOREVER), XSC_MET);
    assert_int_equal(asks, 1);
    assert_int_not_equal(e.chosen, 0);
    assert_int_equal(e.manager, 0);
    word = 0;
    assert_int_equal(wait(MS), XSC_TIMED_OUT);
    assert_int_equal(asks, 1);
}

/* fork() in the middle of choosing: in the child, the lock's owner is another process. */
static void a_lock_of_another_process_is_taken_over(void **state)
{
    (void)state;
    e.chosen = 0;
    e.manager = fake.process + 1;
    assert_int_equal(wait(MS), XSC_TIMED_OUT);
    assert_int_not_equal(e.chosen, 0);
    assert_int_equal(e.manager, 0);
}

static void the_lock_is_one_threads(void **state)
{
    (void)state;
    assert_true(xsc_manager_lock(&e));
    assert_int_equal(e.manager, fake.process);
    assert_false(xsc_manager_lock(&e));
    fake.process++; /* the child */
    assert_true(xsc_manager_lock(&e));
    assert_int_equal(e.manager, fake.process);
    assert_false(xsc_manager_lock(&e));
    xsc_manager_unlock(&e);
    assert_int_equal(e.manager, 0);
    assert_true(xsc_manager_lock(&e));
}

static void the_choice_is_made(void *arg)
{
    (void)arg;
    e.manager = 0;
    e.chosen = XSC_CHOICE(0, 2);
}

static void a_wait_begun_during_the_choice_uses_it(void **state)
{
    (void)state;
    e.chosen = 0;
    e.manager = fake.process;
    fake_call_at(fake.now + 3 * MS, the_choice_is_made, NULL);
    const uint64_t start = fake.now;

    assert_int_equal(wait(100 * MS), XSC_TIMED_OUT);
    assert_in_range(fake.now - start, 100 * MS, 101 * MS);
    assert_true(fake_script[0].waits > 900);
    assert_in_range(counts().sum_ns, 99 * MS, 101 * MS);
}

static void rolled_back(void *arg)
{
    (void)arg;
    e.chosen = XSC_CHOICE(2, 2);
}

static void a_long_wait_follows_a_roll_back(void **state)
{
    (void)state;
    fake_call_at(fake.now + 3 * MS, rolled_back, NULL);
    fake_store_at(fake.now + 100 * MS, &word, 4, 1);
    assert_int_equal(wait(XSC_FOREVER), XSC_MET);
    assert_in_range(fake_script[0].waits, 29, 31);
    assert_true(fake_script[2].waits > 900);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_wait_in_a_signal_handler, setup),
        cmocka_unit_test_setup(a_store_by_a_signal_handler, setup),
        cmocka_unit_test_setup(with_all_slots_taken, setup),
        cmocka_unit_test_setup(while_another_thread_chooses, setup),
        cmocka_unit_test_setup(the_first_slow_wait_chooses, setup),
        cmocka_unit_test_setup(a_lock_of_another_process_is_taken_over, setup),
        cmocka_unit_test_setup(the_lock_is_one_threads, setup),
        cmocka_unit_test_setup(a_wait_begun_during_the_choice_uses_it, setup),
        cmocka_unit_test_setup(a_long_wait_follows_a_roll_back, setup),
    };

    return cmocka_run_group_tests_name("wait, within and beside others", tests, NULL, NULL);
}
