/* SPDX-License-Identifier: MIT */
/* xsc-wait-sim: what the learned policy would have cost on recorded waits; see its man page. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xsc/wait.h>

#include "costs.h"
#include "report.h"
#include "tools/cli.h"

#define BAD_ARGUMENTS 2
#define REFUSED 1 /* a line about it was printed */

struct options {
    struct xsc_costs costs;
    bool json;
    bool table;
    bool no_park;
    bool help, version;
    bool sets_costs; /* --prefer or --costs is given */
};

static int usage(void)
{
    printf("usage: xsc-wait-sim [OPTION]... TRACE...\n"
           "  TRACE is a file of waits in ns, one a line, plain or gzip; - is standard input\n"
           "  --prefer latency|balanced|cpu  what to save (balanced)\n"
           "  --costs vm|metal|FILE          what waiting costs (vm); FILE: see xsc-wait-sim(1), "
           "or the\n"
           "                                 JSON of xsc-wait-probe on the machine in question\n"
           "  --no-park                      no writer calls unpark: naps take a park's place\n"
           "  --table                        ratios for vm and metal and all three preferences\n"
           "  --json                         costs and geometric means as JSON\n"
           "  --version, -h, --help          print the version, or this, and end\n"
           "  --generate SPEC                judge a made-up trace too, may be repeated:\n"
           "    %s\n",
           xsc_trace_kinds());
    return 0;
}

static int weight_of(const char *prefer)
{
    return !strcmp(prefer, "latency")    ? XSC_WEIGHT_LATENCY
           : !strcmp(prefer, "balanced") ? XSC_WEIGHT_BALANCED
           : !strcmp(prefer, "cpu")      ? XSC_WEIGHT_CPU
                                         : 0;
}

/* Dozing as the library does: longer where latency matters less. */
static void doze(struct xsc_costs *c)
{
    c->doze_ns = c->weight >= XSC_WEIGHT_LATENCY    ? 250000
                 : c->weight >= XSC_WEIGHT_BALANCED ? 1000000
                                                    : 4000000;
}

/* ---- one set of costs ---- */

static int refuse(const char *what, const char *value)
{
    fprintf(stderr, "xsc-wait-sim: %s: %s\n", value, what);
    return REFUSED;
}

static int judge_all(const struct options *o, const struct xsc_trace *traces, int n)
{
    struct xsc_verdict_of *v = calloc((size_t)n, sizeof(*v));
    struct xsc_totals totals = {0};
    int err = v ? 0 : refuse("out of memory", "the verdicts");

    for (int i = 0; i < n && !err; i++) {
        err = xsc_judge(&o->costs, &traces[i], &v[i]) ||
              (o->json && xsc_json_trace(&traces[i], &v[i]));
        if (!err) {
            xsc_totals_add(&totals, &v[i]);
        }
    }
    if (!err && o->json) {
        err = xsc_json_print(&totals);
    } else if (!err) {
        xsc_text_print(traces, v, n, &totals);
    }
    free(v);
    return err ? EXIT_FAILURE : 0;
}

/* ---- both machines, all preferences ---- */

#define COLUMNS 6

static struct xsc_costs column_costs(unsigned column, bool no_park)
{
    static const uint32_t weights[] = {XSC_WEIGHT_CPU, XSC_WEIGHT_BALANCED, XSC_WEIGHT_LATENCY};
    static const struct xsc_costs machines[] = {XSC_COSTS_VM, XSC_COSTS_METAL};
    struct xsc_costs c = machines[column / 3];

    c.weight = weights[column % 3];
    if (no_park) {
        doze(&c);
    }
    return c;
}

/* Four digits, so that six columns fit a page. */
static void print_ratios(double to_hindsight, double to_fixed)
{
    printf(" %5.*f %5.*f",
           to_hindsight < 10    ? 3
           : to_hindsight < 100 ? 2
                                : 0,
           to_hindsight,
           to_fixed < 10    ? 3
           : to_fixed < 100 ? 2
                            : 0,
           to_fixed);
}

static int print_table(const struct options *o, const struct xsc_trace *traces, int n)
{
    struct xsc_totals totals[COLUMNS] = {{0}};

    printf("ours / hindsight, ours / best fixed\n%-28s%12s%12s%12s%12s%12s%12s\n", "", "vm", "vm",
           "vm", "metal", "metal", "metal");
    printf("%-28s%12s%12s%12s%12s%12s%12s\n", "trace", "cpu", "balanced", "latency", "cpu",
           "balanced", "latency");
    for (int i = 0; i < n; i++) {
        const char *slash = strrchr(traces[i].name, '/');

        printf("%-28s", slash ? slash + 1 : traces[i].name);
        for (unsigned k = 0; k < COLUMNS; k++) {
            const struct xsc_costs c = column_costs(k, o->no_park);
            struct xsc_totals one = {0};
            struct xsc_verdict_of v;

            if (xsc_judge(&c, &traces[i], &v)) {
                return EXIT_FAILURE;
            }
            xsc_totals_add(&totals[k], &v);
            xsc_totals_add(&one, &v);
            print_ratios(one.worst_hindsight, one.worst_fixed);
        }
        printf("\n");
    }
    printf("%-28s", "geometric mean");
    for (unsigned k = 0; k < COLUMNS; k++) {
        print_ratios(xsc_geomean(totals[k].log_hindsight, totals[k].n),
                     xsc_geomean(totals[k].log_fixed, totals[k].n));
    }
    printf("\n%-28s", "worst");
    for (unsigned k = 0; k < COLUMNS; k++) {
        print_ratios(totals[k].worst_hindsight, totals[k].worst_fixed);
    }
    printf("\n");
    return 0;
}

