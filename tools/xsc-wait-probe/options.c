/* SPDX-License-Identifier: MIT */
/*
 * The command line. Names must be written out (an abbreviation that works today is an
 * ambiguity tomorrow), a value follows as the next argument or after "=", and every option
 * but --mechanism may be given once.
 */
#include "probe.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* The library's own limits: xsc/probe.h. */
#define ITERATIONS_MIN 16
#define ITERATIONS_MAX 100000000
#define TIMEOUT_MIN_NS 1000
#define TIMEOUT_MAX_NS 10000000000

#define ITERATIONS_DEFAULT 100000
#define TIMEOUT_DEFAULT_NS 100000

enum value { NONE, NEEDED, OPTIONAL };

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

static const struct {
    const char *name;
    enum value value;
} known[N_IDS] = {
    [ITERATIONS] = {"--iterations", NEEDED},
    [TIMEOUT] = {"--timeout", NEEDED},
    [MECHANISM] = {"--mechanism", NEEDED},
    [CPUS] = {"--cpus", NEEDED},
    [DOORBELL] = {"--doorbell", NEEDED},
    [JSON] = {"--json", OPTIONAL},
    [OUTPUT] = {"--output", NEEDED},
    [QUIET] = {"--quiet", NONE},
    [PROGRESS] = {"--progress", NONE},
    [VERSION] = {"--version", NONE},
    [HELP] = {"--help", NONE},
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
          "  --version, --help   say so and end\n"
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

static enum exit_status set(enum id id, const char *value, struct options *o)
{
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
    case N_IDS:
        break;
    }
    return STATUS_VALIDATED;
}

/* The option that arg names, up to its end or "="; N_IDS where there is none. */
static enum id find(const char *arg, size_t length)
{
    unsigned id = 0;

    while (id < N_IDS &&
           (strlen(known[id].name) != length || memcmp(arg, known[id].name, length))) {
        id++;
    }
    return (enum id)id;
}

/* One option, and its value where that is an argument of its own: *used counts both. */
static enum exit_status parse_one(char **argv, unsigned *seen, int *used, struct options *o)
{
    const char *arg = argv[0];
    const size_t length = strcspn(arg, "=");
    const char *value = arg[length] ? arg + length + 1 : NULL;
    const enum id id = find(arg, length);

    *used = 1;
    if (arg[0] != '-' || !arg[1]) {
        return complain(STATUS_BAD_ARGUMENT, "\"%s\": no argument expected here; see --help", arg);
    }
    if (id == N_IDS) {
        return complain(STATUS_BAD_ARGUMENT, "unknown option \"%.*s\"; see --help", (int)length,
                        arg);
    }
    if (*seen & 1u << id && id != MECHANISM) {
        return complain(STATUS_BAD_ARGUMENT, "%s is given twice", known[id].name);
    }
    *seen |= 1u << id;
    if (known[id].value == NONE && value) {
        return complain(STATUS_BAD_ARGUMENT, "%s takes no value", known[id].name);
    }
    /* "--output --json" is a value forgotten, not a file of that name. */
    if (known[id].value == NEEDED && !value && argv[1] && strncmp(argv[1], "--", 2)) {
        value = argv[1];
        *used = 2;
    }
    if ((known[id].value == NEEDED && !value) || (value && !*value)) {
        return complain(STATUS_BAD_ARGUMENT, "%s needs a value", known[id].name);
    }
    return set(id, value, o);
}

enum exit_status options_parse(int argc, char **argv, struct options *out)
{
    unsigned seen = 0;
    int used;

    *out = (struct options){.iterations = ITERATIONS_DEFAULT, .timeout_ns = TIMEOUT_DEFAULT_NS};
    out->mechanism = calloc((size_t)argc + 1, sizeof(*out->mechanism));
    if (!out->mechanism) {
        return complain(STATUS_BAD_ARGUMENT, "out of memory");
    }
    for (int i = 1; i < argc; i += used) {
        const enum exit_status status = parse_one(argv + i, &seen, &used, out);

        if (status != STATUS_VALIDATED) {
            return status;
        }
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
