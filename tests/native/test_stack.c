/* SPDX-License-Identifier: MIT */
/*
 * test_stack: how much stack a call takes, against what xsc/wait.h promises.
 *
 * Each call is made on a stack of its own, painted, with a guard page below it, and the paint that is
 * left tells how deep it went: once as the first call of its process, which chooses, tries and
 * measures, and once as a later one, its site's learning included. Then the calls that are allowed in
 * signal handlers are made in one, on an alternate stack that leaves a handler the promised bytes and
 * no more; how large that has to be depends on the kernel's frame, which is measured first.
 *
 * Linked with lazy binding, for that is what most programs are, on x86-64 and arm64: a library that
 * called libc through a PLT would be seen to take the dynamic linker's 3 KiB.
 *
 * XSC_TEST_FEATURES, of the test build of the library, has instructions tried that this CPU lacks: the
 * guarded child's part. Exit 0, 1, or 77 in a build that is not optimised.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include <xsc/doorbell.h>
#include <xsc/event.h>
#include <xsc/lock.h>
#include <xsc/nap.h>
#include <xsc/probe.h>
#include <xsc/shard.h>
#include <xsc/stats.h>

#include "harness.h"
#include "user/library.h"

/* What xsc/wait.h promises, and what this file's own frames take. */
#if defined(__s390x__) /* 160 bytes a frame before anything is in it: nothing is promised */
#define FIRST 6144u
#define LATER 3072u
#else
#define FIRST 3072u
#define LATER 1536u
#endif
#define OWN 256u

#define SIZE 131072u
#define PAINT 0xa5
#define US 1000u

static uint32_t word;
static uint64_t wide;
static struct xsc_site site, wait_site;
static struct xsc_event event;
static struct xsc_mutex mutex;
static struct xsc_ticket ticket;
static struct xsc_queue queue;
static struct xsc_queue_node node;
static struct xsc_nap_word nap_word;
static struct xsc_doorbell bell;
static struct xsc_shard *shard;

/* ---------------------------------------------------------------------------------- calls ---- */

static void plain(void)
{
    xsc_wait_u32(&word, 0, 300 * US);
}

static void long_enough_to_nap(void)
{
    xsc_wait_u32(&word, 0, 3000 * US);
}

static void any(void)
{
    const struct xsc_watch w[2] = {XSC_WATCH(&word, 0), XSC_WATCH(&wide, 0)};

    xsc_wait_any(w, 2, 300 * US);
}

static void at_site(void)
{
    const struct xsc_watch w = XSC_WATCH(&word, 0);

    xsc_wait_site(&wait_site, &w, 500 * US);
}

static void park(void)
{
    xsc_park_u32(&word, 0, 200 * US);
}

static void park_wide(void)
{
    xsc_park_u64(&wide, 0, 200 * US);
}

static void park_shared(void)
{
    xsc_park_u32_shared(&word, 0, 200 * US);
}

static void park_wide_shared(void)
{
    xsc_park_u64_shared(&wide, 0, 200 * US);
}

static void park_at_site(void)
{
    const struct xsc_watch w = XSC_WATCH(&word, 0);

    xsc_park_site(&site, &w, 200 * US);
}

static void unpark(void)
{
    xsc_unpark_one(&word);
    xsc_unpark_all(&wide);
    xsc_unpark_all_shared(&word);
}

static void await_event(void)
{
    xsc_event_wait(&event, xsc_event_prepare(&event), 200 * US);
}

static void await_event_shared(void)
{
    xsc_event_wait_shared(&event, xsc_event_prepare_shared(&event), 200 * US);
}

static void signal_event(void)
{
    xsc_event_signal(&event);
    xsc_event_broadcast_shared(&event);
}

static void lock_mutex(void)
{
    if (!xsc_mutex_lock_for(&mutex, 200 * US)) {
        xsc_mutex_lock_for(&mutex, 200 * US);
        xsc_mutex_unlock(&mutex);
    }
}

/* Has each lock most of the time. Not started by the calls that are measured. */
static void *contend(void *arg)
{
    static struct xsc_queue_node mine;

    for (;;) {
        xsc_ticket_lock(&ticket);
        xsc_queue_lock(&queue, &mine);
        sleep_ns(200 * US);
        xsc_queue_unlock(&queue, &mine);
        xsc_ticket_unlock(&ticket);
        sleep_ns(10 * US);
    }
    return arg;
}

static void lock_ticket(void)
{
    xsc_ticket_lock(&ticket);
    xsc_ticket_unlock(&ticket);
}

static void lock_queue(void)
{
    xsc_queue_lock(&queue, &node);
    xsc_queue_unlock(&queue, &node);
}

