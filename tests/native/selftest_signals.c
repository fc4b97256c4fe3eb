/* SPDX-License-Identifier: MIT */
/* Self test, part 3: signals. Storms, waits in handlers, handlers in the first choice. */
#define _GNU_SOURCE
#include "selftest.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <xsc/stats.h>
#include <xsc/wait.h>

static volatile sig_atomic_t rings;

static void on(int sig, void (*handler)(int))
{
    struct sigaction act;

    memset(&act, 0, sizeof(act));
    act.sa_handler = handler; /* without SA_RESTART: an EINTR would show */
    sigaction(sig, &act, NULL);
}

static void alarm_every_us(suseconds_t us)
{
    const struct itimerval every = {{0, us}, {0, us}};

    setitimer(ITIMER_REAL, &every, NULL);
}

static void ring(int sig)
{
    (void)sig;
    rings = rings + 1;
}

/* -------------------------------------------------------------------------------- storm ---- */

static void storm(void *arg)
{
    volatile uint32_t word = 0;

    (void)arg;
    on(SIGALRM, ring);
    alarm_every_us(300);
    for (int i = 0; i < 40 || rings < 20; i++) { /* the first one chooses, under fire */
        const uint64_t start = now_ns();
        const int got = xsc_wait_u32(&word, 0, 2 * NS_PER_MS);

        expect(got == -ETIMEDOUT && now_ns() - start >= 2 * NS_PER_MS, "under fire: %d after %llu",
               got, (unsigned long long)(now_ns() - start));
    }
    hand_over("under fire", part_of_handovers(10, 500));
    alarm_every_us(0);
    check(rings > 0, "%d signals, no early end, by %s", (int)rings, mechanism_in_use());
    check_stats("after a storm");
}

/* ------------------------------------------------------------------ a wait in a handler ---- */

static struct {
    struct line outer, inner, progress;
    int timed_out, met;
    uint64_t took;
} nest;

static void wait_in_handler(int sig)
{
    const uint64_t start = now_ns();

    (void)sig;
    nest.timed_out = xsc_wait_u32(&nest.inner.word, 0, NS_PER_MS);
    nest.took = now_ns() - start;
    __atomic_store_n(&nest.progress.word, 2, __ATOMIC_RELEASE);
    nest.met = xsc_wait_u32(&nest.inner.word, 0, LOST_NS);
    __atomic_store_n(&nest.progress.word, 3, __ATOMIC_RELEASE);
}

static void *nested_waiter(void *arg)
{
    int *got = arg;

    __atomic_store_n(&nest.progress.word, 1, __ATOMIC_RELEASE);
    *got = xsc_wait_u32(&nest.outer.word, 0, LOST_NS);
    return NULL;
}

static void nested(void *arg)
{
    pthread_t thread;
    int got = -1;

    (void)arg;
    on(SIGUSR1, wait_in_handler);
    pthread_create(&thread, NULL, nested_waiter, &got);
    check(!xsc_wait_reached(&nest.progress.word, 1, LOST_NS), "a thread waits");
    sleep_ns(10 * NS_PER_MS);
    pthread_kill(thread, SIGUSR1);
    check(!xsc_wait_reached(&nest.progress.word, 2, LOST_NS) && nest.timed_out == -ETIMEDOUT &&
              nest.took >= NS_PER_MS,
          "a wait in a handler that interrupted it times out: %d after %llu", nest.timed_out,
          (unsigned long long)nest.took);
    __atomic_store_n(&nest.inner.word, 1, __ATOMIC_RELEASE);
    check(!xsc_wait_reached(&nest.progress.word, 3, LOST_NS) && !nest.met,
          "another one there ends by a store: %d", nest.met);
    __atomic_store_n(&nest.outer.word, 1, __ATOMIC_RELEASE);
    pthread_join(thread, NULL);
    check(!got, "and so does the one that was interrupted: %d", got);
    check_stats("after nesting");
}

/* ------------------------------------------------------ handlers in the midst of choosing ---- */

#define SHOTS 24

static uint32_t shot_word;
static int shot_got;

static void shot_waits(int sig)
{
    (void)sig;
    rings = rings + 1;
    shot_got = xsc_wait_u32(&shot_word, 0, 200000);
}

static pid_t shot_child = -1;

/* The child goes on with the choice that its parent was making. */
static void shot_forks(int sig)
{
    (void)sig;
    rings = rings + 1;
    shot_child = fork();
}

/* The same, but before that it makes one of its own. */
static void shot_forks_and_waits(int sig)
{
    shot_forks(sig);
    if (!shot_child) {
        shot_waits(sig);
    }
}

