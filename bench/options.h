/* SPDX-License-Identifier: MIT */
/* bench/options.h - the command line, parsed apart from everything it causes */
#ifndef XSC_BENCH_OPTIONS_H
#define XSC_BENCH_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BENCH_MAX_ROUNDS 100000u
#define BENCH_MAX_ITERATIONS 100000000u
#define BENCH_MAX_CPU 1023
#define BENCH_MAX_PAUSES 1000u
#define BENCH_MAX_PAUSES_LIST 8u
#define BENCH_MAX_FILES 256u

enum bench_action {
    BENCH_RUN,
    BENCH_LIST,
    BENCH_HELP,
    BENCH_VERSION,
};

struct bench_options {
    enum bench_action action;
    const char *question;
    unsigned rounds;     /* 0: the question's own number */
    uint32_t iterations; /* a round's and contender's; 0: the question's own number */
    int cpu[2];          /* -1: not given */
    bool json;
    unsigned pauses[BENCH_MAX_PAUSES_LIST]; /* --pauses 1,2,4,10 */
    unsigned n_pauses;
    const char *peers;                  /* --peers LIST; NULL: all */
    const char *files[BENCH_MAX_FILES]; /* what follows the question */
    unsigned n_files;
    int64_t child; /* internal, --child N: measure part N for a parent, print bare numbers; -1 */
};

/*
 * argv[0] is skipped. Returns 0, or -1 with one line (no newline) about what is wrong in
 * error. Whether a CPU exists and a question is known is not for here to say.
 */
int bench_options_parse(struct bench_options *o, int argc, char *const argv[], char *error,
                        size_t size);

#endif /* XSC_BENCH_OPTIONS_H */
