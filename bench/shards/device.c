/* SPDX-License-Identifier: MIT */
/*
 * How late a device is noticed: a thread writes to a pipe now and then, and another waits for that,
 * by epoll alone, or as a shard that waits for messages as well. "Amid messages": some have come,
 * 10 us apart, the last one up to 40 us before, so that the shard watches for the next when the
 * device speaks.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include <xsc/shard.h>

#if defined(XSC_BENCH_SHARDS_URING)
#include <liburing.h>

#include <xsc/uring.h>
#endif

#include "bench/bench.h"
#include "bench/figures.h"
#include "bench/shards/device.h"

#define EVENTS 200u
#define WARM 20u
#define APART_NS 300000 /* a rest between two events, */
#define NEAR_NS 40000u  /* what a message may come before one, */
#define TALK 15u        /* and how many messages do, */
#define TALK_NS 10000u  /* so far apart: the first ones wake the shard */

static const struct bench_metric metrics[] = {
    {"p50", "ns", 0, true}, {"p99", "ns", 0, false}, {"CPU, an event", "ns", 0, false}};

enum { P50, P99, CPU, METRICS };

enum { EPOLL, SHARD, SHARD_AMID, RING, RING_AMID, WAITERS };

static const char *const names[WAITERS] = {"epoll alone", "xsc shard, descriptors",
                                           "the same, amid messages", "xsc shard, io_uring",
                                           "the same, amid messages"};

struct device {
    unsigned waiter;
    uint32_t events;
    int in, out;
    struct xsc_shard *shard; /* of messages of 8 bytes; NULL: epoll alone */
    uint64_t *late, cpu_ns;  /* ticks */
    uint32_t got;
#if defined(XSC_BENCH_SHARDS_URING)
    struct io_uring ring;
    struct xsc_uring *uring;
    uint64_t read;
#endif
};

static bool amid(const struct device *d)
{
    return d->waiter == SHARD_AMID || d->waiter == RING_AMID;
}

static void spin_for(uint64_t ns)
{
    const uint64_t until = bench_now_ns() + ns;

    while (bench_now_ns() < until) {
    }
}

static void talk(const struct device *d)
{
    for (uint64_t m = 0; m < TALK; m++) {
        spin_for(TALK_NS);
        xsc_shard_send_for(d->shard, &m, XSC_FOREVER);
    }
}

static void speak(void *arg)
{
    const struct device *d = arg;
    const struct timespec t = {0, APART_NS};
    uint64_t random = 88172645463325252u;

    for (uint32_t i = 0; i < d->events; i++) {
        clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL);
        if (amid(d)) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            talk(d);
            spin_for(random % NEAR_NS);
        }
        const uint64_t now = bench_ticks();

        if (write(d->out, &now, sizeof(now)) != sizeof(now)) {
            bench_die("a pipe: %s", strerror(errno));
        }
    }
}

static void noticed(struct device *d, uint64_t said)
{
    const uint64_t now = bench_ticks_ordered();

    d->late[d->got++] = now > said ? now - said : 0;
}

static void take(struct device *d)
{
    uint64_t said;

    if (read(d->in, &said, sizeof(said)) != sizeof(said)) {
        bench_die("a pipe: %s", strerror(errno));
    }
    noticed(d, said);
}

#if defined(XSC_BENCH_SHARDS_URING)
static void submit_read(struct device *d)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&d->ring);

    io_uring_prep_read(sqe, d->in, &d->read, sizeof(d->read), 0);
    if (io_uring_submit(&d->ring) != 1) {
        bench_die("io_uring: nothing submitted");
    }
}

static void take_completions(struct device *d)
{
    struct io_uring_cqe *cqe;

    while ((cqe = xsc_uring_next(d->uring))) {
        if (cqe->res != sizeof(d->read)) {
            bench_die("a pipe, by io_uring: %d", cqe->res);
        }
        io_uring_cqe_seen(&d->ring, cqe);
        noticed(d, d->read);
        if (d->got < d->events) {
            submit_read(d);
        }
    }
}
#endif

