/* SPDX-License-Identifier: MIT */
/*
 * test_doorbell: xsc/doorbell.h over the software doorbell. A ring that is lost makes the bell
 * FAILED, which every part looks for at its end, or hangs until the watchdog ends the test; nothing
 * here depends on how fast something is. Exit 0 or 1.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <xsc/doorbell.h>

#include "listens.h"
#include "park_test.h"

#define WAITERS 4
#define ROUNDS 3000u
#define STORM 20000u
#define CLOSES 100u

static uint64_t word[WAITERS * 16]; /* one a line, or two */
static uint32_t answer;

static uint64_t *word_of(unsigned i)
{
    return &word[i * (sizeof(word) / sizeof(*word) / WAITERS)];
}

static struct xsc_doorbell_report report_of(const struct xsc_doorbell *bell)
{
    struct xsc_doorbell_report r;

    CHECK(!xsc_doorbell_read(bell, &r, sizeof(r)), "report");
    return r;
}

static void steady(struct xsc_doorbell *bell)
{
    int err = xsc_doorbell_open(bell, NULL);

    CHECK(!err, "open: %d", err);
    err = xsc_doorbell_try(bell, XSC_BELL_TRIAL_RINGS);
    CHECK(!err, "trial: %d", err);
    memset(word, 0, sizeof(word));
    answer = 0;
}

static void done_with(struct xsc_doorbell *bell)
{
    const struct xsc_doorbell_report r = report_of(bell);

    CHECK(r.state == XSC_BELL_STEADY, "state %u: %s", r.state, r.reason);
    CHECK(!xsc_doorbell_close(bell), "close");
}

static void store_and_ring(struct xsc_doorbell *bell, unsigned i, uint64_t value)
{
    __atomic_store_n(word_of(i), value, __ATOMIC_RELEASE);
    CHECK(!xsc_doorbell_ring(bell, 0), "ring");
}

/* ------------------------------------------------------------------------------ one thread ---- */

static void *store(void *arg)
{
    __atomic_store_n((uint64_t *)arg, 1, __ATOMIC_RELEASE);
    return NULL;
}

/* It works by watching alone: no writer rings. */
static void waits_without(struct xsc_doorbell *bell)
{
    pthread_t thread;
    const uint64_t start = now_ns();

    memset(word, 0, sizeof(word));
    CHECK(xsc_doorbell_wait_u64(bell, word, 0, MS) == -ETIMEDOUT, "no thread stored");
    CHECK(now_ns() - start >= MS, "a wait of 1 ms ended early");
    CHECK(!pthread_create(&thread, NULL, store, word), "no thread");
    CHECK(xsc_doorbell_wait_u64(bell, word, 0, XSC_FOREVER) == 0, "a thread stored");
    pthread_join(thread, NULL);
}

static void closed_is_closed(struct xsc_doorbell *bell)
{
    const uint32_t u32 = 0;

    CHECK(xsc_doorbell_close(bell) == -EPIPE, "closed twice");
    CHECK(xsc_doorbell_ring(bell, 0) == -EPIPE, "a ring of a closed one");
    CHECK(xsc_doorbell_try(bell, XSC_BELL_TRIAL_RINGS) == -EPIPE, "a trial of a closed one");
    CHECK(xsc_doorbell_wait_u32(bell, &u32, 0, XSC_FOREVER) == -EPIPE, "a wait on a closed one");
    CHECK(report_of(bell).state == XSC_BELL_CLOSED, "state %u", report_of(bell).state);
}

