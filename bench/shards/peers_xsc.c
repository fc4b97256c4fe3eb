/* SPDX-License-Identifier: MIT */
/* Ours: without descriptors, with, and with an io_uring. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include <xsc/shard.h>

#if defined(XSC_BENCH_SHARDS_URING)
#include <liburing.h>

#include <xsc/uring.h>
#endif

#include "bench/harness.h"
#include "bench/shards/shards.h"

struct ours {
    struct xsc_shard *shard;
#if defined(XSC_BENCH_SHARDS_URING)
    struct xsc_uring *uring;
    struct io_uring ring;
#endif
};

static struct xsc_shard *shard_of(uint32_t room, uint32_t devices,
                                  const struct xsc_shard_ring *ring)
{
    const struct xsc_shard_config config = {.size = sizeof(config),
                                            .message_size = sizeof(struct shards_message),
                                            .capacity = room ? room : 2,
                                            .devices = devices,
                                            .ring = ring};
    struct xsc_shard *shard;
    const int err = xsc_shard_create(&config, &shard);

    if (err) {
        bench_die("no shard: %s", strerror(-err));
    }
    return shard;
}

static void *make_plain(uint32_t room)
{
    struct ours *o = bench_alloc(sizeof(*o));

    o->shard = shard_of(room, 0, NULL);
    return o;
}

static void *make_devices(uint32_t room)
{
    struct ours *o = bench_alloc(sizeof(*o));

    o->shard = shard_of(room, 1, NULL);
    return o;
}

static void destroy(void *queue)
{
    struct ours *o = queue;
    const int left = xsc_shard_destroy(o->shard);

    if (left) {
        bench_die("a shard was left with %d", left);
    }
#if defined(XSC_BENCH_SHARDS_URING)
    if (o->uring) {
        xsc_uring_close(o->uring);
        io_uring_queue_exit(&o->ring);
    }
#endif
    free(o);
}

struct body {
    void (*fn)(void *arg);
    void *arg;
};

static int in_shard(struct xsc_shard *self, void *arg)
{
    const struct body *b = arg;

    (void)self;
    b->fn(b->arg);
    return 0;
}

static void read_in(void *queue, void (*body)(void *arg), void *arg)
{
    const struct ours *o = queue;
    struct body b = {body, arg};
    const int err = xsc_shard_run(o->shard, -1, in_shard, &b);

    if (err) {
        bench_die("a shard ended: %s", strerror(-err));
    }
}

static void put(void *queue, const struct shards_message *m)
{
    const struct ours *o = queue;
    const int err = xsc_shard_send_for(o->shard, m, XSC_FOREVER);

    if (err) {
        bench_die("a send to a shard: %s", strerror(-err));
    }
}

static void get(void *queue, struct shards_message *m)
{
    const struct ours *o = queue;
    int fd;

    if (xsc_shard_yield(o->shard, m, &fd, XSC_FOREVER) != XSC_SHARD_MESSAGE) {
        bench_die("a shard has received something else");
    }
}

const struct shards_peer shards_xsc = {
    .name = "xsc shard",
    .kind = SHARDS_OURS,
    .open = make_plain,
    .close = destroy,
    .read_in = read_in,
    .send = put,
    .receive = get,
};

/* A port to another system than Linux has none. */
static bool devices_usable(void)
{
    const struct xsc_shard_config config = {
        .size = sizeof(config), .message_size = 1, .capacity = 2, .devices = 1};
    struct xsc_shard *shard;

    if (xsc_shard_create(&config, &shard)) {
        return false;
    }
    xsc_shard_stop(shard);
    xsc_shard_destroy(shard);
    return true;
}

const struct shards_peer shards_xsc_devices = {
    .name = "xsc shard, descriptors",
    .kind = SHARDS_OURS,
    .usable = devices_usable,
    .open = make_devices,
    .close = destroy,
    .read_in = read_in,
    .send = put,
    .receive = get,
};

#if defined(XSC_BENCH_SHARDS_URING)

static bool ring_usable(void)
{
    struct xsc_uring *u;
    struct io_uring ring;
    bool usable = false;

    if (!io_uring_queue_init(4, &ring, 0)) {
        usable = !xsc_uring_open(&ring, &u);
        if (usable) {
            xsc_uring_close(u);
        }
        io_uring_queue_exit(&ring);
    }
    return usable;
}

static void *make_ring(uint32_t room)
{
    struct ours *o = bench_alloc(sizeof(*o));
    int err = io_uring_queue_init(64, &o->ring, 0);

    err = err ? err : xsc_uring_open(&o->ring, &o->uring);
    if (err) {
        bench_die("no io_uring: %s", strerror(-err));
    }
    o->shard = shard_of(room, 0, xsc_uring_of_shard(o->uring));
    return o;
}

const struct shards_peer shards_xsc_uring = {
    .name = "xsc shard, io_uring",
    .kind = SHARDS_OURS,
    .usable = ring_usable,
    .open = make_ring,
    .close = destroy,
    .read_in = read_in,
    .send = put,
    .receive = get,
};
#endif
