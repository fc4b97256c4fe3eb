/* SPDX-License-Identifier: MIT */
/*
 * test_fork: what a forked child makes of the state that its parent's threads have left in it
 *
 * - threads parked in the parent cost a writer in the child one system call, not one at each unpark;
 *   those parked for 8-byte words two;
 * - threads that wait for a lock in the parent do not keep the child's from watching (nor those that
 *   watch: tests/unit/test_watch_then.c);
 * - a child that shares the memory (CLONE_VM) is the same process: nothing is taken off;
 * - a thread that forked in a signal handler while it was parked, in the child, is woken;
 * - nested pid namespaces, where parent and child are both pid 1: the manager's lock that a thread of
 *   the parent holds is taken over, and the child listens to a doorbell with a set of its own.
 *
 * Exit 0, 1, or 77.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <xsc/doorbell.h>
#include <xsc/lock.h>
#include <xsc/probe.h>

#include "park_test.h"

#define UNPARKS 10000

static uint32_t word;
static uint64_t wide;

static void pause_ms(unsigned ms)
{
    const struct timespec t = {ms / 1000, (long)(ms % 1000) * 1000000};

    nanosleep(&t, NULL);
}

static void *parks(void *at)
{
    xsc_park_u32(at, 0, XSC_FOREVER);
    return NULL;
}

static void *parks_wide(void *at)
{
    xsc_park_u64(at, 0, XSC_FOREVER);
    return NULL;
}

/* Waits until a thread is counted there. */
static bool parked(const volatile void *at)
{
    const uint64_t until = now_ns() + LOST_NS;

    while (xsc_parked[xsc_park_bucket(at)] < 2 && now_ns() < until) {
        pause_ms(1);
    }
    return xsc_parked[xsc_park_bucket(at)] >= 2;
}

/* The child of `fn`'s process reports by its status: 0, or the line that failed. */
static void child_of(const char *what, void (*fn)(void))
{
    int status = -1;

    fflush(stdout);
    const pid_t pid = fork();

    if (!pid) {
        fn();
        fflush(stdout);
        _exit(failures != 0);
    }
    CHECK(waitpid(pid, &status, 0) == pid && !status, "%s: wait status %#x", what,
          (unsigned)status);
}

/* ------------------------------------------------------------------------ parked threads ---- */

static void unparks_cost_nothing(void)
{
    for (int i = 0; i < 2; i++) {
        const volatile void *at = i ? (void *)&wide : (void *)&word;
        const struct xsc_stats before = stats_now();

        for (int k = 0; k < UNPARKS; k++) {
            xsc_unpark_one(at);
        }
        const uint64_t wakes = stats_now().wakes - before.wakes;

        /* An 8-byte word's are woken at two places. */
        CHECK(wakes <= 2, "%d unparks made %llu system calls", UNPARKS, (unsigned long long)wakes);
        CHECK(xsc_parked[xsc_park_bucket(at)] < 2, "%#x", xsc_parked[xsc_park_bucket(at)]);
    }
}

/* And the child parks and wakes threads of its own in the same buckets. */
static void own_threads_are_woken(void)
{
    for (int i = 0; i < 2; i++) {
        pthread_t thread;
        void *at = i ? (void *)&wide : (void *)&word;

        pthread_create(&thread, NULL, i ? parks_wide : parks, at);
        CHECK(parked(at), "never");
        pause_ms(20);
        if (i) {
            __atomic_store_n(&wide, 1, __ATOMIC_RELEASE);
        } else {
            __atomic_store_n(&word, 1, __ATOMIC_RELEASE);
        }
        xsc_unpark_one(at);
        pthread_join(thread, NULL);
    }
    unparks_cost_nothing();
}

static void a_child_of_a_child(void)
{
    child_of("grandchild", unparks_cost_nothing);
    unparks_cost_nothing();
    child_of("grandchild", own_threads_are_woken);
}

static void parents_of_parked_threads(void *arg)
{
    pthread_t threads[2];

    (void)arg;
    word = 0;
    wide = 0;
    pthread_create(&threads[0], NULL, parks, &word);
    pthread_create(&threads[1], NULL, parks_wide, &wide);
    CHECK(parked(&word) && parked(&wide), "never");
    child_of("unpark", unparks_cost_nothing);
    child_of("park", own_threads_are_woken);
    child_of("child", a_child_of_a_child);
    CHECK(parked(&word) && parked(&wide), "the parent's are its own");
    __atomic_store_n(&word, 1, __ATOMIC_RELEASE);
    xsc_unpark_one(&word);
    __atomic_store_n(&wide, 1, __ATOMIC_RELEASE);
    xsc_unpark_one(&wide);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
}

/* ---------------------------------------------------------------- threads that wait for a lock ---- */

