/* SPDX-License-Identifier: MIT */
/*
 * test_shard_devices: shards that wait for descriptors and rings beside their messages, on Linux. What
 * is lost hangs until the watchdog ends the test, or shows in the counts; nothing here depends on how
 * fast something is. XSC_TEST_MESSAGES: how many (default 20,000). Exit 0 or 1.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>

#include "shard_test.h"

struct device {
    struct xsc_shard *shard;
    int out;
    uint32_t bytes;
};

static void *be_a_device(void *arg)
{
    const struct device *d = arg;
    uint64_t random = 1;

    for (uint32_t i = 0; i < d->bytes; i++) {
        spin_for(next_random(&random) % 100000);
        CHECK(write(d->out, "x", 1) == 1, "write");
    }
    return NULL;
}

struct both {
    int in;
    uint32_t bytes, messages, got_bytes, got_messages;
};

static int serve_both(struct xsc_shard *s, void *arg)
{
    struct both *b = arg;
    struct message m;
    char byte;
    int fd;

    while (b->got_bytes < b->bytes || b->got_messages < b->messages) {
        const int why = xsc_shard_yield(s, &m, &fd, LOST_NS);

        CHECK(why == XSC_SHARD_MESSAGE || why == XSC_SHARD_DEVICE, "why is %d", why);
        if (why == XSC_SHARD_MESSAGE) {
            b->got_messages++;
        } else if (why == XSC_SHARD_DEVICE) {
            CHECK(fd == b->in, "descriptor %d", fd);
            CHECK(read(fd, &byte, 1) == 1, "read");
            b->got_bytes++;
        } else {
            return 1;
        }
    }
    return 0;
}

static void devices(uint32_t bytes, uint32_t messages)
{
    struct xsc_shard *s = make(16, 1);
    int ends[2];

    CHECK(!pipe(ends), "pipe");
    struct device device = {s, ends[1], bytes};
    struct sender sender = {.to = s, .number = 0, .sends = messages};
    struct both both = {.in = ends[0], .bytes = bytes, .messages = messages};
    pthread_t thread[2];

    CHECK(!xsc_shard_attach(s, ends[0], EPOLLIN), "attach");
    CHECK(xsc_shard_attach(s, ends[0], EPOLLIN) == -EEXIST, "attach, twice");
    CHECK(!pthread_create(&thread[0], NULL, be_a_device, &device), "no thread");
    CHECK(!pthread_create(&thread[1], NULL, send_all, &sender), "no thread");
    CHECK(!xsc_shard_run(s, -1, serve_both, &both), "run");
    pthread_join(thread[0], NULL);
    pthread_join(thread[1], NULL);
    CHECK(counts(s).devices == bytes && counts(s).delivered == messages, "counts");
    CHECK(!xsc_shard_detach(s, ends[0]) && xsc_shard_detach(s, ends[0]) == -ENOENT, "detach");
    close(ends[0]);
    close(ends[1]);
    destroy(s, 0);
}

/* A shard that always has messages still sees its device. */
static int busy(struct xsc_shard *s, void *arg)
{
    struct message m = message_of(0, 0);
    uint32_t yields = 0;
    int fd = -1, why;

    (void)arg;
    do {
        CHECK(!xsc_shard_send(s, &m), "send");
        why = xsc_shard_yield(s, &m, &fd, XSC_FOREVER);
        yields++;
    } while (why == XSC_SHARD_MESSAGE && yields < 1000);
    CHECK(why == XSC_SHARD_DEVICE && yields == 256, "why is %d after %u", why, yields);
    xsc_shard_stop(s);
    while ((why = xsc_shard_yield(s, &m, &fd, XSC_FOREVER)) == XSC_SHARD_MESSAGE) {
    }
    return why == XSC_SHARD_STOP ? 0 : 1;
}

static void busy_with_a_device(void)
{
    struct xsc_shard *s = make(4, 1);
    int ends[2];

    CHECK(!pipe(ends) && write(ends[1], "x", 1) == 1, "pipe");
    CHECK(!xsc_shard_attach(s, ends[0], EPOLLIN), "attach");
    CHECK(!xsc_shard_run(s, -1, busy, NULL), "run");
    CHECK(counts(s).looks == 1, "%llu looks", (unsigned long long)counts(s).looks);
    close(ends[0]);
    close(ends[1]);
    destroy(s, 0);
}

/* Where no message comes, it does not go on watching for one: a device would be noticed later. */
static int wait_in_vain(struct xsc_shard *s, void *arg)
{
    struct xsc_stats before, after;
    struct message m;
    int fd;

    (void)arg;
    CHECK(!xsc_stats_read(&before, sizeof(before)), "statistics");
    for (int i = 0; i < 160; i++) {
        CHECK(xsc_shard_yield(s, &m, &fd, 100000) == XSC_SHARD_TIMEOUT, "something came");
    }
    CHECK(!xsc_stats_read(&after, sizeof(after)), "statistics");
    CHECK(after.total_waits - before.total_waits <= 40, "%llu of 160 waits watched",
          (unsigned long long)(after.total_waits - before.total_waits));
    CHECK(!xsc_shard_send(s, &m) && xsc_shard_yield(s, &m, &fd, 0) == XSC_SHARD_MESSAGE, "one");
    return 0;
}

static void does_not_watch_in_vain(void)
{
    struct xsc_shard *s = make(2, 1);

    CHECK(!xsc_shard_run(s, -1, wait_in_vain, NULL), "run");
    destroy(s, 0);
}

/* One ring ends one sleep: the next lasts until its deadline. */
static int rung_once(struct xsc_shard *s, void *arg)
{
    struct message m;
    int fd;

    (void)arg;
    CHECK(xsc_shard_yield(s, &m, &fd, XSC_FOREVER) == XSC_SHARD_MESSAGE, "no message");
    const uint64_t before = counts(s).parks;

    CHECK(xsc_shard_yield(s, &m, &fd, 50 * MS) == XSC_SHARD_TIMEOUT, "something came");
    CHECK(counts(s).parks - before <= 4, "%llu sleeps in one wait",
          (unsigned long long)(counts(s).parks - before));
    return 0;
}

static void *ring_once(void *arg)
{
    const struct message m = message_of(0, 0);

    while (!counts(arg).parks) { /* then it stays parked until the message */
    }
    CHECK(!xsc_shard_send(arg, &m), "send");
    CHECK(counts(arg).wakes == 1, "%llu wakes", (unsigned long long)counts(arg).wakes);
    return NULL;
}

static void rings(void)
{
    struct xsc_shard *s = make(2, 1);
    pthread_t thread;

    CHECK(!pthread_create(&thread, NULL, ring_once, s), "no thread");
    CHECK(!xsc_shard_run(s, -1, rung_once, NULL), "run");
    pthread_join(thread, NULL);
    destroy(s, 0);
}

int main(void)
{
    const uint64_t messages = count_from("XSC_TEST_MESSAGES", 20000);

    devices((uint32_t)messages / 100, (uint32_t)messages);
    devices((uint32_t)messages / 100, 0);
    busy_with_a_device();
    does_not_watch_in_vain();
    rings();
    puts(failures ? "failed" : "ok");
    return failures != 0;
}
