/* SPDX-License-Identifier: MIT */
/*
 * test_uring: xsc/uring.h. A shard that waits for messages and for completions: all of them come,
 * each once; what is lost hangs until the watchdog ends the test, or shows in the counts. Nothing
 * here depends on how fast something is. XSC_TEST_MESSAGES: how many (default 20,000).
 * XSC_TEST_SLOW_CPU: set where a system call takes longer than a watch lasts, on an emulated CPU.
 * Exit 0, 1, or 77 where there is no io_uring to be had.
 */
#define _GNU_SOURCE
#include <liburing.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>

#include <xsc/uring.h>

#include "park_test.h"

#define ENTRIES 64u
#define NUMBER 0x1000u /* user_data of completion 0 */

struct rig {
    struct io_uring ring;
    struct xsc_uring *uring;
    struct xsc_shard *shard;
};

static bool open_rig(struct rig *r, uint32_t capacity)
{
    struct xsc_shard_config config = {
        .size = sizeof(config), .message_size = sizeof(uint64_t), .capacity = capacity};
    int err = io_uring_queue_init(ENTRIES, &r->ring, 0);

    CHECK(!err, "io_uring_queue_init: %d", err);
    err = err ? err : xsc_uring_open(&r->ring, &r->uring);
    CHECK(!err, "open: %d", err);
    if (!err) {
        config.ring = xsc_uring_of_shard(r->uring);
        err = xsc_shard_create(&config, &r->shard);
        CHECK(!err, "create: %d", err);
    }
    return !err;
}

static void close_rig(struct rig *r)
{
    const int left = xsc_shard_destroy(r->shard);

    CHECK(!left, "destroy: %d", left);
    xsc_uring_close(r->uring);
    io_uring_queue_exit(&r->ring);
}

static struct xsc_shard_stats counts(const struct rig *r)
{
    struct xsc_shard_stats n;

    CHECK(!xsc_shard_stats_read(r->shard, &n, sizeof(n)), "statistics");
    return n;
}

/* --------------------------------------------------------------------------------- refused ---- */

static void refused(void)
{
    struct io_uring ring;
    struct xsc_uring *u = NULL;
    struct xsc_shard *s;

    CHECK(xsc_uring_open(NULL, &u) == -EINVAL, "NULL");
    if (!io_uring_queue_init(4, &ring, IORING_SETUP_COOP_TASKRUN)) {
        CHECK(xsc_uring_open(&ring, &u) == -EINVAL, "a tail that does not move by itself");
        io_uring_queue_exit(&ring);
    }
    CHECK(!io_uring_queue_init(4, &ring, 0), "a ring");
    CHECK(xsc_uring_open(&ring, NULL) == -EINVAL, "NULL");
    CHECK(!xsc_uring_open(&ring, &u), "open");
    CHECK(!xsc_uring_next(u) && !xsc_uring_next(NULL), "a wake-up is no completion");
    xsc_uring_close(NULL);

    struct xsc_shard_ring of = *xsc_uring_of_shard(u);
    struct xsc_shard_config config = {
        .size = sizeof(config), .message_size = 8, .capacity = 2, .devices = 1, .ring = &of};

    CHECK(xsc_shard_create(&config, &s) == -EINVAL, "descriptors and a ring");
    config.devices = 0;
    of.tail = NULL;
    CHECK(xsc_shard_create(&config, &s) == -EINVAL, "no tail");
    of.tail = ring.cq.ktail;
    of.wait = NULL;
    CHECK(xsc_shard_create(&config, &s) == -EINVAL, "no wait");
    xsc_uring_close(u);
    io_uring_queue_exit(&ring);
}

/* ------------------------------------------------------------------------ one thread alone ---- */

