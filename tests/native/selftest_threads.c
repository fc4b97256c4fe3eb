/* SPDX-License-Identifier: MIT */
/* Self test, part 2: threads. Every mechanism by name, many waiters, CPUs, cancellation. */
#define _GNU_SOURCE
#include "selftest.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <xsc/stats.h>
#include <xsc/wait.h>

/* ------------------------------------------------------------- mechanisms by their names ---- */

/* Diverts stderr into a pipe while it lives. The library says little: the pipe won't fill. */
struct overheard {
    int saved, pipe[2];
    char text[1024];
};

static bool overhear(struct overheard *o)
{
    o->saved = dup(STDERR_FILENO);
    return o->saved >= 0 && !pipe(o->pipe) && dup2(o->pipe[1], STDERR_FILENO) >= 0;
}

static unsigned overheard_lines(struct overheard *o)
{
    unsigned lines = 0;

    dup2(o->saved, STDERR_FILENO);
    close(o->pipe[1]);
    const ssize_t n = read(o->pipe[0], o->text, sizeof(o->text) - 1);

    o->text[n > 0 ? n : 0] = '\0';
    for (const char *p = o->text; (p = strchr(p, '\n')); p++) {
        lines++;
    }
    close(o->pipe[0]);
    close(o->saved);
    return lines;
}

static void time_out_thrice(void)
{
    volatile uint32_t word = 0;

    for (int i = 0; i < 3; i++) {
        expect(xsc_wait_u32(&word, 0, 200000) == -ETIMEDOUT, "a timeout");
    }
}

/* The mechanism must hand over, or be refused in words, once, with another in its place. */
static void named(void *arg)
{
    const char *name = arg;
    struct overheard o;
    struct xsc_stats s;

    if (!check(overhear(&o), "stderr overheard")) {
        return;
    }
    const int got = xsc_init(NULL);

    time_out_thrice();
    const unsigned lines = overheard_lines(&o);

    xsc_stats_read(&s, sizeof(s));
    if (!got) {
        check(!strcmp(s.primary, name) && !s.asked_refused, "%s was asked for and is used: %s",
              name, s.primary);
        check(!lines, "nothing said on stderr: %s", o.text);
    } else {
        check(got == -ENOTSUP && s.asked_refused && strcmp(s.primary, name),
              "%s was asked for and refused (%d): %s instead", name, got, s.primary);
        check(strstr(s.refusal, "can't be used: ") && strlen(s.refusal) > 30, "the reason: %s",
              s.refusal);
        check(lines == 1 && strstr(o.text, s.refusal) && strstr(o.text, s.primary),
              "said once on stderr: %s", o.text);
    }
    hand_over(name, part_of_handovers(5, 1000));
    check_stats(name);
}

/* As found in the environment by the first wait, with no caller there to take an error. */
static void nonsense(void *arg)
{
    struct overheard o;
    struct xsc_stats s;

    (void)arg;
    overhear(&o);
    time_out_thrice();
    const unsigned lines = overheard_lines(&o);

    xsc_stats_read(&s, sizeof(s));
    check(lines == 1 && strstr(o.text, "\"nonsense\" is not known here; known are") &&
              strstr(o.text, "GENERIC"),
          "said once on stderr: %s", o.text);
    check(s.asked_refused && strstr(s.refusal, "nonsense"), "and in the statistics: %s", s.refusal);
    check(xsc_init(NULL) == -EINVAL, "xsc_init() tells it as an error, later too");
    hand_over("nonsense", part_of_handovers(10, 1000));
}

static void any_case(void *arg)
{
    (void)arg;
    check(!xsc_init(NULL) && !strcmp(mechanism_in_use(), "GENERIC"), "GeNeRiC is GENERIC: %s",
          mechanism_in_use());
}

static void empty_name(void *arg)
{
    struct overheard o;

    (void)arg;
    overhear(&o);
    check(!xsc_init(NULL), "an empty XSC_MECHANISM asks for nothing");
    check(!overheard_lines(&o), "and nothing is said: %s", o.text);
}

/* ---------------------------------------------------------------------------- hand-over ---- */

static void plain_hand_over(void *arg)
{
    struct xsc_stats s;

    (void)arg;
    hand_over("best", handovers());
    check_stats("after hand-overs");
    xsc_stats_read(&s, sizeof(s));
    check(!s.timeouts, "no timeout: %llu", (unsigned long long)s.timeouts);
}

/* ------------------------------------------------- more waiters than slots to count them ---- */

#define CROWD 100

static struct {
    struct line gate, here;
    uint32_t wrong;
} crowd;

static void *crowd_member(void *arg)
{
    (void)arg;
    __atomic_fetch_add(&crowd.here.word, 1, __ATOMIC_RELEASE);
    if (xsc_wait_u32(&crowd.gate.word, 0, XSC_FOREVER)) {
        __atomic_fetch_add(&crowd.wrong, 1, __ATOMIC_RELAXED);
    }
    return NULL;
}