static void arguments(void)
{
    static struct xsc_doorbell bell;
    struct xsc_doorbell_report r;
    const struct xsc_watch odd = {(const char *)word + 1, 0, UINT64_MAX, 8, XSC_UNTIL_NOT};

    closed_is_closed(&bell); /* all zeroes */
    CHECK(xsc_doorbell_open(NULL, NULL) == -EINVAL, "NULL");
    CHECK(xsc_doorbell_ring(NULL, 0) == -EINVAL, "NULL");
    CHECK(xsc_doorbell_try(NULL, XSC_BELL_TRIAL_RINGS) == -EINVAL, "NULL");
    CHECK(xsc_doorbell_close(NULL) == -EINVAL, "NULL");
    CHECK(xsc_doorbell_wait_u64(NULL, word, 0, 0) == -EINVAL, "NULL");
    CHECK(xsc_doorbell_wait_u64(&bell, NULL, 0, 0) == -EINVAL, "NULL");
    CHECK(xsc_doorbell_wait(&bell, NULL, 0) == -EINVAL, "NULL");
    CHECK(xsc_doorbell_wait(&bell, &odd, 0) == -EINVAL, "a word at an odd address");
    CHECK(xsc_doorbell_read(NULL, &r, sizeof(r)) == -EINVAL, "NULL");
    CHECK(xsc_doorbell_read(&bell, NULL, sizeof(r)) == -EINVAL, "NULL");
    CHECK(xsc_doorbell_read(&bell, &r, 0) == -EINVAL, "no room");
    CHECK(xsc_doorbell_read(&bell, &r, sizeof(r) + 1) == -EINVAL, "a newer header");
}

/* Not there, not ours, and nothing that rings. */
static void refused(void)
{
    char path[] = "/tmp/xsc-doorbell-XXXXXX";
    struct xsc_doorbell bell;
    const int fd = mkstemp(path);
    int err = xsc_doorbell_open(&bell, "/dev/there/is/no/such/doorbell");

    CHECK(err == -ENOENT, "no such file: %d", err);
    CHECK(report_of(&bell).state == XSC_BELL_FAILED, "state %u", report_of(&bell).state);
    CHECK(!strcmp(report_of(&bell).reason, "could not be opened"), "%s", report_of(&bell).reason);
    CHECK(xsc_doorbell_ring(&bell, 0) == -EBADF, "a ring of nothing");
    waits_without(&bell);
    CHECK(xsc_doorbell_try(&bell, XSC_BELL_TRIAL_RINGS) == -EBADF, "a trial of nothing");
    CHECK(report_of(&bell).state == XSC_BELL_FAILED, "state %u", report_of(&bell).state);
    CHECK(!xsc_doorbell_close(&bell), "close");
    closed_is_closed(&bell);

    CHECK(fd >= 0 && !fchmod(fd, 0), "a file without permissions");
    const bool root = !geteuid();

    CHECK(!root || !seteuid(65534), "to be nobody");
    err = xsc_doorbell_open(&bell, path);
    CHECK(!root || !seteuid(0), "to be root again");
    CHECK(err == -EACCES, "no permission: %d", err);
    CHECK(!xsc_doorbell_close(&bell), "close");
    close(fd);
    unlink(path);

    CHECK(!xsc_doorbell_open(&bell, "/dev/null"), "it can be opened");
    CHECK(report_of(&bell).state == XSC_BELL_DISCOVERED, "state %u", report_of(&bell).state);
    err = xsc_doorbell_try(&bell, XSC_BELL_TRIAL_RINGS);
    CHECK(err == -EPERM, "and not listened to: %d", err);
    CHECK(report_of(&bell).state == XSC_BELL_FAILED, "state %u", report_of(&bell).state);
    CHECK(strstr(report_of(&bell).reason, "could not"), "%s", report_of(&bell).reason);
    CHECK(xsc_doorbell_ring(&bell, 0) == -ENOTTY, "no doorbell");
    waits_without(&bell);
    CHECK(!xsc_doorbell_close(&bell), "close");
}

static long times_left_the_cpu(void)
{
    struct rusage used;

    getrusage(RUSAGE_THREAD, &used);
    return used.ru_nvcsw;
}

