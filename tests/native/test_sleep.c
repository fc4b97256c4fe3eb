/* SPDX-License-Identifier: MIT */
/*
 * test_sleep: what user/sleep.h promises of the OS underneath parking. A sleep that should not
 * have begun would last until the watchdog ends the test: nothing here depends on how fast
 * something is. Exit 0, 1, or 77 for an OS with neither futex nor membarrier.
 */
#define _GNU_SOURCE
#include <pthread.h>

#include "park_test.h"
#include "user/sleep.h"

#define SLEEPERS 3

static uint32_t word;
static volatile int asleep, awake;

static void *sleeper(void *arg)
{
    __atomic_fetch_add(&asleep, 1, __ATOMIC_RELEASE);
    while (
        !xsc_sleep(&word, 0, (uint32_t)(uintptr_t)arg, XSC_FOREVER, false)) { /* a wake ends it */
    }
    __atomic_fetch_add(&awake, 1, __ATOMIC_RELEASE);
    return NULL;
}

/* Wakes until that many are awake: who is not asleep yet is woken by the next. */
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
    bool woken = true;

    CHECK(!xsc_sleep(&word, 1, 1, XSC_FOREVER, false), "said to be woken");
    CHECK(!xsc_sleep(&word, 1, 1, XSC_FOREVER, true), "said to be woken");
    for (int half = 0; half < 2; half++) {
        uint32_t expected[2] = {0, 0};
        uint64_t whole;

        expected[half] = 1;
        memcpy(&whole, expected, sizeof(whole));
        if (!xsc_sleep_wide(&wide, whole, XSC_FOREVER, &woken)) {
            printf("# no futex_waitv here: the first half is slept on, a millisecond at a time\n");
        }
        CHECK(!woken, "said to be woken");
    }
}

static void deadlines(void)
{
    uint64_t wide = 0;
    bool woken;

    for (uint64_t ns = 1; ns <= 20 * MS; ns *= 27) {
        uint64_t until = now_ns() + ns;

        /* It may come back early for a signal or for nothing, but there is none, and it does not. */
        CHECK(!xsc_sleep(&word, 0, 1, until, false), "said to be woken");
        CHECK(now_ns() >= until, "%llu ns, early", (unsigned long long)ns);
        until = now_ns() + ns;
        xsc_sleep(&word, 0, 1, until, true);
        CHECK(now_ns() >= until, "%llu ns, early", (unsigned long long)ns);
        until = now_ns() + ns;
        CHECK(!xsc_sleep_wide(&wide, 0, until, &woken) || now_ns() >= until, "%llu ns, early",
              (unsigned long long)ns);
    }
    xsc_sleep(&word, 0, 1, 1, false); /* long past */
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
    deadlines();
    bits_and_counts();
    printf("%s - sleeping, waking, barriers\n", failures ? "not ok" : "ok");
    return failures ? 1 : 0;
}
