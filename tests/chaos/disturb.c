/* SPDX-License-Identifier: MIT */
/* disturb.c - signals at any instruction, delayed system calls, priorities, children */
#define _GNU_SOURCE
#include "chaos.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <xsc/lock.h>

#include "tests/native/limits.h"

#define STACK_BYTES 65536

long __real_syscall(long number, ...);

/* What the thread that runs is to suffer. */
static __thread struct {
    uint64_t random;
    bool delays;
    unsigned slow_wakes;
} mine;

/* ---------------------------------------------------------------------------- choices ---- */

uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t draw(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

uint64_t below(uint64_t *state, uint64_t n)
{
    return (draw(state) >> 11) % n;
}

bool one_in(uint64_t *state, uint64_t n)
{
    return below(state, n) == 0;
}

void sleep_ns(uint64_t ns)
{
    const struct timespec t = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};

    nanosleep(&t, NULL);
}

uint64_t timeout_of(struct worker *w)
{
    if (!w->round->how.timeouts || one_in(&w->random, 4)) {
        return XSC_FOREVER;
    }
    /* As many of some microseconds as of a millisecond. */
    return 1000 + below(&w->random, 1000ull << below(&w->random, 12));
}

bool timed_out(struct worker *w, int result, uint64_t since, uint64_t ns)
{
    waited(w);
    if (!result) {
        return false;
    }
    if (result != -ETIMEDOUT || ns == XSC_FOREVER) {
        failed(w->round, "worker %u: returned %d for a timeout of %llu ns", w->me, result,
               (unsigned long long)ns);
        return false;
    }
    add_to(&w->timeouts, 1);
    const uint64_t took = now_ns() - since;

    if (took < ns) {
        failed(w->round, "worker %u: -ETIMEDOUT after %llu of %llu ns", w->me,
               (unsigned long long)took, (unsigned long long)ns);
    }
    return true;
}

/* --------------------------------------------------------------- the program's own sleep ---- */

void quiet_wait(const uint32_t *word, uint32_t old, uint64_t ns)
{
    const struct timespec t = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};

    __real_syscall(SYS_futex, word, FUTEX_WAIT, old, ns == UINT64_MAX ? NULL : &t, NULL, 0);
}

void quiet_wake(const uint32_t *word)
{
    __real_syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

/* --------------------------------------------------------------- delayed system calls ---- */

static bool wakes(long number, long operation)
{
    const long command = operation & FUTEX_CMD_MASK;

    return number == SYS_futex && (command == FUTEX_WAKE || command == FUTEX_WAKE_BITSET);
}

static void delay(bool wake)
{
    uint64_t *random = &mine.random;

    if (wake && mine.slow_wakes && one_in(random, mine.slow_wakes)) {
        sleep_ns(below(random, 2000000));
    } else if (one_in(random, 8)) {
        sched_yield();
    } else if (one_in(random, 64)) {
        sleep_ns(below(random, 50000));
    } else if (one_in(random, 2048)) {
        sleep_ns(below(random, 2000000));
    }
}

/* The library's system calls come here (--wrap=syscall). */
long __wrap_syscall(long number, ...)
{
    long a[6];
    va_list arguments;

    va_start(arguments, number);
    for (int i = 0; i < 6; i++) {
        a[i] = va_arg(arguments, long);
    }
    va_end(arguments);
    if (!mine.delays) {
        return __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    }
    int saved = errno;

    delay(wakes(number, a[1]));
    errno = saved;
    const long result = __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);

    saved = errno;
    delay(false);
    errno = saved;
    return result;
}

/* ---------------------------------------------------------------------------- signals ---- */

/* Stalls the worker where it is: for nothing, its time slice, or a sleep; or uses the library itself. */
static void on_signal(int number)
{
    static const uint32_t never;
    const int saved = errno;
    uint64_t *random = &mine.random;

    (void)number;
    switch (below(random, 8)) {
    case 0:
        sched_yield();
        break;
    case 1:
        sleep_ns(below(random, one_in(random, 16) ? 12000000 : 300000));
        break;
    case 2:
        (void)xsc_park_u32(&never, 0, 1000 + below(random, 20000));
        break;
    case 3:
        xsc_unpark_all(&never);
        break;
    default:
        for (volatile uint64_t spins = below(random, 4096); spins; spins--) {
        }
    }
    errno = saved;
}

