/* SPDX-License-Identifier: MIT */
/*
 * test_memory_order: what was written before the store is there when the wait returns.
 *
 * The writer fills a payload on lines of its own, with plain stores, and then releases the
 * word. The waiter, back from its wait, reads the payload with plain loads: it must be all
 * there. On x86 the CPU orders loads and stores by itself and only the compiler could break
 * this; on arm64 and riscv64 the CPU would. The same for each mechanism in turn.
 *
 * XSC_TEST_HANDOVERS rounds in all (default 10^7), shared out over the mechanisms.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <xsc/stats.h>
#include <xsc/wait.h>

#include "harness.h"

#define PAYLOAD 6

struct cell {
    uint64_t value;
} __attribute__((aligned(128)));

static struct cell payload[PAYLOAD];
static struct line full, empty;
static uint64_t rounds;

static uint64_t value_of(uint64_t round, int p)
{
    return round * 1000003u + (unsigned)p;
}

static void *writer(void *arg)
{
    (void)arg;
    for (uint32_t i = 1; i <= rounds; i++) {
        for (int p = 0; p < PAYLOAD; p++) {
            payload[p].value = value_of(i, p);
        }
        __atomic_store_n(&full.word, i, __ATOMIC_RELEASE);
        if (xsc_wait_u32(&empty.word, i - 1, LOST_NS)) {
            break;
        }
    }
    return NULL;
}

static void litmus(void *arg)
{
    const char *name = arg;
    pthread_t thread;
    uint64_t done = 0, stale = 0;

    xsc_init(NULL);
    if (strcmp(mechanism_in_use(), name)) {
        skipped("%s is unavailable here: %s instead", name, mechanism_in_use());
        return;
    }
    pthread_create(&thread, NULL, writer, NULL);
    for (uint32_t i = 1; i <= rounds; i++) {
        if (xsc_wait_u32(&full.word, i - 1, LOST_NS)) {
            break;
        }
        for (int p = PAYLOAD - 1; p >= 0; p--) { /* the last written first */
            stale += payload[p].value != value_of(i, p);
        }
        done = i;
        __atomic_store_n(&empty.word, i, __ATOMIC_RELEASE);
    }
    pthread_join(thread, NULL);
    check(done == rounds, "%llu of %llu rounds by %s", (unsigned long long)done,
          (unsigned long long)rounds, name);
    check(!stale, "%llu stale values of %llu", (unsigned long long)stale,
          (unsigned long long)(done * PAYLOAD));
    check_stats(name);
}

/* See selftest_threads.c: asking for names chooses, so a child asks. */
struct names {
    unsigned n;
    char name[8][16];
};

static void ask_names(void *arg)
{
    struct names *names = arg;
    struct xsc_mechanism_info info;

    for (unsigned i = 0; i < xsc_mechanism_count() && i < 8; i++) {
        if (!xsc_mechanism_read(i, &info, sizeof(info)) &&
            (info.present || info.state != XSC_FAILED)) {
            memcpy(names->name[names->n++], info.name, sizeof(info.name));
        }
    }
}

int main(void)
{
    const char *text = getenv("XSC_TEST_HANDOVERS");
    struct names *names = mmap(NULL, sizeof(*names), PROT_READ | PROT_WRITE,
                               MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    harness_begin("test_memory_order");
    if (names == MAP_FAILED) {
        perror("test_memory_order: mmap");
        return 1;
    }
    in_child("names", NULL, 60, ask_names, names);
    const uint64_t all = text && *text ? handovers() : 10000000;

    for (unsigned i = 0; i < names->n; i++) {
        rounds = all / names->n + 1;
        in_child(names->name[i], names->name[i], 1200, litmus, names->name[i]);
    }
    return harness_end();
}
