/* SPDX-License-Identifier: MIT */
#include "bench/report.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/figures.h"
#include "bench/harness.h"
#include "bench/report_json.h"

static bool as_json;

/* -------------------------------------------------------------------------- tables ---- */

struct bench_table *bench_table_new(const char *title, const struct bench_metric *metrics,
                                    unsigned n_metrics, unsigned max_rows, unsigned rounds)
{
    const size_t n = (size_t)n_metrics * max_rows * rounds;
    struct bench_table *t = bench_alloc(sizeof(*t));

    *t = (struct bench_table){
        .title = title,
        .metrics = metrics,
        .rows = bench_alloc(max_rows * sizeof(*t->rows)),
        .values = bench_alloc(n * sizeof(*t->values)),
        .n_metrics = n_metrics,
        .max_rows = max_rows,
        .rounds = rounds,
    };
    for (size_t i = 0; i < n; i++) {
        t->values[i] = NAN;
    }
    return t;
}

void bench_table_free(struct bench_table *t)
{
    free(t->rows);
    free(t->values);
    free(t);
}

unsigned bench_table_row(struct bench_table *t, const char *group, const char *name, int baseline)
{
    if (t->n_rows == t->max_rows) {
        bench_die("a table got more rows than it was made for");
    }
    struct bench_row *r = &t->rows[t->n_rows];

    snprintf(r->group, sizeof(r->group), "%s", group);
    snprintf(r->name, sizeof(r->name), "%s", name);
    r->baseline = baseline;
    return t->n_rows++;
}

double *bench_cell(const struct bench_table *t, unsigned row, unsigned metric)
{
    return &t->values[((size_t)row * t->n_metrics + metric) * t->rounds];
}

/* ---------------------------------------------------------------------------- text ---- */

#define CELL 64
#define MAX_COLUMNS 16

static void spread_text(char *to, size_t size, const double *v, unsigned rounds, int decimals,
                        bool processes)
{
    const struct bench_spread s = bench_spread_of(v, rounds);

    if (!s.n) {
        snprintf(to, size, "-");
    } else if (processes) {
        snprintf(to, size, "%.*f / %.*f / %.*f", decimals, s.median, decimals,
                 bench_value_quantile(v, rounds, 990), decimals, s.max);
    } else if (s.n == 1) {
        snprintf(to, size, "%.*f", decimals, s.median);
    } else {
        snprintf(to, size, "%.*f (%.*f..%.*f)", decimals, s.median, decimals, s.min, decimals,
                 s.max);
    }
}

/* One line of cells; row -1 is the head. Gives the number of columns. */
static unsigned line_of(const struct bench_table *t, int row, char cells[][CELL])
{
    const struct bench_row *r = row < 0 ? NULL : &t->rows[row];
    const bool same = row > 0 && !strcmp(r->group, t->rows[row - 1].group);
    unsigned n = 0;

    snprintf(cells[n++], CELL, "%s", !r || same ? "" : r->group);
    snprintf(cells[n++], CELL, "%s", r ? r->name : "");
    for (unsigned m = 0; m < t->n_metrics; m++) {
        if (!r) {
            snprintf(cells[n++], CELL, "%s%s%s", t->metrics[m].name, *t->metrics[m].unit ? " " : "",
                     t->metrics[m].unit);
        } else {
            spread_text(cells[n++], CELL, bench_cell(t, (unsigned)row, m), t->rounds,
                        t->metrics[m].decimals, t->processes);
        }
    }
    for (unsigned m = 0; m < t->n_metrics; m++) {
        if (!t->metrics[m].ratio) {
            continue;
        }
        if (!r) {
            snprintf(cells[n++], CELL, "%s ratio", t->metrics[m].name);
        } else if (r->baseline < 0) {
            snprintf(cells[n++], CELL, "1");
        } else {
            double *ratio = bench_alloc(t->rounds * sizeof(*ratio));

            bench_ratios(bench_cell(t, (unsigned)row, m), bench_cell(t, (unsigned)r->baseline, m),
                         ratio, t->rounds);
            spread_text(cells[n++], CELL, ratio, t->rounds, 2, false);
            free(ratio);
        }
    }
    return n;
}

static void table_text(const struct bench_table *t)
{
    static char cells[MAX_COLUMNS][CELL];
    size_t width[MAX_COLUMNS] = {0};
    unsigned n = 0;

    for (int row = -1; row < (int)t->n_rows; row++) {
        n = line_of(t, row, cells);
        for (unsigned c = 0; c < n; c++) {
            width[c] = strlen(cells[c]) > width[c] ? strlen(cells[c]) : width[c];
        }
    }
    printf("\n%s\n", t->title);
    if (t->processes || t->rounds > 1) {
        printf(t->processes ? "(%u processes: median / p99 / max)\n"
                            : "(%u rounds: median, with the smallest and the largest)\n",
               t->rounds);
    }
    for (int row = -1; row < (int)t->n_rows; row++) {
        n = line_of(t, row, cells);
        for (unsigned c = 0; c < n; c++) {
            const bool last = c + 1 == n;

            printf(c ? "  %-*s" : "%-*s", last ? 0 : (int)width[c], cells[c]);
        }
        printf("\n");
    }
    fflush(stdout);
}

/* -------------------------------------------------------------------------- report ---- */

void bench_report_begin(const char *question, bool json)
{
    as_json = json;
    if (json) {
        bench_json_begin(question);
    } else {
        printf("xsc-wait-bench %s\n", question);
    }
}

void bench_report_fact(const char *name, const char *value)
{
    if (as_json) {
        bench_json_fact(name, value);
    } else {
        printf("  %-10s %s\n", name, value);
    }
}

void bench_report_table(const struct bench_table *t)
{
    if (as_json) {
        bench_json_table(t);
    } else {
        table_text(t);
    }
}

void bench_report_note(const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (as_json) {
        bench_json_note(text);
    } else {
        printf("%s\n", text);
    }
}

void bench_report_goal(const char *text, const double *values, unsigned rounds, double limit,
                       const char *unit)
{
    const struct bench_spread s = bench_spread_of(values, rounds);
    const size_t held = bench_at_most(values, rounds, limit);
    const bool met = s.n && s.median <= limit;

    if (as_json) {
        bench_json_goal(text, s, held, limit, unit, met);
    } else {
        printf("goal: %s, at most %g%s: %s (%.3g%s; held in %zu of %zu rounds)\n", text, limit,
               unit,
               met   ? "met"
               : s.n ? "NOT met"
                     : "not measured",
               s.median, unit, held, s.n);
    }
}

void bench_report_ratio_goal(const char *text, const struct bench_table *t, unsigned row,
                             unsigned metric, double limit)
{
    double *ratio = bench_alloc(t->rounds * sizeof(*ratio));

    bench_ratios(bench_cell(t, row, metric), bench_cell(t, (unsigned)t->rows[row].baseline, metric),
                 ratio, t->rounds);
    bench_report_goal(text, ratio, t->rounds, limit, "x");
    free(ratio);
}

void bench_report_end(void)
{
    if (as_json) {
        bench_json_end();
    }
    if (fflush(stdout) || ferror(stdout)) {
        bench_die("the output could not be written");
    }
}

bool bench_report_has_json(void)
{
#if defined(XSC_JSON)
    return true;
#else
    return false;
#endif
}