static void nap(void)
{
    xsc_nap(&nap_word, 50 * US);
    xsc_nap_kick(&nap_word);
}

static void use_bell(void)
{
    if (!xsc_doorbell_open(&bell, NULL)) {
        xsc_doorbell_try(&bell, XSC_BELL_TRIAL_RINGS);
        xsc_doorbell_wait_u32(&bell, &word, 0, 300 * US);
        xsc_doorbell_ring(&bell, 0);
        xsc_doorbell_close(&bell);
    }
}

static void send_message(void)
{
    const uint32_t message = 1;

    xsc_shard_send(shard, &message);
    xsc_shard_send_for(shard, &message, 300 * US);
}

static int in_shard(struct xsc_shard *s, void *arg)
{
    uint32_t message;
    int fd;

    (void)arg;
    while (xsc_shard_yield(s, &message, &fd, 200 * US) == XSC_SHARD_MESSAGE) {
    }
    return 0;
}

static void run_shard(void)
{
    xsc_shard_run(shard, -1, in_shard, NULL);
}

static void choose(void)
{
    xsc_init(NULL);
    xsc_park_init(XSC_PARK_AUTO);
}

static void read_statistics(void)
{
    static struct xsc_stats out;

    xsc_stats_read(&out, sizeof(out));
}

static void read_costs(void)
{
    static struct xsc_park_costs out;

    xsc_park_costs_read(&out, sizeof(out));
}

static void probe(void)
{
    const struct xsc_probe_options options = {.size = sizeof(options),
                                              .iterations = 16,
                                              .timeout_ns = 100 * US,
                                              .budget_ns = 1000 * US,
                                              .waiter_cpu = -1,
                                              .storer_cpu = -1};
    static struct xsc_probe_report out;

    for (unsigned i = 0; i < xsc_mechanism_count(); i++) {
        xsc_probe_mechanism(i, &options, &out, sizeof(out));
    }
}

static const struct call {
    const char *name;
    void (*make)(void);
    bool in_handlers;
} calls[] = {
    {"xsc_wait", plain, true},
    {"xsc_wait, 3 ms", long_enough_to_nap, true},
    {"xsc_wait_any", any, true},
    {"xsc_wait_site", at_site, true},
    {"xsc_park", park, true},
    {"xsc_park, 8 bytes", park_wide, true},
    {"xsc_park, shared", park_shared, true},
    {"... and 8 bytes", park_wide_shared, true},
    {"xsc_park_site", park_at_site, true},
    {"xsc_unpark", unpark, true},
    {"event, wait", await_event, true},
    {"event, wait, shared", await_event_shared, true},
    {"event, signal", signal_event, true},
    {"mutex", lock_mutex, false},
    {"ticket lock", lock_ticket, false},
    {"queue lock", lock_queue, false},
    {"nap", nap, true},
    {"doorbell", use_bell, false},
    {"shard, send", send_message, true},
    {"shard, run and yield", run_shard, false},
    {"xsc_init, xsc_park_init", choose, true},
    {"xsc_park_costs_read", read_costs, false},
    {"xsc_stats_read", read_statistics, true},
    {"xsc_probe_mechanism", probe, false},
};

#define N_CALLS (sizeof(calls) / sizeof(*calls))

/* ------------------------------------------------------------------------------ measuring ---- */

static unsigned char *stack;
static ucontext_t here, there;
static void (*function)(void);

/* With a page below it that faults. */
static void make_stack(void)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    unsigned char *map = mmap(NULL, page + SIZE, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (map == MAP_FAILED || mprotect(map, page, PROT_NONE)) {
        _exit(2);
    }
    stack = map + page;
}

static void on_stack(void)
{
    function();
}

static unsigned depth_of(void (*make)(void))
{
    size_t left = 0;

    function = make;
    memset(stack, PAINT, SIZE);
    getcontext(&there);
    there.uc_stack.ss_sp = stack;
    there.uc_stack.ss_size = SIZE;
    there.uc_link = &here;
    makecontext(&there, on_stack, 0);
    swapcontext(&here, &there);
    while (left < SIZE && stack[left] == PAINT) {
        left++;
    }
    return (unsigned)(SIZE - left);
}

static void nothing(void)
{
}

static void prepare(void)
{
    const struct xsc_shard_config config = {
        .size = sizeof(config), .message_size = 4, .capacity = 2};

    make_stack();
    if (xsc_shard_create(&config, &shard)) {
        _exit(2);
    }
}

