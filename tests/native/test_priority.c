/* SPDX-License-Identifier: MIT */
/*
 * test_priority: a waiter under SCHED_FIFO, and on the same CPU the SCHED_OTHER thread that it waits
 * for and that needs 2 ms of CPU first. Nothing but the waiter's own sleep lets that thread run: if
 * the waiter watches or yields, the wait lasts until the kernel throttles real-time threads, after
 * 950 ms, or for ever. So for each way of waiting, and each XSC_PREFER.
 *
 * The kernel counts: RLIMIT_RTTIME sends SIGXCPU to a real-time thread that has used HOG_US of CPU
 * without making a call that blocks; sched_yield() is none. The handler notes it and makes the
 * thread an ordinary one, so that the test comes to its end. The control spins and yields, and must
 * get that signal. What is printed of times is for the reader; none is asserted.
 *
 * Exit 0, 1, or 77 where SCHED_FIFO is refused, or where that limit has no effect.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <xsc/doorbell.h>
#include <xsc/event.h>
#include <xsc/lock.h>
#include <xsc/nap.h>
#include <xsc/shard.h>

#include "harness.h"

#define HOG_US 100000u
#define BURN_NS 2000000u /* what the lower thread needs of the CPU */
#define PRIORITY 10
#define SKIP 77

/* Not in <sys/resource.h> of every C library; asm-generic/resource.h, which these follow. */
#if !defined(RLIMIT_RTTIME)
#define RLIMIT_RTTIME 15
#endif

static volatile sig_atomic_t hogged;
static pid_t waiter;
static sem_t held, go;

static uint32_t word;
static uint64_t wide;
static struct xsc_site site;
static struct xsc_event event;
static struct xsc_ticket ticket;
static struct xsc_queue queue;
static struct xsc_queue_node upper_node, lower_node;
static struct xsc_mutex mutex;
static struct xsc_nap_word nap_word;
static struct xsc_doorbell bell;
static struct xsc_shard *shard;

/* --------------------------------------------------------------------- priorities, limits ---- */

static void on_hog(int sig)
{
    const struct sched_param none = {.sched_priority = 0};

    (void)sig;
    hogged = 1;
    sched_setscheduler(waiter, SCHED_OTHER, &none);
}

