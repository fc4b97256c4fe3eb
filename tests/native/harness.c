/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "harness.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <xsc/stats.h>
#include <xsc/wait.h>

/* Shared by all processes of the test. */
static struct {
    unsigned good, bad, skipped;
} * tally;

static const char *test_name, *scenario = "main";
static uint64_t started_ns;

/* ------------------------------------------------------------------------- reporting ---- */

/* One write a line, so that lines of several processes don't mix. */
static void say(const char *what, const char *format, va_list args)
{
    char line[400];
    int n = snprintf(line, sizeof(line), "%s - %s: ", what, scenario);

    n += vsnprintf(line + n, sizeof(line) - (size_t)n - 1, format, args);
    if (n > (int)sizeof(line) - 2) {
        n = (int)sizeof(line) - 2;
    }
    line[n++] = '\n';
    for (int at = 0; at < n;) { /* a signal may cut it short: a storm of them is one scenario */
        const ssize_t written = write(STDOUT_FILENO, line + at, (size_t)(n - at));

        if (written < 0 && errno != EINTR) {
            abort();
        }
        at += written > 0 ? (int)written : 0;
    }
}

bool check(bool good, const char *format, ...)
{
    va_list args;

    __atomic_fetch_add(good ? &tally->good : &tally->bad, 1, __ATOMIC_RELAXED);
    va_start(args, format);
    say(good ? "ok" : "not ok", format, args);
    va_end(args);
    return good;
}

bool expect(bool good, const char *format, ...)
{
    va_list args;

    __atomic_fetch_add(good ? &tally->good : &tally->bad, 1, __ATOMIC_RELAXED);
    if (!good) {
        va_start(args, format);
        say("not ok", format, args);
        va_end(args);
    }
    return good;
}

void skipped(const char *format, ...)
{
    va_list args;

    __atomic_fetch_add(&tally->skipped, 1, __ATOMIC_RELAXED);
    va_start(args, format);
    say("skipped", format, args);
    va_end(args);
}

/* ------------------------------------------------------------------- time and numbers ---- */

uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

void sleep_ns(uint64_t ns)
{
    struct timespec t = {(time_t)(ns / NS_PER_S), (long)(ns % NS_PER_S)};

    while (nanosleep(&t, &t) && errno == EINTR) {
    }
}

uint64_t handovers(void)
{
    const char *text = getenv("XSC_TEST_HANDOVERS");
    char *end;

    if (!text || !*text) {
        return 100000;
    }
    const unsigned long long n = strtoull(text, &end, 10);

    if (*end || !n) {
        fprintf(stderr, "%s: XSC_TEST_HANDOVERS=%s is not a number above 0\n", test_name, text);
        exit(2);
    }
    return n;
}

uint64_t part_of_handovers(uint64_t divisor, uint64_t least)
{
    const uint64_t n = handovers() / divisor;

    return n < least ? least : n;
}

unsigned cpus_allowed(void)
{
    cpu_set_t set;

    return sched_getaffinity(0, sizeof(set), &set) ? 0 : (unsigned)CPU_COUNT(&set);
}

bool pin_to_nth(unsigned n)
{
    cpu_set_t all, one;

    if (sched_getaffinity(0, sizeof(all), &all)) {
        return false;
    }
    CPU_ZERO(&one);
    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, &all) && n-- == 0) {
            CPU_SET(cpu, &one);
            return !sched_setaffinity(0, sizeof(one), &one);
        }
    }
    return false;
}

const char *mechanism_in_use(void)
{
    static char name[16];
    struct xsc_stats s;

    xsc_stats_read(&s, sizeof(s));
    memcpy(name, s.primary, sizeof(name));
    return name;
}

