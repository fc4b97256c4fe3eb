/* SPDX-License-Identifier: MIT */
/*
 * test_uring_wake: the wake-ups of xsc/uring.h, by several at once and by signal handlers. One that
 * is lost hangs until the watchdog ends the test. XSC_TEST_MESSAGES as in test_uring. Exit 0, 1, or
 * 77 where there is no io_uring available.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>

#include "uring_test.h"

/* ------------------------------------------------------------------------- wake-ups alone ---- */

#define WAKERS 3

struct wakers {
    const struct xsc_shard_ring *of;
    uint64_t each;
    uint64_t said[WAKERS], heard[WAKERS]; /* atomic */
};

struct waker {
    struct wakers *all;
    int number;
    pthread_t thread;
};

static void *say_and_wake(void *arg)
{
    const struct waker *self = arg;
    struct wakers *w = self->all;

    for (uint64_t i = 1; i <= w->each; i++) {
        __atomic_store_n(&w->said[self->number], i, __ATOMIC_RELEASE);
        w->of->wake(w->of->arg);
        while (__atomic_load_n(&w->heard[self->number], __ATOMIC_ACQUIRE) != i) {
            sched_yield(); /* there may be one CPU for all */
        }
    }
    return NULL;
}

/* Whether there was something new; and how many have said all that they have to say. */
static bool hear(struct wakers *w, int *done)
{
    bool any = false;

    *done = 0;
    for (int i = 0; i < WAKERS; i++) {
        const uint64_t n = __atomic_load_n(&w->said[i], __ATOMIC_ACQUIRE);

        any |= n != w->heard[i];
        __atomic_store_n(&w->heard[i], n, __ATOMIC_RELEASE);
        *done += n == w->each;
    }
    return any;
}

/*
 * What a wake() follows is seen after a wait(), also where several wake at once: the wakers wait to
 * be heard, so that one that is not heard holds everything up until the deadline.
 */
static void wakes_alone(uint64_t each)
{
    struct waker wakers[WAKERS];
    struct wakers w = {.each = each};
    struct rig r;
    int done = 0;

    if (!open_rig(&r, 2)) {
        return;
    }
    w.of = xsc_uring_of_shard(r.uring);

    const uint64_t deadline = now_ns() + LOST_NS;

    while (w.of->wait(w.of->arg, 0) >= 0) {
    }
    w.of->wake(w.of->arg);
    CHECK(w.of->wait(w.of->arg, deadline) == -1 && now_ns() < deadline, "a wake-up is not kept");
    CHECK(w.of->wait(w.of->arg, now_ns() + MS) == -1, "one wake-up, two");
    for (int i = 0; i < WAKERS; i++) {
        wakers[i] = (struct waker){.all = &w, .number = i};
        CHECK(!pthread_create(&wakers[i].thread, NULL, say_and_wake, &wakers[i]), "no thread");
    }
    while (done < WAKERS) {
        if (!hear(&w, &done) && done < WAKERS) {
            const uint64_t until = now_ns() + LOST_NS;

            w.of->wait(w.of->arg, until);
            CHECK(now_ns() < until, "no waker was heard");
        }
    }
    for (int i = 0; i < WAKERS; i++) {
        pthread_join(wakers[i].thread, NULL);
    }
    xsc_shard_stop(r.shard);
    close_rig(&r);
}

/* -------------------------------------------------------------------------- a parked shard ---- */

static uint32_t slept_on; /* until its deadline, after the message */

static int sleep_once(struct xsc_shard *s, void *arg)
{
    uint64_t m;
    int fd;

    (void)arg;
    CHECK(xsc_shard_yield(s, &m, &fd, XSC_FOREVER) == XSC_SHARD_MESSAGE, "no message");
    CHECK(xsc_shard_yield(s, &m, &fd, 20 * MS) == XSC_SHARD_TIMEOUT, "something came");
    __atomic_store_n(&slept_on, 1, __ATOMIC_RELEASE);
    CHECK(xsc_shard_yield(s, &m, &fd, XSC_FOREVER) == XSC_SHARD_STOP, "no stop");
    return 0;
}