/* In bursts and one by one, until there are none left or some worker has come to its end. */
void *disturb_sender(void *round)
{
    struct round *r = round;
    uint64_t random = r->seed ^ 0x5e17de5;

    while (!__atomic_load_n(&r->over, __ATOMIC_ACQUIRE)) {
        const uint32_t episode = __atomic_load_n(&r->episode, __ATOMIC_ACQUIRE);

        while (__atomic_load_n(&r->storm, __ATOMIC_RELAXED) &&
               __atomic_load_n(&r->left, __ATOMIC_RELAXED) == r->workers) {
            const struct worker *w = &r->worker[below(&random, r->workers)];

            __real_syscall(SYS_tgkill, w->pid, w->tid, SIGUSR1);
            __atomic_fetch_sub(&r->storm, 1, __ATOMIC_RELAXED);
            add_to(&r->signals, 1);
            if (one_in(&random, 2)) {
                sleep_ns(below(&random, 200000));
            }
        }
        __atomic_store_n(&r->storm, 0, __ATOMIC_RELEASE);
        quiet_wait(&r->episode, episode, UINT64_MAX);
    }
    return NULL;
}

/* --------------------------------------------------------------------------- set up ---- */

bool real_time_permitted(void)
{
    const struct sched_param priority = {.sched_priority = 1};
    const struct sched_param none = {0};

    if (sched_setscheduler(0, SCHED_FIFO, &priority)) {
        return false;
    }
    return !sched_setscheduler(0, SCHED_OTHER, &none);
}

void disturb_round(struct round *r)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

    if (r->how.own_stacks) {
        action.sa_flags |= SA_ONSTACK;
    }
    sigaction(SIGUSR1, &action, NULL);
    if (r->how.one_cpu) {
        cpu_set_t allowed, first;

        CPU_ZERO(&first);
        if (!sched_getaffinity(0, sizeof(allowed), &allowed)) {
            for (size_t cpu = 0; cpu < CPU_SETSIZE && !CPU_COUNT(&first); cpu++) {
                if (CPU_ISSET(cpu, &allowed)) {
                    CPU_SET(cpu, &first);
                }
            }
            sched_setaffinity(0, sizeof(first), &first);
        }
    }
    if (r->how.fences) {
        setenv("XSC_PARK", "seqcst", 1);
    } else {
        unsetenv("XSC_PARK");
    }
    if (r->how.early_choice) {
        xsc_park_init(XSC_PARK_AUTO);
    }
}

void disturb_worker(struct worker *w)
{
    const struct disturbance *how = &w->round->how;

    w->pid = getpid();
    w->tid = (pid_t)__real_syscall(SYS_gettid);
    mine.random = w->random ^ 0xd15707b;
    if (how->own_stacks && w->me % 2 == 0) {
        static __thread char stack[STACK_BYTES];
        const stack_t own = {.ss_sp = stack, .ss_size = sizeof(stack)};

        sigaltstack(&own, NULL);
    }
    if (how->nice) {
        setpriority(PRIO_PROCESS, (id_t)w->tid, (int)(w->me % 4) * 4);
    }
    if (how->real_time && w->me % 3) {
        const struct sched_param priority = {.sched_priority = (int)w->me % 3 * 5};

        sched_setscheduler(w->tid, w->me % 3 == 2 ? SCHED_FIFO : SCHED_RR, &priority);
    }
    mine.delays = how->delays;
    mine.slow_wakes = how->slow_wakes;
}

/* --------------------------------------------------------------------------- children ---- */

/* What a child may do: everything, with objects that nothing held or awaited at the fork. */
static int in_child(void)
{
    static uint32_t word;
    static struct xsc_mutex mutex;
    static struct xsc_event event;
    const uint32_t key = xsc_event_prepare(&event);

    xsc_event_signal(&event);
    if (xsc_event_wait(&event, key, XSC_FOREVER) || xsc_park_u32(&word, 0, 20000) != -ETIMEDOUT ||
        xsc_mutex_lock_for(&mutex, 1000)) {
        return 1;
    }
    if (xsc_mutex_lock_for(&mutex, 1000) != -ETIMEDOUT) {
        return 2;
    }
    xsc_mutex_unlock(&mutex);
    word = 1;
    xsc_unpark_one(&word);
    return xsc_park_u32(&word, 0, XSC_FOREVER) ? 3 : 0;
}

void disturb_fork(struct round *r)
{
    int status = 0;
    const pid_t pid = fork();

    if (!pid) {
        alarm((unsigned)limit(60));
        _exit(in_child());
    }
    if (pid < 0) {
        return;
    }
    add_to(&r->children, 1);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (status) {
        failed(r, "a child forked while workers waited ended with wait status %#x",
               (unsigned)status);
    }
}