static int hear(struct xsc_shard *self, void *arg)
{
    struct device *d = arg;
    uint64_t m;
    int fd;

    while (d->got < d->events) {
        const int why = xsc_shard_yield(self, &m, &fd, XSC_FOREVER);

        if (why == XSC_SHARD_MESSAGE) {
            continue;
        }
        if (why != XSC_SHARD_DEVICE) {
            bench_die("a shard has ended: %d", why);
        }
#if defined(XSC_BENCH_SHARDS_URING)
        if (d->uring) {
            take_completions(d);
            continue;
        }
#endif
        take(d);
    }
    return 0;
}

static void listen_to(void *arg)
{
    struct epoll_event event = {.events = EPOLLIN};
    struct device *d = arg;
    const uint64_t cpu = bench_cpu_ns();

    if (d->shard) {
        xsc_shard_run(d->shard, -1, hear, d);
    } else {
        const int set = epoll_create1(EPOLL_CLOEXEC);

        if (set < 0 || epoll_ctl(set, EPOLL_CTL_ADD, d->in, &event)) {
            bench_die("no epoll: %s", strerror(errno));
        }
        while (d->got < d->events) {
            if (epoll_wait(set, &event, 1, -1) == 1) {
                take(d);
            }
        }
        close(set);
    }
    d->cpu_ns = bench_cpu_ns() - cpu;
}

static void make_shard(struct device *d)
{
    struct xsc_shard_config config = {
        .size = sizeof(config), .message_size = sizeof(uint64_t), .capacity = 16};
    int err = 0;

    if (d->waiter == SHARD || d->waiter == SHARD_AMID) {
        config.devices = 1;
    }
#if defined(XSC_BENCH_SHARDS_URING)
    if (!config.devices) {
        err = io_uring_queue_init(8, &d->ring, 0);
        err = err ? err : xsc_uring_open(&d->ring, &d->uring);
        if (err) {
            bench_die("no io_uring: %s", strerror(-err));
        }
        config.ring = xsc_uring_of_shard(d->uring);
        submit_read(d);
    }
#endif
    err = xsc_shard_create(&config, &d->shard);
    if (!err && config.devices) {
        err = xsc_shard_attach(d->shard, d->in, EPOLLIN);
    }
    if (err) {
        bench_die("no shard: %s", strerror(-err));
    }
}

static void run_one(struct bench_table *t, unsigned waiter, unsigned round,
                    const struct bench_options *o)
{
    struct device d = {.waiter = waiter, .events = WARM + bench_iterations(o, EVENTS)};
    const uint32_t n = d.events - WARM;
    int ends[2];

    if (pipe(ends)) {
        bench_die("no pipe: %s", strerror(errno));
    }
    d.in = ends[0];
    d.out = ends[1];
    d.late = bench_alloc(d.events * sizeof(*d.late));
    if (waiter != EPOLL) {
        make_shard(&d);
    }
    bench_run_pair(speak, listen_to, &d, o->cpu);
    bench_sort(d.late + WARM, n);
    bench_cell(t, waiter, P50)[round] = bench_ticks_to_ns(bench_quantile(d.late + WARM, n, 500));
    bench_cell(t, waiter, P99)[round] = bench_ticks_to_ns(bench_quantile(d.late + WARM, n, 990));
    bench_cell(t, waiter, CPU)[round] = (double)d.cpu_ns / d.events;
    if (d.shard) {
        xsc_shard_destroy(d.shard);
    }
#if defined(XSC_BENCH_SHARDS_URING)
    if (d.uring) {
        xsc_uring_close(d.uring);
        io_uring_queue_exit(&d.ring);
    }
#endif
    close(d.in);
    close(d.out);
    free(d.late);
}

void device_run(const struct bench_options *o, unsigned rounds, bool descriptors, bool ring)
{
    struct bench_table *t = bench_table_new(
        "device: from a write to a pipe to the thread that waits for it and for "
        "messages",
        metrics, METRICS, WAITERS, rounds);

    for (unsigned i = 0; i < WAITERS; i++) {
        bench_table_row(t, "", names[i], i ? 0 : -1);
    }
    for (unsigned round = 0; round < rounds; round++) {
        for (unsigned i = 0; i < WAITERS; i++) {
            if (i == EPOLL || (i < RING ? descriptors : ring)) {
                run_one(t, i, round, o);
            }
        }
    }
    bench_report_table(t);
    bench_table_free(t);
}
