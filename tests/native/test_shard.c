/* SPDX-License-Identifier: MIT */
/*
 * test_shard: xsc/shard.h. What is lost hangs until the watchdog ends the test, or shows in the
 * counts; nothing here depends on how fast something is. XSC_TEST_MESSAGES: how many (default
 * 20,000). Exit 0 or 1.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>

#include <xsc/stats.h>

#include "shard_test.h"

#define SENDERS 4

/* -------------------------------------------------------------------------------- one thread ---- */

static int leave_at_once(struct xsc_shard *s, void *arg)
{
    (void)s;
    return *(int *)arg;
}

static int alone_inside(struct xsc_shard *s, void *arg)
{
    struct message m = message_of(0, 0);
    uint64_t start = now_ns();
    int fd = 0;

    (void)arg;
    errno = 1234;
    CHECK(xsc_shard_run(s, -1, leave_at_once, arg) == -EBUSY, "a shard in a shard");
    CHECK(xsc_shard_yield(s, &m, &fd, 0) == XSC_SHARD_TIMEOUT, "nothing there");
    CHECK(xsc_shard_yield(s, &m, &fd, MS) == XSC_SHARD_TIMEOUT, "nothing there");
    CHECK(now_ns() - start >= MS, "a yield of 1 ms ended early");
    for (uint32_t n = 0; n < 4; n++) {
        m = message_of(7, n);
        CHECK(!xsc_shard_send(s, &m), "there is room for four");
    }
    CHECK(xsc_shard_send(s, &m) == -EAGAIN, "a fifth of four");
    CHECK(xsc_shard_send_for(s, &m, 0) == -ETIMEDOUT, "a fifth of four");
    CHECK(xsc_shard_send_for(s, &m, XSC_FOREVER) == -EDEADLK, "no other thread would make room");
    for (uint32_t n = 0; n < 4; n++) {
        CHECK(xsc_shard_yield(s, &m, &fd, 0) == XSC_SHARD_MESSAGE, "message %u", n);
        CHECK(whole(&m) && m.n == n, "message %u is %u", n, m.n);
    }
    CHECK(xsc_shard_yield(s, &m, &fd, 0) == XSC_SHARD_TIMEOUT, "a fifth of four");
    for (uint32_t n = 4; n < 8; n++) { /* all of the ring, once round */
        m = message_of(7, n);
        CHECK(!xsc_shard_send(s, &m), "there is room for four again");
    }
    CHECK(!xsc_shard_stop(s) && !xsc_shard_stop(s), "stop, twice");
    CHECK(xsc_shard_send(s, &m) == -EPIPE, "a send to a closed mailbox");
    CHECK(xsc_shard_send_for(s, &m, XSC_FOREVER) == -EPIPE, "a send to a closed mailbox");
    for (uint32_t n = 4; n < 6; n++) {
        CHECK(xsc_shard_yield(s, &m, &fd, XSC_FOREVER) == XSC_SHARD_MESSAGE, "message %u", n);
    }
    CHECK(errno == 1234, "errno is %d", errno);
    return 5; /* with two left behind */
}

static int drain(struct xsc_shard *s, void *arg)
{
    struct message m;
    int fd, why;

    while ((why = xsc_shard_yield(s, &m, &fd, XSC_FOREVER)) == XSC_SHARD_MESSAGE) {
        CHECK(whole(&m), "%u of %u is torn", m.n, m.from);
        ++*(uint64_t *)arg;
    }
    CHECK(why == XSC_SHARD_STOP, "why is %d", why);
    CHECK(xsc_shard_yield(s, &m, &fd, XSC_FOREVER) == XSC_SHARD_STOP, "the end is no end");
    return 3;
}

static void alone(uint32_t devices)
{
    struct xsc_shard *s = make(3, devices); /* made four */
    struct message m = {0};
    uint64_t drained = 0;
    int fd, seven = 7;

    CHECK(xsc_shard_yield(s, &m, &fd, 0) == -EPERM, "a yield outside of the shard");
    CHECK(xsc_shard_destroy(s) == -EBUSY, "open");
    CHECK(xsc_shard_run(s, -1, alone_inside, &seven) == -ENOTEMPTY, "two are left behind");
    CHECK(xsc_shard_run(s, -1, drain, &drained) == 3 && drained == 2, "%llu left behind",
          (unsigned long long)drained);
    const struct xsc_shard_stats n = counts(s);

    CHECK(n.accepted == 8 && n.delivered == 8 && n.full == 3, "%llu, %llu, %llu",
          (unsigned long long)n.accepted, (unsigned long long)n.delivered,
          (unsigned long long)n.full);
    CHECK(n.wakes == 0, "%llu wakes of oneself", (unsigned long long)n.wakes);
    destroy(s, 0);
    s = make(2, devices);
    CHECK(!xsc_shard_send(s, &m), "send");
    CHECK(xsc_shard_run(s, -1, leave_at_once, &seven) == -ENOTEMPTY, "one is left behind");
    destroy(s, 1);
}

