/* SPDX-License-Identifier: MIT */
/* The part of the port that is Linux's: trying an instruction out, and placing threads. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/port.h"
#include "user/affinity.h"
#include "user/library.h"
#include "user/linux_cpu.h"
#include "user/peer.h"
#include "user/process.h"

/* ------------------------------------------------------------------------ a child's mark ---- */

#if !defined(MADV_WIPEONFORK)
#define MADV_WIPEONFORK 18
#endif

/* No such advice: an emulator that takes this takes any, and does nothing. */
#define MADV_NONSENSE (-1)

uint32_t *xsc_wiped_page_map(void)
{
    const size_t size = (size_t)sysconf(_SC_PAGESIZE);
    const int saved = errno;
    uint32_t *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (page == MAP_FAILED) {
        page = NULL;
    } else if (madvise(page, size, MADV_WIPEONFORK) || !madvise(page, size, MADV_NONSENSE)) {
        munmap(page, size);
        page = NULL;
    }
    errno = saved;
    return page;
}

void xsc_wiped_page_unmap(uint32_t *page)
{
    const int saved = errno;

    munmap(page, (size_t)sysconf(_SC_PAGESIZE));
    errno = saved;
}

/* ---------------------------------------------------------- an instruction that may fault ---- */

/*
 * The instruction is executed in a child that shares our memory but not our signal
 * handlers, while we are suspended: vfork() with a stack of its own. So no SIGILL handler of the
 * program's is replaced or called, other threads notice nothing, and a fault shows as the
 * child's exit status. Its exit raises no SIGCHLD, and wait() without __WALL or __WCLONE,
 * the program's own, can't see it.
 */
#define EXIT_SIGNAL_BASE 128

#if !defined(AT_MINSIGSTKSZ) /* Linux 5.14 on x86; a kernel that does not say it gives 0 */
#define AT_MINSIGSTKSZ 51
#endif

char xsc_trial_stack[XSC_TRIAL_STACK_SIZE] __attribute__((aligned(64)));

/*
 * Whether the stack holds what a trial needs: fault_exit()'s signal frame, which the kernel tells the
 * size of (3 KB with AVX-512, 12 KB with AMX), and some hundred bytes each of ours and libc's.
 */
static bool stack_suffices(void)
{
    return getauxval(AT_MINSIGSTKSZ) + XSC_TRIAL_FRAMES <= XSC_TRIAL_STACK_SIZE;
}

struct attempt {
    void (*fn)(void *);
    void *arg;
};

static const int faults[] = {SIGILL, SIGSEGV, SIGBUS, SIGTRAP, SIGFPE};

#define N_FAULTS (sizeof(faults) / sizeof(faults[0]))

static void fault_exit(int sig)
{
    _exit(EXIT_SIGNAL_BASE + sig);
}

static void catch_fault(int sig)
{
    const struct sigaction act = {.sa_handler = fault_exit};
#if defined(XSC_TESTING)
    struct sigaction now;

    /* A test that emulates instructions in its SIGILL handler wants that handler here too. */
    if (!sigaction(sig, NULL, &now) && now.sa_handler != SIG_DFL && now.sa_handler != SIG_IGN) {
        return;
    }
#endif
    sigaction(sig, &act, NULL);
}

static int attempt_main(void *arg)
{
    const struct attempt *a = arg;

    for (size_t i = 0; i < N_FAULTS; i++) {
        catch_fault(faults[i]);
    }
    a->fn(a->arg);
    _exit(0);
}

