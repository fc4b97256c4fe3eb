/* SPDX-License-Identifier: MIT */
/*
 * test_shard_syscalls: a message to a shard that watches makes no system call, on either side.
 *
 * Two shards answer each other, under a seccomp filter that turns every system call into a SIGSYS
 * that is counted. Whether a shard watches to the end is the machine's to say, too: one that has
 * lost its CPU meanwhile parks. So the messages are sent in rounds, and those count in which, and
 * before which, no shard parked by the statistics: in them the kernel must have counted nothing,
 * and there must be one. The control makes one system call in each round, and it must be seen in
 * each.
 *
 * Exit 0, 1, or 77 where there are no two CPUs or no seccomp filters.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <xsc/shard.h>
#include <xsc/wait.h>

#include "trap_all.h"

#define WARM_UP 10000
#define MESSAGES 2000
#define ROUNDS 200

/* Shared with the parent, which reports: a thread under the filter cannot. */
struct game {
    struct xsc_shard *shard[2];
    bool control;
    uint64_t calls;   /* trapped, both sides */
    uint64_t clean;   /* rounds without a park */
    uint64_t unclean; /* rounds with one */
    uint64_t wrong;   /* of the clean ones: with system calls all the same */
    int last_call, trouble, ready;
};

static struct game *game;

static void trapped(int sig, siginfo_t *info, void *context)
{
    (void)sig;
    (void)context;
    if (info->si_syscall == SYS_sched_getscheduler) { /* asked by a watch of a millisecond */
        return;
    }
    __atomic_fetch_add(&game->calls, 1, __ATOMIC_RELAXED);
    game->last_call = info->si_syscall;
}

static int nth_cpu(unsigned n)
{
    cpu_set_t set;

    sched_getaffinity(0, sizeof(set), &set);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET((size_t)cpu, &set) && !n--) {
            return cpu;
        }
    }
    return -1;
}

/* Both sides come here once they have their filter. */
static void meet(void)
{
    __atomic_add_fetch(&game->ready, 1, __ATOMIC_ACQ_REL);
    while (__atomic_load_n(&game->ready, __ATOMIC_ACQUIRE) < 2) {
    }
}

static uint64_t parks(void)
{
    uint64_t n = 0;

    for (int i = 0; i < 2; i++) {
        struct xsc_shard_stats s;

        xsc_shard_stats_read(game->shard[i], &s, sizeof(s));
        n += s.parks + s.wakes;
    }
    return n;
}

static int answer(struct xsc_shard *s, void *arg)
{
    uint64_t m, n = 0;

    (void)arg;
    while (xsc_shard_yield(s, &m, NULL, XSC_FOREVER) == XSC_SHARD_MESSAGE) {
        if (++n > WARM_UP && game->control && n % MESSAGES == 0) {
            syscall(SYS_getppid); /* before the round's last answer, so within it */
        }
        xsc_shard_send(game->shard[0], &m);
        if (n == WARM_UP) {
            if (!trap_all()) {
                game->trouble = errno;
            }
            meet();
        }
    }
    return 0;
}

static bool play(struct xsc_shard *s, uint64_t n)
{
    for (uint64_t i = 1, m = 0; i <= n; i++) {
        if (xsc_shard_send(game->shard[1], &i) ||
            xsc_shard_yield(s, &m, NULL, XSC_FOREVER) != XSC_SHARD_MESSAGE || m != i) {
            return false;
        }
    }
    return true;
}

static int ask(struct xsc_shard *s, void *arg)
{
    (void)arg;
    if (!play(s, WARM_UP)) {
        return -EIO;
    }
    if (!trap_all()) {
        game->trouble = errno;
    }
    meet();
    bool parked = true; /* in the round before: a park that began there may reach into this one */
    uint64_t before = parks(), calls = __atomic_load_n(&game->calls, __ATOMIC_RELAXED);

    for (int round = 0; round < ROUNDS && !game->trouble; round++) {
        if (!play(s, MESSAGES)) {
            break;
        }
        const uint64_t now = parks(), made = __atomic_load_n(&game->calls, __ATOMIC_RELAXED);

        if (parked || now != before) {
            game->unclean++;
        } else {
            game->clean++;
            game->wrong += made != calls;
        }
        parked = now != before;
        before = now;
        calls = made;
    }
    syscall(SYS_exit_group, 0);
    return 0;
}

static void *run_answer(void *arg)
{
    (void)arg;
    xsc_shard_run(game->shard[1], nth_cpu(1), answer, NULL);
    return NULL;
}

/* In a process of its own: a filter is for life. */
static bool run(bool control)
{
    const struct xsc_shard_config config = {
        .size = sizeof(config), .message_size = sizeof(uint64_t), .capacity = 8};
    int status = 0;

    *game = (struct game){.control = control};
    const pid_t pid = fork();

    if (!pid) {
        struct sigaction act;
        pthread_t thread;
        const int cpu = nth_cpu(0);

        memset(&act, 0, sizeof(act));
        act.sa_sigaction = trapped;
        act.sa_flags = SA_SIGINFO;
        sigaction(SIGSYS, &act, NULL);
        if (xsc_shard_create(&config, &game->shard[0]) ||
            xsc_shard_create(&config, &game->shard[1]) ||
            pthread_create(&thread, NULL, run_answer, NULL)) {
            _exit(1);
        }
        xsc_shard_run(game->shard[0], cpu, ask, NULL);
        _exit(1);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && !status;
}

static bool report(bool good, const char *what)
{
    printf("%s - %s: %llu rounds of %d messages each way without a park, %llu with or after one; "
           "%llu of the former with system calls, %llu calls in all (last: number %d)\n",
           good ? "ok" : "not ok", what, (unsigned long long)game->clean, MESSAGES,
           (unsigned long long)game->unclean, (unsigned long long)game->wrong,
           (unsigned long long)game->calls, game->last_call);
    return good;
}

int main(void)
{
    cpu_set_t set;

    setenv("XSC_PREFER", "latency", 1);
    xsc_init(NULL); /* the choice, and the process's number, are not what is measured */
    if (sched_getaffinity(0, sizeof(set), &set) || CPU_COUNT(&set) < 2) {
        fprintf(stderr, "test_shard_syscalls: needs two CPUs that it may run on (see taskset)\n");
        return 77;
    }
    game = mmap(NULL, sizeof(*game), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (game == MAP_FAILED) {
        perror("test_shard_syscalls: mmap");
        return 1;
    }
    bool good = run(true);

    if (game->trouble) {
        fprintf(stderr, "test_shard_syscalls: no seccomp filter available (%s)\n",
                strerror(game->trouble));
        return 77;
    }
    good = report(good && game->clean && game->wrong == game->clean,
                  "control, a call in every round");
    good &= report(run(false) && game->clean && !game->wrong, "nothing but messages");
    return !good;
}