static int alone_inside(struct xsc_shard *s, void *arg)
{
    struct rig *r = arg;
    const uint64_t start = now_ns();
    uint64_t m = 7;
    int fd = -2;

    errno = 1234;
    CHECK(xsc_shard_yield(s, &m, NULL, 0) == -EINVAL, "no place for the descriptor");
    CHECK(xsc_shard_yield(s, &m, &fd, 0) == XSC_SHARD_TIMEOUT, "nothing there");
    CHECK(xsc_shard_yield(s, &m, &fd, MS) == XSC_SHARD_TIMEOUT, "nothing there");
    CHECK(now_ns() - start >= MS, "a yield of 1 ms ended early");
    CHECK(xsc_shard_attach(s, 0, 1) == -EINVAL, "a descriptor, attached");

    struct io_uring_sqe *sqe = io_uring_get_sqe(&r->ring);

    io_uring_prep_nop(sqe);
    io_uring_sqe_set_data64(sqe, NUMBER);
    CHECK(io_uring_submit(&r->ring) == 1, "submit");
    for (int i = 0; i < 2; i++) { /* it stays there until it is taken */
        CHECK(xsc_shard_yield(s, &m, &fd, i ? XSC_FOREVER : 0) == XSC_SHARD_DEVICE, "a completion");
        CHECK(fd == r->ring.ring_fd, "descriptor %d", fd);
    }
    CHECK(!xsc_shard_send(s, &m), "send");
    CHECK(xsc_shard_yield(s, &m, &fd, 0) == XSC_SHARD_MESSAGE && m == 7, "messages come first");

    struct io_uring_cqe *cqe = xsc_uring_next(r->uring);

    CHECK(cqe && cqe->user_data == NUMBER, "which completion?");
    if (cqe) {
        io_uring_cqe_seen(&r->ring, cqe);
    }
    CHECK(!xsc_uring_next(r->uring), "a second one");

    /* One of the kernel's own, that ends a sleep. */
    struct __kernel_timespec t = {.tv_nsec = 2 * MS};

    sqe = io_uring_get_sqe(&r->ring);
    io_uring_prep_timeout(sqe, &t, 0, 0);
    io_uring_sqe_set_data64(sqe, NUMBER + 1);
    CHECK(io_uring_submit(&r->ring) == 1, "submit");
    CHECK(xsc_shard_yield(s, &m, &fd, XSC_FOREVER) == XSC_SHARD_DEVICE, "the timer");
    cqe = xsc_uring_next(r->uring);
    CHECK(cqe && cqe->user_data == NUMBER + 1 && cqe->res == -ETIME, "which completion?");
    if (cqe) {
        io_uring_cqe_seen(&r->ring, cqe);
    }
    CHECK(!xsc_shard_send(s, &m) && !xsc_shard_stop(s), "send, stop");
    CHECK(xsc_shard_yield(s, &m, &fd, XSC_FOREVER) == XSC_SHARD_MESSAGE, "the last message");
    CHECK(xsc_shard_yield(s, &m, &fd, XSC_FOREVER) == XSC_SHARD_STOP, "the end");
    CHECK(errno == 1234, "errno is %d", errno);
    return 0;
}

static void alone(void)
{
    struct rig r;

    if (open_rig(&r, 2)) {
        CHECK(!xsc_shard_run(r.shard, -1, alone_inside, &r), "run");
        CHECK(!counts(&r).looks, "a look at a ring is no system call");
        close_rig(&r);
    }
}

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
 * be heard, so that one who is not ends everything until the deadline.
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
            CHECK(now_ns() < until, "nobody was heard");
        }
    }
    for (int i = 0; i < WAKERS; i++) {
        pthread_join(wakers[i].thread, NULL);
    }
    xsc_shard_stop(r.shard);
    close_rig(&r);
}

/* ------------------------------------------------------- messages and completions together ---- */

#define SENDERS 2

struct traffic {
    struct rig rig;
    uint64_t each, pause; /* messages of each sender, and completions */
    uint64_t next[SENDERS + 1];
};

struct sender {
    struct traffic *to;
    uint64_t number;
    pthread_t thread;
};

static void pause_at_times(const struct traffic *t, uint64_t *random)
{
    if (t->pause && !(next_random(random) % 4)) {
        spin_for(next_random(random) % t->pause);
    }
}

static void *send_messages(void *arg)
{
    const struct sender *self = arg;
    uint64_t random = self->number + 1;

    for (uint64_t i = 0; i < self->to->each; i++) {
        const uint64_t m = self->number << 32 | i;

        pause_at_times(self->to, &random);
        CHECK(!xsc_shard_send_for(self->to->rig.shard, &m, XSC_FOREVER), "a send");
    }
    return NULL;
}

