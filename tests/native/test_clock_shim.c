/* SPDX-License-Identifier: MIT */
/*
 * test_clock_shim: a program whose clock_gettime() and nanosleep() are not the kernel's, as under
 * libfaketime: decades ahead, behind, standing still. Each kind of wait ends when its word is stored
 * to, and at its timeout, by the kernel's clock. Nothing hangs: each case is killed after 20 s.
 *
 * The functions are this program's own, which the static library's calls would find. A7, D8.
 *
 * Exit 0 or 1.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sys/syscall.h>

#include <xsc/lock.h>
#include <xsc/nap.h>
#include <xsc/shard.h>

#include "park_test.h"

#define LIMIT_S 20
#define TIMEOUT_NS (20 * MS)
#define DECADES 1000000000 /* seconds */

static bool stands_still;
static int64_t ahead_s;

static struct timespec kernel_time(clockid_t id)
{
    struct timespec t = {0, 0};

    syscall(SYS_clock_gettime, id, &t);
    return t;
}

static uint64_t kernel_ns(void)
{
    const struct timespec t = kernel_time(CLOCK_MONOTONIC);

    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

int clock_gettime(clockid_t id, struct timespec *t)
{
    *t = stands_still ? (struct timespec){1600000000, 1} : kernel_time(id);
    t->tv_sec += (time_t)ahead_s;
    return 0;
}

/* A thousand times slower. */
int nanosleep(const struct timespec *t, struct timespec *left)
{
    const struct timespec longer = {t->tv_sec * 1000 + t->tv_nsec / 1000000, 0};

    return (int)syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &longer, left);
}

static uint32_t word;
static struct xsc_nap_word napper;
static struct xsc_event event;
static struct xsc_mutex mutex;
static struct xsc_site site;

static void *stores(void *arg)
{
    const struct timespec t = {0, 50000000};

    (void)arg;
    syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &t, NULL);
    __atomic_store_n(&word, 1, __ATOMIC_RELEASE);
    xsc_unpark_one(&word);
    xsc_event_signal(&event);
    xsc_nap_kick(&napper);
    return NULL;
}

static int wait_by(int kind, uint64_t timeout_ns)
{
    const struct xsc_watch watch = XSC_WATCH(&word, 0);

    switch (kind) {
    case 0:
        return xsc_wait_u32(&word, 0, timeout_ns);
    case 1:
        return xsc_park_u32(&word, 0, timeout_ns);
    case 2:
        return xsc_park_u32_shared(&word, 0, timeout_ns);
    case 3:
        return xsc_wait_site(&site, &watch, timeout_ns);
    case 4:
        return xsc_nap(&napper, timeout_ns);
    case 5:
        return xsc_mutex_lock_for(&mutex, timeout_ns);
    default: {
        const uint32_t key = xsc_event_prepare(&event);

        if (__atomic_load_n(&word, __ATOMIC_ACQUIRE)) {
            xsc_event_cancel(&event, key);
            return 0;
        }
        return xsc_event_wait(&event, key, timeout_ns);
    }
    }
}

#define KINDS 7
#define LOCK 5 /* which no store ends */

static void waits_end(void *arg)
{
    const int kind = *(const int *)arg;

    alarm(LIMIT_S);
    xsc_mutex_lock(&mutex);
    for (int i = 0; i < 3; i++) {
        const uint64_t start = kernel_ns();
        const int err = wait_by(kind, TIMEOUT_NS);
        const uint64_t took = kernel_ns() - start;

        CHECK(err == -ETIMEDOUT, "returned %d", err);
        CHECK(took >= TIMEOUT_NS, "early: after %llu ns", (unsigned long long)took);
    }
    if (kind != LOCK) {
        pthread_t thread;

        pthread_create(&thread, NULL, stores, NULL);
        const int err = wait_by(kind, kind == 6 ? LOST_NS : XSC_FOREVER);

        CHECK(!err, "returned %d", err);
        pthread_join(thread, NULL);
    }
}

int main(void)
{
    static const char *const names[KINDS] = {"wait", "park", "shared park", "wait with a site",
                                             "nap",  "lock", "event"};
    static const struct {
        const char *name;
        int64_t ahead_s;
        bool still;
    } shims[] = {{"none", 0, false},
                 {"decades ahead", DECADES, false},
                 {"behind", -100, false},
                 {"standing still", 0, true}};
    int bad = 0;

    for (size_t i = 0; i < sizeof(shims) / sizeof(shims[0]); i++) {
        ahead_s = shims[i].ahead_s;
        stands_still = shims[i].still;
        for (int kind = 0; kind < KINDS; kind++) {
            char name[64];

            snprintf(name, sizeof(name), "a clock %s: %s", shims[i].name, names[kind]);
            bad += in_child(name, waits_end, &kind) != 0;
        }
    }
    return bad != 0;
}
