/* SPDX-License-Identifier: MIT */
#include "bench/options.h"

#include <stdio.h>
#include <string.h>

/* Decimal digits and nothing else, min to max, up to end or the string's end. */
static bool number_until(const char *s, const char *end, uint64_t min, uint64_t max,
                         uint64_t *value)
{
    uint64_t v = 0;

    if (s == end) {
        return false;
    }
    for (; s != end; s++) {
        if (*s < '0' || *s > '9') {
            return false;
        }
        v = v * 10 + (uint64_t)(*s - '0');
        if (v > max) {
            return false;
        }
    }
    *value = v;
    return v >= min;
}

static bool number(const char *s, uint64_t min, uint64_t max, uint64_t *value)
{
    return number_until(s, s + strlen(s), min, max, value);
}

/* "A,B,..." into at most max numbers; how many there were, 0 for a bad list. */
static unsigned numbers(const char *s, uint64_t min, uint64_t largest, uint64_t *list, unsigned max)
{
    unsigned n = 0;

    for (;;) {
        const char *end = s + strcspn(s, ",");

        if (n == max || !number_until(s, end, min, largest, &list[n])) {
            return 0;
        }
        n++;
        if (!*end) {
            return n;
        }
        s = end + 1;
    }
}

static int bad(char *error, size_t size, const char *option, const char *value, const char *want)
{
    snprintf(error, size, "%s: \"%s\" is not %s", option, value, want);
    return -1;
}

static int take_value(struct bench_options *o, const char *name, const char *value, char *error,
                      size_t size)
{
    uint64_t v, list[BENCH_MAX_PAUSES_LIST];

    if (!strcmp(name, "--peers")) {
        if (!*value) {
            return bad(error, size, name, value, "a list of peers, like futex,sem_t");
        }
        o->peers = value;
    } else if (!strcmp(name, "--rounds")) {
        if (!number(value, 1, BENCH_MAX_ROUNDS, &v)) {
            return bad(error, size, name, value, "a number from 1 to 100000");
        }
        o->rounds = (unsigned)v;
    } else if (!strcmp(name, "--iterations")) {
        if (!number(value, 1, BENCH_MAX_ITERATIONS, &v)) {
            return bad(error, size, name, value, "a number from 1 to 100000000");
        }
        o->iterations = (uint32_t)v;
    } else if (!strcmp(name, "--cpus")) {
        if (numbers(value, 0, BENCH_MAX_CPU, list, 2) != 2 || list[0] == list[1]) {
            return bad(error, size, name, value, "two different CPU numbers, like 0,1");
        }
        o->cpu[0] = (int)list[0];
        o->cpu[1] = (int)list[1];
    } else if (!strcmp(name, "--pauses")) {
        o->n_pauses = numbers(value, 1, BENCH_MAX_PAUSES, list, BENCH_MAX_PAUSES_LIST);
        if (!o->n_pauses) {
            return bad(error, size, name, value,
                       "a list of up to 8 numbers from 1 to 1000, like 1,2,4,10");
        }
        for (unsigned i = 0; i < o->n_pauses; i++) {
            o->pauses[i] = (unsigned)list[i];
        }
    } else { /* --child */
        if (!number(value, 0, INT64_MAX, &v)) {
            return bad(error, size, name, value, "a part's number");
        }
        o->child = (int64_t)v;
    }
    return 0;
}

static bool has_value(const char *arg)
{
    return !strcmp(arg, "--rounds") || !strcmp(arg, "--iterations") || !strcmp(arg, "--cpus") ||
           !strcmp(arg, "--pauses") || !strcmp(arg, "--peers") || !strcmp(arg, "--child");
}

int bench_options_parse(struct bench_options *o, int argc, char *const argv[], char *error,
                        size_t size)
{
    *o = (struct bench_options){.action = BENCH_RUN, .cpu = {-1, -1}, .child = -1};

    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i];

        if (has_value(arg)) {
            if (i + 1 == argc) {
                snprintf(error, size, "%s needs a value", arg);
                return -1;
            }
            if (take_value(o, arg, argv[++i], error, size)) {
                return -1;
            }
        } else if (!strcmp(arg, "--json")) {
            o->json = true;
        } else if (!strcmp(arg, "--list")) {
            o->action = BENCH_LIST;
        } else if (!strcmp(arg, "--help") || !strcmp(arg, "-h")) {
            o->action = BENCH_HELP;
        } else if (!strcmp(arg, "--version")) {
            o->action = BENCH_VERSION;
        } else if (*arg == '-' && (arg[1] || !o->question)) {
            snprintf(error, size, "unknown option \"%s\"; --help lists them", arg);
            return -1;
        } else if (o->question) {
            if (o->n_files == BENCH_MAX_FILES) {
                snprintf(error, size, "more than %u files", BENCH_MAX_FILES);
                return -1;
            }
            o->files[o->n_files++] = arg;
        } else {
            o->question = arg;
        }
    }
    if (o->action == BENCH_RUN && !o->question) {
        snprintf(error, size, "no question; --list shows them");
        return -1;
    }
    return 0;
}
