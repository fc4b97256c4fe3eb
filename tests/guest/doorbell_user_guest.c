/* SPDX-License-Identifier: MIT */
/*
 * doorbell_user_guest: the library's waits through /dev/xsc-doorbell0, a real interrupt, in a
 * booted kernel with an edu device; run by doorbell_guest, which has the rest. Prints a line a check
 * and ends with 1 when one failed.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include <xsc/doorbell.h>

#include "tests/guest/kernel_guest.h"
#include "tests/native/listens.h"

#define BELL "/dev/xsc-doorbell0"
#define DRIVER "/sys/bus/pci/drivers/xsc_doorbell"
#define WAITERS 3
#define ROUNDS 100
#define S 1000000000ull

static uint64_t *word; /* shared with children */
static uint32_t answers;
static struct xsc_doorbell bell;

static struct xsc_doorbell_report report(void)
{
    struct xsc_doorbell_report r = {0};

    xsc_doorbell_read(&bell, &r, sizeof(r));
    return r;
}

static bool is(uint32_t state)
{
    return report().state == state;
}

/* ------------------------------------------------------------------------------- waiting ---- */

static void *waiter(void *arg)
{
    const unsigned i = (unsigned)(uintptr_t)arg;
    uintptr_t wrong = 0;

    for (uint64_t n = 1; n <= ROUNDS; n++) {
        wrong += xsc_doorbell_wait_u64(&bell, &word[16 * i], n - 1, PATIENCE_S * S) ||
                 __atomic_load_n(&word[16 * i], __ATOMIC_RELAXED) != n;
        __atomic_add_fetch(&answers, 1, __ATOMIC_RELEASE);
    }
    return (void *)wrong;
}

static void *store(void *unused)
{
    (void)unused;
    __atomic_store_n(&word[0], 1, __ATOMIC_RELEASE);
    return NULL;
}

static void *sleeper(void *unused)
{
    (void)unused;
    return (void *)(intptr_t)xsc_doorbell_wait_u64(&bell, &word[0], 0, PATIENCE_S * S);
}

/* A sleeper is woken by the interrupt: else the look after a second would find a lost ring. */
static void asleep(void)
{
    int wrong = 0;

    for (int n = 0; n < 20; n++) {
        pthread_t thread;
        void *result;

        /* Again: a sleeper leaves its set to the next. */
        wrong += xsc_doorbell_close(&bell) || xsc_doorbell_open(&bell, BELL) ||
                 xsc_doorbell_try(&bell, XSC_BELL_TRIAL_RINGS);
        __atomic_store_n(&word[0], 0, __ATOMIC_RELAXED);
        pthread_create(&thread, NULL, sleeper, NULL);
        while (!a_thread_listens()) {
            sched_yield();
        }
        store(NULL);
        wrong += xsc_doorbell_ring(&bell, 0) != 0;
        pthread_join(thread, &result);
        wrong += result || !is(XSC_BELL_STEADY);
    }
    check(!wrong, "20 times asleep, and rung for: %s", report().reason);
}

/* One interrupt a store, for one of the waiters: all wake, none takes it from another. */
static void rounds(void)
{
    pthread_t thread[WAITERS];
    uintptr_t wrong = 0;

    for (uintptr_t i = 0; i < WAITERS; i++) {
        pthread_create(&thread[i], NULL, waiter, (void *)i);
    }
    for (uint32_t n = 0; n < WAITERS * ROUNDS; n++) {
        __atomic_add_fetch(&word[16 * (n % WAITERS)], 1, __ATOMIC_RELEASE);
        wrong += xsc_doorbell_ring(&bell, 0) != 0;
        while (__atomic_load_n(&answers, __ATOMIC_ACQUIRE) <= n) {
            sched_yield();
        }
    }
    for (int i = 0; i < WAITERS; i++) {
        void *result;

        pthread_join(thread[i], &result);
        wrong += (uintptr_t)result;
    }
    check(!wrong && is(XSC_BELL_STEADY), "%d waiters, %d rings for each, one bell: %s", WAITERS,
          ROUNDS, report().reason);
}

/* Another process with an opening of its own rings for us. */
static void from_another_process(void)
{
    int status = 0;
    const pid_t child = fork();

    if (!child) {
        struct xsc_doorbell own;
        int wrong = xsc_doorbell_open(&own, BELL);

        for (uint64_t n = 1; n <= ROUNDS && !wrong; n++) {
            __atomic_store_n(&word[0], n, __ATOMIC_RELEASE);
            wrong = xsc_doorbell_ring(&own, 0);
            while (!wrong && __atomic_load_n(&word[16], __ATOMIC_ACQUIRE) != n) {
                sched_yield();
            }
        }
        _exit(wrong || xsc_doorbell_close(&own));
    }
    int wrong = 0;

    for (uint64_t n = 1; n <= ROUNDS; n++) {
        wrong += xsc_doorbell_wait_u64(&bell, &word[0], n - 1, PATIENCE_S * S) != 0;
        __atomic_store_n(&word[16], n, __ATOMIC_RELEASE);
    }
    waitpid(child, &status, 0);
    check(!status && !wrong && is(XSC_BELL_STEADY), "another process rings %d times: %s", ROUNDS,
          report().reason);
}

