/* SPDX-License-Identifier: MIT */
/* The loop that people write by hand: look, spin hint, look, with no end but the store. */
#include <stddef.h>

#include "arch/arch.h"
#include "bench/peers/peer.h"

#define DEFINE_WAIT(bits)                                                                          \
    static void wait_##bits(const volatile void *word, uint64_t old)                               \
    {                                                                                              \
        const volatile uint##bits##_t *w = word;                                                   \
                                                                                                   \
        while (__atomic_load_n(w, __ATOMIC_ACQUIRE) == (uint##bits##_t)old) {                      \
            xsc_arch_relax();                                                                      \
        }                                                                                          \
    }
DEFINE_WAIT(8)
DEFINE_WAIT(16)
DEFINE_WAIT(32)
DEFINE_WAIT(64)

const struct bench_peer bench_peer_pause = {
    .name = "bare PAUSE spin",
    .kind = BENCH_WATCHES,
    .wait = {wait_8, wait_16, wait_32, wait_64},
    .notify = NULL,
};

static unsigned hints = 1;

void bench_pauses_set(unsigned n)
{
    hints = n;
}

static void wait_pauses(const volatile void *word, uint64_t old)
{
    const volatile uint32_t *w = word;
    const unsigned n = hints;

    while (__atomic_load_n(w, __ATOMIC_ACQUIRE) == (uint32_t)old) {
        for (unsigned i = n; i; i--) {
            xsc_arch_relax();
        }
    }
}

const struct bench_peer bench_peer_pauses = {
    .name = "bare spin",
    .kind = BENCH_WATCHES,
    .wait = {NULL, NULL, wait_pauses, NULL},
    .notify = NULL,
};