static struct xsc_ticket held, ours;

static void *wants_it(void *lock)
{
    xsc_ticket_lock(lock);
    xsc_ticket_unlock(lock);
    return NULL;
}

/* A lock of the child's own: its second thread watches for its turn, and does not only yield. */
static void the_turn_is_watched_for(void)
{
    const struct xsc_stats before = stats_now();
    pthread_t thread;

    for (int i = 0; i < 100 && stats_now().total_waits == before.total_waits; i++) {
        xsc_ticket_lock(&ours);
        pthread_create(&thread, NULL, wants_it, &ours);
        pause_ms(5);
        xsc_ticket_unlock(&ours);
        pthread_join(thread, NULL);
    }
    CHECK(stats_now().total_waits > before.total_waits, "it never watches");
}

static void parents_of_threads_at_a_lock(void *arg)
{
    pthread_t threads[64];
    uint32_t never = 0;

    (void)arg;
    xsc_wait_u32(&never, 0, 100000);
    xsc_ticket_lock(&held);
    for (int i = 0; i < 64; i++) {
        pthread_create(&threads[i], NULL, wants_it, &held);
    }
    pause_ms(100);
    child_of("lock", the_turn_is_watched_for);
    xsc_ticket_unlock(&held);
    for (int i = 0; i < 64; i++) {
        pthread_join(threads[i], NULL);
    }
}

/* -------------------------------------------------------------------------- shared memory ---- */

static char stack[65536] __attribute__((aligned(64)));

static int unparks_in_shared_memory(void *arg)
{
    (void)arg;
    xsc_unpark_one(&word);
    return xsc_parked[xsc_park_bucket(&word)] < 2;
}

static void a_child_that_shares_the_memory(void *arg)
{
    pthread_t thread;
    int status = -1;

    (void)arg;
    word = 0;
    pthread_create(&thread, NULL, parks, &word);
    CHECK(parked(&word), "never");
    const int pid = clone(unparks_in_shared_memory, stack + sizeof(stack),
                          CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);

    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && !status, "wait status %#x",
          (unsigned)status);
    CHECK(parked(&word), "taken off by a process that shares the memory");
    __atomic_store_n(&word, 1, __ATOMIC_RELEASE);
    xsc_unpark_one(&word);
    pthread_join(thread, NULL);
}

/* ------------------------------------------------------------------- a fork in a handler ---- */

static volatile pid_t forked = -1;

static void *stores(void *arg)
{
    (void)arg;
    pause_ms(200);
    __atomic_store_n(&word, 1, __ATOMIC_RELEASE);
    xsc_unpark_one(&word);
    return NULL;
}

static void forks(int sig)
{
    (void)sig;
    const pid_t pid = fork();

    if (!pid) { /* no handler should make a thread: this one's child does */
        pthread_t thread;

        pthread_create(&thread, NULL, stores, NULL);
    }
    forked = pid;
}

static void *parks_in_both(void *arg)
{
    (void)arg;
    const int err = xsc_park_u32(&word, 0, XSC_FOREVER);

    if (!forked) {
        _exit(err || xsc_parked[xsc_park_bucket(&word)] >= 2 ? 3 : 0);
    }
    return NULL;
}

/* restart: the thread's sleep goes on in the child without coming back to the library. */
static void a_parked_thread_forks(void *restart)
{
    struct sigaction act = {.sa_handler = forks, .sa_flags = restart ? SA_RESTART : 0};
    pthread_t thread;
    int status = -1;

    word = 0;
    forked = -1;
    sigaction(SIGUSR1, &act, NULL);
    pthread_create(&thread, NULL, parks_in_both, NULL);
    CHECK(parked(&word), "never");
    pause_ms(50);
    pthread_kill(thread, SIGUSR1);
    while (forked < 0) {
        pause_ms(1);
    }
    const uint64_t until = now_ns() + LOST_NS;
    pid_t got;

    while (!(got = waitpid(forked, &status, WNOHANG)) && now_ns() < until) {
        pause_ms(5);
    }
    CHECK(got == forked && !status, "the child's parked thread: wait status %#x", (unsigned)status);
    if (!got) {
        kill(forked, SIGKILL);
    }
    __atomic_store_n(&word, 1, __ATOMIC_RELEASE);
    xsc_unpark_one(&word);
    pthread_join(thread, NULL);
    CHECK(xsc_parked[xsc_park_bucket(&word)] < 2, "%#x", xsc_parked[xsc_park_bucket(&word)]);
}

/* ------------------------------------------------------------------------ pid namespaces ---- */

static bool probing_is_over;