static void crowded(void *arg)
{
    pthread_t thread[CROWD];
    unsigned n = 0;
    struct xsc_stats s;

    (void)arg;
    while (n < CROWD && !pthread_create(&thread[n], NULL, crowd_member, NULL)) {
        n++;
    }
    check(n == CROWD, "%u of %u threads", n, CROWD);
    check(!xsc_wait_reached(&crowd.here.word, n, LOST_NS), "all are there: %u",
          __atomic_load_n(&crowd.here.word, __ATOMIC_RELAXED));
    sleep_ns(20 * NS_PER_MS); /* not needed for the result, but so that they really wait */
    __atomic_store_n(&crowd.gate.word, 1, __ATOMIC_RELEASE);
    for (unsigned i = 0; i < n; i++) {
        pthread_join(thread[i], NULL);
    }
    check(!crowd.wrong, "%u waiters at once, all let go: %u were not", n, crowd.wrong);
    xsc_stats_read(&s, sizeof(s));
    check(s.total_waits + s.uncounted_waits <= n + 1, "%llu waits counted and %llu not",
          (unsigned long long)s.total_waits, (unsigned long long)s.uncounted_waits);
    check_stats("after a crowd");
}

/* --------------------------------------------------------------------------------- CPUs ---- */

static void *mover(void *arg)
{
    const pid_t *tid = arg; /* tid[0] of the one to move, 0 when it is over */
    cpu_set_t all, one;

    sched_getaffinity(0, sizeof(all), &all);
    for (size_t cpu = 0; __atomic_load_n(tid, __ATOMIC_ACQUIRE); cpu = (cpu + 1) % CPU_SETSIZE) {
        if (CPU_ISSET(cpu, &all)) {
            CPU_ZERO(&one);
            CPU_SET(cpu, &one);
            sched_setaffinity(__atomic_load_n(tid, __ATOMIC_ACQUIRE), sizeof(one), &one);
            sched_yield();
        }
    }
    return NULL;
}

static void moved(void *arg)
{
    pid_t tid = (pid_t)syscall(SYS_gettid);
    volatile uint32_t word = 0;
    pthread_t thread;

    (void)arg;
    if (cpus_allowed() < 2) {
        skipped("moving between CPUs needs two that this process may use");
        return;
    }
    xsc_init(NULL);
    pthread_create(&thread, NULL, mover, &tid);
    for (int i = 0; i < 50; i++) {
        const uint64_t start = now_ns();
        const int got = xsc_wait_u32(&word, 0, NS_PER_MS);

        expect(got == -ETIMEDOUT && now_ns() - start >= NS_PER_MS, "a wait while moving: %d", got);
    }
    hand_over("while being moved from CPU to CPU", part_of_handovers(20, 500));
    __atomic_store_n(&tid, 0, __ATOMIC_RELEASE);
    pthread_join(thread, NULL);
    check_stats("after moves");
}

#if !defined(XSC_TEST_OTHER_PORT)
/* The threads of this process, an emulator's or a sanitizer's own included. */
static int count_tasks(void)
{
    DIR *dir = opendir("/proc/self/task");
    int n = 0;

    if (dir) {
        for (const struct dirent *e; (e = readdir(dir));) {
            n += e->d_name[0] != '.';
        }
        closedir(dir);
    }
    return n;
}
#endif

/* One CPU for all: burning it would keep the very thread from running that is waited for. */
static void one_cpu(void *arg)
{
    struct xsc_stats s;

    (void)arg;
    check(pin_to_nth(0) && cpus_allowed() == 1, "confined to one CPU");
    hand_over("on one CPU", part_of_handovers(50, 200));
    xsc_stats_read(&s, sizeof(s));
#if defined(XSC_TEST_OTHER_PORT)
    skipped("this port does not know that there is one CPU: %s is used", s.primary);
#else
    if (count_tasks() > 1) {
        /* User-mode QEMU runs threads of its own in this process, and on any CPU. */
        skipped("this process has threads that are not ours, so it is not confined to one CPU: "
                "run it on the CPU itself, or in a booted guest");
    } else {
        check(!strcmp(s.primary, "GENERIC"), "%s is used: %s", s.primary, s.choice_reason);
    }
#endif
    check_stats("after one CPU");
}

/*
 * Programs that care pin each thread to a CPU of its own. The first to wait may then use one
 * CPU, and its process more: no waker needs that one CPU.
 */
static void *pinned_first_wait(void *arg)
{
    volatile uint32_t word = 0;

    (void)arg;
    check(pin_to_nth(1), "the first thread to wait is pinned to its own CPU");
    xsc_wait_u32(&word, 0, 100000);
    return NULL;
}

static void pinned(void *arg)
{
    pthread_t thread;

    (void)arg;
    if (cpus_allowed() < 2) {
        skipped("a pinned thread among others needs two CPUs that this process may use");
        return;
    }
    pthread_create(&thread, NULL, pinned_first_wait, NULL);
    pthread_join(thread, NULL);
    struct xsc_stats s;

    xsc_stats_read(&s, sizeof(s));
    check(s.primary[0] && !strstr(s.choice_reason, "one CPU"),
          "the process has %u CPUs, so %s is not used as if it had one: %s", cpus_allowed(),
          s.primary, s.choice_reason);
}

