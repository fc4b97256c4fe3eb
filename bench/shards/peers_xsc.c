/* SPDX-License-Identifier: MIT */
/* Ours, without descriptors and with. */
#include <string.h>

#include <xsc/shard.h>

#include "bench/harness.h"
#include "bench/shards/shards.h"

static void *make(uint32_t room, uint32_t devices)
{
    const struct xsc_shard_config config = {.size = sizeof(config),
                                            .message_size = sizeof(struct shards_message),
                                            .capacity = room ? room : 2,
                                            .devices = devices};
    struct xsc_shard *shard;
    const int err = xsc_shard_create(&config, &shard);

    if (err) {
        bench_die("no shard: %s", strerror(-err));
    }
    return shard;
}

static void *make_plain(uint32_t room)
{
    return make(room, 0);
}

static void *make_devices(uint32_t room)
{
    return make(room, 1);
}

static void destroy(void *queue)
{
    const int left = xsc_shard_destroy(queue);

    if (left) {
        bench_die("a shard was left with %d", left);
    }
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
    struct body b = {body, arg};
    const int err = xsc_shard_run(queue, -1, in_shard, &b);

    if (err) {
        bench_die("a shard ended: %s", strerror(-err));
    }
}

static void send(void *queue, const struct shards_message *m)
{
    const int err = xsc_shard_send_for(queue, m, XSC_FOREVER);

    if (err) {
        bench_die("a send to a shard: %s", strerror(-err));
    }
}

static void receive(void *queue, struct shards_message *m)
{
    int fd;

    if (xsc_shard_yield(queue, m, &fd, XSC_FOREVER) != XSC_SHARD_MESSAGE) {
        bench_die("a shard has received something else");
    }
}

const struct shards_peer shards_xsc = {
    .name = "xsc shard",
    .kind = SHARDS_OURS,
    .open = make_plain,
    .close = destroy,
    .read_in = read_in,
    .send = send,
    .receive = receive,
};

const struct shards_peer shards_xsc_devices = {
    .name = "xsc shard, descriptors",
    .kind = SHARDS_OURS,
    .open = make_devices,
    .close = destroy,
    .read_in = read_in,
    .send = send,
    .receive = receive,
};
