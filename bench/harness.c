/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "bench/harness.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <spawn.h>
#include <sys/wait.h>

#include "bench/options.h"

#if !defined(__linux__)
extern char **environ; /* which POSIX leaves to the program, and GNU declares */
#endif

void bench_die(const char *format, ...)
{
    va_list args;

    fprintf(stderr, "xsc-wait-bench: ");
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\n");
    exit(BENCH_EXIT_TROUBLE);
}

void *bench_alloc(size_t size)
{
    void *p = malloc(size ? size : 1);

    if (!p) {
        bench_die("out of memory (%zu bytes)", size);
    }
    memset(p, 1, size);
    __asm__ __volatile__("" ::"r"(p) : "memory"); /* keeps the two from becoming a calloc() */
    memset(p, 0, size);
    return p;
}

/* ------------------------------------------------------------------------------ time ---- */

bool bench_counter_used;
static double ns_per_tick = 1;

#define CALIBRATION_NS 20000000u

static uint64_t clock_ns(clockid_t id)
{
    struct timespec t;

    if (clock_gettime(id, &t)) {
        bench_die("a clock can't be read: %s", strerror(errno));
    }
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t bench_now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

uint64_t bench_cpu_ns(void)
{
    return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

struct moment {
    uint64_t ticks, ns;
};

/* Both clocks at one moment: of some tries the one least torn apart. */
static struct moment read_both(void)
{
    struct moment best = {0, 0};
    uint64_t narrowest = UINT64_MAX;

    for (int i = 0; i < 20; i++) {
        const uint64_t before = xsc_arch_counter();
        const uint64_t now = bench_now_ns();
        const uint64_t width = xsc_arch_counter() - before;

        if (width < narrowest) {
            narrowest = width;
            best = (struct moment){before + width / 2, now};
        }
    }
    return best;
}

void bench_clock_init(bool trusted)
{
    if (!trusted) {
        return;
    }
    const struct moment from = read_both();
    struct moment to;

    do {
        to = read_both();
    } while (to.ns - from.ns < CALIBRATION_NS);
    if (to.ticks <= from.ticks) {
        bench_die("the CPU's counter does not count");
    }
    ns_per_tick = (double)(to.ns - from.ns) / (double)(to.ticks - from.ticks);
    bench_counter_used = true;
}

double bench_ticks_to_ns(uint64_t ticks)
{
    return (double)ticks * ns_per_tick;
}

uint64_t bench_ns_to_ticks(uint64_t ns)
{
    return (uint64_t)((double)ns / ns_per_tick);
}

#define CHAIN 2000u
#define STEP                                                                                       \
    __asm__ __volatile__("" : "+r"(x), "+r"(y)); /* so that no two adds become one */              \
    x += y;
#define STEPS_4 STEP STEP STEP STEP
#define STEPS_20 STEPS_4 STEPS_4 STEPS_4 STEPS_4 STEPS_4

double bench_core_cycle_ns(void)
{
    uint64_t best = UINT64_MAX, x = 0, y = 1;

    for (int run = 0; run < 50; run++) {
        const uint64_t start = bench_ticks_ordered();

        for (unsigned i = 0; i < CHAIN / 20; i++) {
            STEPS_20
        }
        const uint64_t took = bench_ticks_ordered() - start;

        best = took < best ? took : best;
    }
    return bench_ticks_to_ns(best) / CHAIN;
}

/* ------------------------------------------------------------------------- processes ---- */

static const char *self_path(void)
{
#if defined(__linux__)
    return "/proc/self/exe";
#else
    return "xsc-wait-bench";
#endif
}

/* All that the child prints, up to size - 1 characters. */
static void read_all(int fd, char *text, size_t size)
{
    size_t have = 0;
    ssize_t n;

    while ((n = read(fd, text + have, size - 1 - have)) != 0) {
        if (n > 0) {
            have += (size_t)n;
        } else if (errno != EINTR) {
            break;
        }
    }
    text[have] = '\0';
}

void bench_child(const char *question, uint64_t part, uint32_t iterations, const char *mechanism,
                 const struct bench_options *o, double *numbers, unsigned n)
{
    char part_text[24], iterations_text[24], cpus[32], text[512];
    const char *argv[10] = {"xsc-wait-bench", question,        "--child", part_text,
                            "--iterations",   iterations_text, NULL};
    posix_spawn_file_actions_t actions;
    int out[2], status;
    pid_t pid;

    snprintf(part_text, sizeof(part_text), "%llu", (unsigned long long)part);
    snprintf(iterations_text, sizeof(iterations_text), "%u", iterations);
    if (o->cpu[1] >= 0) {
        snprintf(cpus, sizeof(cpus), "%d,%d", o->cpu[0], o->cpu[1]);
        argv[6] = "--cpus";
        argv[7] = cpus;
    }
    if (mechanism && setenv("XSC_MECHANISM", mechanism, 1)) {
        bench_die("out of memory");
    }
    if (pipe(out) || posix_spawn_file_actions_init(&actions) ||
        posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO) ||
        posix_spawn_file_actions_addclose(&actions, out[0]) ||
        posix_spawn(&pid, self_path(), &actions, NULL, (char *const *)(uintptr_t)argv, environ)) {
        bench_die("a child process can't be started");
    }
    posix_spawn_file_actions_destroy(&actions);
    if (mechanism) {
        unsetenv("XSC_MECHANISM");
    }
    close(out[1]);
    read_all(out[0], text, sizeof(text));
    close(out[0]);
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) {
            bench_die("a child process was lost");
        }
    }
    char *at = text;

    for (unsigned i = 0; i < n; i++) {
        char *end;

        numbers[i] = strtod(at, &end);
        if (end == at || status) {
            bench_die("a child process failed (%s --child %s)", question, part_text);
        }
        at = end;
    }
}
