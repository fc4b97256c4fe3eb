/* SPDX-License-Identifier: MIT */
/*
 * The floor: a message in a cache line of its own, beside the number that says so; its reader looks,
 * and gives the CPU a hint, and looks. One writer, one reader, no end, no sleep.
 */
#include <stdlib.h>

#include "arch/arch.h"
#include "bench/harness.h"
#include "bench/shards/shards.h"

struct line {
    uint64_t number; /* of the message that is here, and 1 */
    struct shards_message m;
} __attribute__((aligned(64)));

struct bare {
    uint64_t room;
    bool bounded; /* else it is known that there is room */
    struct line *lines;
    uint64_t sent __attribute__((aligned(128))), known_taken; /* the writer's */
    uint64_t taken __attribute__((aligned(128)));             /* the reader's */
} __attribute__((aligned(128)));

static void *make(uint32_t room)
{
    struct bare *b = aligned_alloc(128, sizeof(*b));
    const size_t lines = room ? room : 2;

    if (!b) {
        bench_die("out of memory");
    }
    *b = (struct bare){
        .room = lines, .bounded = room, .lines = aligned_alloc(128, lines * sizeof(struct line))};
    if (!b->lines) {
        bench_die("out of memory");
    }
    for (size_t i = 0; i < lines; i++) {
        b->lines[i] = (struct line){0};
    }
    return b;
}

static void destroy(void *queue)
{
    struct bare *b = queue;

    free(b->lines);
    free(b);
}

static void send(void *queue, const struct shards_message *m)
{
    struct bare *b = queue;
    struct line *l = &b->lines[b->sent % b->room];

    while (b->bounded && b->sent - b->known_taken >= b->room) {
        b->known_taken = __atomic_load_n(&b->taken, __ATOMIC_ACQUIRE);
        if (b->sent - b->known_taken >= b->room) {
            xsc_arch_relax();
        }
    }
    l->m = *m;
    __atomic_store_n(&l->number, ++b->sent, __ATOMIC_RELEASE);
}

static void receive(void *queue, struct shards_message *m)
{
    struct bare *b = queue;
    const struct line *l = &b->lines[b->taken % b->room];

    while (__atomic_load_n(&l->number, __ATOMIC_ACQUIRE) != b->taken + 1) {
        xsc_arch_relax();
    }
    *m = l->m;
    __atomic_store_n(&b->taken, b->taken + 1, __ATOMIC_RELEASE);
}

const struct shards_peer shards_bare = {
    .name = "bare cache line",
    .kind = SHARDS_BARE,
    .open = make,
    .close = destroy,
    .send = send,
    .receive = receive,
};
