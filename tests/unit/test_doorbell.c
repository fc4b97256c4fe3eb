/* SPDX-License-Identifier: MIT */
/* user/doorbell.c over an OS whose bell loses, delays and refuses rings. B10, E2, E3. */
#define _GNU_SOURCE
#include <xsc/doorbell.h> /* before a `word` of the tests is there to be shadowed */

#include "tests/unit/park_os.h"

#include "user/doorbell.c"

#define S 1000000000u
#define FD 7
#define SET 9

/* A bell with one listener, as the kernel would have it: what was rung stays until it is heard. */
static struct {
    uint64_t latency_ns; /* of an interrupt */
    unsigned lose;       /* the so many-th ring is lost; 0: none */
    int open_fails, ring_fails, listen_fails;
    bool gone;
    uint64_t signal_ns; /* every wait is interrupted after so long; 0: never */
    void (*at_ring)(void), (*before_listening)(void), (*listening)(void), (*before_wait)(void);

    bool ready, ever; /* for the listener; rung since the opening */
    unsigned rings, listens, closes, waits, watches, asked_gone;
    int listeners;
} world;

static struct xsc_doorbell bell;

static void arrive(void *unused)
{
    (void)unused;
    world.ready = world.ever = true;
}

int xsc_bell_open(const char *path)
{
    (void)path;
    return world.open_fails ? world.open_fails : FD;
}

void xsc_bell_close(int fd)
{
    assert_int_equal(bell.inside, 0);
    if (fd == SET) {
        world.listeners--;
        return;
    }
    assert_int_equal(fd, FD);
    world.closes++;
}

int xsc_bell_ring(int fd, bool device, uint32_t peer)
{
    (void)device;
    (void)peer;
    assert_int_equal(fd, FD);
    if (world.at_ring) {
        world.at_ring();
    }
    if (world.ring_fails) {
        return world.ring_fails;
    }
    if (++world.rings != world.lose) {
        fake_call_at(fake.now + world.latency_ns, arrive, NULL);
    }
    return 0;
}

bool xsc_bell_gone(int fd)
{
    assert_int_equal(fd, FD);
    world.asked_gone++;
    return world.gone;
}

/* The moments of the argument in user/doorbell.c: something may happen in each. */
static void happen(void (**what)(void))
{
    void (*now)(void) = *what;

    *what = NULL;
    if (now) {
        now();
    }
}

int xsc_bell_listen(struct xsc_poll *set, int fd)
{
    world.listens++;
    set->set = set->bell = -1;
    if (world.listen_fails || fd < 0) {
        return fd < 0 ? -EBADF : world.listen_fails;
    }
    happen(&world.before_listening);
    fake_advance(0);
    world.listeners++;
    set->set = SET;
    world.ready = world.ever;
    happen(&world.listening);
    return 0;
}

void xsc_poll_close(const struct xsc_poll *set)
{
    assert_int_equal(set->set, SET);
    world.listeners--;
}

int xsc_poll_wait(void *arg, uint64_t deadline_ns)
{
    const struct xsc_poll *set = arg;

    const uint64_t signal_ns = world.signal_ns ? fake.now + world.signal_ns : UINT64_MAX;
    const uint64_t until_ns = deadline_ns < signal_ns ? deadline_ns : signal_ns;
    uint64_t next;

    world.waits++;
    if (deadline_ns) {
        happen(&world.before_wait);
    }
    fake_advance(0);
    while (!world.ready && fake.now < until_ns) {
        next = until_ns;
        if (fake_next(&next) && next > until_ns) {
            next = until_ns;
        }
        assert_true(next != XSC_FOREVER); /* nobody would ever end it */
        fake_advance(next > fake.now ? next - fake.now : 0);
    }
    if (!world.ready) {
        return -1;
    }
    world.ready = false;
    return set->set;
}

int xsc_wait_slow(const struct xsc_watch *watch, uint64_t timeout_ns)
{
    world.watches++;
    return xsc_core_wait(&xsc_library, watch, timeout_ns, xsc_asked_by_environment) == XSC_MET
               ? 0
               : -ETIMEDOUT;
}

void xsc_copy_text(char *to, size_t size, const char *from)
{
    assert_true(strlen(from) < size);
    memcpy(to, from, strlen(from) + 1);
}

static int set_up(void **state)
{
    setup(state);
    memset(&world, 0, sizeof(world));
    world.latency_ns = 30 * US;
    assert_int_equal(xsc_doorbell_open(&bell, "a device"), 0);
    return 0;
}

static int steady(void **state)
{
    set_up(state);
    assert_int_equal(xsc_doorbell_try(&bell, XSC_BELL_TRIAL_RINGS), 0);
    world.rings = world.listens = world.waits = world.asked_gone = 0;
    world.ever = false; /* as if another had opened it for the trial */
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    /* One set may be left for the next sleeper. */
    assert_int_equal(world.listeners, bell.spare != 0);
    assert_int_equal(bell.inside, 0);
    return 0;
}

static struct xsc_doorbell_report told(void)
{
    struct xsc_doorbell_report r;

    assert_int_equal(xsc_doorbell_read(&bell, &r, sizeof(r)), 0);
    return r;
}

static void in_state(uint32_t state, const char *reason)
{
    assert_int_equal(told().state, state);
    assert_string_equal(told().reason, reason);
}

static int bell_wait(uint64_t timeout_ns)
{
    return xsc_doorbell_wait_u32(&bell, &word.u32[0], 0, timeout_ns);
}

static void store(void)
{
    word.u32[0] = 1;
}

static void ring_it(void)
{
    assert_int_equal(xsc_doorbell_ring(&bell, 0), 0);
}

static void store_and_ring(void)
{
    store();
    ring_it();
}

static void calls(void *arg)
{
    ((void (*)(void))(uintptr_t)arg)();
}

static void at(uint64_t ns, void (*what)(void))
{
    fake_call_at(fake.now + ns, calls, (void *)(uintptr_t)what);
}

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

/* ------------------------------------------------------------- who may be slept on at all ---- */

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
        assert_int_equal(bell_wait(3 * S), 0); /* nobody rings */
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

static void close_waits_for_those_inside(void **state)
{
    const uint64_t start = fake.now;

    (void)state;
    bell.inside = 1;
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
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
