/* SPDX-License-Identifier: MIT */
/* user/doorbell.c: trials, waits, and what goes wrong with a bell. B10, E2, E3. */
#define _GNU_SOURCE
#include "tests/unit/bell_os.h"

/* ------------------------------------------------------------------------------ the trial ---- */

/* Faster for 20 rings, and then slower. */
static void varied(void)
{
    world.latency_ns += world.rings < 20 ? -(uint64_t)US : US;
}

static void a_trial_makes_it_steady(void **state)
{
    (void)state;
    in_state(XSC_BELL_DISCOVERED, "not tried yet");
    world.at_ring = varied;
    assert_int_equal(xsc_doorbell_try(&bell, XSC_BELL_TRIAL_RINGS), 0);
    in_state(XSC_BELL_STEADY, "every ring of its trial was heard");
    assert_int_equal(world.rings, 100);
    assert_int_equal(told().trial_rings, 100);
    assert_int_equal(told().trial_lost, 0);
    assert_int_equal(told().rings, 0);
    assert_in_range(told().min_ns, 10 * US, 10 * US + 100);
    assert_in_range(told().max_ns, 90 * US, 90 * US + 100);
}

static void one_lost_ring_fails_it(void **state)
{
    const unsigned which[] = {1, 2, 57, 100};

    for (unsigned i = 0; i < LENGTH(which); i++) {
        const uint64_t start = fake.now;

        set_up(state);
        world.lose = which[i];
        assert_int_equal(xsc_doorbell_try(&bell, 100), -EIO);
        in_state(XSC_BELL_FAILED, "a ring of its trial was not heard within a second");
        assert_int_equal(told().trial_rings, which[i]);
        assert_int_equal(told().trial_lost, 1);
        assert_true(fake.now - start >= S);
        world.lose = 0; /* and a second trial is one from the beginning */
        assert_int_equal(xsc_doorbell_try(&bell, 100), 0);
        assert_int_equal(told().trial_rings, 100);
        assert_int_equal(told().trial_lost, 0);
    }
}

/* What was rung before it is not what it rings. */
static void an_old_ring_is_none_of_the_trials(void **state)
{
    (void)state;
    ring_it();
    fake_advance(MS);
    world.lose = 2;
    assert_int_equal(xsc_doorbell_try(&bell, 100), -EIO);
    assert_int_equal(told().trial_rings, 1);
}

static void a_trial_needs_100_rings(void **state)
{
    (void)state;
    assert_int_equal(xsc_doorbell_try(&bell, 99), -EINVAL);
    assert_int_equal(xsc_doorbell_try(&bell, 0), -EINVAL);
    in_state(XSC_BELL_DISCOVERED, "not tried yet");
    assert_int_equal(world.rings, 0);
}

static void what_cannot_ring_or_listen_fails(void **state)
{
    (void)state;
    world.ring_fails = -EIO;
    assert_int_equal(xsc_doorbell_try(&bell, 100), -EIO);
    in_state(XSC_BELL_FAILED, "its trial could not ring, or not listen");
    assert_int_equal(told().trial_lost, 0);
    set_up(state);
    world.listen_fails = -EPERM;
    assert_int_equal(xsc_doorbell_try(&bell, 100), -EPERM);
    in_state(XSC_BELL_FAILED, "its trial could not ring, or not listen");
    assert_int_equal(told().trial_rings, 0);
}

static void try_again(void)
{
    world.at_ring = NULL;
    assert_int_equal(xsc_doorbell_try(&bell, 100), -EBUSY);
    in_state(XSC_BELL_TRIAL, "being tried");
}

static void closed_meanwhile(void)
{
    bell.state = XSC_BELL_CLOSED;
}

static void a_trial_is_alone_and_may_be_overtaken(void **state)
{
    (void)state;
    world.at_ring = try_again;
    assert_int_equal(xsc_doorbell_try(&bell, 100), 0);
    assert_int_equal(world.rings, 100);
    world.at_ring = closed_meanwhile;
    xsc_doorbell_try(&bell, 100);
    assert_int_equal(bell.state, XSC_BELL_CLOSED);
}

static void signals_hurry_no_trial(void **state)
{
    (void)state;
    world.signal_ns = 7 * US;
    world.lose = 50;
    assert_int_equal(xsc_doorbell_try(&bell, 100), -EIO);
    assert_int_equal(told().trial_rings, 50);
    world.lose = 0;
    assert_int_equal(xsc_doorbell_try(&bell, 100), 0);
}