static void refused(void)
{
    const struct xsc_shard_config good = {
        .size = sizeof(good), .message_size = 8, .capacity = 2, .devices = 0};
    struct xsc_shard_config bad[7];
    struct xsc_shard_stats stats;
    struct xsc_shard *s;
    int zero = 0;

    for (size_t i = 0; i < 7; i++) {
        bad[i] = good;
    }
    bad[0].size--;
    bad[1].message_size = 0;
    bad[2].message_size = 65537;
    bad[3].capacity = 0;
    bad[4].capacity = (1u << 24) + 1;
    bad[5].devices = 2;
    bad[6].reserved = 1;
    for (size_t i = 0; i < 7; i++) {
        CHECK(xsc_shard_create(&bad[i], &s) == -EINVAL, "configuration %zu", i);
    }
    CHECK(xsc_shard_create(NULL, &s) == -EINVAL && xsc_shard_create(&good, NULL) == -EINVAL,
          "NULL");
    CHECK(!xsc_shard_create(&good, &s), "create");
    CHECK(xsc_shard_send(s, NULL) == -EINVAL && xsc_shard_send(NULL, &s) == -EINVAL, "NULL");
    CHECK(xsc_shard_stop(NULL) == -EINVAL && xsc_shard_destroy(NULL) == -EINVAL, "NULL");
    CHECK(xsc_shard_yield(s, NULL, NULL, 0) == -EINVAL, "NULL");
    CHECK(xsc_shard_run(s, -2, leave_at_once, &zero) == -EINVAL, "CPU -2");
    CHECK(xsc_shard_run(s, 1 << 20, leave_at_once, &zero) < 0, "CPU 2^20");
    CHECK(xsc_shard_attach(s, 0, 1) == -EINVAL && xsc_shard_detach(s, 0) == -EINVAL, "no devices");
    CHECK(xsc_shard_stats_read(s, &stats, sizeof(stats) + 1) == -EINVAL, "a larger structure");
    CHECK(!xsc_shard_send(s, &stats), "a run that was refused has closed the mailbox");
    xsc_shard_stop(s);
    destroy(s, 1);
}

/* ------------------------------------------------------------------------------ many senders ---- */

struct reader {
    uint64_t wanted, pause; /* stops the shard after so many; spins that long for each */
    uint32_t next[SENDERS];
    uint64_t got;
};

static int receive(struct xsc_shard *s, void *arg)
{
    struct reader *r = arg;
    struct message m;
    int fd, why;

    while ((why = xsc_shard_yield(s, &m, &fd, XSC_FOREVER)) == XSC_SHARD_MESSAGE) {
        CHECK(whole(&m) && m.from < SENDERS, "%u of %u is torn", m.n, m.from);
        if (m.from >= SENDERS) {
            break;
        }
        CHECK(m.n == r->next[m.from], "%u of %u, not %u", m.n, m.from, r->next[m.from]);
        r->next[m.from] = m.n + 1;
        if (r->pause && m.n % 64 == 0) {
            spin_for(r->pause);
        }
        if (++r->got == r->wanted) {
            xsc_shard_stop(s);
        }
    }
    CHECK(why == XSC_SHARD_STOP, "why is %d", why);
    return 0;
}

