/* SPDX-License-Identifier: MIT */
#include "judge.h"

#include <stdio.h>

#include "hindsight.h"

/*
 * 4us: libc++'s atomic wait polls for about that long. 200us: KVM's halt_poll_ns and the
 * haltpoll governor of its guests, by default.
 */
const char *const xsc_fixed_name[XSC_FIXED] = {"watch", "park", "1us",  "4us",
                                               "10us",  "50us", "200us"};
static const uint64_t fixed_ns[XSC_FIXED] = {XSC_NEVER, 0, 1000, 4000, 10000, 50000, 200000};

/* The library's own code, one pass in the trace's order. */
static double learned_cost(const struct xsc_costs *c, const struct xsc_trace *t)
{
    static struct xsc_policy_scratch scratch;
    struct xsc_policy site = {0};
    double sum = 0;

    for (size_t i = 0; i < t->n; i++) {
        const struct xsc_plan plan = xsc_policy_plan(&site, c, XSC_NEVER, false);

        sum += xsc_wait_cost(c, &plan, t->ns[i]);
        xsc_policy_learn(&site, c, &plan,
                         &(struct xsc_outcome){.ns = t->ns[i], .timeout_ns = XSC_NEVER}, &scratch);
    }
    return sum / (double)t->n;
}

int xsc_judge(const struct xsc_costs *costs, const struct xsc_trace *trace,
              struct xsc_verdict_of *out)
{
    if (xsc_hindsight(costs, trace->ns, trace->n, &out->best)) {
        fprintf(stderr, "xsc-wait-sim: %s: out of memory\n", trace->name);
        return -1;
    }
    out->hindsight = xsc_mean_cost(costs, &out->best, trace->ns, trace->n);
    out->ours = learned_cost(costs, trace);
    out->best_fixed = 0;
    for (unsigned i = 0; i < XSC_FIXED; i++) {
        const struct xsc_plan plan = {.watch_ns = fixed_ns[i], .nap_ns = XSC_NEVER};

        out->fixed[i] = xsc_mean_cost(costs, &plan, trace->ns, trace->n);
        if (out->fixed[i] < out->fixed[out->best_fixed]) {
            out->best_fixed = i;
        }
    }
    return 0;
}
