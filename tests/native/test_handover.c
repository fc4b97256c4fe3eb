/* SPDX-License-Identifier: MIT */
/*
 * test_handover: no wake-up is lost, however many there are.
 *
 * Every wait has a timeout far beyond any scheduling delay; running into it is a lost
 * wake-up, and so is a sequence number out of order. Counts, not seconds: XSC_TEST_HANDOVERS
 * (default 10^8) for the plain exchange between two CPUs, some part of it for the slower kinds.
 * Prints the counts and what the statistics say afterwards. Exit 0, 1, 2 (bad number), 77.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <xsc/stats.h>
#include <xsc/wait.h>

#include "limits.h"

#define LOST_NS limit(30000000000ull)
#define RING 5 /* more threads than the two CPUs that a small machine has */

struct line {
    volatile uint64_t word;
} __attribute__((aligned(128)));

/* One exchange: words of their own, a count, and how irregular it is. */
struct exchange {
    struct line word[RING];
    uint64_t n;
    uint64_t done[RING]; /* waits that ended as they should, by each side */
    bool dawdle;         /* pause before some stores, so that waits get past the tight spin */
};

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/*
 * Lengths spread evenly over the powers of two from 64 ns to 260 us: some waits end in the
 * tight spin, some in the watch, some in their second or third slice, and some stores come
 * just as a slice ends.
 */
static void dawdle(uint64_t *random)
{
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    const uint64_t shift = *random % 12 + 6;
    const uint64_t until = now_ns() + (1ull << shift) + (*random >> 20) % (1ull << shift);

    while (now_ns() < until) {
    }
}

/* Side `me` of `sides`: waits for its word to count up, passes the count on to the next. */
static void take_part(struct exchange *x, unsigned me, unsigned sides)
{
    struct line *mine = &x->word[me], *next = &x->word[(me + 1) % sides];
    uint64_t random = 88172645463325252ull + me;

    for (uint64_t i = 1; i <= x->n; i++) {
        if (me == 0) { /* serves */
            if (x->dawdle) {
                dawdle(&random);
            }
            __atomic_store_n(&next->word, i, __ATOMIC_RELEASE);
        }
        const int got = xsc_wait_u64(&mine->word, i - 1, LOST_NS);
        const uint64_t seen = __atomic_load_n(&mine->word, __ATOMIC_RELAXED);

        if (got || seen != i) {
            printf("not ok - side %u: hand-over %llu of %llu: %s, word is %llu\n", me,
                   (unsigned long long)i, (unsigned long long)x->n,
                   got ? strerror(-got) : "out of order", (unsigned long long)seen);
            fflush(stdout);
            return;
        }
        x->done[me] = i;
        if (me) {
            if (x->dawdle) {
                dawdle(&random);
            }
            __atomic_store_n(&next->word, i, __ATOMIC_RELEASE);
        }
    }
}

static struct exchange *shared;

struct side {
    unsigned me, sides;
    int cpu; /* -1: any */
};

static void pin(int nth)
{
    cpu_set_t all, one;

    sched_getaffinity(0, sizeof(all), &all);
    CPU_ZERO(&one);
    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, &all) && nth-- == 0) {
            CPU_SET(cpu, &one);
            sched_setaffinity(0, sizeof(one), &one);
        }
    }
}

static void *side_main(void *arg)
{
    const struct side *s = arg;

    if (s->cpu >= 0) {
        pin(s->cpu);
    }
    take_part(shared, s->me, s->sides);
    return NULL;
}

/* ---------------------------------------------------------------------------- reporting ---- */

static bool report(const char *name, unsigned sides, uint64_t start_ns)
{
    const double s = (double)(now_ns() - start_ns) / 1e9;
    uint64_t done = 0;
    bool good = true;

    for (unsigned i = 0; i < sides; i++) {
        good &= shared->done[i] == shared->n;
        done += shared->done[i];
    }
    printf("%s - %s: %llu of %llu hand-overs in %.1f s (%.0f ns each)\n", good ? "ok" : "not ok",
           name, (unsigned long long)done, (unsigned long long)(shared->n * sides), s,
           done ? s * 1e9 / (double)done : 0.0);
    fflush(stdout);
    return good;
}