/* How long a choice takes here; shared with the child that finds out. */
static uint64_t *choice_ns;

static void time_choice(void *arg)
{
    const uint64_t start = now_ns();

    (void)arg;
    xsc_init(NULL);
    *choice_ns = now_ns() - start;
}

/* One timer shot into a first wait: the first soon after its start, the last at its end. */
static void shoot(void (*handler)(int), int number)
{
    const uint64_t us = 50 + *choice_ns / 1000 * (unsigned)number / SHOTS;
    const struct itimerval once = {{0, 0}, {(time_t)(us / 1000000), (suseconds_t)(us % 1000000)}};
    volatile uint32_t word = 0;

    on(SIGALRM, handler);
    setitimer(ITIMER_REAL, &once, NULL);
    const int got = xsc_wait_u32(&word, 0, 6 * NS_PER_MS);

    expect(got == -ETIMEDOUT, "the first wait, shot at: %d", got);
    while (!rings) {
        sleep_ns(NS_PER_MS); /* the timer has not fired yet on this slow machine */
    }
    expect(shot_got == -ETIMEDOUT || handler != shot_waits, "the wait in the handler: %d",
           shot_got);
    expect(xsc_wait_u32(&word, 0, 200000) == -ETIMEDOUT, "a wait after that");
    expect(mechanism_in_use()[0], "a choice is in place");
}

static void shot_waiting(void *arg)
{
    shoot(shot_waits, *(int *)arg);
}

static void shot_forking(void *arg)
{
    const int number = *(int *)arg;
    int status = 0;

    shoot(number % 2 ? shot_forks : shot_forks_and_waits, number);
    if (shot_child > 0) {
        while (waitpid(shot_child, &status, 0) < 0 && errno == EINTR) {
        }
        expect(!status, "the child that was forked in the midst of choosing: %#x", status);
    }
}

static void shots(const char *name, void (*fn)(void *))
{
    for (int i = 0; i < SHOTS; i++) {
        in_child(name, NULL, 30, fn, &i);
    }
    check(true, "%s: %d times", name, SHOTS);
}

/* ---------------------------------------------------- the program's signals are untouched ---- */

static void dispositions(void *arg)
{
    struct sigaction before[65], after;
    sigset_t mask_before, mask_after, some;
    volatile uint32_t word = 0;

    (void)arg;
    on(SIGCHLD, ring);
    on(SIGSEGV, ring);
    sigemptyset(&some);
    sigaddset(&some, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &some, &mask_before);
    pthread_sigmask(SIG_BLOCK, NULL, &mask_before);
    for (int sig = 1; sig < 65; sig++) {
        memset(&before[sig], 0, sizeof(before[sig]));
        sigaction(sig, NULL, &before[sig]);
    }
    xsc_wait_u32(&word, 0, 300000);
    for (int sig = 1; sig < 65; sig++) {
        if (sig == SIGILL && getenv("XSC_TEST_EMULATE")) {
            continue; /* the emulation shows a handler of its own making in place of this one */
        }
        memset(&after, 0, sizeof(after));
        sigaction(sig, NULL, &after);
        expect(after.sa_handler == before[sig].sa_handler && after.sa_flags == before[sig].sa_flags,
               "signal %d is handled as before", sig);
    }
    pthread_sigmask(SIG_BLOCK, NULL, &mask_after);
    for (int sig = 1; sig < 65; sig++) {
        expect(sigismember(&mask_before, sig) == sigismember(&mask_after, sig),
               "signal %d is blocked, or not, as before", sig);
    }
    if (getenv("XSC_TEST_USER_MODE")) {
        skipped("user-mode QEMU gives no child without a signal at its end: %d", (int)rings);
    } else {
        check(!rings, "the first wait raised no SIGCHLD and no SIGSEGV: %d", (int)rings);
    }
    check(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD, "and left no child");
}

void selftest_signals(void)
{
    choice_ns = mmap(NULL, sizeof(*choice_ns), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                     -1, 0);
    if (!check(choice_ns != MAP_FAILED, "memory shared with children")) {
        return;
    }
    in_child("storm", NULL, 300, storm, NULL);
    in_child("nested", NULL, 120, nested, NULL);
    in_child("a choice, timed", NULL, 60, time_choice, NULL);
    shots("a handler waits while we choose", shot_waiting);
    shots("a handler forks while we choose", shot_forking);
    in_child("dispositions", NULL, 60, dispositions, NULL);
}