/* A device: it stores to the completion queue, as any other does. */
static void *complete(void *arg)
{
    const struct sender *self = arg;
    uint64_t random = 99;
    struct io_uring ring;
    const int err = io_uring_queue_init(4, &ring, 0);

    CHECK(!err, "a ring of the device's own: %d", err);
    for (uint64_t i = 0; !err && i < self->to->each; i++) {
        struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
        struct io_uring_cqe *cqe = NULL;

        pause_at_times(self->to, &random);
        io_uring_prep_msg_ring(sqe, self->to->rig.ring.ring_fd, 0, NUMBER + i, 0);
        io_uring_submit(&ring);
        CHECK(!io_uring_wait_cqe(&ring, &cqe) && cqe->res >= 0, "MSG_RING");
        io_uring_cqe_seen(&ring, cqe);
    }
    io_uring_queue_exit(&ring);
    return NULL;
}

static void got(struct traffic *t, uint64_t from, uint64_t n)
{
    CHECK(from <= SENDERS, "number %llu", (unsigned long long)from);
    if (from <= SENDERS) {
        CHECK(n == t->next[from], "%llu of %llu, not %llu", (unsigned long long)n,
              (unsigned long long)from, (unsigned long long)t->next[from]);
        t->next[from] = n + 1;
    }
}

static bool all_there(const struct traffic *t)
{
    for (int i = 0; i <= SENDERS; i++) {
        if (t->next[i] < t->each) {
            return false;
        }
    }
    return true;
}

static int take_all(struct xsc_shard *s, void *arg)
{
    struct traffic *t = arg;
    struct io_uring_cqe *cqe;
    uint64_t m;
    int fd;

    while (!all_there(t)) {
        switch (xsc_shard_yield(s, &m, &fd, LOST_NS)) {
        case XSC_SHARD_MESSAGE:
            got(t, m >> 32, m & UINT32_MAX);
            break;
        case XSC_SHARD_DEVICE:
            while ((cqe = xsc_uring_next(t->rig.uring))) {
                got(t, SENDERS, cqe->user_data - NUMBER);
                io_uring_cqe_seen(&t->rig.ring, cqe);
            }
            break;
        default:
            CHECK(false, "something was lost");
            return 1;
        }
    }
    return 0;
}

static void together(uint64_t each, uint64_t pause, uint32_t capacity)
{
    struct traffic t = {.each = each, .pause = pause};
    struct sender senders[SENDERS + 1];

    if (!open_rig(&t.rig, capacity)) {
        return;
    }
    const uint64_t tried = xsc_uring_wakes(t.rig.uring);

    for (uint64_t i = 0; i <= SENDERS; i++) {
        senders[i] = (struct sender){.to = &t, .number = i};
        CHECK(!pthread_create(&senders[i].thread, NULL, i < SENDERS ? send_messages : complete,
                              &senders[i]),
              "no thread");
    }
    CHECK(!xsc_shard_run(t.rig.shard, -1, take_all, &t), "run");
    for (int i = 0; i <= SENDERS; i++) {
        pthread_join(senders[i].thread, NULL);
    }
    const struct xsc_shard_stats n = counts(&t.rig);

    CHECK(n.delivered == SENDERS * each && n.accepted == n.delivered, "%llu delivered",
          (unsigned long long)n.delivered);
    CHECK(n.wakes <= n.parks && xsc_uring_wakes(t.rig.uring) - tried <= n.wakes,
          "%llu wakes for %llu parks, %llu by the ring", (unsigned long long)n.wakes,
          (unsigned long long)n.parks, (unsigned long long)xsc_uring_wakes(t.rig.uring));
    printf("# capacity %u, pause %llu: %llu messages, %llu completions, %llu parks, %llu wakes\n",
           capacity, (unsigned long long)pause, (unsigned long long)n.delivered,
           (unsigned long long)each, (unsigned long long)n.parks, (unsigned long long)n.wakes);
    fflush(stdout);
    close_rig(&t.rig);
}

