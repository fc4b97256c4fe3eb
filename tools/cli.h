/* SPDX-License-Identifier: MIT */
/*
 * tools/cli.h - one command-line dialect for every tool, over getopt_long(3)
 *
 *     --name VALUE   --name=VALUE   --flag   -h   --   operands, before or after options
 *
 * Stricter than getopt_long() by itself: a name is written out (an abbreviation that works today
 * is ambiguous tomorrow), an option that does not repeat is given once, and a value is neither
 * empty nor, as an argument of its own, the next option.
 */
#ifndef XSC_TOOLS_CLI_H
#define XSC_TOOLS_CLI_H

#include <stdbool.h>
#include <stddef.h>

#define CLI_MAX_OPTIONS 31
#define CLI_OPERAND (-1)

enum cli_value { CLI_NO_VALUE, CLI_VALUE, CLI_OPTIONAL_VALUE /* after "=" only */ };

struct cli_option {
    const char *name; /* without the dashes; "help" is also -h */
    enum cli_value value;
    bool repeats;
};

/* Takes options[id] or (CLI_OPERAND) an operand. Anything but 0 ends the parse with that result. */
typedef int cli_take(void *to, int id, const char *value);

/*
 * Calls take() for each option and operand, in order. Returns 0; what take() returned; or -1 with
 * one line in error about what is wrong, without a newline. Not thread-safe, as getopt_long() is not.
 */
int cli_parse(int argc, char *const argv[], const struct cli_option *options, size_t n,
              cli_take *take, void *to, char *error, size_t size);

/* Whether all that was printed to standard output has arrived; else says on stderr why not. */
bool cli_stdout_written(const char *tool);

#endif /* XSC_TOOLS_CLI_H */
