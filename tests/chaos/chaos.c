/* SPDX-License-Identifier: MIT */
/*
 * chaos [--ops N] [--seed S] [--rounds N] [--kind NAME] [--jobs N] [--list]: see chaos.h.
 *
 * So many operations in all (default: XSC_TEST_CHAOS, or OPS), each kind its share of them, in so many
 * rounds of each kind. What a round does is drawn from the seed and the round's number; in which order
 * its workers run is the machine's affair. `chaos --kind NAME --rounds 1 --seed S` repeats one round: a
 * failure says which. XSC_TEST_CHAOS_TALKS=1: a line for each round that was good.
 *
 * Exit 0, 1 (something was lost or wrong), 2 (bad arguments), 77 (no /proc).
 */
#define _GNU_SOURCE
#include "chaos.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/native/limits.h"

#if defined(__SANITIZE_THREAD__)
#define THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define THREAD_SANITIZER 1
#endif
#endif
#if !defined(THREAD_SANITIZER)
#define THREAD_SANITIZER 0
#endif
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#else
#define SANITIZED THREAD_SANITIZER
#endif

#define OPS 30000000
#define ROUNDS_PER_KIND 6
#define LOOK_NS 100000000u /* between two looks at workers that have not come to their end */
#define LOOKS 25           /* so many on end, all asleep: nothing will wake them */
#define LOOKS_SHARED 6     /* a shared park looks by itself once a second */
#define MAX_JOBS 64
#define STALLED_NS 60000000000ull

