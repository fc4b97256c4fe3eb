/* SPDX-License-Identifier: MIT */
/* tests/native/park_test.h - what the tests of parking and events share */
#ifndef XSC_PARK_TEST_H
#define XSC_PARK_TEST_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <xsc/event.h>
#include <xsc/stats.h>

#include "limits.h"

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define XSC_PARK_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define XSC_PARK_SANITIZED 1
#endif
#endif

/* Far beyond any scheduling delay: running into it is a lost wake-up. */
#define LOST_NS limit(30000000000ull)
#define MS 1000000ull

#define SKIP 77

static inline uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static inline void spin_for(uint64_t ns)
{
    const uint64_t until = now_ns() + ns;

    while (now_ns() < until) {
    }
}

static inline struct xsc_stats stats_now(void)
{
    struct xsc_stats s;

    xsc_stats_read(&s, sizeof(s));
    return s;
}

/* Says what failed, and counts it. Any thread. */
static int failures;

#define CHECK(condition, ...)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            printf("not ok - %s:%d: %s: ", __FILE__, __LINE__, #condition);                        \
            printf(__VA_ARGS__);                                                                   \
            printf("\n");                                                                          \
            fflush(stdout);                                                                        \
            __atomic_fetch_add(&failures, 1, __ATOMIC_RELAXED);                                    \
        }                                                                                          \
    } while (0)

/* Runs part(arg) in a process of its own: what is decided once a process is decided again. */
static inline int in_child(const char *name, void (*part)(void *), void *arg)
{
    int status = 0;

    fflush(stdout);
    const pid_t pid = fork();

    if (pid == 0) {
        part(arg);
        fflush(stdout);
        _exit(failures == 0 ? 0 : failures == SKIP ? 1 : failures);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status) ||
        (WEXITSTATUS(status) && WEXITSTATUS(status) != SKIP)) {
        printf("not ok - %s: wait status %#x\n", name, (unsigned)status);
        return 1;
    }
    printf("%s - %s\n", WEXITSTATUS(status) ? "skipped" : "ok", name);
    fflush(stdout);
    return WEXITSTATUS(status);
}

/* A count from the environment; exits 2 where it is none. */
static inline uint64_t count_from(const char *variable, uint64_t otherwise)
{
    const char *text = getenv(variable);
    char *end;

    if (!text) {
        return otherwise;
    }
    errno = 0;
    const unsigned long long n = strtoull(text, &end, 10);

    if (errno || *end || end == text || *text == '-' || !n) {
        fprintf(stderr, "%s: \"%s\" is not a number of 1 or more\n", variable, text);
        exit(2);
    }
    return n;
}

#endif /* XSC_PARK_TEST_H */
