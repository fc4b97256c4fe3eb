/* SPDX-License-Identifier: MIT */
/* judge.h - one trace under every policy */
#ifndef XSC_SIM_JUDGE_H
#define XSC_SIM_JUDGE_H

#include "core/policy.h"
#include "trace.h"

/* Watch for a fixed time, then park: what others do, and the two pure policies. */
#define XSC_FIXED 7
extern const char *const xsc_fixed_name[XSC_FIXED];

/* Mean costs in ns a wait. */
struct xsc_verdict_of {
    double ours; /* learned while going, from the first wait on */
    double hindsight;
    double fixed[XSC_FIXED];
    unsigned best_fixed;  /* index of the cheapest */
    struct xsc_plan best; /* the plan with which hindsight is reached */
};

/* Returns 0, or -1 where memory is short (said on stderr). */
int xsc_judge(const struct xsc_costs *costs, const struct xsc_trace *trace,
              struct xsc_verdict_of *out);

#endif /* XSC_SIM_JUDGE_H */