static const struct kind *const kinds[] = {
    &chaos_ring,         &chaos_crowd,    &chaos_tokens,     &chaos_relay,  &chaos_event_relay,
    &chaos_event_tokens, &chaos_mutex,    &chaos_mutex_long, &chaos_ticket, &chaos_queue,
    &chaos_nap,          &chaos_doorbell, &chaos_shard,
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* ---------------------------------------------------------------------------- report ---- */

static const char *describe(const struct round *r)
{
    static char text[256];
    const struct disturbance *how = &r->how;

    snprintf(text, sizeof(text), "%u %s%s%s%s%s%s%s%s%s%s%s%s%s", r->workers,
             r->processes ? "processes" : "threads", r->shared ? ", shared" : "",
             how->signals ? ", signals" : "", how->delays ? ", delays" : "",
             how->slow_wakes ? ", slow wakes" : "", how->own_stacks ? ", own stacks" : "",
             how->timeouts ? ", timeouts" : "", how->forks ? ", forks" : "",
             how->one_cpu ? ", one CPU" : "", how->nice ? ", nice" : "",
             how->real_time ? ", real time" : "", how->fences ? ", fences" : "",
             how->early_choice ? ", early choice" : "");
    return text;
}

void failed(struct round *r, const char *format, ...)
{
    char text[512];
    va_list arguments;

    if (__atomic_fetch_add(&r->failures, 1, __ATOMIC_RELAXED) > 10) {
        return;
    }
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    printf("not ok - %s: episode %" PRIu64 ": %s\n", r->kind->name, r->episodes, text);
    fflush(stdout);
}

static uint64_t value_of(const struct worker *w)
{
    uint64_t value = 0;

    /* Whole, where the compiler loads a word of that size so. */
    switch (w->size) {
    case 1:
        return *(const volatile uint8_t *)w->word;
    case 2:
        return *(const volatile uint16_t *)w->word;
    case 4:
        return *(const volatile uint32_t *)w->word;
    case 8:
        return *(const volatile uint64_t *)w->word;
    default:
        return value;
    }
}

static bool met(const struct worker *w)
{
    return w->met ? w->met(w) : w->word && value_of(w) != w->old;
}

static void report(struct round *r, const char *what)
{
    bool found = false;

    for (unsigned i = 0; i < r->workers; i++) {
        const struct worker *w = &r->worker[i];

        found |= !w->rests && w->doing && met(w);
    }
    failed(r, "%s%s", what,
           found ? "; a condition is met (a lock is free), its waiter sleeps" : "");
    for (unsigned i = 0; i < r->workers; i++) {
        const struct worker *w = &r->worker[i];

        printf("    worker %u (thread %d): %" PRIu64 " operations, %" PRIu64 " waits, %" PRIu64
               " timed out; ",
               i, (int)w->tid, w->ops, w->turns, w->timeouts);
        if (w->rests) {
            printf("has come to its end\n");
        } else if (!w->doing) {
            printf("not in a wait\n");
        } else {
            printf("in %s", w->doing);
            if (w->word) {
                printf(" at %p (offset %#zx), value %#" PRIx64 ", seen %#" PRIx64
                       ", xsc_parked[%u] = %u",
                       (const void *)(uintptr_t)w->word,
                       (size_t)((uintptr_t)w->word - (uintptr_t)r->object), value_of(w), w->old,
                       xsc_park_bucket(w->word), xsc_parked[xsc_park_bucket(w->word)]);
            }
            printf("%s\n", met(w) ? "  <- its condition is MET" : "");
        }
    }
    fflush(stdout);
}

/* ------------------------------------------------------------------------- the oracles ---- */

struct look {
    uint64_t switches[MAX_WORKERS];
    unsigned asleep; /* looks on end at which no worker had moved */
    uint64_t progress;
    uint64_t since_ns; /* of that progress */
};

/* Whether the worker sleeps in the kernel; *switches: how often it left or lost its CPU so far. */
static bool sleeps(const struct worker *w, uint64_t *switches)
{
    char name[64], line[256];
    bool asleep = false;
    FILE *f;

    *switches = 0;
    snprintf(name, sizeof(name), "/proc/%d/task/%d/status", (int)w->pid, (int)w->tid);
    f = fopen(name, "re");
    if (!f) {
        return false;
    }
    while (fgets(line, sizeof(line), f)) {
        unsigned long long n;

        if (!strncmp(line, "State:", 6)) {
            asleep = strchr(line, 'S') && strstr(line, "(sleeping)");
        } else if (sscanf(line, "voluntary_ctxt_switches: %llu", &n) == 1 ||
                   sscanf(line, "nonvoluntary_ctxt_switches: %llu", &n) == 1) {
            *switches += n;
        }
    }
    fclose(f);
    return asleep;
}

/* Gives whether the episode will not end any more, after a report. */
static bool stuck(struct round *r, struct look *last)
{
    bool moved = false;
    uint64_t progress = 0;

    for (unsigned i = 0; i < r->workers; i++) {
        struct worker *w = &r->worker[i];
        uint64_t switches;

        progress += __atomic_load_n(&w->ops, __ATOMIC_RELAXED) +
                    __atomic_load_n(&w->turns, __ATOMIC_RELAXED);
        if (__atomic_load_n(&w->rests, __ATOMIC_ACQUIRE)) {
            continue;
        }
        if (!sleeps(w, &switches) || switches != last->switches[i]) {
            moved = true;
        }
        last->switches[i] = switches;
    }
    const unsigned enough = r->shared ? LOOKS_SHARED : LOOKS;

    last->asleep = moved ? 0 : last->asleep + 1;
    if (last->asleep >= enough) {
        report(r, "LOST: all that have not come to their end sleep, and nothing will wake them");
        return true;
    }
    if (progress != last->progress || !last->since_ns) {
        last->progress = progress;
        last->since_ns = now_ns();
    } else if (now_ns() - last->since_ns > limit(STALLED_NS)) {
        report(r, "STALLED: no operation was completed for a minute");
        return true;
    }
    return false;
}

/* ------------------------------------------------------------------------- one episode ---- */

static void *worker_thread(void *arg)
{
    struct worker *w = arg;
    struct round *r = w->round;
    uint32_t seen = 0;

    disturb_worker(w);
    for (;;) {
        __atomic_store_n(&w->rests, 1, __ATOMIC_RELEASE);
        if (__atomic_sub_fetch(&r->left, 1, __ATOMIC_ACQ_REL) == 0) {
            quiet_wake(&r->left);
        }
        while (__atomic_load_n(&r->episode, __ATOMIC_ACQUIRE) == seen) {
            quiet_wait(&r->episode, seen, UINT64_MAX);
        }
        seen = __atomic_load_n(&r->episode, __ATOMIC_ACQUIRE);
        if (__atomic_load_n(&r->over, __ATOMIC_ACQUIRE)) {
            return NULL;
        }
        r->kind->work(w);
    }
}

/* Until all workers rest; false: they never will. */
static bool all_rest(struct round *r)
{
    struct look last = {.asleep = 0};
    uint32_t left;

    while ((left = __atomic_load_n(&r->left, __ATOMIC_ACQUIRE)) != 0) {
        const uint64_t since = now_ns();

        quiet_wait(&r->left, left, LOOK_NS);
        if (now_ns() - since >= LOOK_NS / 2 && stuck(r, &last)) {
            return false;
        }
    }
    return !__atomic_load_n(&r->failures, __ATOMIC_RELAXED);
}

static bool run_episode(struct round *r, uint64_t quota)
{
    if (r->kind->start) {
        r->kind->start(r);
    }
    for (unsigned i = 0; i < r->workers; i++) {
        r->worker[i].quota = quota;
        r->worker[i].rests = 0;
    }
    __atomic_store_n(&r->left, r->workers, __ATOMIC_RELEASE);
    __atomic_store_n(&r->storm, r->how.signals ? (uint32_t)below(&r->random, 8 + quota) : 0,
                     __ATOMIC_RELAXED);
    __atomic_fetch_add(&r->episode, 1, __ATOMIC_RELEASE);
    quiet_wake(&r->episode);
    if (r->how.forks && one_in(&r->random, 8)) {
        sleep_ns(below(&r->random, 500000));
        disturb_fork(r);
    }
    if (!all_rest(r)) {
        return false;
    }
    r->episodes++;
    if (r->kind->settle) {
        r->kind->settle(r);
    }
    return !r->failures;
}

/* --------------------------------------------------------------------------- one round ---- */

static uint64_t operations(const struct round *r)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < r->workers; i++) {
        n += r->worker[i].ops;
    }
    return n;
}

