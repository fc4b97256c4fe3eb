/* SPDX-License-Identifier: MIT */
#include "report.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* A trace of zeros costs nothing under any policy: that is a draw. */
static double ratio(double a, double b)
{
    return b > 0 ? a / b : a > 0 ? INFINITY : 1;
}

void xsc_totals_add(struct xsc_totals *t, const struct xsc_verdict_of *v)
{
    const double h = ratio(v->ours, v->hindsight), f = ratio(v->ours, v->fixed[v->best_fixed]);

    t->n++;
    t->log_hindsight += log(h);
    t->log_fixed += log(f);
    t->worst_hindsight = fmax(t->worst_hindsight, h);
    t->worst_fixed = fmax(t->worst_fixed, f);
}

double xsc_geomean(double log_sum, unsigned n)
{
    return n ? exp(log_sum / n) : 1;
}

static const char *base_name(const struct xsc_trace *t)
{
    const char *slash = strrchr(t->name, '/');

    return slash ? slash + 1 : t->name;
}

static void ratios(const struct xsc_trace *t, const struct xsc_verdict_of *v)
{
    const double best = v->fixed[v->best_fixed];

    printf("%-28s %7zu %10.0f %10.0f %10.0f %-5s %10.3f %7.3f\n", base_name(t), t->n, v->ours,
           v->hindsight, best, xsc_fixed_name[v->best_fixed], ratio(v->ours, v->hindsight),
           ratio(v->ours, best));
}

static void fixed_costs(const struct xsc_trace *t, const struct xsc_verdict_of *v)
{
    printf("%-28s", base_name(t));
    for (unsigned i = 0; i < XSC_FIXED; i++) {
        printf(" %9.0f", v->fixed[i]);
    }
    printf("\n");
}

static void best_plan(const struct xsc_trace *t, const struct xsc_verdict_of *v)
{
    const struct xsc_plan *p = &v->best;

    printf("%-28s watch to %.1f", base_name(t), (double)p->watch_ns / 1000);
    if (p->nap_ns != XSC_NEVER) {
        printf(", nap to %.1f", (double)p->nap_ns / 1000);
        if (p->until_ns) {
            printf(", watch to %.1f", (double)p->until_ns / 1000);
        }
    }
    printf(", park\n");
}

void xsc_text_print(const struct xsc_trace *t, const struct xsc_verdict_of *v, int n,
                    const struct xsc_totals *totals)
{
    printf("mean cost in ns a wait\n%-28s %7s %10s %10s %16s %10s %7s\n", "trace", "waits", "ours",
           "hindsight", "best fixed", "/hindsight", "/fixed");
    for (int i = 0; i < n; i++) {
        ratios(&t[i], &v[i]);
    }
    printf("%-28s %7u %38s %10.3f %7.3f\n", "geometric mean", totals->n, "",
           xsc_geomean(totals->log_hindsight, totals->n),
           xsc_geomean(totals->log_fixed, totals->n));
    printf("%-28s %7s %38s %10.3f %7.3f\n", "worst", "", "", totals->worst_hindsight,
           totals->worst_fixed);

    printf(
        "\nthe fixed policies: watch to the end, park at once, watch for so long and park\n%-28s",
        "trace");
    for (unsigned i = 0; i < XSC_FIXED; i++) {
        printf(" %9s", xsc_fixed_name[i]);
    }
    printf("\n");
    for (int i = 0; i < n; i++) {
        fixed_costs(&t[i], &v[i]);
    }

    printf("\nthe best plan in hindsight, us\n");
    for (int i = 0; i < n; i++) {
        best_plan(&t[i], &v[i]);
    }
}

#ifdef XSC_SIM_JSON
#include <cjson/cJSON.h>

static cJSON *traces;

bool xsc_json_available(void)
{
    return true;
}

static int short_of_memory(void)
{
    fprintf(stderr, "xsc-wait-sim: out of memory\n");
    return -1;
}

int xsc_json_trace(const struct xsc_trace *t, const struct xsc_verdict_of *v)
{
    cJSON *one = cJSON_CreateObject(), *fixed = cJSON_CreateObject();

    if (!traces) {
        traces = cJSON_CreateArray();
    }
    cJSON_AddStringToObject(one, "name", t->name);
    cJSON_AddNumberToObject(one, "n", (double)t->n);
    cJSON_AddNumberToObject(one, "ours", v->ours);
    cJSON_AddNumberToObject(one, "hindsight", v->hindsight);
    cJSON_AddNumberToObject(one, "best_fixed", v->fixed[v->best_fixed]);
    for (unsigned i = 0; i < XSC_FIXED; i++) {
        cJSON_AddNumberToObject(fixed, xsc_fixed_name[i], v->fixed[i]);
    }
    cJSON_AddItemToObject(one, "fixed", fixed);
    return cJSON_AddItemToArray(traces, one) ? 0 : short_of_memory();
}

int xsc_json_print(const struct xsc_totals *t)
{
    cJSON *root = cJSON_CreateObject(), *geomean = cJSON_CreateObject();
    char *text;

    cJSON_AddItemToObject(root, "traces", traces);
    cJSON_AddNumberToObject(geomean, "vs_hindsight", xsc_geomean(t->log_hindsight, t->n));
    cJSON_AddNumberToObject(geomean, "vs_best_fixed", xsc_geomean(t->log_fixed, t->n));
    cJSON_AddItemToObject(root, "geomean", geomean);
    text = cJSON_Print(root);
    cJSON_Delete(root);
    traces = NULL;
    if (!text) {
        return short_of_memory();
    }
    printf("%s\n", text);
    cJSON_free(text);
    return 0;
}
#else
bool xsc_json_available(void)
{
    return false;
}

int xsc_json_trace(const struct xsc_trace *t, const struct xsc_verdict_of *v)
{
    (void)t;
    (void)v;
    return -1;
}

int xsc_json_print(const struct xsc_totals *t)
{
    (void)t;
    return -1;
}
#endif
