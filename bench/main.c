/* SPDX-License-Identifier: MIT */
/*
 * xsc-wait-bench - what a wait costs, beside what one would write without the library
 *
 * Exit: 0 the question is answered (goals met or not: that is in the output), 1 something
 * failed while measuring, 2 bad arguments, 77 this machine can't answer the question.
 */
#define _GNU_SOURCE /* getloadavg() */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include <xsc/probe.h>
#include <xsc/wait.h>

#include "bench/bench.h"
#include "tools/cli.h"

#define EXIT_ARGUMENTS 2

static const struct bench_question *const questions[] = {
    &bench_fastpath, &bench_handover,  &bench_first_wait, &bench_watch,
    &bench_any,      &bench_overshoot, &bench_notify,     &bench_idle,
#if defined(__linux__)
    &bench_one_cpu,
#endif
#if defined(XSC_BENCH_DOORBELL)
    &bench_doorbell,
#endif
#if defined(XSC_BENCH_REPLAY)
    &bench_replay,
#endif
#if defined(XSC_BENCH_LOCKS)
    &bench_locks,
#endif
#if defined(XSC_BENCH_SHARDS)
    &bench_shards,
#endif
};

#define N_QUESTIONS (sizeof(questions) / sizeof(questions[0]))

static void list(void)
{
    for (size_t i = 0; i < N_QUESTIONS; i++) {
        printf("%-11s %s\n", questions[i]->name, questions[i]->what);
    }
}

static void help(void)
{
    puts("usage: xsc-wait-bench QUESTION [--rounds N] [--iterations N] [--cpus A,B] [--json]\n"
         "       xsc-wait-bench watch --pauses 1,2,4,10\n"
         "       xsc-wait-bench replay [--peers A,B,...] [TRACE...]\n"
         "       xsc-wait-bench --list | -h | --help | --version\n"
         "\n"
         "  --rounds N      how often every contender is measured, in turns\n"
         "  --iterations N  waits of each contender in a round (processes: first-wait;\n"
         "                  locks: microseconds that each runs)\n"
         "  --cpus A,B      CPUs to run on; else two on different cores\n"
         "  --pauses LIST   watch: compare spins with that many PAUSEs between two looks\n"
         "  --peers LIST    replay: beside these only, like futex,sem_t\n"
         "  TRACE           replay: a file of waits, one a line in ns, plain or gzip; - for stdin\n"
         "  --json          one JSON object instead of text\n"
         "\n"
         "Questions:");
    list();
    puts("\n"
         "Exit: 0 answered, 1 trouble while measuring, 2 bad arguments, 77 not on this machine");
}

static int refuse(const char *why, int code)
{
    fprintf(stderr, "xsc-wait-bench: %s\n", why);
    return code;
}

/* ---------------------------------------------------------------------- the machine ---- */

/* The first "key : value" of /proc/cpuinfo, or "". */
static void cpuinfo(const char *key, char *value, size_t size)
{
    char line[256];
    FILE *f = fopen("/proc/cpuinfo", "r");

    *value = '\0';
    while (f && fgets(line, sizeof(line), f)) {
        const char *colon = strchr(line, ':');

        if (colon && !strncmp(line, key, strlen(key))) {
            snprintf(value, size, "%.*s", (int)strcspn(colon + 2, "\n"), colon + 2);
            break;
        }
    }
    if (f) {
        fclose(f);
    }
}