static void draw_round(struct round *r, unsigned cpus, bool real_time)
{
    const struct kind *k = r->kind;
    struct disturbance *how = &r->how;
    uint64_t *random = &r->random;

    r->workers = k->least + (unsigned)below(random, k->spins ? 3 : cpus * 2 + 3);
    r->workers = r->workers > MAX_WORKERS ? MAX_WORKERS : r->workers;
    r->workers += k->even && r->workers & 1 ? 1u : 0u;
    r->shared = k->shared && one_in(random, 2);
    r->processes = r->shared && one_in(random, 2);
    if (k->plain) {
        return;
    }
    how->signals = !THREAD_SANITIZER && one_in(random, 2);
    how->delays = one_in(random, 2);
    how->slow_wakes = !how->delays ? 0 : k->slow ? 4 : 256;
    how->own_stacks = one_in(random, 2);
    how->timeouts = one_in(random, 2);
    how->forks = !THREAD_SANITIZER && !r->processes && one_in(random, 4);
    how->one_cpu = one_in(random, 8);
    how->nice = one_in(random, 4);
    how->real_time = real_time && !k->spins && one_in(random, 2);
    how->fences = one_in(random, 8) && !k->unfenced;
    how->early_choice = one_in(random, 4);
}

static void start_workers(struct round *r, pthread_t *sender)
{
    for (unsigned i = 0; i < r->workers; i++) {
        struct worker *w = &r->worker[i];

        *w = (struct worker){.round = r, .me = i, .random = draw(&r->random)};
        if (!r->processes) {
            if (pthread_create(&w->thread, NULL, worker_thread, w)) {
                failed(r, "no thread");
                exit(1);
            }
            continue;
        }
        w->pid = fork();
        if (!w->pid) {
            worker_thread(w);
            _exit(0);
        }
    }
    if (r->how.signals && pthread_create(sender, NULL, disturb_sender, r)) {
        failed(r, "no thread");
        exit(1);
    }
}

static void end_workers(struct round *r, pthread_t sender)
{
    __atomic_store_n(&r->over, 1, __ATOMIC_RELEASE);
    __atomic_fetch_add(&r->episode, 1, __ATOMIC_RELEASE);
    quiet_wake(&r->episode);
    for (unsigned i = 0; i < r->workers; i++) {
        int status = 0;

        if (!r->processes) {
            pthread_join(r->worker[i].thread, NULL);
        } else if (waitpid(r->worker[i].pid, &status, 0) < 0 || status) {
            failed(r, "worker %u ended with wait status %#x", i, (unsigned)status);
        }
    }
    if (r->how.signals) {
        pthread_join(sender, NULL);
    }
}

static void kill_workers(struct round *r)
{
    for (unsigned i = 0; r->processes && i < r->workers; i++) {
        kill(r->worker[i].pid, SIGKILL);
    }
}

/* In a process of its own: what is decided once a process is decided in each round. */
static void run_round(struct round *r, uint64_t ops)
{
    const struct kind *k = r->kind;
    pthread_t sender = 0;

    r->left = r->workers;
    disturb_round(r);
    if (k->begin) {
        k->begin(r);
    }
    start_workers(r, &sender);
    bool good = all_rest(r);

    while (good && operations(r) < ops) {
        uint64_t quota = 1 + below(&r->random, one_in(&r->random, 2) ? 4 : 40);

        if (k->burst < 40) {
            quota = 1 + below(&r->random, k->burst);
        } else if (one_in(&r->random, 16)) {
            quota = 1 + below(&r->random, k->burst);
        }
        good = run_episode(r, quota);
    }
    if (!good) { /* workers that sleep for ever can't be joined */
        kill_workers(r);
        _exit(1);
    }
    end_workers(r, sender);
    if (k->finish) {
        k->finish(r);
    }
    _exit(r->failures ? 1 : 0);
}

