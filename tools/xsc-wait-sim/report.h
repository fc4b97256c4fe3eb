/* SPDX-License-Identifier: MIT */
/* report.h - verdicts as text or JSON */
#ifndef XSC_SIM_REPORT_H
#define XSC_SIM_REPORT_H

#include <stdbool.h>

#include "judge.h"

/* Sums of logarithms and maxima of the ratios that are reported. */
struct xsc_totals {
    unsigned n;
    double log_hindsight, log_fixed;
    double worst_hindsight, worst_fixed;
};

void xsc_totals_add(struct xsc_totals *t, const struct xsc_verdict_of *v);
double xsc_geomean(double log_sum, unsigned n);

/* Text: the ratios and their totals, the fixed policies' costs, the best plans. */
void xsc_text_print(const struct xsc_trace *t, const struct xsc_verdict_of *v, int n,
                    const struct xsc_totals *totals);

/* JSON: collected, and printed by xsc_json_print(). Return 0, or -1 (said on stderr). */
bool xsc_json_available(void);
int xsc_json_trace(const struct xsc_trace *t, const struct xsc_verdict_of *v);
int xsc_json_print(const struct xsc_totals *t);

#endif /* XSC_SIM_REPORT_H */
