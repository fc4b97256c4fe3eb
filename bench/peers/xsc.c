/* SPDX-License-Identifier: MIT */
/* The library: no deadline, nothing owed by the writer. */
#include <stddef.h>

#include <xsc/wait.h>

#include "bench/peers/peer.h"

#define DEFINE_WAIT(bits)                                                                          \
    static void wait_##bits(const volatile void *word, uint64_t old)                               \
    {                                                                                              \
        xsc_wait_u##bits(word, (uint##bits##_t)old, XSC_FOREVER);                                  \
    }
DEFINE_WAIT(8)
DEFINE_WAIT(16)
DEFINE_WAIT(32)
DEFINE_WAIT(64)

const struct bench_peer bench_peer_xsc = {
    .name = "xsc_wait",
    .kind = BENCH_WATCHES,
    .wait = {wait_8, wait_16, wait_32, wait_64},
    .notify = NULL,
};