/* ---------------------------------------------------------------------------- all rounds ---- */

struct options {
    uint64_t ops; /* of all rounds; 0: OPS, of which a round of one kind has its share */
    uint64_t seed, rounds;
    unsigned jobs;
    const struct kind *kind;
};

struct job {
    struct round *round; /* NULL: free */
    pid_t pid;
    uint64_t since_ns;
};

static struct tally {
    uint64_t ops, rounds, failures, episodes, signals, timeouts, waits, ns;
} tally[KINDS];

static unsigned index_of(const struct kind *k)
{
    unsigned i = 0;

    while (kinds[i] != k) {
        i++;
    }
    return i;
}

static struct job begin_round(const struct kind *k, uint64_t seed, uint64_t ops, bool real_time)
{
    struct round *r = mmap(NULL, sizeof(*r), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                           0);
    cpu_set_t set;

    if (r == MAP_FAILED) {
        perror("mmap");
        exit(1);
    }
    r->kind = k;
    r->seed = r->random = seed;
    draw_round(r, sched_getaffinity(0, sizeof(set), &set) ? 2 : (unsigned)CPU_COUNT(&set),
               real_time);
    fflush(stdout);
    const uint64_t since_ns = now_ns();
    const pid_t pid = fork();

    if (!pid) {
        run_round(r, ops);
    }
    return (struct job){r, pid, since_ns};
}

static void end_round(struct job *j, int status)
{
    struct round *r = j->round;
    struct tally *t = &tally[index_of(r->kind)];
    const uint64_t ns = now_ns() - j->since_ns;

    for (unsigned i = 0; i < r->workers; i++) {
        t->waits += r->worker[i].turns;
        t->timeouts += r->worker[i].timeouts;
    }
    t->ops += operations(r);
    t->episodes += r->episodes;
    t->signals += r->signals;
    t->ns += ns;
    t->rounds++;
    t->failures += status != 0;
    if (status || getenv("XSC_TEST_CHAOS_TALKS")) {
        printf("%s - %s: %" PRIu64 " operations, %" PRIu64 " episodes, %.1f s, %s\n",
               status ? "not ok" : "ok", r->kind->name, operations(r), r->episodes,
               (double)ns / 1e9, describe(r));
    }
    if (status) {
        printf("    wait status %#x; again: chaos --kind %s --rounds 1 --seed %" PRIu64 "\n",
               (unsigned)status, r->kind->name, r->seed);
    }
    fflush(stdout);
    munmap(r, sizeof(*r));
    j->round = NULL;
}

/* A sanitized library is not to be compared with bare system calls. */
static bool wanted(const struct options *o, const struct kind *k)
{
    return (!o->kind || o->kind == k) && !(SANITIZED && k->plain);
}

/* What of the operations a round of that kind has to do. */
static uint64_t share(const struct options *o, const struct kind *kind)
{
    const uint64_t rounds = o->ops ? o->rounds : ROUNDS_PER_KIND;
    uint64_t weights = 0;

    for (unsigned k = 0; k < KINDS; k++) {
        weights += !o->ops || wanted(o, kinds[k]) ? kinds[k]->weight : 0;
    }
    const uint64_t ops = (o->ops ? o->ops : OPS) / rounds * kind->weight / weights;

    return ops ? ops : 1;
}

/* A process's worth of rounds at a time: those that sleep most of the time, and the others. */
struct pool {
    struct job job[MAX_JOBS];
    unsigned jobs;
    bool slow;
    uint64_t next; /* of all rounds: which comes next, if it is of this pool */
};

/* Begins rounds while there is room. Gives how many run. */
static unsigned fill(struct pool *p, const struct options *o, bool real_time)
{
    unsigned running = 0;

    for (unsigned i = 0; i < p->jobs; i++) {
        for (; !p->job[i].round && p->next < o->rounds * KINDS; p->next++) {
            const uint64_t n = p->next / KINDS, k = p->next % KINDS;
            uint64_t seed = o->seed + n * 1000003 + k * 7919;

            if (kinds[k]->slow != p->slow || !wanted(o, kinds[k])) {
                continue;
            }
            seed = o->kind && n == 0 ? o->seed : draw(&seed);
            p->job[i] = begin_round(kinds[k], seed, share(o, kinds[k]), real_time);
        }
        running += p->job[i].round != NULL;
    }
    return running;
}