/* ------------------------------------------------------ which bells may be slept on at all ---- */

static void only_a_steady_bell_is_slept_on(void **state)
{
    const uint32_t others[] = {XSC_BELL_DISCOVERED, XSC_BELL_TRIAL, XSC_BELL_FAILED};

    (void)state;
    for (unsigned i = 0; i < LENGTH(others); i++) {
        const uint64_t start = fake.now;

        bell.state = others[i];
        word.u32[0] = 0;
        assert_int_equal(bell_wait(10 * MS), -ETIMEDOUT);
        assert_in_range(fake.now - start, 10 * MS, 11 * MS);
        world.watches = 0;
        at(2 * S + S / 2, store);
        assert_int_equal(bell_wait(3 * S), 0); /* no writer rings */
        assert_int_equal(world.listens, 0);
        assert_int_equal(world.watches, 3); /* a second at a time */
    }
}

static void become_steady(void)
{
    bell.state = XSC_BELL_STEADY;
}

static void a_wait_goes_over_to_a_bell_that_proved_itself(void **state)
{
    (void)state;
    at(S / 2, become_steady);
    at(S + S / 2, store_and_ring);
    assert_int_equal(bell_wait(XSC_FOREVER), 0);
    assert_int_equal(world.listens, 1);
}

static void what_could_not_be_opened_is_watched(void **state)
{
    (void)state;
    world.open_fails = -EACCES;
    assert_int_equal(xsc_doorbell_open(&bell, "a device"), -EACCES);
    in_state(XSC_BELL_FAILED, "could not be opened");
    at(MS, store);
    assert_int_equal(bell_wait(XSC_FOREVER), 0);
    assert_int_equal(bell_wait(0), 0);
    assert_int_equal(xsc_doorbell_close(&bell), 0);
    assert_int_equal(world.closes + world.rings, 0);
}

/* -------------------------------------------------------------------------- steady waits ---- */

static void it_watches_and_then_sleeps(void **state)
{
    const uint64_t start = fake.now;

    (void)state;
    at(10 * US, store);
    assert_int_equal(bell_wait(XSC_FOREVER), 0);
    assert_int_equal(world.listens, 0);
    word.u32[0] = 0;
    at(500 * US, store_and_ring);
    assert_int_equal(bell_wait(XSC_FOREVER), 0);
    assert_int_equal(world.listens, 1);
    assert_int_equal(world.watches, 0);
    assert_in_range(fake.now - start, 540 * US, 542 * US); /* 10 + 500 + 30 */
    assert_int_equal(told().rings, 1);
}

/* A ring at any point of L1 to L3 ends the sleep, and not its look once a second. */
static void a_ring_before_the_sleep_is_not_lost(void **state)
{
    void (**const when[])(void) = {&world.before_listening, &world.listening, &world.before_wait};

    for (unsigned i = 0; i < LENGTH(when); i++) {
        for (unsigned latency = 0; latency < 2; latency++) {
            const uint64_t start = (steady(state), fake.now);

            world.latency_ns = latency * 5 * US;
            *when[i] = store_and_ring;
            assert_int_equal(bell_wait(XSC_FOREVER), 0);
            assert_int_equal(world.listens, 1);
            assert_true(fake.now - start < MS);
            in_state(XSC_BELL_STEADY, "every ring of its trial was heard");
        }
    }
}

static void deadlines(void **state)
{
    const uint64_t of[] = {0, 1, 30 * US, 5 * MS, 3 * S + 7};

    (void)state;
    for (unsigned i = 0; i < LENGTH(of); i++) {
        const uint64_t start = fake.now;

        assert_int_equal(bell_wait(of[i]), -ETIMEDOUT);
        assert_in_range(fake.now - start, of[i], of[i] + 2 * US);
    }
    at(S, store_and_ring);
    assert_int_equal(bell_wait(XSC_FOREVER - 1), 0); /* past the end of the clock */
    in_state(XSC_BELL_STEADY, "every ring of its trial was heard");
}

static void rings_for_others_end_no_wait(void **state)
{
    const uint64_t start = fake.now;

    (void)state;
    for (unsigned i = 1; i <= 20; i++) {
        at(i * 40 * US, ring_it);
    }
    assert_int_equal(bell_wait(4 * S), -ETIMEDOUT);
    assert_true(fake.now - start >= 4 * S);
    in_state(XSC_BELL_STEADY, "every ring of its trial was heard");
    assert_int_equal(told().rings, 20);
}

