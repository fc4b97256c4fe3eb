/* SPDX-License-Identifier: MIT */
/*
 * test_wait_site: xsc_wait_site(). Its writers only store. A store that is not noticed lasts until the
 * watchdog ends the test; nothing here depends on how fast something is. Exit 0 or 1.
 */
#define _GNU_SOURCE
#include <pthread.h>

#include <xsc/park.h>

#include "park_test.h"

#if defined(XSC_PARK_SANITIZED) || defined(XSC_TEST_OTHER_PORT)
#define ROUNDS 500u
#else
#define ROUNDS 5000u
#endif
#define WORDS 16u

static struct xsc_site site;
static union {
    uint8_t u8;
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;
} words[WORDS];
static uint32_t said, seen; /* plain: what a store publishes; and the answer to it */

static uint32_t size_of(uint32_t round)
{
    return 1u << round % 4;
}

static struct xsc_watch watch_of(uint32_t round, uint64_t old)
{
    return (struct xsc_watch){&words[round % WORDS], old, UINT64_MAX, size_of(round),
                              XSC_UNTIL_NOT};
}

static void store(uint32_t round, uint64_t value)
{
    void *word = &words[round % WORDS];

    switch (size_of(round)) {
    case 1:
        __atomic_store_n((uint8_t *)word, (uint8_t)value, __ATOMIC_RELEASE);
        break;
    case 2:
        __atomic_store_n((uint16_t *)word, (uint16_t)value, __ATOMIC_RELEASE);
        break;
    case 4:
        __atomic_store_n((uint32_t *)word, (uint32_t)value, __ATOMIC_RELEASE);
        break;
    default:
        __atomic_store_n((uint64_t *)word, value, __ATOMIC_RELEASE);
    }
}

/* Before the other looks, while it watches, in its naps, and when it dozes. */
static void *writer(void *arg)
{
    uint64_t random = 88172645463325252ull;

    (void)arg;
    for (uint32_t i = 0; i < ROUNDS; i++) {
        spin_for(next_random(&random) % (i % 64 ? 300000 : 3000000));
        said = i;
        store(i, i + 1);
        while (__atomic_load_n(&seen, __ATOMIC_ACQUIRE) != i + 1) {
        }
    }
    return NULL;
}

/* Many words of every size at one site; what was written before the store is there. */
static void every_store_ends_a_wait(void)
{
    pthread_t thread;

    CHECK(!pthread_create(&thread, NULL, writer, NULL), "no thread");
    for (uint32_t i = 0; i < ROUNDS; i++) {
        const struct xsc_watch w = watch_of(i, i < WORDS ? 0 : i + 1 - WORDS);
        const uint64_t mask = size_of(i) == 8 ? UINT64_MAX : (1ull << 8 * size_of(i)) - 1;
        const struct xsc_watch fits = {w.word, w.value & mask, mask, w.size, w.until};

        CHECK(xsc_wait_site(&site, &fits, XSC_FOREVER) == 0, "round %u", i);
        CHECK(said == i, "round %u brought %u", i, said);
        __atomic_store_n(&seen, i + 1, __ATOMIC_RELEASE);
    }
    pthread_join(thread, NULL);
}

static void timeouts(void)
{
    static const uint64_t lengths[] = {1000, 20000, 300000, 5 * MS};
    static uint32_t never;
    const struct xsc_watch w = XSC_WATCH(&never, 0);

    errno = 1234;
    CHECK(xsc_wait_site(&site, &w, 0) == -ETIMEDOUT, "a poll");
    for (unsigned i = 0; i < 40; i++) {
        const uint64_t start = now_ns(), length = lengths[i % 4];

        CHECK(xsc_wait_site(&site, &w, length) == -ETIMEDOUT, "no thread stores");
        CHECK(now_ns() - start >= length, "%u ns ended early", (unsigned)length);
    }
    CHECK(xsc_wait_site(NULL, &w, 0) == -EINVAL, "no site");
    CHECK(xsc_wait_site(&site, NULL, 0) == -EINVAL, "no watch");
    CHECK(errno == 1234, "errno is %d", errno);
}

int main(void)
{
    every_store_ends_a_wait();
    timeouts();
    return 0;
}
