/* SPDX-License-Identifier: MIT */
#include "bench/report_json.h"

#include "bench/harness.h"

#if defined(XSC_JSON)

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <cjson/cJSON.h>

static cJSON *root, *facts, *tables, *notes, *goals;

/* Everything that cJSON makes it may fail to make; a report with holes is none. */
static cJSON *made(cJSON *item)
{
    if (!item) {
        bench_die("out of memory");
    }
    return item;
}

static void put_text(cJSON *to, const char *name, const char *value)
{
    made(cJSON_AddStringToObject(to, name, value));
}

/* What was not measured is null. */
static void put_number(cJSON *to, const char *name, double value)
{
    made(isnan(value) ? cJSON_AddNullToObject(to, name) : cJSON_AddNumberToObject(to, name, value));
}

static void put_spread(cJSON *to, const char *name, struct bench_spread s)
{
    cJSON *o = made(cJSON_AddObjectToObject(to, name));

    put_number(o, "median", s.median);
    put_number(o, "min", s.min);
    put_number(o, "max", s.max);
}

static cJSON *new_in(cJSON *array)
{
    cJSON *o = made(cJSON_CreateObject());

    cJSON_AddItemToArray(array, o);
    return o;
}

void bench_json_begin(const char *question)
{
    root = made(cJSON_CreateObject());
    put_text(root, "question", question);
    facts = made(cJSON_AddObjectToObject(root, "machine"));
    tables = made(cJSON_AddArrayToObject(root, "tables"));
    goals = made(cJSON_AddArrayToObject(root, "goals"));
    notes = made(cJSON_AddArrayToObject(root, "notes"));
}

void bench_json_fact(const char *name, const char *value)
{
    put_text(facts, name, value);
}

static void put_metric(cJSON *row, const struct bench_table *t, unsigned r, unsigned m)
{
    const double *v = bench_cell(t, r, m);
    const int baseline = t->rows[r].baseline;
    cJSON *o = made(cJSON_AddObjectToObject(row, t->metrics[m].name));

    put_text(o, "unit", t->metrics[m].unit);
    put_spread(o, "over_rounds", bench_spread_of(v, t->rounds));
    if (t->processes) {
        put_number(o, "p99_over_rounds", bench_value_quantile(v, t->rounds, 990));
    }
    if (t->metrics[m].ratio && baseline >= 0) {
        double *ratio = bench_alloc(t->rounds * sizeof(*ratio));

        bench_ratios(v, bench_cell(t, (unsigned)baseline, m), ratio, t->rounds);
        put_spread(o, "ratio", bench_spread_of(ratio, t->rounds));
        free(ratio);
    }
    cJSON *rounds = made(cJSON_AddArrayToObject(o, "rounds"));

    for (unsigned i = 0; i < t->rounds; i++) {
        cJSON_AddItemToArray(rounds,
                             made(isnan(v[i]) ? cJSON_CreateNull() : cJSON_CreateNumber(v[i])));
    }
}

void bench_json_table(const struct bench_table *t)
{
    cJSON *o = new_in(tables);

    put_text(o, "title", t->title);
    put_number(o, "rounds", t->rounds);
    cJSON *rows = made(cJSON_AddArrayToObject(o, "rows"));

    for (unsigned r = 0; r < t->n_rows; r++) {
        cJSON *row = new_in(rows);

        put_text(row, "group", t->rows[r].group);
        put_text(row, "contender", t->rows[r].name);
        if (t->rows[r].baseline >= 0) {
            put_text(row, "baseline", t->rows[t->rows[r].baseline].name);
        }
        cJSON *metrics = made(cJSON_AddObjectToObject(row, "metrics"));

        for (unsigned m = 0; m < t->n_metrics; m++) {
            put_metric(metrics, t, r, m);
        }
    }
}

void bench_json_note(const char *text)
{
    cJSON_AddItemToArray(notes, made(cJSON_CreateString(text)));
}

void bench_json_goal(const char *text, struct bench_spread s, size_t held, double limit,
                     const char *unit, bool met)
{
    cJSON *o = new_in(goals);

    put_text(o, "goal", text);
    put_number(o, "at_most", limit);
    put_text(o, "unit", unit);
    put_spread(o, "measured", s);
    put_number(o, "rounds", (double)s.n);
    put_number(o, "rounds_held", (double)held);
    made(s.n ? cJSON_AddBoolToObject(o, "met", met) : cJSON_AddNullToObject(o, "met"));
}

void bench_json_end(void)
{
    char *text = cJSON_Print(root);

    if (!text) {
        bench_die("out of memory");
    }
    puts(text);
    cJSON_free(text);
    cJSON_Delete(root);
}

#else /* main.c refuses --json in such a build, so that none of these is ever called */

void bench_json_begin(const char *question)
{
    (void)question;
    bench_die("built without JSON");
}

void bench_json_fact(const char *name, const char *value)
{
    (void)name;
    (void)value;
}

void bench_json_table(const struct bench_table *t)
{
    (void)t;
}

void bench_json_note(const char *text)
{
    (void)text;
}

void bench_json_goal(const char *text, struct bench_spread s, size_t held, double limit,
                     const char *unit, bool met)
{
    (void)text;
    (void)s;
    (void)held;
    (void)limit;
    (void)unit;
    (void)met;
}

void bench_json_end(void)
{
}

#endif