/* ------------------------------------------------------------------------- cancellation ---- */

struct cancelled {
    volatile uint32_t word;
    uint32_t ready, returned;
    int got;
};

static void *cancel_me(void *arg)
{
    struct cancelled *c = arg;

    pthread_cancel(pthread_self()); /* deferred: stays pending until a cancellation point */
    __atomic_store_n(&c->ready, 1, __ATOMIC_RELEASE);
    c->got = xsc_wait_u32(&c->word, 0, 3 * NS_PER_MS);
    __atomic_store_n(&c->returned, 1, __ATOMIC_RELEASE);
    pthread_testcancel();
    return NULL;
}

static void cancel(const char *when)
{
    struct cancelled c = {0};
    pthread_t thread;
    void *result = NULL;

    pthread_create(&thread, NULL, cancel_me, &c);
    pthread_join(thread, &result);
    check(c.returned && c.got == -ETIMEDOUT, "%s returned to its cancelled caller: %d", when,
          c.got);
    check(result == PTHREAD_CANCELED, "%s: cancelled at the next cancellation point", when);
}

static void cancellation(void *arg)
{
    (void)arg;
    xsc_init(NULL);
    cancel("a wait");
    hand_over("after a cancellation", part_of_handovers(20, 500));
    check_stats("after a cancellation");
}

static void cancellation_while_choosing(void *arg)
{
    volatile uint32_t word = 0;

    (void)arg;
    cancel("the wait that chose");
    xsc_wait_u32(&word, 0, 100000);
    check(mechanism_in_use()[0], "a choice is in place: \"%s\"", mechanism_in_use());
}

/* ---------------------------------------------------------------- first waits, all at once ---- */

#define FIRSTS 4

static void *first_together(void *arg)
{
    pthread_barrier_t *start = arg;
    volatile uint32_t word = 0;

    pthread_barrier_wait(start);
    const uint64_t from = now_ns();
    const int got = xsc_wait_u32(&word, 0, NS_PER_MS);

    expect(got == -ETIMEDOUT && now_ns() - from >= NS_PER_MS, "a first wait among others: %d", got);
    return NULL;
}

static void first_waits(void *arg)
{
    pthread_t thread[FIRSTS];
    pthread_barrier_t start;

    (void)arg;
    pthread_barrier_init(&start, NULL, FIRSTS);
    for (int i = 0; i < FIRSTS; i++) {
        pthread_create(&thread[i], NULL, first_together, &start);
    }
    for (int i = 0; i < FIRSTS; i++) {
        pthread_join(thread[i], NULL);
    }
    check(mechanism_in_use()[0], "%d first waits at once, one choice: %s", FIRSTS,
          mechanism_in_use());
    check_stats("after first waits");
    hand_over("after first waits", part_of_handovers(20, 500));
}

/*
 * The names of this architecture's mechanisms. Asking for them chooses, and a choice made in
 * this process would be every child's: so a child asks.
 */
struct names {
    unsigned n;
    char name[8][16];
};

static void ask_names(void *arg)
{
    struct names *names = arg;
    struct xsc_mechanism_info info;

    for (unsigned i = 0; i < xsc_mechanism_count() && i < 8; i++) {
        if (!xsc_mechanism_read(i, &info, sizeof(info))) {
            printf("# %-8s %s, state %u: %s\n", info.name, info.present ? "present" : "not there",
                   info.state, info.reason);
            memcpy(names->name[names->n++], info.name, sizeof(info.name));
        }
    }
    fflush(stdout);
}

void selftest_threads(void)
{
    struct names *names = mmap(NULL, sizeof(*names), PROT_READ | PROT_WRITE,
                               MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    in_child("hand-over", NULL, 600, plain_hand_over, NULL);
    if (check(names != MAP_FAILED, "memory for names")) {
        in_child("names", NULL, 60, ask_names, names);
        check(names->n == xsc_mechanism_count(), "%u mechanisms are known here", names->n);
        for (unsigned i = 0; i < names->n; i++) {
            in_child(names->name[i], names->name[i], 600, named, names->name[i]);
        }
        munmap(names, sizeof(*names));
    }
    in_child("nonsense", "nonsense", 60, nonsense, NULL);
    in_child("any case", "GeNeRiC", 60, any_case, NULL);
    in_child("empty name", "", 60, empty_name, NULL);
    in_child("crowd", NULL, 300, crowded, NULL);
    in_child("moved", NULL, 300, moved, NULL);
    in_child("one CPU", NULL, 300, one_cpu, NULL);
    in_child("pinned", NULL, 60, pinned, NULL);
    in_child("cancellation", NULL, 60, cancellation, NULL);
    in_child("cancellation, GENERIC", "generic", 60, cancellation, NULL); /* it may sleep */
    in_child("cancellation while choosing", NULL, 60, cancellation_while_choosing, NULL);
    in_child("first waits", NULL, 120, first_waits, NULL);
}
