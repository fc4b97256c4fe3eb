/* SPDX-License-Identifier: MIT */
/* Self test, part 4: processes. Shared memory, fork, stop and continue. */
#define _GNU_SOURCE
#include "selftest.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <xsc/stats.h>
#include <xsc/wait.h>

/* Shared by the processes of one scenario. */
struct shared {
    struct line there, back, step;
    int got;
    uint64_t took;
};

static struct shared *share(void)
{
    void *p = mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                   -1, 0);

    return check(p != MAP_FAILED, "memory shared between processes") ? p : NULL;
}

static bool ended_well(pid_t pid, const char *who)
{
    int status = -1;

    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return check(WIFEXITED(status) && !WEXITSTATUS(status), "%s ended well: %#x", who, status);
}

/* ------------------------------------------------------------------- across two processes ---- */

static void across(void *arg)
{
    struct shared *s = share();
    const uint32_t n = (uint32_t)part_of_handovers(2, 1000);
    uint32_t done = 0;

    (void)arg;
    if (!s) {
        return;
    }
    const pid_t pid = fork();

    if (!pid) {
        uint32_t i = 1;

        while (i <= n && !xsc_wait_u32(&s->there.word, i - 1, LOST_NS) && s->there.word == i) {
            __atomic_store_n(&s->back.word, i++, __ATOMIC_RELEASE);
        }
        _exit(i != n + 1);
    }
    for (uint32_t i = 1; i <= n; i++) {
        __atomic_store_n(&s->there.word, i, __ATOMIC_RELEASE);
        if (xsc_wait_u32(&s->back.word, i - 1, LOST_NS) || s->back.word != i) {
            break;
        }
        done = i;
    }
    check(done == n, "%u of %u hand-overs between two processes, by %s", done, n,
          mechanism_in_use());
    ended_well(pid, "the other process");
    check_stats("after two processes");
}

/* -------------------------------------------------------------- fork while others are busy ---- */

static void *wait_for_gate(void *arg)
{
    struct shared *s = arg;

    __atomic_store_n(&s->step.word, 1, __ATOMIC_RELEASE);
    s->got = xsc_wait_u32(&s->there.word, 0, XSC_FOREVER);
    return NULL;
}

static void use_it_in_child(void)
{
    volatile uint32_t word = 0;
    const uint64_t start = now_ns();
    const int got = xsc_wait_u32(&word, 0, 2 * NS_PER_MS);

    expect(got == -ETIMEDOUT && now_ns() - start >= 2 * NS_PER_MS, "a timeout in the child: %d",
           got);
    if (hand_over("in the child", part_of_handovers(1000, 100)) < 100) {
        _exit(1);
    }
    _exit(!expect(mechanism_in_use()[0], "a choice is in place in the child"));
}

static void fork_while_waiting(void *arg)
{
    struct shared *s = share();
    pthread_t thread;

    (void)arg;
    if (!s) {
        return;
    }
    xsc_init(NULL);
    pthread_create(&thread, NULL, wait_for_gate, s);
    check(!xsc_wait_reached(&s->step.word, 1, LOST_NS), "a thread waits");
    sleep_ns(5 * NS_PER_MS);
    const pid_t pid = fork();

    if (!pid) {
        use_it_in_child();
    }
    ended_well(pid, "a child forked while another thread waited");
    __atomic_store_n(&s->there.word, 1, __ATOMIC_RELEASE);
    pthread_join(thread, NULL);
    check(!s->got, "and the waiting thread was let go: %d", s->got);
}

static void fork_while_choosing(void *arg)
{
    const int number = *(int *)arg;
    struct shared *s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                            -1, 0);
    pthread_t thread;

    pthread_create(&thread, NULL, wait_for_gate, s); /* its wait is the first: it chooses */
    while (!__atomic_load_n(&s->step.word, __ATOMIC_ACQUIRE)) {
    }
    for (const uint64_t until = now_ns() + 150000ull * (unsigned)number; now_ns() < until;) {
    }
    const pid_t pid = fork();

    if (!pid) {
        use_it_in_child();
    }
    ended_well(pid, "a child forked while another thread chose");
    __atomic_store_n(&s->there.word, 1, __ATOMIC_RELEASE);
    pthread_join(thread, NULL);
    expect(!s->got, "the thread that chose was let go: %d", s->got);
}

/* ------------------------------------------------------------------------ stop, continue ---- */

/* A process that waits, stopped in its wait. 0: it was over before we came to stop it. */
static pid_t stop_in_wait(struct shared *s, uint64_t timeout_ns)
{
    int status = 0;

    s->step.word = 0;
    const pid_t pid = fork();

    if (!pid) {
        xsc_init(NULL);
        const uint64_t start = now_ns();

        __atomic_store_n(&s->step.word, 1, __ATOMIC_RELEASE);
        s->got = xsc_wait_u32(&s->there.word, 0, timeout_ns);
        s->took = now_ns() - start;
        _exit(0);
    }
    expect(!xsc_wait_reached(&s->step.word, 1, LOST_NS), "a process waits");
    sleep_ns(5 * NS_PER_MS);
    kill(pid, SIGSTOP);
    return waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status) ? pid : 0;
}

static void stopped_store(void *arg)
{
    struct shared *s = share();

    (void)arg;
    if (!s) {
        return;
    }
    const pid_t pid = stop_in_wait(s, LOST_NS);

    __atomic_store_n(&s->there.word, 1, __ATOMIC_RELEASE);
    sleep_ns(20 * NS_PER_MS);
    if (!check(pid, "a process was stopped in its wait")) {
        return;
    }
    kill(pid, SIGCONT);
    ended_well(pid, "a process that was stopped in a wait");
    check(!s->got, "a store while it was stopped ended its wait: %d", s->got);
}

/* Stopped for `pause_ns` in a wait that nothing but its timeout ends. */
static void stopped_for(struct shared *s, uint64_t timeout_ns, uint64_t pause_ns, const char *name)
{
    pid_t pid = stop_in_wait(s, timeout_ns);

    while (!pid && timeout_ns < LOST_NS) { /* a busy machine: give it longer */
        timeout_ns *= 4;
        pid = stop_in_wait(s, timeout_ns);
    }
    if (!check(pid, "%s: a process was stopped in its wait", name)) {
        return;
    }
    if (pause_ns) {
        sleep_ns(timeout_ns + pause_ns);
    }
    kill(pid, SIGCONT);
    ended_well(pid, name);
    check(s->got == -ETIMEDOUT && s->took >= timeout_ns, "%s: %d after %llu of %llu ns", name,
          s->got, (unsigned long long)s->took, (unsigned long long)timeout_ns);
}

static void stopped_deadline(void *arg)
{
    struct shared *s = share();

    (void)arg;
    if (s) {
        stopped_for(s, 50 * NS_PER_MS, 20 * NS_PER_MS, "stopped beyond its deadline");
        stopped_for(s, 50 * NS_PER_MS, 0, "continued before its deadline");
    }
}

void selftest_processes(void)
{
    in_child("two processes", NULL, 600, across, NULL);
    in_child("fork while waiting", NULL, 120, fork_while_waiting, NULL);
    for (int i = 0; i < 20; i++) {
        in_child("fork while choosing", NULL, 60, fork_while_choosing, &i);
    }
    in_child("stopped, stored", NULL, 60, stopped_store, NULL);
    in_child("stopped, deadline", NULL, 60, stopped_deadline, NULL);
}