void check_stats(const char *when)
{
    struct xsc_stats s;

    if (!check(!xsc_stats_read(&s, sizeof(s)), "statistics can be read %s", when)) {
        return;
    }
    check(s.total_waits == s.successful_waits + s.timeouts,
          "%s: %llu waits = %llu successful + %llu timeouts", when,
          (unsigned long long)s.total_waits, (unsigned long long)s.successful_waits,
          (unsigned long long)s.timeouts);
    check(s.total_waits == s.deep_sleeps + s.shallow_spins, "%s: ... = %llu deep + %llu shallow",
          when, (unsigned long long)s.deep_sleeps, (unsigned long long)s.shallow_spins);
    check(s.min_latency_ns <= s.avg_latency_ns && s.avg_latency_ns <= s.max_latency_ns &&
              s.p50_latency_ns <= s.p99_latency_ns,
          "%s: latencies in order: min %llu <= avg %llu <= max %llu, p50 %llu <= p99 %llu", when,
          (unsigned long long)s.min_latency_ns, (unsigned long long)s.avg_latency_ns,
          (unsigned long long)s.max_latency_ns, (unsigned long long)s.p50_latency_ns,
          (unsigned long long)s.p99_latency_ns);
    check(s.success_rate_pct == (s.total_waits ? s.successful_waits * 100 / s.total_waits : 100),
          "%s: success rate %u %%", when, s.success_rate_pct);
}

/* -------------------------------------------------------------------------- hand-over ---- */

struct court {
    struct line there, back;
    uint64_t n;
    uint64_t returned; /* by the other side */
};

static void *return_balls(void *arg)
{
    struct court *c = arg;

    for (uint32_t i = 1; i <= c->n; i++) {
        if (xsc_wait_u32(&c->there.word, i - 1, LOST_NS) || c->there.word != i) {
            break;
        }
        c->returned = i;
        __atomic_store_n(&c->back.word, i, __ATOMIC_RELEASE);
    }
    return NULL;
}

uint64_t hand_over(const char *name, uint64_t n)
{
    struct court *c = aligned_alloc(128, sizeof(*c));
    pthread_t thread;
    uint64_t done = 0;

    *c = (struct court){.n = n};
    if (!check(!pthread_create(&thread, NULL, return_balls, c), "%s: a thread", name)) {
        free(c);
        return 0;
    }
    for (uint32_t i = 1; i <= n; i++) {
        __atomic_store_n(&c->there.word, i, __ATOMIC_RELEASE);
        if (xsc_wait_u32(&c->back.word, i - 1, LOST_NS) || c->back.word != i) {
            break;
        }
        done = i;
    }
    pthread_join(thread, NULL);
    check(done == n && c->returned == n, "%s: %llu of %llu hand-overs arrived, by %s", name,
          (unsigned long long)done, (unsigned long long)n, mechanism_in_use());
    free(c);
    return done;
}

/* --------------------------------------------------------------------------- children ---- */

void in_child(const char *name, const char *mechanism, unsigned limit_s, void (*fn)(void *),
              void *arg)
{
    limit_s = (unsigned)limit(limit_s);

    const uint64_t deadline = now_ns() + limit_s * NS_PER_S;
    const char *outer = scenario;
    int status = 0;

    scenario = name;
    const pid_t pid = fork();

    if (!pid) {
        if (mechanism) {
            setenv("XSC_MECHANISM", mechanism, 1);
        } else {
            unsetenv("XSC_MECHANISM");
        }
        fn(arg);
        _exit(0);
    }
    for (pid_t ended = 0; pid > 0 && ended != pid; ended = waitpid(pid, &status, WNOHANG)) {
        if (now_ns() > deadline) {
            kill(pid, SIGKILL);
            waitpid(pid, &status, 0);
            check(false, "still not over after %u s", limit_s);
            break;
        }
        sleep_ns(NS_PER_MS);
    }
    if (pid < 0 || !WIFEXITED(status) || WEXITSTATUS(status)) {
        check(false, "ended with wait status %#x", status);
    }
    scenario = outer;
}

/* ----------------------------------------------------------------------- begin and end ---- */

void harness_begin(const char *name)
{
    test_name = name;
    started_ns = now_ns();
    (void)handovers(); /* complains here, not in the middle */
    tally = mmap(NULL, sizeof(*tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (tally == MAP_FAILED) {
        perror(name);
        exit(1);
    }
}

int harness_end(void)
{
    printf("%s: %u checks held, %u did not, %u could not be made here; %llu ms\n", test_name,
           tally->good, tally->bad, tally->skipped,
           (unsigned long long)((now_ns() - started_ns) / NS_PER_MS));
    return tally->bad || !tally->good;
}
