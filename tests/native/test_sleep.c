/* SPDX-License-Identifier: MIT */
/*
 * test_sleep: what user/sleep.h promises of the OS underneath parking. A sleep that should not
 * have begun would last until the watchdog ends the test: nothing here depends on how fast
 * something is. Exit 0, 1, or 77 for an OS with neither futex nor membarrier.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include "park_test.h"
#include "user/sleep.h"

#define SLEEPERS 3

static uint32_t word;
static volatile int asleep, awake;

static void *sleeper(void *arg)
{
    __atomic_fetch_add(&asleep, 1, __ATOMIC_RELEASE);
    const enum xsc_slept end = xsc_sleep(&word, 0, (uint32_t)(uintptr_t)arg, XSC_FOREVER, false);

    CHECK(end == XSC_SLEPT_WOKEN, "%d, woken", (int)end);
    __atomic_fetch_add(&awake, 1, __ATOMIC_RELEASE);
    return NULL;
}

/* Wakes until that many are awake: a thread that is not asleep yet is woken by the next. */
static void wake_until(int n, uint32_t bits, uint32_t count, bool shared)
{
    while (__atomic_load_n(&awake, __ATOMIC_ACQUIRE) < n) {
        CHECK(xsc_wake(&word, bits, count, shared) <= SLEEPERS, "more than there are");
    }
}

static void bits_and_counts(void)
{
    pthread_t thread[SLEEPERS];

    for (uintptr_t i = 0; i < SLEEPERS; i++) {
        CHECK(!pthread_create(&thread[i], NULL, sleeper, (void *)(i ? (uintptr_t)2 : 1)), "no");
    }
    wake_until(1, 1, UINT32_MAX, false); /* one has that bit */
    spin_for(20 * MS);
    CHECK(__atomic_load_n(&awake, __ATOMIC_ACQUIRE) == 1, "%d awake, one has that bit", awake);
    wake_until(2, 2, 1, false);
    wake_until(3, 3, UINT32_MAX, false);
    for (int i = 0; i < SLEEPERS; i++) {
        pthread_join(thread[i], NULL);
    }
}

/* What has changed already is not slept on. */
static void comparisons(void)
{
    uint64_t wide = 0;

    CHECK(xsc_sleep(&word, 1, 1, XSC_FOREVER, false) == XSC_SLEPT_CHANGED, "not as expected");
    CHECK(xsc_sleep(&word, 1, 1, XSC_FOREVER, true) == XSC_SLEPT_CHANGED, "not as expected");
    for (int half = 0; half < 2; half++) {
        uint32_t expected[2] = {0, 0};
        uint64_t whole;

        expected[half] = 1;
        memcpy(&whole, expected, sizeof(whole));
        const enum xsc_slept end = xsc_sleep_wide(&wide, whole, XSC_FOREVER);

        if (end == XSC_SLEPT_REFUSED) {
            printf("# no futex_waitv here: the first half is slept on, a millisecond at a time\n");
        } else {
            CHECK(end == XSC_SLEPT_CHANGED, "half %d: %d, not as expected", half, (int)end);
        }
    }
}

static void deadlines(void)
{
    uint64_t wide = 0;

    for (uint64_t ns = 1; ns <= 20 * MS; ns *= 27) {
        uint64_t until;

        /* It may come back early for a signal or for nothing, but there is none, and it does not. */
        for (int shared = 0; shared < 2; shared++) {
            until = now_ns() + ns;
            CHECK(xsc_sleep(&word, 0, 1, until, shared) == XSC_SLEPT_TIMED_OUT, "%llu ns",
                  (unsigned long long)ns);
            CHECK(now_ns() >= until, "%llu ns, early", (unsigned long long)ns);
        }
        until = now_ns() + ns;
        CHECK(xsc_sleep_wide(&wide, 0, until) == XSC_SLEPT_REFUSED || now_ns() >= until,
              "%llu ns, early", (unsigned long long)ns);
    }
    CHECK(xsc_sleep(&word, 0, 1, 1, false) == XSC_SLEPT_TIMED_OUT, "long past");
}

/* Memory that the kernel takes no shared futex in: a page that can't be written and is no file's. */
static void refused(void)
{
#if defined(__linux__) && !defined(XSC_TEST_OTHER_PORT)
    const long page = sysconf(_SC_PAGESIZE);
    uint32_t *at = mmap(NULL, (size_t)page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    CHECK(at != MAP_FAILED && !*at, "mmap: %s", strerror(errno));
    CHECK(xsc_sleep(at, 0, 1, XSC_FOREVER, true) == XSC_SLEPT_REFUSED, "slept");
    CHECK(xsc_sleep_wide((uint64_t *)(void *)at, 0, XSC_FOREVER) == XSC_SLEPT_REFUSED, "slept");
    munmap(at, (size_t)page);
#endif
}

int main(void)
{
    if (!xsc_barrier_register(false)) {
        printf("skipped: no membarrier here (Linux 4.14, and no filter that refuses it)\n");
        return SKIP;
    }
    alarm(60);
    CHECK(xsc_barrier_everywhere(false), "registered");
    CHECK(xsc_barrier_register(true) && xsc_barrier_everywhere(true), "all processes");
    comparisons();
    refused();
    deadlines();
    bits_and_counts();
    printf("%s - sleeping, waking, barriers\n", failures ? "not ok" : "ok");
    return failures ? 1 : 0;
}
