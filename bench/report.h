/* SPDX-License-Identifier: MIT */
/*
 * bench/report.h - what was measured, as a table of rounds, printed as text or JSON
 *
 * A table has a row a contender, a column a metric, and a value a round in each cell. What
 * is printed is the median over the rounds with the smallest and the largest; where a row
 * names a baseline, also the spread of the ratios taken round by round.
 */
#ifndef XSC_BENCH_REPORT_H
#define XSC_BENCH_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bench_metric {
    const char *name; /* "p50" */
    const char *unit; /* "ns" */
    int decimals;
    bool ratio; /* show it against the row's baseline */
};

struct bench_row {
    char group[32]; /* "100 us"; rows of a group stand together, with the group named once */
    char name[32];  /* "xsc_wait_u32" */
    int baseline;   /* row to hold it against, -1: none */
};

struct bench_table {
    const char *title;
    const struct bench_metric *metrics;
    struct bench_row *rows;
    double *values; /* [row][metric][round] */
    unsigned n_metrics, n_rows, max_rows, rounds;
    bool processes; /* a round is one process: print p99 and max instead of min and max */
};

/* Ends the program with a line on stderr when there is no memory. */
struct bench_table *bench_table_new(const char *title, const struct bench_metric *metrics,
                                    unsigned n_metrics, unsigned max_rows, unsigned rounds);
void bench_table_free(struct bench_table *t);

/* Adds a row; gives its index. */
unsigned bench_table_row(struct bench_table *t, const char *group, const char *name, int baseline);

/* The values of one cell, t->rounds of them; NAN until set. */
double *bench_cell(const struct bench_table *t, unsigned row, unsigned metric);

/* Prints as text at once, or gathers for bench_report_end() as JSON. */
void bench_report_begin(const char *question, bool json);
void bench_report_fact(const char *name, const char *value);
void bench_report_table(const struct bench_table *t);
void bench_report_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * A goal that is measured, never asserted: met if the median of values is at most limit.
 * Also says in how many of the rounds it held.
 */
void bench_report_goal(const char *text, const double *values, unsigned rounds, double limit,
                       const char *unit);

/* The same for a row's ratio to its baseline. */
void bench_report_ratio_goal(const char *text, const struct bench_table *t, unsigned row,
                             unsigned metric, double limit);

void bench_report_end(void);

/* Whether --json was built in. */
bool bench_report_has_json(void);

#endif /* XSC_BENCH_REPORT_H */
