/* SPDX-License-Identifier: MIT */
#include "bench/options.h"

#include <stdio.h>
#include <string.h>

#include "tools/cli.h"

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

enum { ROUNDS, ITERATIONS, CPUS, PAUSES, PEERS, CHILD, JSON, LIST, HELP, VERSION, N_IDS };

static const struct cli_option known[N_IDS] = {
    [ROUNDS] = {"rounds", CLI_VALUE, false}, [ITERATIONS] = {"iterations", CLI_VALUE, false},
    [CPUS] = {"cpus", CLI_VALUE, false},     [PAUSES] = {"pauses", CLI_VALUE, false},
    [PEERS] = {"peers", CLI_VALUE, false},   [CHILD] = {"child", CLI_VALUE, false},
    [JSON] = {"json", CLI_NO_VALUE, false},  [LIST] = {"list", CLI_NO_VALUE, false},
    [HELP] = {"help", CLI_NO_VALUE, false},  [VERSION] = {"version", CLI_NO_VALUE, false},
};

struct command {
    struct bench_options *o;
    char *error;
    size_t size;
};

static int bad(const struct command *c, int id, const char *value, const char *want)
{
    snprintf(c->error, c->size, "--%s: \"%s\" is not %s", known[id].name, value, want);
    return -1;
}

static int take_operand(const struct command *c, const char *value)
{
    struct bench_options *o = c->o;

    if (!o->question) {
        if (!strcmp(value, "-")) {
            snprintf(c->error, c->size, "\"-\" is no question; --list shows them");
            return -1;
        }
        o->question = value;
        return 0;
    }
    if (o->n_files == BENCH_MAX_FILES) {
        snprintf(c->error, c->size, "more than %u files", BENCH_MAX_FILES);
        return -1;
    }
    o->files[o->n_files++] = value;
    return 0;
}

static int take(void *to, int id, const char *value)
{
    const struct command *c = to;
    struct bench_options *o = c->o;
    uint64_t v, list[BENCH_MAX_PAUSES_LIST];

    switch (id) {
    case ROUNDS:
        if (!number(value, 1, BENCH_MAX_ROUNDS, &v)) {
            return bad(c, id, value, "a number from 1 to 100000");
        }
        o->rounds = (unsigned)v;
        break;
    case ITERATIONS:
        if (!number(value, 1, BENCH_MAX_ITERATIONS, &v)) {
            return bad(c, id, value, "a number from 1 to 100000000");
        }
        o->iterations = (uint32_t)v;
        break;
    case CPUS:
        if (numbers(value, 0, BENCH_MAX_CPU, list, 2) != 2 || list[0] == list[1]) {
            return bad(c, id, value, "two different CPU numbers, like 0,1");
        }
        o->cpu[0] = (int)list[0];
        o->cpu[1] = (int)list[1];
        break;
    case PAUSES:
        o->n_pauses = numbers(value, 1, BENCH_MAX_PAUSES, list, BENCH_MAX_PAUSES_LIST);
        if (!o->n_pauses) {
            return bad(c, id, value, "a list of up to 8 numbers from 1 to 1000, like 1,2,4,10");
        }
        for (unsigned i = 0; i < o->n_pauses; i++) {
            o->pauses[i] = (unsigned)list[i];
        }
        break;
    case PEERS:
        o->peers = value;
        break;
    case CHILD:
        if (!number(value, 0, INT64_MAX, &v)) {
            return bad(c, id, value, "a part's number");
        }
        o->child = (int64_t)v;
        break;
    case JSON:
        o->json = true;
        break;
    case LIST:
        o->action = BENCH_LIST;
        break;
    case HELP:
        o->action = BENCH_HELP;
        break;
    case VERSION:
        o->action = BENCH_VERSION;
        break;
    default:
        return take_operand(c, value);
    }
    return 0;
}

int bench_options_parse(struct bench_options *o, int argc, char *const argv[], char *error,
                        size_t size)
{
    struct command c = {o, error, size};

    *o = (struct bench_options){.action = BENCH_RUN, .cpu = {-1, -1}, .child = -1};
    if (cli_parse(argc, argv, known, N_IDS, take, &c, error, size)) {
        return -1;
    }
    if (o->action != BENCH_RUN && o->question) {
        snprintf(error, size, "\"%.100s\": no question is asked with --list, --help or --version",
                 o->question);
        return -1;
    }
    if (o->action == BENCH_RUN && !o->question) {
        snprintf(error, size, "no question; --list shows them");
        return -1;
    }
    return 0;
}