/* Sends when the shard is parked: one wake-up, by the ring, and no completion to be seen. */
static void *wake_once(void *arg)
{
    struct rig *r = arg;
    const uint64_t m = 1, tried = xsc_uring_wakes(r->uring);

    while (!counts(r).parks) {
    }
    CHECK(!xsc_shard_send(r->shard, &m), "send");
    CHECK(counts(r).wakes == 1 && xsc_uring_wakes(r->uring) - tried == 1, "%llu wakes, %llu rung",
          (unsigned long long)counts(r).wakes,
          (unsigned long long)(xsc_uring_wakes(r->uring) - tried));
    while (!__atomic_load_n(&slept_on, __ATOMIC_ACQUIRE)) {
    }
    CHECK(!xsc_shard_stop(r->shard), "stop");
    return NULL;
}

static void parked(void)
{
    struct rig r;
    pthread_t thread;

    if (open_rig(&r, 2)) {
        CHECK(!pthread_create(&thread, NULL, wake_once, &r), "no thread");
        CHECK(!xsc_shard_run(r.shard, -1, sleep_once, NULL), "run");
        pthread_join(thread, NULL);
        close_rig(&r);
    }
}

/* Handlers send, also in the midst of a wake-up of the thread that they interrupt. */
static struct rig *from_handlers;
static uint64_t handled;

static void on_signal(int number)
{
    const uint64_t m = 1;

    (void)number;
    if (!xsc_shard_send(from_handlers->shard, &m)) {
        __atomic_fetch_add(&handled, 1, __ATOMIC_RELAXED);
    }
}

static void *send_amid_signals(void *arg)
{
    const uint64_t m = 0, n = *(const uint64_t *)arg;
    uint64_t random = 5;

    for (uint64_t i = 0; i < n; i++) {
        spin_for(next_random(&random) % 60000);
        if (i % 2) {
            pthread_kill(pthread_self(), SIGUSR1);
        } else if (!xsc_shard_send(from_handlers->shard, &m)) {
            __atomic_fetch_add(&handled, 1, __ATOMIC_RELAXED);
        }
    }
    return NULL;
}

static void *signal_others(void *arg)
{
    const pthread_t *others = arg;

    for (int i = 0; i < 2000; i++) {
        pthread_kill(others[i % 2], SIGUSR1);
        spin_for(20000);
    }
    return NULL;
}

static int drain(struct xsc_shard *s, void *arg)
{
    uint64_t m;
    int fd, why;

    while ((why = xsc_shard_yield(s, &m, &fd, XSC_FOREVER)) == XSC_SHARD_MESSAGE) {
        ++*(uint64_t *)arg;
    }
    CHECK(why == XSC_SHARD_STOP, "why is %d", why);
    return 0;
}

static void *run_drain(void *arg)
{
    CHECK(!xsc_shard_run(from_handlers->shard, -1, drain, arg), "run");
    return NULL;
}

static void signals(uint64_t n)
{
    struct sigaction act;
    struct rig r;
    pthread_t others[2], shard, killer;
    uint64_t received = 0;

    memset(&act, 0, sizeof(act));
    act.sa_handler = on_signal;
    act.sa_flags = SA_RESTART;
    sigaction(SIGUSR1, &act, NULL);
    if (!open_rig(&r, 256)) {
        return;
    }
    from_handlers = &r;
    CHECK(!pthread_create(&shard, NULL, run_drain, &received), "no thread");
    for (int i = 0; i < 2; i++) {
        CHECK(!pthread_create(&others[i], NULL, send_amid_signals, &n), "no thread");
    }
    CHECK(!pthread_create(&killer, NULL, signal_others, others), "no thread");
    pthread_join(killer, NULL);
    for (int i = 0; i < 2; i++) {
        pthread_join(others[i], NULL);
    }
    xsc_shard_stop(r.shard);
    pthread_join(shard, NULL);
    CHECK(received == handled && received, "%llu of %llu", (unsigned long long)received,
          (unsigned long long)handled);
    close_rig(&r);
}

