/* SPDX-License-Identifier: MIT */
/* The command line; its dialect is tools/cli.h's. Every option but --mechanism is given once. */
#include "probe.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/cli.h"

/* The library's own limits: xsc/probe.h. */
#define ITERATIONS_MIN 16
#define ITERATIONS_MAX 100000000
#define TIMEOUT_MIN_NS 1000
#define TIMEOUT_MAX_NS 10000000000

#define ITERATIONS_DEFAULT 100000
#define TIMEOUT_DEFAULT_NS 100000

enum id {
    ITERATIONS,
    TIMEOUT,
    MECHANISM,
    CPUS,
    DOORBELL,
    JSON,
    OUTPUT,
    QUIET,
    PROGRESS,
    VERSION,
    HELP,
    N_IDS
};

static const struct cli_option known[N_IDS] = {
    [ITERATIONS] = {"iterations", CLI_VALUE, false}, [TIMEOUT] = {"timeout", CLI_VALUE, false},
    [MECHANISM] = {"mechanism", CLI_VALUE, true},    [CPUS] = {"cpus", CLI_VALUE, false},
    [DOORBELL] = {"doorbell", CLI_VALUE, false},     [JSON] = {"json", CLI_OPTIONAL_VALUE, false},
    [OUTPUT] = {"output", CLI_VALUE, false},         [QUIET] = {"quiet", CLI_NO_VALUE, false},
    [PROGRESS] = {"progress", CLI_NO_VALUE, false},  [VERSION] = {"version", CLI_NO_VALUE, false},
    [HELP] = {"help", CLI_NO_VALUE, false},
};

void options_help(FILE *to)
{
    fputs("Usage: xsc-wait-probe [OPTION]...\n"
          "Tries every way that this CPU has of waiting for a word of memory to change, and says\n"
          "what each is worth on this machine, and which one programs that use xsc-wait will get.\n"
          "\n"
          "  --iterations N      waits of each kind, 16 to 100000000 (default 100000, fewer when\n"
          "                      0.15 s for each kind are up)\n"
          "  --timeout TIME      deadline of the waits that nothing ends, 1us to 10s (default\n"
          "                      100us); a whole number and ns, us, ms or s\n"
          "  --mechanism NAME    try only this one; more with commas between, or repeated\n"
          "  --cpus A,B          wait on CPU A, store from CPU B (default: two cores)\n"
          "  --doorbell PATH     try this doorbell (default: /dev/xsc-doorbell0, if it is there);\n"
          "                      eventfd is a software one\n"
          "  --json[=FILE]       JSON instead of the report, or as well, in FILE\n"
          "  --output FILE       write to FILE what would go to standard output\n"
          "  --quiet             no progress, and of the report only the verdict\n"
          "  --progress          show progress even if standard error is not a terminal\n"
          "  --version           print the version and end\n"
          "  -h, --help          print this and end\n"
          "\n"
          "XSC_MECHANISM=NAME in the environment tells the library what to use; the report says\n"
          "whether it can.\n"
          "\n"
          "Exit status: 0 validated, 1 not validated, 2 bad argument or output not writable,\n"
          "3 permission denied for a file that was named.\n",
          to);
}

int64_t parse_number(const char *text, int64_t max, const char **end)
{
    int64_t n = 0;

    for (*end = text; **end >= '0' && **end <= '9'; (*end)++) {
        n = n > max ? n : n * 10 + (**end - '0');
    }
    return *end == text ? -1 : n > max ? max + 1 : n;
}

static enum exit_status parse_iterations(const char *text, struct options *o)
{
    const char *end;
    const int64_t n = parse_number(text, ITERATIONS_MAX, &end);

    if (n < ITERATIONS_MIN || n > ITERATIONS_MAX || *end) {
        return complain(STATUS_BAD_ARGUMENT, "--iterations: \"%s\" is not a number from %d to %d",
                        text, ITERATIONS_MIN, ITERATIONS_MAX);
    }
    o->iterations = (uint32_t)n;
    o->iterations_given = true;
    return STATUS_VALIDATED;
}

/* No fractions: 1500ns says what 1.5us would, and rounds nowhere. */
static enum exit_status parse_timeout(const char *text, struct options *o)
{
    static const struct {
        const char *name;
        int64_t ns;
    } units[] = {{"ns", 1}, {"us", 1000}, {"ms", 1000000}, {"s", 1000000000}};
    const char *end;
    const int64_t n = parse_number(text, TIMEOUT_MAX_NS, &end);

    for (size_t i = 0; end != text && i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(end, units[i].name)) {
            continue;
        }
        if (n > TIMEOUT_MAX_NS / units[i].ns || n * units[i].ns < TIMEOUT_MIN_NS) {
            return complain(STATUS_BAD_ARGUMENT, "--timeout: \"%s\" is not from 1us to 10s", text);
        }
        o->timeout_ns = (uint64_t)(n * units[i].ns);
        return STATUS_VALIDATED;
    }
    return complain(STATUS_BAD_ARGUMENT,
                    "--timeout: \"%s\" is not a time: a whole number, then ns, us, ms or s", text);
}

static int take(void *to, int id, const char *value)
{
    struct options *o = to;

    switch (id) {
    case ITERATIONS:
        return parse_iterations(value, o);
    case TIMEOUT:
        return parse_timeout(value, o);
    case MECHANISM:
        o->mechanism[o->n_mechanism++] = value;
        break;
    case CPUS:
        o->cpus = value;
        break;
    case DOORBELL:
        o->doorbell = value;
        break;
    case JSON:
        o->json = !value;
        o->json_file = value;
        break;
    case OUTPUT:
        o->output = value;
        break;
    case QUIET:
        o->quiet = true;
        break;
    case PROGRESS:
        o->progress = true;
        break;
    case VERSION:
        o->version = true;
        break;
    case HELP:
        o->help = true;
        break;
    default:
        return complain(STATUS_BAD_ARGUMENT, "\"%s\": no argument expected here; see --help",
                        value);
    }
    return STATUS_VALIDATED;
}

enum exit_status options_parse(int argc, char **argv, struct options *out)
{
    char error[200];

    *out = (struct options){.iterations = ITERATIONS_DEFAULT, .timeout_ns = TIMEOUT_DEFAULT_NS};
    out->mechanism = calloc((size_t)argc + 1, sizeof(*out->mechanism));
    if (!out->mechanism) {
        return complain(STATUS_BAD_ARGUMENT, "out of memory");
    }
    const int result = cli_parse(argc, argv, known, N_IDS, take, out, error, sizeof(error));

    if (result < 0) {
        return complain(STATUS_BAD_ARGUMENT, "%s", error);
    }
    if (result) {
        return (enum exit_status)result;
    }
    if (out->quiet && out->progress) {
        return complain(STATUS_BAD_ARGUMENT, "--quiet and --progress contradict each other");
    }
    if ((out->json || out->json_file) && !json_built_in()) {
        return complain(STATUS_BAD_ARGUMENT,
                        "--json: this xsc-wait-probe was built without JSON (XSC_JSON=OFF)");
    }
    return STATUS_VALIDATED;
}
