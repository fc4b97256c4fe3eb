/* SPDX-License-Identifier: MIT */
/*
 * test_mechanism NAME EXPECTATION...: what becomes of one mechanism here, held against what
 * the machine (an emulator, a guest) is known to make of it.
 *
 * Chooses as XSC_MECHANISM says, waits (deadlines, hand-overs), probes NAME, and prints all
 * that it learned as KEY=VALUE lines. An expectation is one of KEY=VALUE, KEY!VALUE (is not),
 * KEY~TEXT (contains), KEY>NUMBER, KEY<NUMBER. Hand-overs and deadlines must hold whatever the
 * mechanism does. "none" as NAME leaves the probe out. Exit 0, 1, or 2 (bad arguments).
 *
 * A trial is a measurement, and a busy machine disturbs it. So expectations, and they alone,
 * get 400 attempts, each in a process of its own: under an emulator on a small machine most trials
 * are disturbed, and a handful is not enough.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <xsc/probe.h>
#include <xsc/stats.h>
#include <xsc/wait.h>

#include "harness.h"

/* -------------------------------------------------------------------------------- facts ---- */

static struct fact {
    char key[24], value[200];
} facts[64];

static unsigned n_facts;

static void fact(const char *key, const char *value)
{
    struct fact *f = &facts[n_facts++];

    snprintf(f->key, sizeof(f->key), "%s", key);
    snprintf(f->value, sizeof(f->value), "%s", value);
    printf("# %s=%s\n", f->key, f->value);
}

static void number(const char *key, uint64_t n)
{
    char text[24];

    snprintf(text, sizeof(text), "%" PRIu64, n);
    fact(key, text);
}

static const char *name_of(const char *const *names, uint32_t n, uint32_t i)
{
    return i < n ? names[i] : "?";
}

static const char *state(uint32_t i)
{
    static const char *const names[] = {"CANDIDATE", "VALIDATING", "ACTIVE", "DEGRADED", "FAILED"};

    return name_of(names, 5, i);
}

static const char *verdict(uint32_t i)
{
    static const char *const names[] = {"GOOD", "NO_SLEEP", "UNPROVEN", "SLOW", "BROKEN", "ABSENT"};

    return name_of(names, 6, i);
}

static int find(const char *name, struct xsc_mechanism_info *info)
{
    for (unsigned i = 0; i < xsc_mechanism_count(); i++) {
        if (!xsc_mechanism_read(i, info, sizeof(*info)) && !strcmp(info->name, name)) {
            return (int)i;
        }
    }
    return -1;
}

/* --------------------------------------------------------------------- what it does here ---- */

static void choose(const char *name)
{
    struct xsc_mechanism_info info;
    struct xsc_machine m;
    const int got = xsc_init(NULL);

    fact("init", got == 0          ? "0"
                 : got == -ENOTSUP ? "ENOTSUP"
                 : got == -EINVAL  ? "EINVAL"
                                   : strerror(-got));
    if (!xsc_machine_read(&m, sizeof(m))) {
        fact("arch", m.arch);
        number("cpus", m.cpus);
        number("counter", m.counter_trusted);
        number("hz", m.ticks_per_s);
        fact("clock", m.clock_source);
        number("c02", m.umwait_c02);
        number("umwait_known", m.umwait_known);
        number("umwait_max", m.umwait_max_ticks);
        fact("umwait_from", m.umwait_source);
    }
    if (find(name, &info) >= 0) {
        number("present", info.present);
        number("monitor", info.monitor);
        fact("state", state(info.state));
        fact("reason", info.reason);
    }
}

static void wait_here(void)
{
    static const uint64_t lengths[] = {1, 5000, 100000, 250000, 2000000};
    volatile uint32_t word = 0;
    struct xsc_stats s;

    for (unsigned i = 0; i < 10; i++) {
        const uint64_t length = lengths[i % 5], start = now_ns();
        const int got = xsc_wait_u32(&word, 0, length);
        const uint64_t took = now_ns() - start;

        expect(got == -ETIMEDOUT && took >= length, "%" PRIu64 " ns: %d after %" PRIu64, length,
               got, took);
    }
    hand_over("hand-over", handovers());
    xsc_stats_read(&s, sizeof(s));
    fact("primary", s.primary);
    fact("fallback", s.fallback);
    fact("choice", s.choice_reason);
    fact("fail", s.fail_reason);
    fact("refusal", s.refusal);
    number("refused", s.asked_refused);
    number("total", s.total_waits);
    number("timeouts", s.timeouts);
    number("deep", s.deep_sleeps);
    number("late", s.late_wakes);
    number("spurious", s.spurious_wakes);
    number("max_ns", s.max_latency_ns);
    check_stats("afterwards");
}

