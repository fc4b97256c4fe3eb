/* SPDX-License-Identifier: MIT */
/* bench/report_json.h - the report as one JSON object; documented in docs/benchmarks.md */
#ifndef XSC_BENCH_REPORT_JSON_H
#define XSC_BENCH_REPORT_JSON_H

#include "bench/figures.h"
#include "bench/report.h"

void bench_json_begin(const char *question);
void bench_json_fact(const char *name, const char *value);
void bench_json_table(const struct bench_table *t);
void bench_json_note(const char *text);
void bench_json_goal(const char *text, struct bench_spread s, size_t held, double limit,
                     const char *unit, bool met);
void bench_json_end(void);

#endif /* XSC_BENCH_REPORT_JSON_H */