/* Any mechanism that this CPU has. */
static int probe(uint64_t iterations, uint64_t budget_ns)
{
    const struct xsc_probe_options options = {.size = sizeof(options),
                                              .iterations = (uint32_t)iterations,
                                              .timeout_ns = 100000,
                                              .budget_ns = budget_ns,
                                              .waiter_cpu = -1,
                                              .storer_cpu = -1};
    struct xsc_probe_report report;
    struct xsc_mechanism_info info;
    unsigned k = 0;

    while (!xsc_mechanism_read(k, &info, sizeof(info)) && !info.present) {
        k++;
    }
    return xsc_probe_mechanism(k, &options, &report, sizeof(report));
}

static void *probes(void *arg)
{
    (void)arg;
    while (!__atomic_load_n(&probing_is_over, __ATOMIC_RELAXED)) {
        probe(1000000, 200000000);
    }
    return NULL;
}

static void the_lock_is_free(void)
{
    CHECK(getpid() == 1, "pid %d", (int)getpid());
    CHECK(!probe(16, 1000000), "held by a thread of the parent");
}

static struct xsc_doorbell bell;
static uint32_t *shared;

static void *waits_for_bell(void *arg)
{
    (void)arg;
    CHECK(xsc_doorbell_wait_u32(&bell, shared, 0, 300 * MS) == -ETIMEDOUT, "the word changed");
    return NULL;
}

static void a_set_of_its_own(void)
{
    const uint64_t parents = bell.spare;
    pthread_t thread;

    CHECK(getpid() == 1, "pid %d", (int)getpid());
    pthread_create(&thread, NULL, waits_for_bell, NULL);
    pause_ms(100);
    CHECK(parents && bell.spare == parents, "it listens with its parent's");
    pthread_join(thread, NULL);
}

/* As the first process of a pid namespace, as a container's init is. */
static int first_of_a_namespace(void *arg)
{
    (void)arg;
    CHECK(getpid() == 1, "pid %d", (int)getpid());
    shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (xsc_doorbell_open(&bell, NULL) || xsc_doorbell_try(&bell, XSC_BELL_TRIAL_RINGS)) {
        CHECK(false, "no software doorbell");
        return 1;
    }
    for (int i = 0; i < 100 && !bell.spare; i++) { /* the first few may watch only */
        xsc_doorbell_wait_u32(&bell, shared, 0, 2 * MS);
    }
    if (unshare(CLONE_NEWPID)) { /* for the children that come */
        return SKIP;
    }
    child_of("a doorbell's set", a_set_of_its_own);
    return failures != 0;
}

static int first_of_another(void *arg)
{
    pthread_t thread;

    (void)arg;
    probe(16, 1000000);
    pthread_create(&thread, NULL, probes, NULL);
    pause_ms(100);
    if (unshare(CLONE_NEWPID)) {
        return SKIP;
    }
    child_of("the manager's lock", the_lock_is_free);
    __atomic_store_n(&probing_is_over, true, __ATOMIC_RELAXED);
    pthread_join(thread, NULL);
    return failures != 0;
}

static void in_a_namespace(void *first)
{
    int status = -1, (*const fn)(void *) = *(int (*const *)(void *))first;
    const int pid = clone(fn, stack + sizeof(stack), CLONE_NEWPID | SIGCHLD, NULL);

    if (pid < 0) {
        printf("no pid namespace (%s): needs CAP_SYS_ADMIN, as root or in `unshare -Ur`\n",
               strerror(errno));
        fflush(stdout);
        _exit(SKIP);
    }
    CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status), "wait status %#x",
          (unsigned)status);
    if (WEXITSTATUS(status) == SKIP) {
        _exit(SKIP);
    }
    CHECK(!WEXITSTATUS(status), "see above");
}

int main(void)
{
    static int (*const doorbells)(void *) = first_of_a_namespace;
    static int (*const managers)(void *) = first_of_another;
    const int skipped = SKIP;
    int bad = 0, result;

    bad += in_child("parked threads of the parent", parents_of_parked_threads, NULL) != 0;
    bad += in_child("threads of the parent at a lock", parents_of_threads_at_a_lock, NULL) != 0;
    bad += in_child("a child that shares the memory", a_child_that_shares_the_memory, NULL) != 0;
    bad += in_child("a parked thread forks", a_parked_thread_forks, NULL) != 0;
    bad += in_child("a parked thread forks, and its sleep is restarted", a_parked_thread_forks,
                    stack) != 0;
    result = in_child("a doorbell in nested pid namespaces", in_a_namespace,
                      (void *)(uintptr_t)&doorbells);
    bad += result && result != skipped;
    result = in_child("the manager's lock in nested pid namespaces", in_a_namespace,
                      (void *)(uintptr_t)&managers);
    bad += result && result != skipped;
    return bad != 0;
}
