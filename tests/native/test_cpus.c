/* SPDX-License-Identifier: MIT */
/*
 * test_cpus: how many CPUs there are is not kept for life. D8.
 *
 * - confined to one CPU after the first wait, by whatever kind of wait: found out, and from then on
 *   a waiter leaves its CPU to the writer; let out of it again: found out, too;
 * - threads pinned to a CPU each are not "one CPU";
 * - a kernel that could have more than 1024 CPUs, for which sched_getaffinity() of a cpu_set_t fails:
 *   counted all the same (a seccomp filter plays that kernel);
 * - a kernel that does not tell: neither one CPU nor a crowd, waits watch.
 *
 * Exit 0, 1, or 77 where there are no two CPUs.
 */
#define _GNU_SOURCE
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <xsc/lock.h>
#include <xsc/probe.h>

#include "park_test.h"

#define LIMIT_NS (5000 * MS) /* some hundred times as long as until the next look */

static cpu_set_t all, first;

static unsigned known_cpus(void)
{
    struct xsc_machine m = {0};

    xsc_machine_read(&m, sizeof(m));
    return m.cpus;
}

static void confine(const cpu_set_t *set)
{
    sched_setaffinity(0, sizeof(*set), set);
}

/* ------------------------------------------------------------------------- a kind of wait ---- */

struct line {
    volatile uint32_t word;
} __attribute__((aligned(128)));

static struct line to, from;
static struct xsc_ticket ticket;
static struct xsc_queue queue;
static bool stop;

struct kind {
    const char *name;
    void (*wait)(struct line *line, uint32_t old);
};

static void plain(struct line *line, uint32_t old)
{
    xsc_wait_u32(&line->word, old, XSC_FOREVER);
}

static void park(struct line *line, uint32_t old)
{
    xsc_park_u32(&line->word, old, XSC_FOREVER);
}

static const struct kind *kind;

static void *answers(void *set)
{
    confine(set);
    for (uint32_t i = 0; !__atomic_load_n(&stop, __ATOMIC_RELAXED); i++) {
        kind->wait(&to, i);
        __atomic_store_n(&from.word, i + 1, __ATOMIC_RELEASE);
        xsc_unpark_one(&from.word);
    }
    return NULL;
}

/* Hands a word to and fro, all on `set`, until so many CPUs are known. */
static bool by_words(const cpu_set_t *set, unsigned cpus)
{
    const uint64_t until = now_ns() + LIMIT_NS;
    pthread_t thread;
    bool last = false;

    to.word = from.word = 0;
    stop = false;
    confine(set);
    pthread_create(&thread, NULL, answers, (void *)(uintptr_t)set);
    for (uint32_t i = 0; !last; i++) {
        last = now_ns() >= until || known_cpus() == cpus;
        __atomic_store_n(&stop, last, __ATOMIC_RELAXED);
        __atomic_store_n(&to.word, i + 1, __ATOMIC_RELEASE);
        xsc_unpark_one(&to.word);
        kind->wait(&from, i);
    }
    pthread_join(thread, NULL);
    return known_cpus() == cpus;
}

static void *wants_a_ticket(void *arg)
{
    (void)arg;
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        xsc_ticket_lock(&ticket);
        xsc_ticket_unlock(&ticket);
    }
    return NULL;
}

static void *wants_the_queue(void *arg)
{
    struct xsc_queue_node node;

    (void)arg;
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        xsc_queue_lock(&queue, &node);
        xsc_queue_unlock(&queue, &node);
    }
    return NULL;
}

/* The lock is held for a while, now and then, so that the other waits for it. */
static bool by_lock(const cpu_set_t *set, unsigned cpus, bool in_queue)
{
    struct xsc_queue_node node;
    pthread_t thread;

    stop = false;
    confine(set);
    pthread_create(&thread, NULL, in_queue ? wants_the_queue : wants_a_ticket, NULL);
    for (int i = 0; i < 1000 && known_cpus() != cpus; i++) {
        const struct timespec t = {0, 2000000};

        if (in_queue) {
            xsc_queue_lock(&queue, &node);
            nanosleep(&t, NULL);
            xsc_queue_unlock(&queue, &node);
        } else {
            xsc_ticket_lock(&ticket);
            nanosleep(&t, NULL);
            xsc_ticket_unlock(&ticket);
        }
    }
    __atomic_store_n(&stop, true, __ATOMIC_RELAXED);
    pthread_join(thread, NULL);
    return known_cpus() == cpus;
}

static bool until_known(const cpu_set_t *set, unsigned cpus)
{
    if (!strcmp(kind->name, "ticket") || !strcmp(kind->name, "queue")) {
        return by_lock(set, cpus, *kind->name == 'q');
    }
    return by_words(set, cpus);
}

static bool leaves_cpu(void)
{
    return !strcmp(stats_now().primary, "GENERIC");
}

