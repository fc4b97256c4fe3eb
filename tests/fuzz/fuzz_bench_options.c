/* SPDX-License-Identifier: MIT */
/* fuzz_bench_options.c - the command line of xsc-wait-bench: what is accepted is within its limits */
#include "bench/options.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bench_options o;
    char error[200] = "";
    int argc;
    char **argv = command_line(data, size, &argc);
    const int err = bench_options_parse(&o, argc, argv, error, sizeof(error));

    MUST(err == 0 || err == -1);
    MUST(!err == !*error);
    MUST(strlen(error) < sizeof(error));
    if (!err) {
        MUST(o.action <= BENCH_VERSION);
        MUST(o.rounds <= BENCH_MAX_ROUNDS && o.iterations <= BENCH_MAX_ITERATIONS);
        MUST(o.cpu[0] >= -1 && o.cpu[0] <= BENCH_MAX_CPU);
        MUST(o.cpu[1] >= -1 && o.cpu[1] <= BENCH_MAX_CPU);
        MUST(o.cpu[0] == -1 ? o.cpu[1] == -1 : o.cpu[0] != o.cpu[1]);
        MUST(o.n_files <= BENCH_MAX_FILES && o.n_pauses <= BENCH_MAX_PAUSES_LIST);
        for (unsigned i = 0; i < o.n_pauses; i++) {
            MUST(o.pauses[i] >= 1 && o.pauses[i] <= BENCH_MAX_PAUSES);
        }
        for (unsigned i = 0; i < o.n_files; i++) {
            MUST(o.files[i]);
        }
        MUST(o.child >= -1);
    }
    return 0;
}
