/* SPDX-License-Identifier: MIT */
/* xsc-wait-sim: what the learned policy would have cost on recorded waits; see its man page. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "costs.h"
#include "report.h"

#define BAD_ARGUMENTS 2

struct options {
    struct xsc_costs costs;
    bool json;
    bool table;
    bool no_park;
    bool help;
};

static int usage(void)
{
    printf("usage: xsc-wait-sim [OPTION]... TRACE...\n"
           "  TRACE is a file of waits in ns, one a line, plain or gzip; - is standard input\n"
           "  --prefer latency|balanced|cpu  what to save (balanced)\n"
           "  --costs vm|metal|FILE          what waiting costs (vm)\n"
           "  --no-park                      no writer calls unpark: naps take a park's place\n"
           "  --table                        ratios for vm and metal and all three preferences\n"
           "  --json                         costs and geometric means as JSON\n"
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

static int judge_all(const struct options *o, const struct xsc_trace *traces, int n)
{
    struct xsc_totals totals = {0};

    if (!o->json) {
        xsc_text_head();
    }
    for (int i = 0; i < n; i++) {
        struct xsc_verdict_of v;

        if (xsc_judge(&o->costs, &traces[i], &v) || (o->json && xsc_json_trace(&traces[i], &v))) {
            return EXIT_FAILURE;
        }
        xsc_totals_add(&totals, &v);
        if (!o->json) {
            xsc_text_trace(&traces[i], &v);
        }
    }
    if (o->json) {
        return xsc_json_print(&totals) ? EXIT_FAILURE : 0;
    }
    xsc_text_totals(&totals);
    return 0;
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

static int print_table(const struct options *o, const struct xsc_trace *traces, int n)
{
    struct xsc_totals totals[COLUMNS] = {{0}};

    printf("ours / hindsight, ours / best fixed\n%-28s %15s %15s %15s %15s %15s %15s\n", "trace",
           "vm cpu", "vm balanced", "vm latency", "metal cpu", "metal balanced", "metal latency");
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
            printf("   %6.3f %6.3f", one.worst_hindsight, one.worst_fixed);
        }
        printf("\n");
    }
    printf("%-28s", "geometric mean");
    for (unsigned k = 0; k < COLUMNS; k++) {
        printf("   %6.3f %6.3f", xsc_geomean(totals[k].log_hindsight, totals[k].n),
               xsc_geomean(totals[k].log_fixed, totals[k].n));
    }
    printf("\n%-28s", "worst");
    for (unsigned k = 0; k < COLUMNS; k++) {
        printf("   %6.3f %6.3f", totals[k].worst_hindsight, totals[k].worst_fixed);
    }
    printf("\n");
    return 0;
}

/* ---- the command line ---- */

static int refuse(const char *what, const char *value)
{
    fprintf(stderr, "xsc-wait-sim: %s: %s\n", value, what);
    return -1;
}

enum { PREFER = 256, COSTS, NO_PARK, TABLE, JSON, GENERATE, HELP };

static const struct option long_options[] = {
    {"prefer", required_argument, NULL, PREFER}, {"costs", required_argument, NULL, COSTS},
    {"no-park", no_argument, NULL, NO_PARK},     {"table", no_argument, NULL, TABLE},
    {"json", no_argument, NULL, JSON},           {"generate", required_argument, NULL, GENERATE},
    {"help", no_argument, NULL, HELP},           {NULL, 0, NULL, 0},
};

static int take_option(struct options *o, int option, struct xsc_trace *traces, int *n)
{
    switch (option) {
    case PREFER:
        o->costs.weight = (uint32_t)weight_of(optarg);
        return o->costs.weight ? 0 : refuse("not latency, balanced or cpu", optarg);
    case COSTS:
        return xsc_costs_read(&o->costs, optarg);
    case NO_PARK:
        o->no_park = true;
        return 0;
    case TABLE:
        o->table = true;
        return 0;
    case JSON:
        o->json = true;
        return xsc_json_available() ? 0 : refuse("built without it", "--json");
    case HELP:
        o->help = true;
        return 0;
    case GENERATE:
        return xsc_trace_generate(&traces[(*n)++], optarg);
    default: /* getopt has said what is wrong */
        return -1;
    }
}

static int parse(struct options *o, int argc, char **argv, struct xsc_trace *traces, int *n)
{
    int option;

    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        if (take_option(o, option, traces, n)) {
            return -1;
        }
    }
    for (int i = optind; i < argc && !o->help; i++) {
        if (xsc_trace_read(&traces[(*n)++], argv[i])) {
            return -1;
        }
    }
    if (o->help) {
        return 0;
    }
    if (!*n) {
        return refuse("give at least one; see --help", "no traces");
    }
    if (o->json && o->table) {
        return refuse("give one of the two", "--json and --table");
    }
    if (o->no_park) {
        doze(&o->costs);
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct options o = {.costs = XSC_COSTS_VM};
    struct xsc_trace *traces = calloc((size_t)argc, sizeof(*traces)); /* more than there can be */
    int n = 0, status = BAD_ARGUMENTS;

    if (!traces) {
        fprintf(stderr, "xsc-wait-sim: out of memory\n");
        return EXIT_FAILURE;
    }
    if (!parse(&o, argc, argv, traces, &n)) {
        status = o.help ? usage() : o.table ? print_table(&o, traces, n) : judge_all(&o, traces, n);
        if (!status && fflush(stdout)) {
            perror("xsc-wait-sim: standard output");
            status = EXIT_FAILURE;
        }
    }
    for (int i = 0; i < n; i++) {
        xsc_trace_free(&traces[i]);
    }
    free(traces);
    return status;
}
