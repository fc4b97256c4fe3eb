/* SPDX-License-Identifier: MIT */
/*
 * bench/replay.h - one way for one thread to wait for another's news, for the question replay
 *
 * The news are the numbers 1, 2, 3, ..., one after another, each waited for before the next is
 * posted. To add a contender: a file in bench/peers/, a line in replay.c's list.
 */
#ifndef XSC_BENCH_REPLAY_H
#define XSC_BENCH_REPLAY_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct replay_peer {
    /* Before the first round; NULL: nothing to do. Returns 0, or an errno value. */
    int (*start)(void);

    /* Before each trace; NULL: it has nothing to forget. */
    void (*restart)(void);

    /* Returns once something newer than `seen` has been posted. */
    void (*wait)(uint32_t seen);

    /* Stores `news`, and wakes the waiter. */
    void (*post)(uint32_t news);
};

extern const struct replay_peer replay_park, replay_wait, replay_wait_site, replay_pause,
    replay_futex, replay_cond, replay_sem, replay_eventfd, replay_std_atomic, replay_ck_ec,
    replay_nsync, replay_abseil, replay_onetbb;

#ifdef __cplusplus
}
#endif

#endif /* XSC_BENCH_REPLAY_H */