static void state_machine(const struct bench_options *o, const struct xsc_machine *m)
{
    char text[256], model[128];
    const time_t now = time(NULL);
    struct utsname os;
    struct xsc_stats s;
    double load;

    cpuinfo("model name", model, sizeof(model));
    snprintf(text, sizeof(text), "%s%s%s, %u CPUs%s", m->arch, *model ? ", " : "", model, m->cpus,
             m->hypervisor ? ", under a hypervisor" : "");
    bench_report_fact("cpu", text);
    if (!uname(&os)) {
        snprintf(text, sizeof(text), "%s %s", os.sysname, os.release);
        bench_report_fact("kernel", text);
    }
    snprintf(text, sizeof(text), "%.3f ticks a ns, %s; core at %.2f cycles a ns",
             (double)m->ticks_per_s / 1e9, m->clock_source, 1 / bench_core_cycle_ns());
    bench_report_fact("counter", text);
    if (!xsc_stats_read(&s, sizeof(s))) {
        snprintf(text, sizeof(text), "%s (%s); a relax hint takes %.1f ns", s.primary,
                 s.choice_reason, (double)m->relax_ps / 1000);
        bench_report_fact("mechanism", text);
    }
    bench_cpus_describe(o, text, sizeof(text));
    bench_report_fact("on CPUs", text);
    strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", gmtime(&now));
    bench_report_fact("date", text);
    if (getloadavg(&load, 1) == 1) {
        snprintf(text, sizeof(text),
                 "%.2f (load average of the last minute: others' work shows "
                 "in every figure)",
                 load);
        bench_report_fact("load", text);
    }
}

static struct xsc_machine machine;

void bench_start(void)
{
    xsc_init(NULL); /* what it can't do as asked it has said on stderr */
    if (xsc_machine_read(&machine, sizeof(machine))) {
        bench_die("the library has not made its choice");
    }
    bench_clock_init(machine.counter_trusted);
}

/* ------------------------------------------------------------------------------ main ---- */

static int run(const struct bench_question *q, struct bench_options *o)
{
    char error[200];
    bool unfit;

    if (o->n_pauses && !q->takes_pauses) {
        return refuse("--pauses is for the question watch", EXIT_ARGUMENTS);
    }
    if (o->n_files && !q->takes_files) {
        snprintf(error, sizeof(error), "one question at a time: \"%.100s\" after \"%s\"",
                 o->files[0], q->name);
        return refuse(error, EXIT_ARGUMENTS);
    }
    if (o->peers && !q->takes_files) {
        return refuse("--peers is for the question replay", EXIT_ARGUMENTS);
    }
    if (o->json && !bench_report_has_json()) {
        return refuse("--json was not built in (it needs libcjson; build with -DXSC_JSON=ON)",
                      EXIT_ARGUMENTS);
    }
    if (!bench_cpus_choose(o, q->two_cpus, &unfit, error, sizeof(error))) {
        return refuse(error, unfit ? BENCH_EXIT_UNFIT : EXIT_ARGUMENTS);
    }
    if (o->child >= 0) {
        if (!q->child) {
            return refuse("--child: this question has no parts", EXIT_ARGUMENTS);
        }
        q->child(o);
        return 0;
    }
    const int trouble = q->prepare ? q->prepare(o) : 0;

    if (trouble) {
        return trouble;
    }
    bench_start();
    bench_report_begin(q->name, o->json);
    state_machine(o, &machine);
    q->run(o);
    bench_report_end();
    return 0;
}

int main(int argc, char *argv[])
{
    struct bench_options o;
    char error[200];

    if (bench_options_parse(&o, argc, argv, error, sizeof(error))) {
        return refuse(error, EXIT_ARGUMENTS);
    }
    switch (o.action) {
    case BENCH_LIST:
        list();
        return !cli_stdout_written("xsc-wait-bench");
    case BENCH_HELP:
        help();
        return !cli_stdout_written("xsc-wait-bench");
    case BENCH_VERSION:
        printf("xsc-wait-bench %s\n", xsc_version());
        return !cli_stdout_written("xsc-wait-bench");
    case BENCH_RUN:
        break;
    }
    for (size_t i = 0; i < N_QUESTIONS; i++) {
        if (!strcmp(o.question, questions[i]->name)) {
            return run(questions[i], &o);
        }
    }
    snprintf(error, sizeof(error), "unknown question \"%.100s\"; --list shows them", o.question);
    return refuse(error, EXIT_ARGUMENTS);
}