static void probe(const char *name)
{
    const struct xsc_probe_options options = {
        .size = sizeof(options),
        .iterations = 1000,
        .timeout_ns = 100000,
        .budget_ns = 50000000,
        .waiter_cpu = -1,
        .storer_cpu = -1,
    };
    struct xsc_mechanism_info info;
    struct xsc_probe_report r;
    const int i = find(name, &info);

    if (!check(i >= 0, "%s is known here", name)) {
        return;
    }
    const int got = xsc_probe_mechanism((unsigned)i, &options, &r, sizeof(r));

    if (!check(!got, "%s can be probed: %d", name, got)) {
        return;
    }
    fact("probe.verdict", verdict(r.verdict));
    fact("probe.state", state(r.info.state));
    fact("probe.reason", r.info.reason);
    number("probe.fault", (uint64_t)r.fault);
    number("probe.sleeps", r.sleeps);
    number("probe.rest_mean", r.rest_mean_ns);
    number("probe.rest_max", r.rest.max);
    number("probe.os_limit", r.os_limit_ns);
    number("probe.missed", r.missed);
    number("probe.spurious_s", r.spurious_per_s);
    number("probe.changed_p99", r.changed.p99);
    number("probe.self_p99", r.self_store.p99);
    number("probe.cross_n", r.cross_store.n);
    number("probe.cross_p50", r.cross_store.p50);
    number("probe.cross_p99", r.cross_store.p99);
    number("probe.over_p50", r.overshoot.p50);
    number("probe.over_max", r.overshoot.max);
    number("probe.cpu", r.cpu_permille);
    fact("probe.trouble", r.cross_trouble);
}

/* ------------------------------------------------------------------------- expectations ---- */

static const char *value_of(const char *key, size_t length)
{
    for (unsigned i = 0; i < n_facts; i++) {
        if (strlen(facts[i].key) == length && !memcmp(facts[i].key, key, length)) {
            return facts[i].value;
        }
    }
    return NULL;
}

static bool holds(char operator, const char * value, const char *wanted)
{
    switch (operator) {
    case '=':
        return !strcmp(value, wanted);
    case '!':
        return strcmp(value, wanted) != 0;
    case '~':
        return strstr(value, wanted) != NULL;
    case '>':
        return strtoull(value, NULL, 10) > strtoull(wanted, NULL, 10);
    default:
        return strtoull(value, NULL, 10) < strtoull(wanted, NULL, 10);
    }
}

static bool all_hold(int argc, char **argv, bool last)
{
    bool all = true;

    for (int i = 2; i < argc; i++) {
        const size_t length = strcspn(argv[i], "=!~<>");
        const char *value = value_of(argv[i], length);

        all &= value && holds(argv[i][length], value, argv[i] + length + 1);
    }
    for (int i = 2; (all || last) && i < argc; i++) {
        const size_t length = strcspn(argv[i], "=!~<>");
        const char *value = value_of(argv[i], length);

        check(value && holds(argv[i][length], value, argv[i] + length + 1), "expected %s, it is %s",
              argv[i], value ? value : "not known");
    }
    return all;
}

#define ATTEMPTS 400

struct attempt {
    int argc, number;
    char **argv;
    bool *held; /* shared with the parent */
};

static void attempt(void *arg)
{
    const struct attempt *a = arg;

    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("# attempt %d\n", a->number);
    choose(a->argv[1]);
    wait_here();
    if (strcmp(a->argv[1], "none")) {
        probe(a->argv[1]);
    }
    *a->held = all_hold(a->argc, a->argv, a->number == ATTEMPTS);
}

int main(int argc, char **argv)
{
    struct attempt a = {.argc = argc, .argv = argv};

    if (argc < 2) {
        fprintf(stderr, "usage: test_mechanism NAME|none [KEY=VALUE KEY!VALUE KEY~TEXT KEY>N "
                        "KEY<N]...\n");
        return 2;
    }
    for (int i = 2; i < argc; i++) {
        if (!argv[i][strcspn(argv[i], "=!~<>")]) {
            fprintf(stderr, "test_mechanism: \"%s\" expects nothing\n", argv[i]);
            return 2;
        }
    }
    harness_begin("test_mechanism");
    a.held = mmap(NULL, sizeof(*a.held), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (a.held == MAP_FAILED) {
        perror("test_mechanism: mmap");
        return 1;
    }
    for (a.number = 1; a.number <= ATTEMPTS && !*a.held; a.number++) {
        in_child(argv[1], getenv("XSC_MECHANISM"), 300, attempt, &a);
    }
    return harness_end();
}
