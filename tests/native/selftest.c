/* SPDX-License-Identifier: MIT */
/*
 * selftest [PART...]: everything that xsc/wait.h promises, tried on the machine at hand.
 *
 * Prints a line a check and a summary; exits 0 if all held, 1 if not, 2 for an unknown part.
 * Environment: XSC_TEST_HANDOVERS scales the counts (default 100000).
 *
 * What it can't try: waiting on uncached memory. A process gets none without a device's
 * mapping, and a machine for tests has no device to spare.
 */
#include "selftest.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } parts[] = {{"api", selftest_api},
                 {"threads", selftest_threads},
                 {"signals", selftest_signals},
                 {"processes", selftest_processes},
                 {"confined", selftest_confined}};
    const size_t n_parts = sizeof(parts) / sizeof(parts[0]);

    for (int a = 1; a < argc; a++) {
        size_t i = 0;

        while (i < n_parts && strcmp(argv[a], parts[i].name)) {
            i++;
        }
        if (i == n_parts) {
            fprintf(stderr,
                    "selftest: no part \"%s\"; there are api, threads, signals, "
                    "processes, confined\n",
                    argv[a]);
            return 2;
        }
    }
    harness_begin("selftest");
    for (size_t i = 0; i < n_parts; i++) {
        bool wanted = argc < 2;

        for (int a = 1; a < argc; a++) {
            wanted |= !strcmp(argv[a], parts[i].name);
        }
        if (wanted) {
            parts[i].run();
        }
    }
    return harness_end();
}