static void confined_and_let_out(void *arg)
{
    const unsigned n = (unsigned)CPU_COUNT(&all);

    kind = arg;
    CHECK(known_cpus() == n, "%u", known_cpus());
    const bool generic = leaves_cpu();

    for (int i = 0; i < 2; i++) {
        CHECK(until_known(&first, 1), "confined by %s: %u CPUs", kind->name, known_cpus());
        CHECK(leaves_cpu(), "one CPU, and %s", stats_now().primary);
        CHECK(until_known(&all, n), "let out by %s: %u CPUs", kind->name, known_cpus());
        CHECK(leaves_cpu() == generic, "%u CPUs, and %s", n, stats_now().primary);
    }
}

static void confined_first(void *arg)
{
    kind = arg;
    confine(&first);
    CHECK(known_cpus() == 1, "%u", known_cpus());
    CHECK(leaves_cpu(), "one CPU, and %s", stats_now().primary);
    CHECK(until_known(&all, (unsigned)CPU_COUNT(&all)), "let out by %s: %u CPUs", kind->name,
          known_cpus());
    CHECK(!leaves_cpu(), "several CPUs, and %s", stats_now().primary);
}

/* ------------------------------------------------------------------------- pinned threads ---- */

/* For a second: the thread that looks is pinned to one CPU, and the other is on another. */
static void pinned_threads(void *arg)
{
    cpu_set_t second = all;
    const uint64_t until = now_ns() + 1000 * MS;
    pthread_t thread;
    bool last = false;

    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, &first) || (CPU_ISSET(cpu, &second) && CPU_COUNT(&second) > 2)) {
            CPU_CLR(cpu, &second);
        }
    }
    kind = arg;
    CHECK(known_cpus() >= 2, "%u", known_cpus()); /* chosen: no thread finds another choosing */
    pthread_create(&thread, NULL, answers, &second);
    confine(&first);
    for (uint32_t i = 0; !last; i++) {
        last = now_ns() >= until;
        __atomic_store_n(&stop, last, __ATOMIC_RELAXED);
        __atomic_store_n(&to.word, i + 1, __ATOMIC_RELEASE);
        xsc_unpark_one(&to.word);
        kind->wait(&from, i);
        if (known_cpus() < 2) {
            CHECK(false, "taken for %u CPU after %u rounds", known_cpus(), i);
            _exit(1);
        }
    }
    pthread_join(thread, NULL);
}

/* --------------------------------------------------------------------------- other kernels ---- */

/* sched_getaffinity() of fewer than `bytes` is EINVAL; 0: any is. */
static void be_a_kernel(unsigned bytes)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sched_getaffinity, 0, 2),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, bytes ? bytes : UINT32_MAX, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
    };
    const struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0)) {
        printf("no seccomp filters here: %s\n", strerror(errno));
        fflush(stdout);
        _exit(SKIP);
    }
}

static void more_cpus_than_a_cpu_set_holds(void *arg)
{
    (void)arg;
    be_a_kernel(1792 / 8);
    CHECK(known_cpus() == (unsigned)CPU_COUNT(&all), "%u", known_cpus());
}

static void not_told(void *arg)
{
    const struct xsc_watch watch = XSC_WATCH(&to.word, 0);

    (void)arg;
    be_a_kernel(0);
    CHECK(known_cpus() == 0, "%u", known_cpus());
    const struct xsc_stats before = stats_now();

    to.word = 0;
    for (int i = 0; i < 200; i++) {
        struct xsc_site site = {{0}}; /* watches first, as it has learned nothing */

        xsc_park_site(&site, &watch, 2000);
    }
    CHECK(stats_now().parks - before.parks < 200, "all %llu were parked at once",
          (unsigned long long)(stats_now().parks - before.parks));
}

int main(void)
{
    static struct kind kinds[] = {
        {"plain", plain}, {"park", park}, {"ticket", NULL}, {"queue", NULL}};
    int bad = 0;

    if (sched_getaffinity(0, sizeof(all), &all) || CPU_COUNT(&all) < 2) {
        fprintf(stderr, "test_cpus: needs two CPUs that it may run on (see taskset, nproc)\n");
        return SKIP;
    }
    for (size_t cpu = 0; !CPU_COUNT(&first); cpu++) {
        if (CPU_ISSET(cpu, &all)) {
            CPU_SET(cpu, &first);
        }
    }
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        bad += in_child(kinds[i].name, confined_and_let_out, &kinds[i]) != 0;
        bad += in_child(kinds[i].name, confined_first, &kinds[i]) != 0;
    }
    bad += in_child("pinned threads, plain words", pinned_threads, &kinds[0]) != 0;
    bad += in_child("pinned threads, parked", pinned_threads, &kinds[1]) != 0;
    const int many = in_child("more CPUs than a cpu_set_t holds", more_cpus_than_a_cpu_set_holds,
                              NULL);
    const int untold = in_child("a kernel that does not tell", not_told, NULL);

    return bad || (many && many != SKIP) || (untold && untold != SKIP);
}