/* ---- the command line ---- */

enum { PREFER, COSTS, NO_PARK, TABLE, JSON, GENERATE, VERSION, HELP, N_IDS };

static const struct cli_option known[N_IDS] = {
    [PREFER] = {"prefer", CLI_VALUE, false},      [COSTS] = {"costs", CLI_VALUE, false},
    [NO_PARK] = {"no-park", CLI_NO_VALUE, false}, [TABLE] = {"table", CLI_NO_VALUE, false},
    [JSON] = {"json", CLI_NO_VALUE, false},       [GENERATE] = {"generate", CLI_VALUE, true},
    [VERSION] = {"version", CLI_NO_VALUE, false}, [HELP] = {"help", CLI_NO_VALUE, false},
};

/* Files are read once the whole command line is known to be right. */
struct command {
    struct options *o;
    struct xsc_trace *traces;
    const char **files;
    int n, n_files;
};

static int take(void *to, int id, const char *value)
{
    struct command *c = to;
    struct options *o = c->o;

    switch (id) {
    case PREFER:
        o->costs.weight = (uint32_t)weight_of(value);
        o->sets_costs = true;
        return o->costs.weight ? 0 : refuse("is not latency, balanced or cpu", value);
    case COSTS:
        o->sets_costs = true;
        return xsc_costs_read(&o->costs, value) ? REFUSED : 0;
    case NO_PARK:
        o->no_park = true;
        return 0;
    case TABLE:
        o->table = true;
        return 0;
    case JSON:
        o->json = true;
        return xsc_json_available() ? 0 : refuse("built without it", "--json");
    case GENERATE:
        return xsc_trace_generate(&c->traces[c->n++], value) ? REFUSED : 0;
    case VERSION:
        o->version = true;
        return 0;
    case HELP:
        o->help = true;
        return 0;
    default:
        c->files[c->n_files++] = value;
        return 0;
    }
}

/* Returns 0, or REFUSED after one line about what is wrong. */
static int parse(struct options *o, int argc, char **argv, struct command *c)
{
    char error[200];
    const int result = cli_parse(argc, argv, known, N_IDS, take, c, error, sizeof(error));

    if (result < 0) {
        fprintf(stderr, "xsc-wait-sim: %s\n", error);
    }
    if (result || o->help || o->version) {
        return result ? REFUSED : 0;
    }
    for (int i = 0; i < c->n_files; i++) {
        if (xsc_trace_read(&c->traces[c->n++], c->files[i])) {
            return REFUSED;
        }
    }
    if (!c->n) {
        return refuse("give at least one; see --help", "no traces");
    }
    if (o->table && o->sets_costs) {
        return refuse("it has all preferences and both machines: give no --prefer, no --costs",
                      "--table");
    }
    if (o->json && o->table) {
        return refuse("give one of the two", "--json and --table");
    }
    if (o->no_park) {
        doze(&o->costs);
    }
    return 0;
}

static int run(const struct options *o, const struct command *c)
{
    if (o->help) {
        return usage();
    }
    if (o->version) {
        printf("xsc-wait-sim %s\n", XSC_VERSION);
        return 0;
    }
    return o->table ? print_table(o, c->traces, c->n) : judge_all(o, c->traces, c->n);
}

int main(int argc, char **argv)
{
    struct options o = {.costs = XSC_COSTS_VM};
    /* More than there can be. */
    struct command c = {.o = &o,
                        .traces = calloc((size_t)argc, sizeof(*c.traces)),
                        .files = calloc((size_t)argc, sizeof(*c.files))};
    int status = BAD_ARGUMENTS;

    if (!c.traces || !c.files) {
        fprintf(stderr, "xsc-wait-sim: out of memory\n");
        free(c.traces);
        free(c.files);
        return EXIT_FAILURE;
    }
    if (!parse(&o, argc, argv, &c)) {
        status = run(&o, &c);
        if (!cli_stdout_written("xsc-wait-sim") && !status) {
            status = EXIT_FAILURE;
        }
    }
    for (int i = 0; i < c.n; i++) {
        xsc_trace_free(&c.traces[i]);
    }
    free(c.traces);
    free(c.files);
    return status;
}