static void signals_end_no_wait(void **state)
{
    const uint64_t start = fake.now;

    (void)state;
    world.signal_ns = 100 * US;
    at(S / 2, ring_it);
    assert_int_equal(bell_wait(3 * S), -ETIMEDOUT);
    assert_true(fake.now - start >= 3 * S);
    in_state(XSC_BELL_STEADY, "every ring of its trial was heard");
}

static void a_set_is_kept_for_the_next_sleeper(void **state)
{
    (void)state;
    assert_int_equal(bell_wait(MS), -ETIMEDOUT);
    assert_int_equal(bell_wait(MS), -ETIMEDOUT);
    at(500 * US, store_and_ring);
    assert_int_equal(bell_wait(XSC_FOREVER), 0);
    assert_int_equal(world.listens, 1);
    assert_int_equal(world.listeners, 1);
    assert_int_equal(xsc_doorbell_close(&bell), 0);
    assert_int_equal(world.listeners, 0);
    bell.spare = 0;
}

static void wait_inside(void)
{
    assert_int_equal(bell_wait(MS), -ETIMEDOUT);
}

/* Two that sleep have a set each; of the two that they leave one is closed. */
static void no_two_share_a_set(void **state)
{
    (void)state;
    assert_int_equal(bell_wait(MS), -ETIMEDOUT);
    world.before_wait = wait_inside;
    assert_int_equal(bell_wait(2 * MS), -ETIMEDOUT);
    assert_int_equal(world.listens, 2);
    assert_int_equal(world.listeners, 1);
}

static void a_child_makes_its_own(void **state)
{
    (void)state;
    assert_int_equal(bell_wait(MS), -ETIMEDOUT);
    const uint64_t parents = bell.spare;

    fake.process++;
    assert_int_equal(bell_wait(MS), -ETIMEDOUT);
    assert_int_equal(world.listens, 2);
    assert_int_equal(world.listeners, 1);
    assert_true(bell.spare == parents);
    assert_int_equal(xsc_doorbell_close(&bell), 0);
    assert_int_equal(world.listeners, 1); /* it closes nothing of its parent's */
}

/* ------------------------------------------------------------------------- what goes wrong ---- */

static void a_dead_writer_costs_a_second(void **state)
{
    const uint64_t start = fake.now;

    (void)state;
    bell.begun++; /* it is in the middle of its ring */
    at(MS, store);
    assert_int_equal(bell_wait(XSC_FOREVER), 0);
    assert_in_range(fake.now - start, S, S + MS);
    in_state(XSC_BELL_STEADY, "every ring of its trial was heard");
}

static void a_lost_ring_fails_it_for_good(void **state)
{
    const uint64_t start = fake.now;

    (void)state;
    world.lose = 1;
    at(MS, store_and_ring);
    assert_int_equal(bell_wait(XSC_FOREVER), 0);
    assert_in_range(fake.now - start, S, S + 101 * MS);
    in_state(XSC_BELL_FAILED, "a ring was lost");
    word.u32[0] = 0;
    at(MS, store);
    assert_int_equal(bell_wait(XSC_FOREVER), 0);
    assert_int_equal(world.listens, 1);
}

/* Found out at the end of a short wait as well; and among rings that are heard. */
static void a_lost_ring_is_found_at_a_deadline(void **state)
{
    const uint64_t start = fake.now;

    (void)state;
    world.lose = 3;
    for (unsigned i = 1; i <= 3; i++) {
        at(i * MS, ring_it);
    }
    assert_int_equal(bell_wait(10 * MS), -ETIMEDOUT);
    assert_in_range(fake.now - start, 110 * MS, 111 * MS);
    in_state(XSC_BELL_FAILED, "a ring was lost");
}

static void a_late_interrupt_is_no_lost_one(void **state)
{
    (void)state;
    world.latency_ns = 50 * MS;
    at(5 * MS, ring_it);
    assert_int_equal(bell_wait(10 * MS), -ETIMEDOUT);
    in_state(XSC_BELL_STEADY, "every ring of its trial was heard");
}

static void a_refused_ring_was_not_made(void **state)
{
    (void)state;
    world.ring_fails = -ENXIO;
    assert_int_equal(xsc_doorbell_ring(&bell, 3), -ENXIO);
    assert_int_equal(bell.begun, bell.done);
    assert_int_equal(told().rings, 0);
    assert_int_equal(bell_wait(3 * S), -ETIMEDOUT);
    in_state(XSC_BELL_STEADY, "every ring of its trial was heard");
}

