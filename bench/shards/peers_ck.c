/* SPDX-License-Identifier: MIT */
/* Concurrency Kit's ring for one writer and one reader, both of which spin. */
#include <stdlib.h>

#include <ck_ring.h>

#include "arch/arch.h"
#include "bench/harness.h"
#include "bench/shards/shards.h"

CK_RING_PROTOTYPE(messages, shards_message)

struct ring {
    ck_ring_t ring;
    struct shards_message *messages;
} __attribute__((aligned(128)));

/* It keeps one place free. */
static void *make(uint32_t room)
{
    struct ring *r = aligned_alloc(128, sizeof(*r));
    unsigned size = 4;

    if (!r) {
        bench_die("out of memory");
    }
    while (size < room) {
        size *= 2;
    }
    r->messages = bench_alloc(size * sizeof(*r->messages));
    ck_ring_init(&r->ring, size);
    return r;
}

static void destroy(void *queue)
{
    struct ring *r = queue;

    free(r->messages);
    free(r);
}

static void send(void *queue, const struct shards_message *m)
{
    struct ring *r = queue;
    struct shards_message copy = *m;

    while (!CK_RING_ENQUEUE_SPSC(messages, &r->ring, r->messages, &copy)) {
        xsc_arch_relax();
    }
}

static void receive(void *queue, struct shards_message *m)
{
    struct ring *r = queue;

    while (!CK_RING_DEQUEUE_SPSC(messages, &r->ring, r->messages, m)) {
        xsc_arch_relax();
    }
}

const struct shards_peer shards_ck = {
    .name = "ck_ring, spinning",
    .kind = SHARDS_SPINS,
    .open = make,
    .close = destroy,
    .send = send,
    .receive = receive,
};
