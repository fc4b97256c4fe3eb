/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE /* getopt_long() */
#include "tools/cli.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

/* Operands are returned where they stand, a value forgotten is told apart, and -h is --help. */
#define SHORT_OPTIONS "-:h"
#define OPERAND 1
#define FIRST_ID 256 /* above every character */

static const int has_arg[] = {
    [CLI_NO_VALUE] = no_argument,
    [CLI_VALUE] = required_argument,
    [CLI_OPTIONAL_VALUE] = optional_argument,
};

static int find(const struct cli_option *options, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (!strcmp(options[i].name, name)) {
            return FIRST_ID + (int)i;
        }
    }
    return '?';
}

/* Whether arg is --name or --name=VALUE, with the name written out. */
static bool written_out(const char *arg, const char *name)
{
    const size_t length = strcspn(arg, "=");

    return length == strlen(name) + 2 && !memcmp(arg + 2, name, length - 2);
}

static const char *wrong(const struct cli_option *o, const char *arg, unsigned *seen, size_t i)
{
    const bool own_argument = optarg && !strchr(arg, '=');

    if (!o->repeats && *seen & 1u << i) {
        return "is given twice";
    }
    *seen |= 1u << i;
    if (optarg && (!*optarg || (own_argument && !strncmp(optarg, "--", 2)))) {
        return "needs a value";
    }
    return NULL;
}

static int unknown(const char *arg, char *error, size_t size)
{
    snprintf(error, size, "unknown option \"%.*s\"; see --help", (int)strcspn(arg, "="), arg);
    return -1;
}

int cli_parse(int argc, char *const argv[], const struct cli_option *options, size_t n,
              cli_take *take, void *to, char *error, size_t size)
{
    struct option known[CLI_MAX_OPTIONS + 1] = {{0}};
    unsigned seen = 0;
    int result;

    for (size_t i = 0; i < n && i < CLI_MAX_OPTIONS; i++) {
        known[i] = (struct option){options[i].name, has_arg[options[i].value], NULL,
                                   FIRST_ID + (int)i};
    }
    opterr = 0;
    optind = 0; /* starts again, also in glibc and musl */
    for (;;) {
        const int at = optind ? optind : 1;
        const char *arg = at < argc ? argv[at] : "";
        int c = getopt_long(argc, argv, SHORT_OPTIONS, known, NULL);

        if (c == -1) {
            break;
        }
        if (c == OPERAND) {
            result = take(to, CLI_OPERAND, optarg);
            if (result) {
                return result;
            }
            continue;
        }
        if (c == 'h') {
            c = find(options, n, "help");
        }
        const bool of_value = c == ':' || (c == '?' && optopt >= FIRST_ID);
        const size_t i = (size_t)((of_value ? optopt : c) - FIRST_ID);

        if ((c == '?' && !of_value) || i >= n) {
            return unknown(arg, error, size);
        }
        if (arg[1] == '-' && !written_out(arg, options[i].name)) {
            return unknown(arg, error, size);
        }
        const char *why = c == ':'   ? "needs a value"
                          : of_value ? "takes no value"
                                     : wrong(&options[i], arg, &seen, i);

        if (why) {
            snprintf(error, size, "--%s %s", options[i].name, why);
            return -1;
        }
        result = take(to, (int)i, optarg);
        if (result) {
            return result;
        }
    }
    for (int i = optind; i < argc; i++) { /* after "--" */
        result = take(to, CLI_OPERAND, argv[i]);
        if (result) {
            return result;
        }
    }
    return 0;
}

bool cli_stdout_written(const char *tool)
{
    if (!fflush(stdout) && !ferror(stdout)) {
        return true;
    }
    fprintf(stderr, "%s: standard output: %s\n", tool, strerror(errno));
    return false;
}