static void remove_it(void)
{
    world.gone = true;
    arrive(NULL);
}

static void without_its_device_it_is_watched(void **state)
{
    (void)state;
    at(MS, remove_it);
    at(5 * MS, store);
    assert_int_equal(bell_wait(XSC_FOREVER), 0);
    in_state(XSC_BELL_FAILED, "the device is gone");
    assert_int_equal(world.watches, 1);

    steady(state); /* a software bell is not asked */
    bell.device = 0;
    at(MS, remove_it);
    at(5 * MS, store_and_ring);
    assert_int_equal(bell_wait(XSC_FOREVER), 0);
    assert_int_equal(world.asked_gone, 0);
}

static void without_a_set_it_watches_and_tries_again(void **state)
{
    (void)state;
    world.listen_fails = -EMFILE;
    assert_int_equal(bell_wait(2 * S + S / 2), -ETIMEDOUT);
    assert_int_equal(world.listens, 3);
    assert_int_equal(world.watches, 3);
    in_state(XSC_BELL_STEADY, "every ring of its trial was heard");
}

/* --------------------------------------------------------------------------------- closing ---- */

static void close_from_afar(void)
{
    bell.state = XSC_BELL_CLOSED;
    arrive(NULL);
}

static void closing_ends_waits(void **state)
{
    uint64_t start = fake.now;

    at(MS, close_from_afar);
    assert_int_equal(bell_wait(XSC_FOREVER), -EPIPE);
    assert_in_range(fake.now - start, MS, MS + 100 * US);
    assert_int_equal(bell_wait(XSC_FOREVER), -EPIPE);
    set_up(state); /* watched: it ends with its second */
    start = fake.now;
    at(MS, close_from_afar);
    assert_int_equal(bell_wait(XSC_FOREVER), -EPIPE);
    assert_in_range(fake.now - start, S, S + 2 * MS);
}

/* A parent's threads, which the child does not have. */
static void a_childs_close_waits_for_no_thread_of_its_parent(void **state)
{
    (void)state;
    bell.inside = xsc_generation() | 3 * XSC_HEAD;
    fake.process++;
    assert_int_equal(xsc_doorbell_close(&bell), 0);
    bell.inside = 0;
}

static void close_waits_for_those_inside(void **state)
{
    const uint64_t start = fake.now;

    (void)state;
    bell.inside = xsc_generation() | XSC_HEAD;
    fake_store_at(start + 20 * MS, &bell.inside, 4, 0);
    assert_int_equal(xsc_doorbell_close(&bell), 0);
    assert_true(fake.now - start >= 20 * MS);
    assert_int_equal(world.closes, 1);
    assert_int_equal(world.rings, 1);
    assert_int_equal(xsc_doorbell_close(&bell), -EPIPE);
    assert_int_equal(world.closes, 1);
}

#define NEW(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
#define STEADY(f) cmocka_unit_test_setup_teardown(f, steady, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        NEW(a_trial_makes_it_steady),
        NEW(one_lost_ring_fails_it),
        NEW(an_old_ring_is_none_of_the_trials),
        NEW(a_trial_needs_100_rings),
        NEW(what_cannot_ring_or_listen_fails),
        NEW(a_trial_is_alone_and_may_be_overtaken),
        NEW(signals_hurry_no_trial),
        NEW(only_a_steady_bell_is_slept_on),
        NEW(a_wait_goes_over_to_a_bell_that_proved_itself),
        NEW(what_could_not_be_opened_is_watched),
        STEADY(it_watches_and_then_sleeps),
        STEADY(a_ring_before_the_sleep_is_not_lost),
        STEADY(deadlines),
        STEADY(rings_for_others_end_no_wait),
        STEADY(signals_end_no_wait),
        STEADY(a_set_is_kept_for_the_next_sleeper),
        STEADY(no_two_share_a_set),
        STEADY(a_child_makes_its_own),
        STEADY(a_dead_writer_costs_a_second),
        STEADY(a_lost_ring_fails_it_for_good),
        STEADY(a_lost_ring_is_found_at_a_deadline),
        STEADY(a_late_interrupt_is_no_lost_one),
        STEADY(a_refused_ring_was_not_made),
        STEADY(without_its_device_it_is_watched),
        STEADY(without_a_set_it_watches_and_tries_again),
        STEADY(closing_ends_waits),
        STEADY(close_waits_for_those_inside),
        STEADY(a_childs_close_waits_for_no_thread_of_its_parent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