static void alone(void)
{
    struct xsc_doorbell bell;
    uint32_t u32 = 7;

    errno = 1234;
    CHECK(!xsc_doorbell_open(&bell, NULL), "open");
    struct xsc_doorbell_report r = report_of(&bell);

    CHECK(r.state == XSC_BELL_DISCOVERED && !r.trial_rings && r.fd >= 0, "state %u", r.state);
    CHECK(!strcmp(r.reason, "not tried yet"), "%s", r.reason);
    waits_without(&bell);
    CHECK(xsc_doorbell_try(&bell, XSC_BELL_TRIAL_RINGS - 1) == -EINVAL, "too few rings");
    CHECK(report_of(&bell).state == XSC_BELL_DISCOVERED, "state %u", report_of(&bell).state);
    CHECK(!xsc_doorbell_try(&bell, 250), "trial");
    r = report_of(&bell);
    CHECK(r.state == XSC_BELL_STEADY && r.trial_rings == 250 && !r.trial_lost, "%u of %u: %s",
          r.trial_lost, r.trial_rings, r.reason);
    CHECK(r.min_ns && r.min_ns <= r.max_ns && !r.rings, "%llu to %llu ns",
          (unsigned long long)r.min_ns, (unsigned long long)r.max_ns);
    CHECK(!xsc_doorbell_try(&bell, 100) && report_of(&bell).trial_rings == 100, "a second trial");

    CHECK(xsc_doorbell_wait_u32(&bell, &u32, 6, XSC_FOREVER) == 0, "changed already");
    CHECK(xsc_doorbell_wait_u32(&bell, &u32, 7, 0) == -ETIMEDOUT, "no time");
    CHECK(xsc_doorbell_ring(&bell, 1) == -ENXIO && !report_of(&bell).rings, "another peer");
    /* Rings that no thread waited for end no wait, nor do they keep it from leaving the CPU. */
    for (int i = 0; i < 3; i++) {
        const uint64_t start = now_ns();
        const long left = times_left_the_cpu();

        CHECK(!xsc_doorbell_ring(&bell, 0), "ring");
        CHECK(xsc_doorbell_wait_u32(&bell, &u32, 7, 20 * MS) == -ETIMEDOUT, "rung for nothing");
        CHECK(now_ns() - start >= 20 * MS, "a wait of 20 ms ended early");
        CHECK(times_left_the_cpu() > left, "it did not sleep");
    }
    CHECK(report_of(&bell).rings == 3, "%llu rings", (unsigned long long)report_of(&bell).rings);
    CHECK(errno == 1234, "errno is %d", errno);
    done_with(&bell);
    closed_is_closed(&bell);
}

/* ------------------------------------------------------------------------- several threads ---- */

/* Waits for its word to be n, for all n up to ROUNDS. */
static void *waiter(void *arg)
{
    struct xsc_doorbell *bell = arg;
    static unsigned next;
    const unsigned i = __atomic_fetch_add(&next, 1, __ATOMIC_RELAXED) % WAITERS;

    for (uint64_t n = 1; n <= ROUNDS; n++) {
        const int err = xsc_doorbell_wait_u64(bell, word_of(i), n - 1, XSC_FOREVER);

        CHECK(!err && *word_of(i) == n, "waiter %u: %d, round %llu", i, err, (unsigned long long)n);
        __atomic_store_n(&answer, i + 1, __ATOMIC_RELEASE);
    }
    return NULL;
}

/* Several waiters, one bell: each ring is for one of them, and ends the sleep of all. */
static void no_waiter_takes_anothers_ring(void)
{
    static struct xsc_doorbell bell;
    pthread_t thread[WAITERS];
    uint64_t random = 1;
    unsigned left[WAITERS];

    steady(&bell);
    for (unsigned i = 0; i < WAITERS; i++) {
        left[i] = ROUNDS;
        CHECK(!pthread_create(&thread[i], NULL, waiter, &bell), "no thread");
    }
    for (unsigned n = 0; n < WAITERS * ROUNDS; n++) {
        unsigned i = (unsigned)(next_random(&random) % WAITERS);

        while (!left[i]) {
            i = (i + 1) % WAITERS;
        }
        left[i]--;
        /* While it watches, while it lies down, and when it sleeps. */
        spin_for(next_random(&random) % 8 ? next_random(&random) % 30000 : 200000);
        store_and_ring(&bell, i, ROUNDS - left[i]);
        while (__atomic_load_n(&answer, __ATOMIC_ACQUIRE) != i + 1) {
            sched_yield();
        }
        __atomic_store_n(&answer, 0, __ATOMIC_RELAXED);
    }
    for (unsigned i = 0; i < WAITERS; i++) {
        pthread_join(thread[i], NULL);
    }
    CHECK(report_of(&bell).rings == WAITERS * ROUNDS, "%llu rings",
          (unsigned long long)report_of(&bell).rings);
    done_with(&bell);
}