static void many(uint64_t messages, uint32_t capacity, uint32_t devices, bool endless,
                 uint64_t pause)
{
    struct xsc_shard *s = make(capacity, devices);
    struct reader r = {.wanted = messages / SENDERS * SENDERS, .pause = pause};
    struct sender sender[SENDERS];
    pthread_t thread[SENDERS];
    uint64_t accepted = 0;

    for (uint32_t i = 0; i < SENDERS; i++) {
        sender[i] = (struct sender){
            .to = s, .number = i, .sends = endless ? UINT32_MAX : (uint32_t)(messages / SENDERS)};
        CHECK(!pthread_create(&thread[i], NULL, send_all, &sender[i]), "no thread");
    }
    CHECK(!xsc_shard_run(s, -1, receive, &r), "run");
    for (uint32_t i = 0; i < SENDERS; i++) {
        pthread_join(thread[i], NULL);
        CHECK(r.next[i] == sender[i].accepted, "sender %u: %u received of %u", i, r.next[i],
              sender[i].accepted);
        accepted += sender[i].accepted;
    }
    const struct xsc_shard_stats n = counts(s);

    CHECK(n.accepted == accepted && n.delivered == accepted && r.got == accepted,
          "%llu sent, %llu accepted, %llu delivered, %llu got", (unsigned long long)accepted,
          (unsigned long long)n.accepted, (unsigned long long)n.delivered,
          (unsigned long long)r.got);
    CHECK(endless ? accepted >= r.wanted : accepted == r.wanted, "%llu accepted",
          (unsigned long long)accepted);
    wakes_are_few(&n, devices);
    printf("# capacity %u%s%s: %llu messages, %llu full, %llu parks, %llu wakes, %llu looks\n",
           capacity, devices ? ", devices" : "", pause ? ", slow" : "",
           (unsigned long long)n.delivered, (unsigned long long)n.full, (unsigned long long)n.parks,
           (unsigned long long)n.wakes, (unsigned long long)n.looks);
    fflush(stdout);
    destroy(s, 0);
}

/* -------------------------------------------------------------------------- one at a time ---- */

struct pair {
    struct xsc_shard *ping, *pong;
    uint32_t rounds;
    uint64_t pause;
};

static int answer(struct xsc_shard *s, void *arg)
{
    const struct pair *p = arg;
    struct message m;
    int fd;

    while (xsc_shard_yield(s, &m, &fd, XSC_FOREVER) == XSC_SHARD_MESSAGE) {
        CHECK(!xsc_shard_send(p->pong, &m), "an answer");
    }
    return 0;
}

static void *run_answer(void *arg)
{
    struct pair *p = arg;

    CHECK(!xsc_shard_run(p->ping, -1, answer, p), "run");
    return NULL;
}

static int ask(struct xsc_shard *s, void *arg)
{
    const struct pair *p = arg;
    uint64_t random = 1;
    struct message m;
    int fd;

    for (uint32_t n = 0; n < p->rounds; n++) {
        spin_for(next_random(&random) % p->pause); /* before, while and after the other parks */
        m = message_of(1, n);
        CHECK(!xsc_shard_send(p->ping, &m), "a question");
        CHECK(xsc_shard_yield(s, &m, &fd, LOST_NS) == XSC_SHARD_MESSAGE, "answer %u is lost", n);
        CHECK(whole(&m) && m.n == n, "answer %u is %u", n, m.n);
    }
    xsc_shard_stop(p->ping); /* which may be parked */
    return 0;
}

static void ping_pong(uint32_t rounds, uint32_t devices, uint64_t pause)
{
    struct pair p = {make(2, devices), make(2, devices), rounds, pause};
    pthread_t thread;

    CHECK(!pthread_create(&thread, NULL, run_answer, &p), "no thread");
    CHECK(!xsc_shard_run(p.pong, -1, ask, &p), "run");
    pthread_join(thread, NULL);
    const struct xsc_shard_stats a = counts(p.ping), b = counts(p.pong);

    CHECK(a.delivered == rounds && b.delivered == rounds, "rounds");
    wakes_are_few(&a, devices);
    wakes_are_few(&b, devices);
    printf("# ping-pong%s: %u rounds, %llu and %llu parks, %llu and %llu wakes\n",
           devices ? ", devices" : "", rounds, (unsigned long long)a.parks,
           (unsigned long long)b.parks, (unsigned long long)a.wakes, (unsigned long long)b.wakes);
    fflush(stdout);
    destroy(p.ping, 0);
    destroy(p.pong, 0);
}

/* Stopped at every moment of its wait, with nothing in the mailbox. */
static void stop_idle(uint32_t times, uint32_t devices)
{
    uint64_t random = 1;

    for (uint32_t i = 0; i < times; i++) {
        struct pair p = {make(2, devices), NULL, 0, 0};
        pthread_t thread;

        CHECK(!pthread_create(&thread, NULL, run_answer, &p), "no thread");
        spin_for(next_random(&random) % 300000);
        xsc_shard_stop(p.ping);
        pthread_join(thread, NULL); /* or never */
        destroy(p.ping, 0);
    }
}