static void contended(const struct call *call)
{
    pthread_t thread;

    if (call->make != lock_ticket && call->make != lock_queue) {
        return;
    }
    if (pthread_create(&thread, NULL, contend, NULL)) {
        _exit(2);
    }
    while (!xsc_ticket_trylock(&ticket)) {
        xsc_ticket_unlock(&ticket);
    }
}

static void measure(void *arg)
{
    const struct call *call = arg;

    prepare();
    contended(call);
    const unsigned own = depth_of(nothing), first = depth_of(call->make) - own;
    unsigned later = 0;

    check(first <= FIRST + OWN, "the process's first: %u bytes of stack, %u promised", first,
          FIRST);
    for (int i = 0; i < 3; i++) { /* what else is done once, by waits of either kind */
        plain();
        park();
    }
    for (int i = 0; i < (call->make == probe ? 2 : 100); i++) {
        const unsigned depth = depth_of(call->make) - own;

        later = depth > later ? depth : later;
    }
    /* What is read is as large later as at first. */
    const bool reads = call->make == read_statistics || call->make == probe;
    const unsigned promised = reads ? FIRST : LATER;

    check(later <= promised + OWN, "later: %u bytes, %u promised", later, promised);
}

/* The health interval is over: the wait judges it, and tries what is due to be tried again. */
static void measure_judging(void *arg)
{
    const struct call *call = arg;

    prepare();
    for (int i = 0; i < 3; i++) {
        plain();
    }
    for (uint32_t i = 0; i < xsc_library.n_mechs; i++) {
        xsc_library.mech[i].setbacks += i < XSC_PRIMARY(xsc_library.chosen);
        xsc_library.mech[i].quiet_until_ns = 0;
        xsc_library.mech[i].uncertain = false;
    }
    xsc_library.health.next_ns = 1;
    const unsigned judging = depth_of(call->make) - depth_of(nothing);

    check(judging <= FIRST + OWN, "one that judges: %u bytes, %u promised", judging, FIRST);
}

/* ------------------------------------------------------------------------ signal handlers ---- */

static volatile uintptr_t frame_at;

static void look_at_frame(int sig)
{
    (void)sig;
    frame_at = (uintptr_t)__builtin_frame_address(0);
}

static void make_call(int sig)
{
    (void)sig;
    function();
}

static void handle(void (*handler)(int), unsigned char *base, size_t size)
{
    const stack_t alternate = {.ss_sp = base, .ss_size = size};
    const struct sigaction act = {.sa_handler = handler, .sa_flags = SA_ONSTACK};

    if (sigaltstack(&alternate, NULL) || sigaction(SIGUSR1, &act, NULL)) {
        _exit(2);
    }
    raise(SIGUSR1);
}

static void in_handler(void *arg)
{
    const struct call *call = arg;

    prepare();
    handle(look_at_frame, stack, SIZE);
    const size_t frame = (uintptr_t)stack + SIZE - frame_at;
    const size_t size = (frame + FIRST + OWN + 63) & ~(size_t)63;

    function = call->make;
    handle(make_call, stack, size);
    check(true, "in a handler: %zu bytes of the kernel's and %u are enough%s", frame, FIRST,
          size <= 8192 ? ", so 8 KiB are" : "");
}

int main(void)
{
#if !defined(__OPTIMIZE__)
    printf("skipped: frames are larger than promised in a build that is not optimised (-O2)\n");
    return 77;
#endif
    harness_begin("stack");
    for (size_t i = 0; i < N_CALLS; i++) {
        in_child(calls[i].name, NULL, 60, measure, (void *)(uintptr_t)&calls[i]);
        in_child(calls[i].name, NULL, 60, measure_judging, (void *)(uintptr_t)&calls[i]);
        if (calls[i].in_handlers) {
            in_child(calls[i].name, NULL, 60, in_handler, (void *)(uintptr_t)&calls[i]);
        }
    }
    setenv("XSC_PREFER", "speed", 1); /* each of these is refused with a line */
    setenv("XSC_PARK", "maybe", 1);
    in_child("bad settings", "nonsense", 60, measure, (void *)(uintptr_t)&calls[4]);
    unsetenv("XSC_PREFER");
    unsetenv("XSC_PARK");
    setenv("XSC_TEST_FEATURES", "waitpkg,monitorx,zawrs,wfxt,evtstrm", 1);
    in_child("features that are not there", NULL, 60, measure, (void *)(uintptr_t)&calls[0]);
    in_child("... later", NULL, 60, measure_judging, (void *)(uintptr_t)&calls[0]);
    in_child("... asked for by name", "umwait", 60, measure, (void *)(uintptr_t)&calls[0]);
    return harness_end();
}
