/* SPDX-License-Identifier: MIT */
/* Waits that leave the CPU, with a writer that calls: the library's, and POSIX's. */
#include <pthread.h>
#include <stddef.h>

#include <xsc/park.h>

#include "bench/peers/peer.h"

static void park(const volatile void *word, uint64_t old)
{
    xsc_park_u32(word, (uint32_t)old, XSC_FOREVER);
}

static void unpark(volatile void *word)
{
    xsc_unpark_one(word);
}

const struct bench_peer bench_peer_park = {
    .name = "xsc_park",
    .kind = BENCH_PARKS,
    .wait = {NULL, NULL, park, NULL},
    .notify = unpark,
};

/* One pair for all words: a waiter for another word looks again, so all are woken. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

static void cond_wait(const volatile void *word, uint64_t old)
{
    const volatile uint32_t *w = word;

    pthread_mutex_lock(&mutex);
    while (__atomic_load_n(w, __ATOMIC_ACQUIRE) == (uint32_t)old) {
        pthread_cond_wait(&changed, &mutex);
    }
    pthread_mutex_unlock(&mutex);
}

static void cond_notify(volatile void *word)
{
    (void)word;
    pthread_mutex_lock(&mutex); /* the store was made outside: a waiter may be about to sleep */
    pthread_mutex_unlock(&mutex);
    pthread_cond_broadcast(&changed);
}

const struct bench_peer bench_peer_cond = {
    .name = "pthread_cond",
    .kind = BENCH_PARKS,
    .wait = {NULL, NULL, cond_wait, NULL},
    .notify = cond_notify,
};
