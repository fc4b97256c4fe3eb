/* SPDX-License-Identifier: MIT */
/*
 * bench/shards/shards.h - one way to hand messages to another thread
 *
 * A queue has one reader, and here one writer. To add a contender: a file here with its struct
 * shards_peer, a line in shards.c's list and in shards.cmake.
 */
#ifndef XSC_BENCH_SHARDS_H
#define XSC_BENCH_SHARDS_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct shards_message {
    uint64_t number;
    uint64_t sent; /* ticks of the counter */
};

enum shards_kind {
    SHARDS_BARE, /* the floor: a cache line, and a thread that polls it */
    SHARDS_OURS,
    SHARDS_SPINS, /* never leaves its CPU */
    SHARDS_PARKS, /* can leave it */
};

struct shards_peer {
    const char *name;
    enum shards_kind kind;
    bool rival; /* one of those that the goals name */

    bool (*usable)(void); /* whether this machine has it; NULL: it has */

    /* A queue with room for so many messages; 0: there is never more than one in it. */
    void *(*open)(uint32_t room);
    void (*close)(void *queue);

    /* Makes the caller the queue's reader while body(arg) runs; NULL: it need not be told. */
    void (*read_in)(void *queue, void (*body)(void *arg), void *arg);

    void (*send)(void *queue, const struct shards_message *m); /* waits for room */
    void (*receive)(void *queue, struct shards_message *m);    /* waits for a message */
};

extern const struct shards_peer shards_bare, shards_xsc, shards_xsc_devices, shards_xsc_uring;
extern const struct shards_peer shards_cond, shards_eventfd, shards_pipe;
extern const struct shards_peer shards_ck, shards_moodycamel, shards_tbb;

/* System calls of the calling thread from now on: a descriptor, or -1 where they can't be counted. */
int shards_calls_begin(void);
uint64_t shards_calls_end(int fd);

#ifdef __cplusplus
}
#endif

#endif /* XSC_BENCH_SHARDS_H */
