/* SPDX-License-Identifier: MIT */
/* bench/harness.h: CPUs, and threads pinned to them. */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/harness.h"
#include "bench/options.h"

#if defined(__linux__)

static bool allowed(int cpu)
{
    cpu_set_t set;

    return cpu < CPU_SETSIZE && !sched_getaffinity(0, sizeof(set), &set) &&
           CPU_ISSET((size_t)cpu, &set);
}

unsigned bench_cpus_allowed(void)
{
    cpu_set_t set;

    return sched_getaffinity(0, sizeof(set), &set) ? 1 : (unsigned)CPU_COUNT(&set);
}

void bench_pin(int cpu)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    if (sched_setaffinity(0, sizeof(set), &set)) {
        bench_die("CPU %d can't be used: %s", cpu, strerror(errno));
    }
}

#else /* nowhere to pin to: the OS places the threads */

static bool allowed(int cpu)
{
    return cpu >= 0 && (unsigned)cpu < bench_cpus_allowed();
}

unsigned bench_cpus_allowed(void)
{
    const long n = sysconf(_SC_NPROCESSORS_ONLN);

    return n > 0 ? (unsigned)n : 1;
}

void bench_pin(int cpu)
{
    (void)cpu;
}

#endif

/* What sysfs says of a CPU, or -1. */
static int topology(int cpu, const char *what)
{
    char path[128];
    int v = -1;

    snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/topology/%s", cpu, what);
    FILE *f = fopen(path, "r");

    if (f) {
        if (fscanf(f, "%d", &v) != 1) {
            v = -1;
        }
        fclose(f);
    }
    return v;
}

static bool same_core(int a, int b)
{
    const int core = topology(a, "core_id");

    return core >= 0 && core == topology(b, "core_id") &&
           topology(a, "physical_package_id") == topology(b, "physical_package_id");
}

bool bench_cpus_choose(struct bench_options *o, bool two, bool *unfit, char *error, size_t size)
{
    *unfit = false;
    for (int i = 0; i < 2; i++) {
        if (o->cpu[i] >= 0 && !allowed(o->cpu[i])) {
            snprintf(error, size, "--cpus: CPU %d is offline, or this process may not use it",
                     o->cpu[i]);
            return false;
        }
    }
    if (o->cpu[0] >= 0) {
        return true;
    }
    if (two && bench_cpus_allowed() < 2) {
        *unfit = true;
        snprintf(error, size, "this question needs two CPUs, and this process may run on one");
        return false;
    }
    for (int cpu = 0; cpu <= BENCH_MAX_CPU; cpu++) {
        if (!allowed(cpu)) {
            continue;
        }
        if (o->cpu[0] < 0) {
            o->cpu[0] = cpu;
        } else if (o->cpu[1] < 0 ||
                   (same_core(o->cpu[0], o->cpu[1]) && !same_core(o->cpu[0], cpu))) {
            o->cpu[1] = cpu;
        }
    }
    return true;
}

void bench_cpus_describe(const struct bench_options *o, char *text, size_t size)
{
    if (o->cpu[1] < 0) {
        snprintf(text, size, "%d", o->cpu[0]);
        return;
    }
    const int pack = topology(o->cpu[0], "physical_package_id");

    snprintf(text, size, "%d and %d%s", o->cpu[0], o->cpu[1],
             pack < 0                                             ? ""
             : pack != topology(o->cpu[1], "physical_package_id") ? " (different packages)"
             : same_core(o->cpu[0], o->cpu[1])                    ? " (siblings on one core)"
                                                                  : " (different cores)");
}

/* --------------------------------------------------------------------------- a pair ---- */

struct member {
    void (*fn)(void *);
    void *arg;
    int cpu;
    unsigned *ready;
};

static void *member_main(void *p)
{
    const struct member *m = p;

    bench_pin(m->cpu);
    __atomic_fetch_add(m->ready, 1, __ATOMIC_ACQ_REL);
    while (__atomic_load_n(m->ready, __ATOMIC_ACQUIRE) < 2) {
        sched_yield();
    }
    m->fn(m->arg);
    return NULL;
}

void bench_run_pair(void (*a)(void *), void (*b)(void *), void *arg, const int cpu[2])
{
    unsigned ready = 0;
    struct member members[2] = {{a, arg, cpu[0], &ready}, {b, arg, cpu[1], &ready}};
    pthread_t threads[2];

    for (int i = 0; i < 2; i++) {
        const int err = pthread_create(&threads[i], NULL, member_main, &members[i]);

        if (err) {
            bench_die("a thread can't be started: %s", strerror(err));
        }
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
    }
}

/* ------------------------------------------------------------------------------ skew ---- */

#define SKEW_TRIPS 5000u

struct skew {
    uint64_t ping, pad[15]; /* stamps handed over: 0 is none */
    uint64_t pong, pad2[15];
    int64_t forth, back; /* the smallest difference seen, each way, in ticks */
};

static uint64_t next_stamp(uint64_t *word, uint64_t old)
{
    uint64_t v;

    while ((v = __atomic_load_n(word, __ATOMIC_ACQUIRE)) == old) {
        xsc_arch_relax();
    }
    return v;
}

static void skew_a(void *p)
{
    struct skew *s = p;
    uint64_t last = 0;

    for (unsigned i = 0; i < SKEW_TRIPS; i++) {
        __atomic_store_n(&s->ping, bench_ticks_ordered(), __ATOMIC_RELEASE);
        last = next_stamp(&s->pong, last);
        const int64_t d = (int64_t)(bench_ticks_ordered() - last);

        s->back = d < s->back ? d : s->back;
    }
}

static void skew_b(void *p)
{
    struct skew *s = p;
    uint64_t last = 0;

    for (unsigned i = 0; i < SKEW_TRIPS; i++) {
        last = next_stamp(&s->ping, last);
        const int64_t d = (int64_t)(bench_ticks_ordered() - last);

        s->forth = d < s->forth ? d : s->forth;
        __atomic_store_n(&s->pong, bench_ticks_ordered(), __ATOMIC_RELEASE);
    }
}

/* forth = latency + skew and back = latency - skew, and no latency is below zero. */
struct bench_skew bench_measure_skew(const int cpu[2])
{
    static struct skew s __attribute__((aligned(128)));

    s = (struct skew){.forth = INT64_MAX, .back = INT64_MAX};
    bench_run_pair(skew_a, skew_b, &s, cpu);

    const double tick_ns = bench_ticks_to_ns(1u << 20) / (1u << 20);

    return (struct bench_skew){(double)(s.forth - s.back) / 2 * tick_ns,
                               (double)(s.forth + s.back) / 2 * tick_ns};
}
