/* SPDX-License-Identifier: MIT */
/* fuzz_probe_options.c - the command line of xsc-wait-probe: what is accepted is within its limits */
#include <stdarg.h>

#include "tests/fuzz/fuzz.h"
#include "tools/xsc-wait-probe/probe.h"

static unsigned complaints;

enum exit_status complain(enum exit_status status, const char *format, ...)
{
    char line[512];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    complaints++;
    return status;
}

bool json_built_in(void)
{
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct options o;
    int argc;
    char **argv = command_line(data, size, &argc);

    complaints = 0;
    const enum exit_status status = options_parse(argc, argv, &o);

    /* One complaint for what is wrong, none for what is right. */
    MUST(complaints == (status != STATUS_VALIDATED));
    MUST(status == STATUS_VALIDATED || status == STATUS_BAD_ARGUMENT);
    if (status == STATUS_VALIDATED) {
        MUST(o.iterations >= 16 && o.iterations <= 100000000);
        MUST(o.timeout_ns >= 1000 && o.timeout_ns <= 10000000000);
        MUST(o.n_mechanism < argc);
        MUST(!(o.quiet && o.progress));
        MUST(!o.output || *o.output);
        MUST(!o.json_file || *o.json_file);
        for (int i = 0; i < o.n_mechanism; i++) {
            MUST(o.mechanism[i] && *o.mechanism[i]);
        }
    }
    free((void *)o.mechanism);
    return 0;
}