/* A plain store, which rings nothing. */
static int watch_a_store(void)
{
    pthread_t thread;

    word[0] = 0;
    pthread_create(&thread, NULL, store, NULL);
    const int err = xsc_doorbell_wait_u64(&bell, &word[0], 0, PATIENCE_S * S);

    pthread_join(thread, NULL);
    return err;
}

static void removed(void)
{
    char path[512] = "";
    pthread_t thread;
    void *result;
    DIR *dir = opendir(DRIVER);

    for (struct dirent *e; dir && (e = readdir(dir));) {
        if (strchr(e->d_name, ':')) {
            snprintf(path, sizeof(path), DRIVER "/%.64s/remove", e->d_name);
        }
    }
    if (dir) {
        closedir(dir);
    }
    word[0] = 0;
    pthread_create(&thread, NULL, sleeper, NULL);
    check(put(path, "1") == 0, "the device is removed: %s", path);
    while (is(XSC_BELL_STEADY)) { /* the waiter finds out, or this ends with the guest's time */
        sched_yield();
    }
    check(is(XSC_BELL_FAILED), "FAILED: %s", report().reason);
    check(xsc_doorbell_ring(&bell, 0) == -ENODEV, "a ring is ENODEV");
    __atomic_store_n(&word[0], 1, __ATOMIC_RELEASE);
    pthread_join(thread, &result);
    check(!result, "the wait goes on, and a plain store ends it: %ld", (long)(intptr_t)result);
    check(xsc_doorbell_close(&bell) == 0, "closed");
    check(put("/sys/bus/pci/rescan", "1") == 0 && access(BELL, F_OK) == 0,
          "looked for, it is back");
}

static int open_as_nobody(void)
{
    int status = 0;
    const pid_t child = fork();

    if (!child) {
        _exit(setuid(65534) ? 0 : -xsc_doorbell_open(&bell, BELL));
    }
    waitpid(child, &status, 0);
    return -WEXITSTATUS(status);
}

int main(void)
{
    pthread_t thread;
    void *result;

    setvbuf(stdout, NULL, _IOLBF, 0);
    word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    check(xsc_doorbell_open(&bell, BELL) == -ENOENT, "no module, no doorbell: ENOENT");
    check(watch_a_store() == 0, "a wait on it watches");
    check(insert("xsc_doorbell", "") == 0, "loads");
    check(open_as_nobody() == -EACCES, "user nobody may not open it: EACCES");
    check(xsc_doorbell_open(&bell, BELL) == 0 && is(XSC_BELL_DISCOVERED), "DISCOVERED");
    check(watch_a_store() == 0, "not tried, it is watched");
    int err = xsc_doorbell_try(&bell, XSC_BELL_TRIAL_RINGS);

    check(!err && is(XSC_BELL_STEADY), "STEADY: %u rings, %u lost, %llu to %llu ns",
          report().trial_rings, report().trial_lost, (unsigned long long)report().min_ns,
          (unsigned long long)report().max_ns);
    check(xsc_doorbell_ring(&bell, 1) == -ENXIO, "an absent peer is ENXIO");
    check(xsc_doorbell_wait_u64(&bell, &word[32], 0, S / 100) == -ETIMEDOUT, "10 ms pass");
    asleep();
    memset(word, 0, 4096);
    rounds();
    memset(word, 0, 4096);
    from_another_process();
    removed();

    check(xsc_doorbell_open(&bell, BELL) == 0, "opened again");
    check(xsc_doorbell_try(&bell, XSC_BELL_TRIAL_RINGS) == 0, "STEADY again");
    word[0] = 0;
    pthread_create(&thread, NULL, sleeper, NULL);
    while (!a_thread_listens()) {
        sched_yield();
    }
    check(xsc_doorbell_close(&bell) == 0, "closed under a waiter");
    pthread_join(thread, &result);
    check((intptr_t)result == -EPIPE, "a sleeper gets EPIPE: %ld", (long)(intptr_t)result);
    check(take_out("xsc_doorbell") == 0, "unloaded");

    check(insert("xsc_doorbell", "lose=100") == 0, "loads, with a ring of the trial lost");
    check(xsc_doorbell_open(&bell, BELL) == 0, "opens");
    err = xsc_doorbell_try(&bell, XSC_BELL_TRIAL_RINGS);
    check(err == -EIO && is(XSC_BELL_FAILED), "FAILED: %s", report().reason);
    check(watch_a_store() == 0, "a wait on it watches");
    check(xsc_doorbell_close(&bell) == 0 && take_out("xsc_doorbell") == 0, "unloaded");
    return failures ? 1 : 0;
}