static uint64_t cpu_ns(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static void burn(uint64_t ns)
{
    const uint64_t start = cpu_ns(CLOCK_THREAD_CPUTIME_ID);

    while (cpu_ns(CLOCK_THREAD_CPUTIME_ID) - start < ns) {
    }
}

static void rise(void)
{
    const struct sched_param high = {.sched_priority = PRIORITY};

    if (sched_setscheduler(0, SCHED_FIFO, &high)) {
        printf("no SCHED_FIFO: %s\n", strerror(errno));
        _exit(SKIP);
    }
}

static void watch_for_hogs(void)
{
    const struct sigaction act = {.sa_handler = on_hog, .sa_flags = SA_RESTART};
    struct rlimit limit;

    sigaction(SIGXCPU, &act, NULL);
    waiter = getpid();
    getrlimit(RLIMIT_RTTIME, &limit);
    limit.rlim_cur = HOG_US;
    setrlimit(RLIMIT_RTTIME, &limit);
}

/* ------------------------------------------------------------------------ ways of waiting ---- */

/* hold: by the lower thread, before the waiter rises. release: by it, at its end. */
struct way {
    const char *name;
    bool (*prepare)(void); /* NULL, or false: not here */
    void (*hold)(void), (*wait)(void), (*release)(void);
};

static void store(void)
{
    __atomic_store_n(&wide, 1, __ATOMIC_RELEASE);
    __atomic_store_n(&word, 1, __ATOMIC_RELEASE);
}

static void store_and_unpark(void)
{
    store();
    xsc_unpark_all(&word);
    xsc_unpark_all(&wide);
}

static void store_and_unpark_shared(void)
{
    store();
    xsc_unpark_all_shared(&word);
    xsc_unpark_all_shared(&wide);
}

static void plain(void)
{
    xsc_wait_u32(&word, 0, XSC_FOREVER);
}

static void masked(void)
{
    xsc_wait_mask(&word, 1, 1, XSC_FOREVER);
}

static void any(void)
{
    const struct xsc_watch w[2] = {XSC_WATCH(&word, 0), XSC_WATCH(&wide, 0)};

    xsc_wait_any(w, 2, XSC_FOREVER);
}

static void at_site(void)
{
    const struct xsc_watch w = XSC_WATCH(&word, 0);

    xsc_wait_site(&site, &w, XSC_FOREVER);
}

static void park(void)
{
    xsc_park_u32(&word, 0, XSC_FOREVER);
}

static void park_wide(void)
{
    xsc_park_u64(&wide, 0, XSC_FOREVER);
}

static void park_shared(void)
{
    xsc_park_u32_shared(&word, 0, XSC_FOREVER);
}

static void park_wide_shared(void)
{
    xsc_park_u64_shared(&wide, 0, XSC_FOREVER);
}

static void park_at_site(void)
{
    const struct xsc_watch w = XSC_WATCH(&word, 0);

    xsc_park_site(&site, &w, XSC_FOREVER);
}

static void await_event(void)
{
    while (!__atomic_load_n(&word, __ATOMIC_ACQUIRE)) {
        const uint32_t key = xsc_event_prepare(&event);

        if (__atomic_load_n(&word, __ATOMIC_ACQUIRE)) {
            xsc_event_cancel(&event, key);
        } else {
            xsc_event_wait(&event, key, XSC_FOREVER);
        }
    }
}

static void store_and_signal(void)
{
    store();
    xsc_event_signal(&event);
}

static void await_event_shared(void)
{
    while (!__atomic_load_n(&word, __ATOMIC_ACQUIRE)) {
        const uint32_t key = xsc_event_prepare_shared(&event);

        if (__atomic_load_n(&word, __ATOMIC_ACQUIRE)) {
            xsc_event_cancel_shared(&event, key);
        } else {
            xsc_event_wait_shared(&event, key, XSC_FOREVER);
        }
    }
}

static void store_and_signal_shared(void)
{
    store();
    xsc_event_signal_shared(&event);
}

static void hold_ticket(void)
{
    xsc_ticket_lock(&ticket);
}

static void lock_ticket(void)
{
    xsc_ticket_lock(&ticket);
    xsc_ticket_unlock(&ticket);
}

static void give_ticket(void)
{
    xsc_ticket_unlock(&ticket);
}

static void hold_queue(void)
{
    xsc_queue_lock(&queue, &lower_node);
}

static void lock_queue(void)
{
    xsc_queue_lock(&queue, &upper_node);
    xsc_queue_unlock(&queue, &upper_node);
}

static void give_queue(void)
{
    xsc_queue_unlock(&queue, &lower_node);
}

static void hold_mutex(void)
{
    xsc_mutex_lock(&mutex);
}

static void lock_mutex(void)
{
    xsc_mutex_lock(&mutex);
    xsc_mutex_unlock(&mutex);
}

static void give_mutex(void)
{
    xsc_mutex_unlock(&mutex);
}

static void nap(void)
{
    xsc_nap(&nap_word, XSC_FOREVER);
}

static void kick(void)
{
    xsc_nap_kick(&nap_word);
}

static bool have_bell(void)
{
    return !xsc_doorbell_open(&bell, NULL);
}

static bool have_tried_bell(void)
{
    return have_bell() && !xsc_doorbell_try(&bell, XSC_BELL_TRIAL_RINGS);
}

static void await_bell(void)
{
    xsc_doorbell_wait_u32(&bell, &word, 0, XSC_FOREVER);
}

static void ring(void)
{
    store();
    xsc_doorbell_ring(&bell, 0);
}

/* The lower thread waits for the bell; the close has to wait until it has left. */
static void close_bell(void)
{
    while (!__atomic_load_n(&bell.inside, __ATOMIC_ACQUIRE)) {
        sleep_ns(NS_PER_MS);
    }
    xsc_doorbell_close(&bell);
}

static bool have_shard(uint32_t devices)
{
    const struct xsc_shard_config config = {
        .size = sizeof(config), .message_size = 4, .capacity = 2, .devices = devices};

    return !xsc_shard_create(&config, &shard);
}

static bool have_plain_shard(void)
{
    return have_shard(0);
}

static bool have_shard_with_devices(void)
{
    return have_shard(1);
}

static bool have_full_shard(void)
{
    const uint32_t message = 1;

    return have_shard(0) && !xsc_shard_send(shard, &message) && !xsc_shard_send(shard, &message);
}

static int receive(struct xsc_shard *s, void *arg)
{
    uint32_t message;
    int fd;

    (void)arg;
    return xsc_shard_yield(s, &message, &fd, XSC_FOREVER) == XSC_SHARD_MESSAGE ? 0 : 1;
}

static void run_shard(void)
{
    xsc_shard_run(shard, -1, receive, NULL);
}

static void send_message(void)
{
    const uint32_t message = 1;

    xsc_shard_send(shard, &message);
}

static void send_for(void)
{
    const uint32_t message = 1;

    xsc_shard_send_for(shard, &message, XSC_FOREVER);
}

static void nothing(void)
{
}

static const struct way ways[] = {
    {"xsc_wait", NULL, nothing, plain, store},
    {"xsc_wait_mask", NULL, nothing, masked, store},
    {"xsc_wait_any", NULL, nothing, any, store},
    {"xsc_wait_site", NULL, nothing, at_site, store},
    {"xsc_park", NULL, nothing, park, store_and_unpark},
    {"xsc_park, 8 bytes", NULL, nothing, park_wide, store_and_unpark},
    {"xsc_park, shared", NULL, nothing, park_shared, store_and_unpark_shared},
    {"... and 8 bytes", NULL, nothing, park_wide_shared, store_and_unpark_shared},
    {"xsc_park_site", NULL, nothing, park_at_site, store_and_unpark},
    {"event", NULL, nothing, await_event, store_and_signal},
    {"event, shared", NULL, nothing, await_event_shared, store_and_signal_shared},
    {"ticket", NULL, hold_ticket, lock_ticket, give_ticket},
    {"queue", NULL, hold_queue, lock_queue, give_queue},
    {"mutex", NULL, hold_mutex, lock_mutex, give_mutex},
    {"nap", NULL, nothing, nap, kick},
    {"doorbell, not tried", have_bell, nothing, await_bell, ring},
    {"doorbell", have_tried_bell, nothing, await_bell, ring},
    {"doorbell's close", have_tried_bell, nothing, close_bell, await_bell},
    {"shard", have_plain_shard, nothing, run_shard, send_message},
    {"shard, descriptors", have_shard_with_devices, nothing, run_shard, send_message},
    {"send to a full shard", have_full_shard, nothing, send_for, run_shard},
};

#define N_WAYS (sizeof(ways) / sizeof(*ways))

/* --------------------------------------------------------------------------- the two sides ---- */

static void *lower(void *arg)
{
    const struct way *way = arg;
    sigset_t hog;

    sigemptyset(&hog);
    sigaddset(&hog, SIGXCPU);
    pthread_sigmask(SIG_BLOCK, &hog, NULL);
    pin_to_nth(0);
    way->hold();
    sem_post(&held);
    while (sem_wait(&go)) {
    }
    if (way->wait != close_bell) { /* which waits for this thread to be inside */
        burn(BURN_NS);
    }
    way->release();
    return NULL;
}

struct run {
    const struct way *way;
    bool first; /* the process's first wait, in which the library chooses and measures */
};

static void try_way(void *arg)
{
    const struct run *run = arg;
    const struct way *way = run->way;
    static const uint32_t never;
    pthread_t thread;

    if (!run->first) {
        for (int i = 0; i < 4; i++) {
            xsc_wait_u32(&never, 0, 1000000);
            xsc_park_u32(&never, 0, 1000000);
        }
    }
    if (way->prepare && !way->prepare()) {
        skipped("not here");
        _exit(0);
    }
    sem_init(&held, 0, 0);
    sem_init(&go, 0, 0);
    if (pthread_create(&thread, NULL, lower, (void *)(uintptr_t)way)) {
        _exit(1);
    }
    while (sem_wait(&held)) {
    }
    pin_to_nth(0);
    watch_for_hogs();
    rise();
    const uint64_t start = now_ns(), burnt = cpu_ns(CLOCK_THREAD_CPUTIME_ID);

    sem_post(&go);
    way->wait();
    printf("# %-21s %-8s %-7s %6.1f ms, %6.1f of them on the CPU\n", way->name,
           getenv("XSC_PREFER"), run->first ? "first" : "", (double)(now_ns() - start) / NS_PER_MS,
           (double)(cpu_ns(CLOCK_THREAD_CPUTIME_ID) - burnt) / NS_PER_MS);
    fflush(stdout);
    check(!hogged, "%s%s: the waiter leaves the CPU", getenv("XSC_PREFER"),
          run->first ? ", first wait" : "");
    pthread_join(thread, NULL);
}

/* Whether a thread that never sleeps is found out. */
static int control(void)
{
    int status = 0;
    const pid_t pid = fork();

    if (!pid) {
        watch_for_hogs();
        rise();
        for (uint64_t end = now_ns() + 2 * NS_PER_S; !hogged && now_ns() < end;) {
            sched_yield();
        }
        if (!hogged) {
            printf("RLIMIT_RTTIME does not stop a real-time thread that never sleeps\n");
        }
        fflush(stdout);
        _exit(hogged ? 0 : SKIP);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid) {
        return 1;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int main(void)
{
    static const char *const prefer[] = {"latency", "balanced", "cpu"};
    const int able = control();

    if (able == SKIP) {
        printf("skipped: needs SCHED_FIFO: run as root, with CAP_SYS_NICE, or after ulimit -r %d\n",
               PRIORITY);
        return SKIP;
    }
    harness_begin("priority");
    check(able == 0, "a real-time thread that never sleeps is found out");
    for (size_t p = 0; p < sizeof(prefer) / sizeof(*prefer); p++) {
        setenv("XSC_PREFER", prefer[p], 1);
        for (size_t i = 0; i < 2 * N_WAYS; i++) {
            struct run run = {&ways[i / 2], i % 2 != 0};

            in_child(run.way->name, NULL, 20, try_way, &run);
        }
    }
    return harness_end();
}
