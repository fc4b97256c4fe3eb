/* SPDX-License-Identifier: MIT */
/*
 * test_syscalls: while both sides watch, a hand-over makes no system call on either.
 *
 * Counted by the kernel: after a warm-up each side puts itself under a seccomp filter that
 * turns every system call, but the one to return from a signal handler, into a SIGSYS; its
 * handler counts. What clock_gettime() does in the vDSO is no system call. Nothing else
 * happens on the two threads between the two barriers, which are spun at, not slept at.
 *
 * The control does the same with one getppid() in every thousand hand-overs, and those must
 * be counted to the last: a counter that can't count proves nothing.
 *
 * The library's health is judged every 100 us instead of every 10 s, which makes no call either.
 *
 * XSC_PREFER=latency: else a side whose partner has lost its CPU for a millisecond would nap. It
 * still asks which policy it runs under; that is one call after 1, 2, 4, ... ms of such a wait, and
 * not counted.
 *
 * Exit 0, 1, 2 (bad XSC_TEST_HANDOVERS; default 10^6), or 77 where there are no two CPUs or no
 * seccomp filters available.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <xsc/stats.h>
#include <xsc/wait.h>

#include "limits.h"
#include "trap_all.h"
#include "user/library.h"

#define LOST_NS limit(30000000000ull)
#define WARM_UP 10000
#define CONTROL_EVERY 1000
#define HEALTH_NS 100000u

struct line {
    volatile uint64_t word;
} __attribute__((aligned(128)));

/* Shared with the parent, which reports: the sides can't, they may make no system call. */
struct game {
    struct line word[2], ready, over;
    uint64_t n;
    bool control;
    uint64_t calls[2]; /* system calls that were trapped, by side */
    int last_call[2];
    uint64_t done[2];
    int trouble; /* errno of what could not be set up */
    struct xsc_stats stats;
};

static struct game *game;
static _Thread_local unsigned me;

static void trapped(int sig, siginfo_t *info, void *context)
{
    (void)sig;
    (void)context; /* the call is skipped; what it "returns" does not matter here */
    if (info->si_syscall == SYS_sched_getscheduler) {
        return;
    }
    game->calls[me]++;
    game->last_call[me] = info->si_syscall;
}

/* Both sides, at the same time: `rounds` hand-overs each way. False: one was lost. */
static bool play(uint64_t from, uint64_t rounds, bool control)
{
    struct line *mine = &game->word[me], *other = &game->word[!me];

    for (uint64_t i = from + 1; i <= from + rounds; i++) {
        if (!me) {
            __atomic_store_n(&other->word, i, __ATOMIC_RELEASE);
        }
        if (xsc_wait_u64(&mine->word, i - 1, LOST_NS)) {
            return false;
        }
        if (me) {
            if (control && i % CONTROL_EVERY == 0) {
                syscall(SYS_getppid);
            }
            __atomic_store_n(&other->word, i, __ATOMIC_RELEASE);
        }
    }
    return true;
}

static void meet(struct line *at)
{
    __atomic_add_fetch(&at->word, 1, __ATOMIC_ACQ_REL);
    while (__atomic_load_n(&at->word, __ATOMIC_ACQUIRE) < 2) {
    }
}

static void *side(void *number)
{
    cpu_set_t all, one;

    me = *(const unsigned *)number;
    sched_getaffinity(0, sizeof(all), &all);
    CPU_ZERO(&one);
    for (size_t cpu = 0, n = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, &all) && n++ == me) {
            CPU_SET(cpu, &one);
        }
    }
    sched_setaffinity(0, sizeof(one), &one);
    if (!play(0, WARM_UP, false)) {
        return NULL;
    }
    if (!trap_all()) {
        game->trouble = errno;
    }
    meet(&game->ready);
    if (!game->trouble && play(WARM_UP, game->n, game->control)) {
        game->done[me] = game->n;
    }
    meet(&game->over);
    if (!me) {
        xsc_stats_read(&game->stats, sizeof(game->stats));
        syscall(SYS_exit_group, 0);
    }
    for (;;) { /* returning would be a system call */
    }
}

/* In a process of its own: a filter is for life. */
static bool run(uint64_t n, bool control)
{
    static unsigned numbers[2] = {0, 1};
    int status = 0;

    *game = (struct game){.n = n, .control = control};
    const pid_t pid = fork();

    if (!pid) {
        struct sigaction act;
        pthread_t thread;

        memset(&act, 0, sizeof(act));
        act.sa_sigaction = trapped;
        act.sa_flags = SA_SIGINFO;
        sigaction(SIGSYS, &act, NULL);
        xsc_library.health_ns = HEALTH_NS;
        xsc_init(NULL); /* the choice is not what is measured */
        if (pthread_create(&thread, NULL, side, &numbers[1])) {
            _exit(1);
        }
        side(&numbers[0]);
        _exit(1);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && !status && game->done[0] == n &&
           game->done[1] == n;
}

static bool report(bool good, const char *what)
{
    printf("%s - %s: %llu hand-overs by %s (%llu slow waits): %llu and %llu system calls",
           good ? "ok" : "not ok", what, 2 * (unsigned long long)game->n, game->stats.primary,
           (unsigned long long)game->stats.total_waits, (unsigned long long)game->calls[0],
           (unsigned long long)game->calls[1]);
    for (int i = 0; i < 2; i++) {
        if (game->calls[i]) {
            printf(", side %d's last was number %d", i, game->last_call[i]);
        }
    }
    printf("\n");
    return good;
}

int main(void)
{
    const char *text = getenv("XSC_TEST_HANDOVERS");

    setenv("XSC_PREFER", "latency", 1);
    uint64_t n = 1000000;
    cpu_set_t set;

    if (text && *text) {
        char *end;

        n = strtoull(text, &end, 10);
        if (*end || n < 2 * CONTROL_EVERY) {
            fprintf(stderr, "test_syscalls: XSC_TEST_HANDOVERS=%s is not a number from %d on\n",
                    text, 2 * CONTROL_EVERY);
            return 2;
        }
    }
    if (sched_getaffinity(0, sizeof(set), &set) || CPU_COUNT(&set) < 2) {
        fprintf(stderr, "test_syscalls: needs two CPUs that it may run on (see taskset, nproc)\n");
        return 77;
    }
    game = mmap(NULL, sizeof(*game), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (game == MAP_FAILED) {
        perror("test_syscalls: mmap");
        return 1;
    }

    bool good = run(n / 2, true);

    if (game->trouble) {
        fprintf(stderr,
                "test_syscalls: no seccomp filter available (%s): needs CONFIG_SECCOMP_FILTER\n",
                strerror(game->trouble));
        return 77;
    }
    /* Hand-overs are numbered on from the warm-up, a multiple of CONTROL_EVERY. */
    good = report(good && !game->calls[0] && game->calls[1] == n / 2 / CONTROL_EVERY,
                  "control, a call in every thousand rounds");
    good &= report(run(n / 2, false) && !game->calls[0] && !game->calls[1], "nothing but waits");
    return !good;
}
