/* SPDX-License-Identifier: MIT */
/* tests/native/shard_test.h - messages that show whether they are whole, and shards made for a test */
#ifndef XSC_SHARD_TEST_H
#define XSC_SHARD_TEST_H

#include <sched.h>

#include <xsc/shard.h>

#include "park_test.h"

struct message {
    uint32_t from, n;
    uint64_t check[5]; /* a message torn in two is seen by these */
};

static inline struct message message_of(uint32_t from, uint32_t n)
{
    struct message m = {.from = from, .n = n};

    for (uint64_t i = 0; i < 5; i++) {
        m.check[i] = ((uint64_t)from << 32 | n) * (2 * i + 3);
    }
    return m;
}

static inline bool whole(const struct message *m)
{
    const struct message wanted = message_of(m->from, m->n);

    return !memcmp(m, &wanted, sizeof(wanted));
}

static inline struct xsc_shard *make(uint32_t capacity, uint32_t devices)
{
    const struct xsc_shard_config config = {.size = sizeof(config),
                                            .message_size = sizeof(struct message),
                                            .capacity = capacity,
                                            .devices = devices};
    struct xsc_shard *s = NULL;
    const int err = xsc_shard_create(&config, &s);

    CHECK(!err && s, "create: %d", err);
    if (err) {
        exit(1);
    }
    return s;
}

static inline struct xsc_shard_stats counts(const struct xsc_shard *s)
{
    struct xsc_shard_stats n;

    CHECK(!xsc_shard_stats_read(s, &n, sizeof(n)), "statistics");
    return n;
}

/*
 * One ring a sleep; without devices at most one wake a message, and one of the stop: a sender that
 * has lost its CPU just before its wake may make it when the shard is parked for that cell again.
 */
static inline void wakes_are_few(const struct xsc_shard_stats *n, uint32_t devices)
{
    CHECK(n->wakes <= (devices ? n->parks : n->accepted + 1), "%llu wakes for %llu parks",
          (unsigned long long)n->wakes, (unsigned long long)n->parks);
}

static inline void destroy(struct xsc_shard *s, int left)
{
    const int got = xsc_shard_destroy(s);

    CHECK(got == left, "destroy: %d for %d left", got, left);
}

struct sender {
    struct xsc_shard *to;
    uint32_t number, sends; /* sends: all of them, or UINT32_MAX: until the mailbox is closed */
    uint32_t accepted;
};

static inline void *send_all(void *arg)
{
    struct sender *self = arg;

    while (self->accepted < self->sends) {
        const struct message m = message_of(self->number, self->accepted);
        const bool waits = self->accepted % 3;
        const int err = waits ? xsc_shard_send_for(self->to, &m, XSC_FOREVER)
                              : xsc_shard_send(self->to, &m);

        if (err == -EPIPE) {
            break;
        }
        if (err == -EAGAIN && !waits) {
            sched_yield();
            continue;
        }
        CHECK(!err, "a send: %d", err);
        self->accepted++;
    }
    return NULL;
}

#endif /* XSC_SHARD_TEST_H */