/* -------------------------------------------------------- the tail is a word to be watched ---- */

#define ANSWERS 2000u

struct answers {
    struct rig rig;
    uint32_t asked; /* atomic */
};

/* To the n-th CPU that this process may use. False: there are not so many. */
static bool pin(int n, cpu_set_t *before)
{
    cpu_set_t one;

    sched_getaffinity(0, sizeof(*before), before);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET((size_t)cpu, before) && !n--) {
            CPU_ZERO(&one);
            CPU_SET((size_t)cpu, &one);
            return !sched_setaffinity(0, sizeof(one), &one);
        }
    }
    return false;
}

static void *answer(void *arg)
{
    struct answers *a = arg;
    struct io_uring ring;
    cpu_set_t before;

    pin(0, &before);
    const int err = io_uring_queue_init(4, &ring, 0);

    CHECK(!err, "a ring of the device's own: %d", err);
    for (uint32_t i = 1; !err && i <= ANSWERS; i++) {
        struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
        struct io_uring_cqe *cqe = NULL;

        while (__atomic_load_n(&a->asked, __ATOMIC_ACQUIRE) < i) {
        }
        io_uring_prep_msg_ring(sqe, a->rig.ring.ring_fd, 0, NUMBER + i, 0);
        io_uring_submit(&ring);
        CHECK(!io_uring_wait_cqe(&ring, &cqe) && cqe->res >= 0, "MSG_RING");
        io_uring_cqe_seen(&ring, cqe);
    }
    io_uring_queue_exit(&ring);
    return NULL;
}

static int ask(struct xsc_shard *s, void *arg)
{
    struct answers *a = arg;
    uint64_t m;
    int fd;

    for (uint32_t i = 1; i <= ANSWERS; i++) {
        struct io_uring_cqe *cqe;

        __atomic_store_n(&a->asked, i, __ATOMIC_RELEASE);
        CHECK(xsc_shard_yield(s, &m, &fd, LOST_NS) == XSC_SHARD_DEVICE, "answer %u", i);
        cqe = xsc_uring_next(a->rig.uring);
        CHECK(cqe && cqe->user_data == NUMBER + i, "answer %u", i);
        if (!cqe) {
            return 1;
        }
        io_uring_cqe_seen(&a->rig.ring, cqe);
    }
    return 0;
}

/* Not in each wait, for a thread may lose its CPU; but hardly ever would be no watch. */
static void watched(void)
{
    struct answers a = {.asked = 0};
    cpu_set_t before;
    pthread_t thread;

    if (!open_rig(&a.rig, 2)) {
        return;
    }
    CHECK(!pthread_create(&thread, NULL, answer, &a), "no thread");
    const bool two = pin(1, &before); /* each has a CPU: else they may take turns on one */

    CHECK(!xsc_shard_run(a.rig.shard, -1, ask, &a), "run");
    pthread_join(thread, NULL);
    printf("# watched: %u completions, %llu parks\n", ANSWERS,
           (unsigned long long)counts(&a.rig).parks);
    CHECK(counts(&a.rig).parks < ANSWERS / 10 * 9 || !two || getenv("XSC_TEST_SLOW_CPU"),
          "it leaves the CPU to hear of one");
    sched_setaffinity(0, sizeof(before), &before);
    close_rig(&a.rig);
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

int main(void)
{
    const uint64_t messages = count_from("XSC_TEST_MESSAGES", 20000);
    struct io_uring ring;
    const int err = io_uring_queue_init(4, &ring, 0);

    if (err) {
        fprintf(
            stderr,
            "test_uring: no io_uring here (%s): it takes Linux 5.18, kernel.io_uring_disabled=0 "
            "and a container that allows it; tests/guest boots a kernel that has it\n",
            strerror(-err));
        return 77;
    }
    io_uring_queue_exit(&ring);
    refused();
    alone();
    wakes_alone(messages / 2);
    watched();
    parked();
    together(messages, 0, 64);
    together(messages / 10, 100000, 2);
    together(messages / 10, 30000, 64);
    signals(messages / 20);
    puts(failures ? "failed" : "ok");
    return failures != 0;
}