/* Those that sleep most of the time run beside the others. */
static void run_all(const struct options *o, bool real_time)
{
    static struct pool pools[2];

    pools[0].jobs = pools[1].jobs = o->jobs;
    pools[1].slow = true;
    while (fill(&pools[0], o, real_time) + fill(&pools[1], o, real_time)) {
        int status = 0;
        const pid_t pid = wait(&status);

        for (unsigned i = 0; i < 2 * o->jobs; i++) {
            struct job *j = &pools[i & 1].job[i / 2];

            if (j->round && j->pid == pid) {
                end_round(j, status);
            }
        }
    }
}

static int sum_up(const struct options *o)
{
    struct tally all = {0};

    printf("%-14s %12s %8s %9s %11s %10s %9s %8s\n", "kind", "operations", "rounds", "episodes",
           "waits", "timeouts", "signals", "seconds");
    for (unsigned k = 0; k < KINDS; k++) {
        const struct tally *t = &tally[k];

        if (!t->rounds) {
            continue;
        }
        printf("%-14s %12" PRIu64 " %8" PRIu64 " %9" PRIu64 " %11" PRIu64 " %10" PRIu64 " %9" PRIu64
               " %8.1f%s\n",
               kinds[k]->name, t->ops, t->rounds, t->episodes, t->waits, t->timeouts, t->signals,
               (double)t->ns / 1e9, t->failures ? "  FAILED" : "");
        all.ops += t->ops;
        all.rounds += t->rounds;
        all.failures += t->failures;
        all.episodes += t->episodes;
    }
    printf("%" PRIu64 " operations in %" PRIu64 " episodes of %" PRIu64 " rounds, seed %" PRIu64
           "; %" PRIu64 " rounds failed\n",
           all.ops, all.episodes, all.rounds, o->seed, all.failures);
    return all.failures || !all.ops;
}

static uint64_t number(const char *text, const char *what)
{
    char *end;

    errno = 0;
    const unsigned long long n = text ? strtoull(text, &end, 10) : 0;

    if (!text || errno || *end || end == text || *text == '-' || !n) {
        fprintf(stderr, "chaos: %s wants a number of 1 or more\n", what);
        exit(2);
    }
    return n;
}

static void parse(struct options *o, char **argv)
{
    for (char **a = argv + 1; *a; a += 2) { /* each option has a value, or ends the program */
        if (!strcmp(*a, "--list")) {
            for (unsigned k = 0; k < KINDS; k++) {
                puts(kinds[k]->name);
            }
            exit(0);
        }
        const char *value = a[1];

        if (!strcmp(*a, "--ops")) {
            o->ops = number(value, *a);
        } else if (!strcmp(*a, "--seed")) {
            o->seed = number(value, *a);
        } else if (!strcmp(*a, "--rounds")) {
            o->rounds = number(value, *a);
        } else if (!strcmp(*a, "--jobs")) {
            o->jobs = (unsigned)number(value, *a);
            o->jobs = o->jobs > MAX_JOBS ? MAX_JOBS : o->jobs;
        } else if (!strcmp(*a, "--kind")) {
            for (unsigned k = 0; k < KINDS; k++) {
                o->kind = value && !strcmp(value, kinds[k]->name) ? kinds[k] : o->kind;
            }
            if (!o->kind) {
                fprintf(stderr, "chaos: no such kind; see --list\n");
                exit(2);
            }
        } else {
            fprintf(stderr,
                    "usage: chaos [--ops N] [--seed S] [--rounds N] [--kind NAME] [--jobs N]"
                    " [--list]\n");
            exit(2);
        }
    }
}

int main(int argc, char **argv)
{
    const char *ops = getenv("XSC_TEST_CHAOS");
    struct options o = {.seed = 1, .rounds = ROUNDS_PER_KIND, .jobs = 2};

    (void)argc;
    if (access("/proc/self/status", R_OK)) {
        puts("skipped: needs /proc, to see which threads sleep: mount it, or run on Linux");
        return 77;
    }
    if (ops) {
        o.ops = number(ops, "XSC_TEST_CHAOS");
    }
    parse(&o, argv);
    const bool real_time = !THREAD_SANITIZER && real_time_permitted();

    if (!real_time) {
        puts("without SCHED_FIFO and SCHED_RR: they need CAP_SYS_NICE or a limit of real-time "
             "priorities (ulimit -r), and are left out under ThreadSanitizer");
    }
    run_all(&o, real_time);
    return sum_up(&o);
}