/* Nothing but the stores ended these waits, and a polling mechanism can't notice one late. */
static bool report_stats(const char *name)
{
    struct xsc_stats s;
    bool good;

    xsc_stats_read(&s, sizeof(s));
    good = !s.timeouts && s.total_waits == s.successful_waits && (s.deep_sleeps || !s.late_wakes);
    printf("%s - %s: %s, %llu slow waits (%llu deep, %llu shallow), %llu timeouts, %llu late, "
           "%llu spurious, p50 %llu ns, p99 %llu ns, max %llu ns\n",
           good ? "ok" : "not ok", name, s.primary, (unsigned long long)s.total_waits,
           (unsigned long long)s.deep_sleeps, (unsigned long long)s.shallow_spins,
           (unsigned long long)s.timeouts, (unsigned long long)s.late_wakes,
           (unsigned long long)s.spurious_wakes, (unsigned long long)s.p50_latency_ns,
           (unsigned long long)s.p99_latency_ns, (unsigned long long)s.max_latency_ns);
    fflush(stdout);
    return good;
}

/* --------------------------------------------------------------------------------- kinds ---- */

static bool between_threads(const char *name, unsigned sides, uint64_t n, bool pinned, bool slow)
{
    struct side side[RING];
    pthread_t thread[RING];
    const uint64_t start = now_ns();
    bool started = true;

    *shared = (struct exchange){.n = n, .dawdle = slow};
    for (unsigned i = 0; i < sides; i++) {
        side[i] = (struct side){i, sides, pinned ? (int)i : -1};
        if (pthread_create(&thread[i], NULL, side_main, &side[i])) {
            printf("not ok - %s: thread %u: %s\n", name, i, strerror(errno));
            started = false;
            sides = i;
        }
    }
    for (unsigned i = 0; i < sides; i++) {
        pthread_join(thread[i], NULL);
    }
    return report(name, sides, start) && report_stats(name) && started;
}

static bool between_processes(uint64_t n)
{
    const uint64_t start = now_ns();
    int status = 0;

    *shared = (struct exchange){.n = n};
    const pid_t pid = fork();

    if (!pid) {
        pin(1);
        take_part(shared, 1, 2);
        _exit(0);
    }
    take_part(shared, 0, 2);
    waitpid(pid, &status, 0);
    return report("two processes", 2, start) && report_stats("two processes") && pid > 0 && !status;
}

static uint64_t part_of(uint64_t n, uint64_t divisor)
{
    return n / divisor ? n / divisor : 1;
}

int main(void)
{
    const char *text = getenv("XSC_TEST_HANDOVERS");
    uint64_t n = 100000000;
    bool good = true;
    cpu_set_t set;

    if (text && *text) {
        char *end;

        n = strtoull(text, &end, 10);
        if (*end || !n) {
            fprintf(stderr, "test_handover: XSC_TEST_HANDOVERS=%s is not a number above 0\n", text);
            return 2;
        }
    }
    if (sched_getaffinity(0, sizeof(set), &set) || CPU_COUNT(&set) < 2) {
        fprintf(stderr, "test_handover: needs two CPUs that it may run on (see taskset, nproc)\n");
        return 77;
    }
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        perror("test_handover: mmap");
        return 1;
    }
    xsc_init(NULL); /* by the whole process, before a thread is bound to one CPU */
    /* Two sides: one hand-over is one way, so a round of the two is two of them. */
    good &= between_threads("two CPUs", 2, part_of(n, 2), true, false);
    good &= between_threads("two CPUs, irregular", 2, part_of(n, 2000), true, true);
    good &= between_threads("a ring of five threads", RING, part_of(n, 200000), false, false);
    good &= between_processes(part_of(n, 20));
    return !good;
}
