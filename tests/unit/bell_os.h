/* SPDX-License-Identifier: MIT */
/*
 * tests/unit/bell_os.h - user/doorbell.c over an OS whose bell loses, delays and refuses rings, as a
 * test says. _GNU_SOURCE is the includer's to define.
 */
#ifndef XSC_BELL_OS_H
#define XSC_BELL_OS_H

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
    assert_int_equal(xsc_heads(&bell.inside), 0);
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
        assert_true(next != XSC_FOREVER); /* no event would ever end it */
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
    return xsc_core_wait(&xsc_library, watch, timeout_ns, xsc_set_up_by_environment) == XSC_MET
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

#endif /* XSC_BELL_OS_H */