static void *sleeper(void *arg)
{
    const int err = xsc_doorbell_wait_u64(arg, word, 0, XSC_FOREVER);

    CHECK(!err && __atomic_load_n(word, __ATOMIC_RELAXED) == 1, "%d", err);
    return NULL;
}

/* It is the ring that ends a sleep: else the look after a second would find a lost one. */
static void a_ring_ends_a_sleep(void)
{
    static struct xsc_doorbell bell;
    pthread_t thread;

    for (int i = 0; i < 200; i++) {
        steady(&bell); /* again: a sleeper leaves its set to the next */
        CHECK(!pthread_create(&thread, NULL, sleeper, &bell), "no thread");
        while (!a_thread_listens()) {
            sched_yield();
        }
        store_and_ring(&bell, 0, 1);
        pthread_join(thread, NULL);
        done_with(&bell);
    }
}

static void *ringer(void *arg)
{
    for (unsigned i = 0; i < STORM; i++) {
        CHECK(!xsc_doorbell_ring(arg, 0), "ring");
    }
    return NULL;
}

static void storms_end_no_wait(void)
{
    static struct xsc_doorbell bell;
    pthread_t thread[2], wait;

    steady(&bell);
    CHECK(!pthread_create(&wait, NULL, sleeper, &bell), "no thread");
    for (int i = 0; i < 2; i++) {
        CHECK(!pthread_create(&thread[i], NULL, ringer, &bell), "no thread");
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(thread[i], NULL);
    }
    store_and_ring(&bell, 0, 1);
    pthread_join(wait, NULL);
    CHECK(report_of(&bell).rings == 2 * STORM + 1, "%llu rings",
          (unsigned long long)report_of(&bell).rings);
    done_with(&bell);
}

/* -------------------------------------------------------------------------------- closing ---- */

static void *waiter_until_closed(void *arg)
{
    __atomic_add_fetch(&answer, 1, __ATOMIC_RELEASE);
    const int err = xsc_doorbell_wait_u64(arg, word, 0, XSC_FOREVER);

    CHECK(err == -EPIPE, "%d", err);
    return NULL;
}

static void closed_under_waiters(bool tried)
{
    static struct xsc_doorbell bell;
    pthread_t thread[WAITERS];
    uint64_t random = 1;

    for (unsigned n = 0; n < (tried ? CLOSES : 2); n++) {
        if (tried) {
            steady(&bell);
        } else {
            CHECK(!xsc_doorbell_open(&bell, NULL), "open");
        }
        answer = 0;
        for (int i = 0; i < WAITERS; i++) {
            CHECK(!pthread_create(&thread[i], NULL, waiter_until_closed, &bell), "no thread");
        }
        while (__atomic_load_n(&answer, __ATOMIC_ACQUIRE) < WAITERS ||
               (tried && n % 2 && !a_thread_listens())) {
            sched_yield();
        }
        spin_for(next_random(&random) % 200000);
        CHECK(!xsc_doorbell_close(&bell), "close");
        CHECK(!__atomic_load_n(&bell.inside, __ATOMIC_RELAXED), "%u are inside", bell.inside);
        for (int i = 0; i < WAITERS; i++) {
            pthread_join(thread[i], NULL);
        }
    }
    CHECK(bell.fd < 0 || fcntl(bell.fd, F_GETFD) == -1, "the descriptor is open still");
}

/* -------------------------------------------------------------------------------- signals ---- */

static uint32_t handled;

static void handle(int sig)
{
    (void)sig;
    __atomic_add_fetch(&handled, 1, __ATOMIC_RELEASE);
}

static void signals_end_no_wait(void)
{
    static struct xsc_doorbell bell;
    const struct sigaction action = {.sa_handler = handle};
    pthread_t wait;

    steady(&bell);
    sigaction(SIGUSR1, &action, NULL);
    CHECK(!pthread_create(&wait, NULL, sleeper, &bell), "no thread");
    for (uint32_t i = 1; i <= 1000; i++) {
        pthread_kill(wait, SIGUSR1);
        while (__atomic_load_n(&handled, __ATOMIC_ACQUIRE) < i) {
            sched_yield();
        }
    }
    store_and_ring(&bell, 0, 1);
    pthread_join(wait, NULL);
    done_with(&bell);
}

/* --------------------------------------------------------------- in processes of their own ---- */

