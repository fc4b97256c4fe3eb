/* SPDX-License-Identifier: MIT */
/* tests/native/uring_test.h - a shard with an io_uring, for the tests of xsc/uring.h */
#ifndef XSC_URING_TEST_H
#define XSC_URING_TEST_H

#include <liburing.h>

#include <xsc/uring.h>

#include "park_test.h"

#define ENTRIES 64u
#define NUMBER 0x1000u /* user_data of completion 0 */

struct rig {
    struct io_uring ring;
    struct xsc_uring *uring;
    struct xsc_shard *shard;
};

static inline bool open_rig(struct rig *r, uint32_t capacity)
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

static inline void close_rig(struct rig *r)
{
    const int left = xsc_shard_destroy(r->shard);

    CHECK(!left, "destroy: %d", left);
    xsc_uring_close(r->uring);
    io_uring_queue_exit(&r->ring);
}

static inline struct xsc_shard_stats counts(const struct rig *r)
{
    struct xsc_shard_stats n;

    CHECK(!xsc_shard_stats_read(r->shard, &n, sizeof(n)), "statistics");
    return n;
}

/* Ends the program with 77 where there is no io_uring, and says how to get it. */
static inline void need_uring(void)
{
    struct io_uring ring;
    const int err = io_uring_queue_init(4, &ring, 0);

    if (err) {
        fprintf(stderr,
                "no io_uring here (%s): it takes Linux 5.18, kernel.io_uring_disabled=0 and a "
                "container that allows it; tests/guest boots a kernel that has it\n",
                strerror(-err));
        exit(SKIP);
    }
    io_uring_queue_exit(&ring);
}

#endif /* XSC_URING_TEST_H */