/* ------------------------------------------------------- wake-ups that can't be sent at first ---- */

#define FEW 5

/* Each when the shard sleeps. */
static void *send_to_sleeper(void *arg)
{
    struct rig *r = arg;
    uint64_t parks = 0;

    for (uint64_t m = 0; m < FEW; m++) {
        const uint64_t until = now_ns() + LOST_NS;

        while (counts(r).parks == parks && now_ns() < until) {
            sched_yield();
        }
        parks = counts(r).parks;
        CHECK(!xsc_shard_send(r->shard, &m), "send");
    }
    xsc_shard_stop(r->shard);
    return NULL;
}

static struct rig *losing;
static int lowest; /* the ring's descriptor; then that of xsc_uring, then of its second ring */

static int lose_descriptors(struct xsc_shard *s, void *arg)
{
    const unsigned lost = *(const unsigned *)arg;
    uint64_t m, next = 0;
    int fd, why;

    if (lost & 1) { /* as io_uring_close_ring_fd(3) does; the number is told all the same */
        CHECK(io_uring_register_ring_fd(&losing->ring) == 1, "register");
        close(losing->ring.ring_fd);
        losing->ring.ring_fd = -1;
        struct io_uring_sqe *sqe = io_uring_get_sqe(&losing->ring);

        io_uring_prep_nop(sqe);
        sqe->user_data = NUMBER;
        CHECK(io_uring_submit(&losing->ring) == 1, "submit");
        CHECK(xsc_shard_yield(s, &m, &fd, LOST_NS) == XSC_SHARD_DEVICE && fd == lowest, "nop");
        io_uring_cqe_seen(&losing->ring, xsc_uring_next(losing->uring));
    }
    for (unsigned i = 1; i < 3; i++) {
        if (lost & 1u << i) {
            CHECK(!close(lowest + (int)i), "descriptor %d", lowest + (int)i);
        }
    }
    __atomic_store_n(&slept_on, 1, __ATOMIC_RELEASE);
    while ((why = xsc_shard_yield(s, &m, &fd, LOST_NS)) == XSC_SHARD_MESSAGE) {
        CHECK(m == next++, "message %llu", (unsigned long long)m);
    }
    CHECK(why == XSC_SHARD_STOP && next == FEW, "%d after %llu", why, (unsigned long long)next);
    return 0;
}

static void *lose_and_run(void *arg)
{
    CHECK(!xsc_shard_run(losing->shard, -1, lose_descriptors, arg), "run");
    return NULL;
}

/* The program closes descriptors: its own, and others that it takes for its own. */
static void closed_descriptors(void)
{
    for (unsigned lost = 1; lost < 8; lost++) {
        pthread_t shard, sender;
        struct rig r;

        lowest = dup(STDIN_FILENO);
        close(lowest);
        slept_on = 0;
        if (!open_rig(&r, 8)) {
            return;
        }
        losing = &r;
        CHECK(r.ring.ring_fd == lowest, "the ring is %d", r.ring.ring_fd);
        CHECK(!pthread_create(&shard, NULL, lose_and_run, &lost), "no thread");
        while (!__atomic_load_n(&slept_on, __ATOMIC_ACQUIRE)) {
            sched_yield();
        }
        CHECK(!pthread_create(&sender, NULL, send_to_sleeper, &r), "no thread");
        pthread_join(sender, NULL);
        pthread_join(shard, NULL);
        close_rig(&r);
    }
}

int main(void)
{
    const uint64_t messages = count_from("XSC_TEST_MESSAGES", 20000);

    need_uring();
    wakes_alone(messages / 2);
    parked();
    signals(messages / 20);
    closed_descriptors();
    puts(failures ? "failed" : "ok");
    return failures != 0;
}