int xsc_port_try(void (*fn)(void *), void *arg)
{
    struct attempt a = {fn, arg};
    const int saved = errno, cancel = xsc_no_cancel(); /* for waitpid() */
    const struct timespec no_time = {0, 0};
    sigset_t set, before;
    bool take_sigchld = false;
    int status = 0;

    if (!stack_suffices()) {
        xsc_cancel_as(cancel);
        errno = saved;
        return -1;
    }
    sigfillset(&set);
    for (size_t i = 0; i < N_FAULTS; i++) {
        sigdelset(&set, faults[i]);
    }
    pthread_sigmask(SIG_BLOCK, &set, &before);
    int pid = clone(attempt_main, xsc_trial_stack + XSC_TRIAL_STACK_SIZE, CLONE_VM | CLONE_VFORK,
                    &a);
    int reaped = -1;

    if (pid < 0 && errno == EINVAL) {
        /* User-mode QEMU can fork only with SIGCHLD. It comes while we block it. */
        take_sigchld = !sigpending(&set) && !sigismember(&set, SIGCHLD);
        pid = clone(attempt_main, xsc_trial_stack + XSC_TRIAL_STACK_SIZE,
                    CLONE_VM | CLONE_VFORK | SIGCHLD, &a);
    }
    if (pid > 0) {
        do {
            reaped = waitpid(pid, &status, (int)__WALL);
        } while (reaped < 0 && errno == EINTR);
    }
    if (take_sigchld) {
        sigemptyset(&set);
        sigaddset(&set, SIGCHLD);
        sigtimedwait(&set, NULL, &no_time);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    xsc_cancel_as(cancel);
    errno = saved;

    if (reaped < 0) {
        return -1;
    }
    if (WIFSIGNALED(status)) {
        return WTERMSIG(status);
    }
    return WEXITSTATUS(status) > EXIT_SIGNAL_BASE ? WEXITSTATUS(status) - EXIT_SIGNAL_BASE : 0;
}

/* ------------------------------------------------------------------------------ policy ---- */

/* sched_setscheduler(2): the kernel's numbers. Others, of today and to come, are fair. */
#define POLICY_FIFO 1
#define POLICY_RR 2
#define POLICY_DEADLINE 6
#define RESET_ON_FORK 0x40000000

/* Not by sched_getscheduler(): musl's only fails. A seccomp filter may refuse the call as well. */
bool xsc_port_must_sleep(void)
{
    const int saved = errno;
    const long policy = syscall(SYS_sched_getscheduler, 0) & ~(long)RESET_ON_FORK;

    errno = saved;
    return policy < 0 || policy == POLICY_FIFO || policy == POLICY_RR || policy == POLICY_DEADLINE;
}

/* --------------------------------------------------------------------------- placement ---- */

static int storer_named = -1; /* changed by a probe only, under its caller's eyes */
static uint64_t storer_for;   /* that probe's process: a child forked meanwhile probes nothing */

static int storer_cpu(void)
{
    return storer_named >= 0 && storer_for == xsc_port_process() ? storer_named : -1;
}

unsigned xsc_peer_cpus(void)
{
    return storer_cpu() >= 0 ? 2 : __atomic_load_n(&xsc_library.cpu.cpus, __ATOMIC_RELAXED);
}

/*
 * Where the peer is to run; false: where it is. Not on the waiter's own CPU, where a scheduler
 * with threads enough leaves it and no monitor can be proven. A waiter pinned to one CPU would
 * hand that on: its peer gets the process's others. One trial at a time: the manager's lock.
 */
static bool peer_set(struct xsc_cpu_set *set)
{
    static struct xsc_cpu_set scratch;

    if (storer_cpu() >= 0) {
        return xsc_cpus_only(storer_cpu(), set);
    }
    if (!xsc_cpus_of_process(set, &scratch)) {
        return false;
    }
    xsc_cpus_without(sched_getcpu(), set);
    return xsc_cpus_in(set) > 0;
}

static struct xsc_cpu_set for_peer;

void xsc_peer_place_tid(int tid)
{
    if (peer_set(&for_peer)) {
        xsc_cpus_move(tid, &for_peer);
    }
}

void xsc_peer_place_thread(pthread_t thread)
{
    if (peer_set(&for_peer)) {
        pthread_setaffinity_np(thread, sizeof(for_peer), (const cpu_set_t *)(void *)&for_peer);
    }
}

/* One probe at a time places threads, see storer_named; and the set is large for a stack. */
static bool go_to(int cpu)
{
    static struct xsc_cpu_set set;

    return xsc_cpus_only(cpu, &set) && !xsc_cpus_move(0, &set);
}

int xsc_affinity_set(int waiter, int storer, struct xsc_affinity *before)
{
    before->moved = 0;
    if (!xsc_cpus_of(0, &before->set)) {
        return waiter < 0 && storer < 0 ? 0 : -ENODEV;
    }
    /* Going there is the only proof that a CPU is online and allowed: the storer's first. */
    if (storer >= 0 && !go_to(storer)) {
        return -ENODEV;
    }
    before->moved = storer >= 0;
    if (waiter >= 0 && !go_to(waiter)) {
        xsc_affinity_restore(before);
        return -ENODEV;
    }
    if (waiter < 0 && before->moved) {
        xsc_cpus_move(0, &before->set);
    }
    before->moved |= waiter >= 0;
    storer_named = storer;
    storer_for = xsc_port_process();
    return 0;
}

void xsc_affinity_restore(const struct xsc_affinity *before)
{
    if (before->moved) {
        xsc_cpus_move(0, &before->set);
    }
    storer_named = -1;
}