static void play(struct xsc_doorbell *bell, uint64_t *ball, uint64_t mine)
{
    uint64_t random = mine + 1;

    for (uint64_t n = mine; n < ROUNDS; n += 2) {
        while (__atomic_load_n(ball, __ATOMIC_ACQUIRE) != n) {
            const uint64_t seen = __atomic_load_n(ball, __ATOMIC_RELAXED);

            if (seen != n) {
                CHECK(!xsc_doorbell_wait_u64(bell, ball, seen, XSC_FOREVER), "wait");
            }
        }
        spin_for(next_random(&random) % 8 ? 0 : 100000);
        __atomic_store_n(ball, n + 1, __ATOMIC_RELEASE);
        CHECK(!xsc_doorbell_ring(bell, 0), "ring");
    }
}

/* A child inherits the descriptor; the word is in memory that both map. */
static void two_processes(void *arg)
{
    struct xsc_doorbell bell;
    uint64_t *ball = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status = 0;

    (void)arg;
    CHECK(ball != MAP_FAILED, "mmap");
    steady(&bell);
    /* What this sleep leaves behind is in the child, too, and not for it. */
    CHECK(xsc_doorbell_wait_u64(&bell, ball, 0, 5 * MS) == -ETIMEDOUT, "no thread stored");
    const pid_t child = fork();

    if (!child) {
        play(&bell, ball, 1);
        done_with(&bell);
        _exit(failures != 0);
    }
    play(&bell, ball, 0);
    CHECK(waitpid(child, &status, 0) == child && !status, "status %#x", (unsigned)status);
    CHECK(*ball == ROUNDS, "%llu", (unsigned long long)*ball);
    done_with(&bell); /* the child's close has taken nothing from it */
}

/* Without descriptors a wait can't listen. It watches instead. */
static void out_of_descriptors(void *arg)
{
    struct xsc_doorbell bell;
    struct rlimit none = {0, 0};

    (void)arg;
    steady(&bell);
    CHECK(!setrlimit(RLIMIT_NOFILE, &none), "setrlimit");
    waits_without(&bell);
    CHECK(report_of(&bell).state == XSC_BELL_STEADY, "state %u", report_of(&bell).state);
    CHECK(xsc_doorbell_try(&bell, 100) == -EMFILE, "a trial needs one");
    CHECK(report_of(&bell).state == XSC_BELL_FAILED, "state %u", report_of(&bell).state);
    CHECK(!xsc_doorbell_close(&bell), "close");
}

/* What a system without doorbells must do: waits go on. */
static void elsewhere(void)
{
    struct xsc_doorbell bell;

    for (int i = 0; i < 2; i++) {
        CHECK(xsc_doorbell_open(&bell, i ? "/dev/xsc-doorbell0" : NULL) == -ENOTSUP, "open");
        CHECK(report_of(&bell).state == XSC_BELL_FAILED, "state %u", report_of(&bell).state);
        CHECK(xsc_doorbell_try(&bell, 100) == -ENOTSUP, "trial");
        CHECK(xsc_doorbell_ring(&bell, 0) == -ENOTSUP, "ring");
        waits_without(&bell);
        CHECK(!xsc_doorbell_close(&bell), "close");
        closed_is_closed(&bell);
    }
}

int main(void)
{
#if defined(XSC_TEST_OTHER_PORT)
    (void)refused;
    (void)alone;
    (void)no_waiter_takes_anothers_ring;
    (void)a_ring_ends_a_sleep;
    (void)storms_end_no_wait;
    (void)closed_under_waiters;
    (void)signals_end_no_wait;
    (void)two_processes;
    (void)out_of_descriptors;
    arguments();
    elsewhere();
#else
    (void)elsewhere;
    /* First: they fork, and there is one thread yet. */
    failures += in_child("two processes", two_processes, NULL);
    failures += in_child("out of descriptors", out_of_descriptors, NULL);
    arguments();
    refused();
    alone();
    no_waiter_takes_anothers_ring();
    a_ring_ends_a_sleep();
    storms_end_no_wait();
    closed_under_waiters(true);
    closed_under_waiters(false);
    signals_end_no_wait();
#endif
    puts(failures ? "failed" : "ok");
    return failures != 0;
}
