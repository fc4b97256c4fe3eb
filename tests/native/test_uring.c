/* SPDX-License-Identifier: MIT */
/*
 * test_uring: xsc/uring.h. A shard that waits for messages and for completions: all of them come,
 * each once; what is lost hangs until the watchdog ends the test, or shows in the counts. Nothing
 * here depends on how fast something is. XSC_TEST_MESSAGES: how many (default 20,000).
 * XSC_TEST_SLOW_CPU: set where a system call takes longer than a watch lasts, on an emulated CPU.
 * Exit 0, 1, or 77 where there is no io_uring available.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>

#include "uring_test.h"

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
            sched_yield(); /* there may be one CPU for both */
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

int main(void)
{
    const uint64_t messages = count_from("XSC_TEST_MESSAGES", 20000);

    need_uring();
    refused();
    alone();
    watched();
    together(messages, 0, 64);
    together(messages / 10, 100000, 2);
    together(messages / 10, 30000, 64);
    puts(failures ? "failed" : "ok");
    return failures != 0;
}