/* A body that ends leaves no sender waiting for room. */
static void body_ends(uint32_t times)
{
    uint64_t random = 1;

    for (uint32_t i = 0; i < times; i++) {
        struct xsc_shard *s = make(2, 0);
        struct sender sender = {.to = s, .number = 0, .sends = UINT32_MAX};
        pthread_t thread;
        int zero = 0;

        CHECK(!pthread_create(&thread, NULL, send_all, &sender), "no thread");
        while (!counts(s).full) {
        }
        spin_for(next_random(&random) %
                 300000); /* it watches for room, is about to sleep, sleeps */
        CHECK(xsc_shard_run(s, -1, leave_at_once, &zero) == -ENOTEMPTY, "run");
        pthread_join(thread, NULL); /* or never */
        destroy(s, (int)sender.accepted);
    }
}

/* ------------------------------------------------------------------------------------ fork ---- */

#if !defined(XSC_TEST_OTHER_PORT)
/* To a child every mailbox is closed. */
static int fork_inside(struct xsc_shard *s, void *arg)
{
    struct message m = message_of(0, 0);
    int status = -1, fd;

    (void)arg;
    CHECK(!xsc_shard_send(s, &m), "send");
    const pid_t pid = fork();

    if (!pid) {
        const bool good = xsc_shard_send(s, &m) == -EPIPE &&
                          xsc_shard_yield(s, &m, &fd, 0) == -EPIPE &&
                          xsc_shard_run(s, -1, drain, NULL) == -EPIPE && !xsc_shard_stop(s) &&
                          xsc_shard_destroy(s) == -EBUSY;

        _exit(!good);
    }
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && !status, "the child: %#x",
          (unsigned)status);
    CHECK(xsc_shard_yield(s, &m, &fd, 0) == XSC_SHARD_MESSAGE, "the parent's message");
    return 0;
}

static void forks(void)
{
    struct xsc_shard *s = make(2, 0);

    CHECK(!xsc_shard_run(s, -1, fork_inside, NULL), "run");
    destroy(s, 0);
}
#endif

/* --------------------------------------------------------------------------------- signals ---- */

static struct xsc_shard *from_handlers;
static uint32_t handled;

static void on_signal(int number)
{
    const struct message m = message_of(1, 0);

    (void)number;
    if (!xsc_shard_send(from_handlers, &m)) {
        __atomic_fetch_add(&handled, 1, __ATOMIC_RELAXED);
    }
}

static void *send_and_signal(void *arg)
{
    for (uint32_t n = 0; n < *(uint32_t *)arg; n++) {
        pthread_kill(pthread_self(), SIGUSR1);
    }
    xsc_shard_stop(from_handlers);
    return NULL;
}

static void signals(uint32_t n)
{
    struct sigaction act;
    pthread_t thread;
    uint64_t got = 0;

    memset(&act, 0, sizeof(act));
    act.sa_handler = on_signal;
    sigaction(SIGUSR1, &act, NULL);
    from_handlers = make(64, 0);
    CHECK(!pthread_create(&thread, NULL, send_and_signal, &n), "no thread");
    CHECK(xsc_shard_run(from_handlers, -1, drain, &got) == 3, "run");
    pthread_join(thread, NULL);
    CHECK(got == handled && got, "%llu of %u", (unsigned long long)got, handled);
    destroy(from_handlers, 0);
}

int main(void)
{
    const uint64_t messages = count_from("XSC_TEST_MESSAGES", 20000);

    refused();
    for (uint32_t with = 0; with < 2; with++) {
#if defined(XSC_TEST_OTHER_PORT)
        if (with) {
            const struct xsc_shard_config config = {sizeof(config), 8, 2, 1, 0, NULL};
            struct xsc_shard *s;

            CHECK(xsc_shard_create(&config, &s) == -ENOTSUP, "devices, here?");
            break;
        }
#endif
        alone(with);
        many(messages, 2, with, false, 0);
        many(messages, 1024, with, false, 0);
        many(messages / 10, 8, with, false, 100000);
        many(messages, 64, with, true, 0);
        ping_pong((uint32_t)messages / 10, with, 200000);
        stop_idle(200, with);
    }
    body_ends(100);
    signals((uint32_t)messages / 10);
#if !defined(XSC_TEST_OTHER_PORT)
    forks();
#endif
    puts(failures ? "failed" : "ok");
    return failures != 0;
}
