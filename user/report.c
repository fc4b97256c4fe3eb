/* SPDX-License-Identifier: MIT */
/* xsc/stats.h and xsc/probe.h: the engine's state, copied out. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>

#include <xsc/probe.h>
#include <xsc/stats.h>

#include "core/port.h"
#include "user/affinity.h"
#include "user/barrier.h"
#include "user/costs.h"
#include "user/library.h"
#include "user/sites.h"

#define SAME(a, b) _Static_assert((int)(a) == (int)(b), "public and core values differ")
SAME(XSC_CANDIDATE, XSC_STATE_CANDIDATE);
SAME(XSC_VALIDATING, XSC_STATE_VALIDATING);
SAME(XSC_ACTIVE, XSC_STATE_ACTIVE);
SAME(XSC_DEGRADED, XSC_STATE_DEGRADED);
SAME(XSC_FAILED, XSC_STATE_FAILED);
SAME(XSC_PROBE_GOOD, XSC_GOOD);
SAME(XSC_PROBE_NO_SLEEP, XSC_NO_SLEEP);
SAME(XSC_PROBE_UNPROVEN, XSC_UNPROVEN);
SAME(XSC_PROBE_SLOW, XSC_SLOW);
SAME(XSC_PROBE_BROKEN, XSC_BROKEN);

void xsc_copy_text(char *to, size_t size, const char *from)
{
    const size_t n = strnlen(from, size - 1);

    memcpy(to, from, n);
    to[n] = '\0';
}

/*
 * Structures grow at their end: an older caller's is shorter, and gets what it knows. A
 * longer one comes from a newer header than this library; what it lacks can't be made up.
 */
static int copy_out(void *out, size_t size, const void *from, size_t known)
{
    if (!out || !size || size > known) {
        return -EINVAL;
    }
    memcpy(out, from, size);
    return 0;
}

/* ------------------------------------------------------------------------- statistics ---- */

/* What health has to complain of: the primary, DEGRADED, or one that was rolled back. */
static const char *fail_reason(const struct xsc_engine *e, const struct xsc_mech_state *primary)
{
    if (__atomic_load_n(&primary->state, __ATOMIC_ACQUIRE) == XSC_STATE_DEGRADED) {
        return xsc_reason(primary);
    }
    for (uint32_t i = 0; i < e->n_mechs; i++) {
        if (e->mech[i].setbacks &&
            __atomic_load_n(&e->mech[i].state, __ATOMIC_ACQUIRE) == XSC_STATE_FAILED) {
            return xsc_reason(&e->mech[i]);
        }
    }
    return "";
}

int xsc_stats_read(struct xsc_stats *out, size_t size)
{
    const struct xsc_engine *e = &xsc_library;
    const uint32_t choice = __atomic_load_n(&e->chosen, __ATOMIC_ACQUIRE);
    struct xsc_stats s = {.success_rate_pct = 100};
    struct xsc_counts n;
    struct xsc_histogram waits;

    xsc_stats_sum(&e->stats, &n, &waits);
    if (choice) {
        const struct xsc_mech_state *primary = &e->mech[XSC_PRIMARY(choice)];

        xsc_copy_text(s.type, sizeof(s.type), primary->mech->name);
        xsc_copy_text(s.primary, sizeof(s.primary), primary->mech->name);
        xsc_copy_text(s.fallback, sizeof(s.fallback), e->mech[XSC_FALLBACK(choice)].mech->name);
        s.state = __atomic_load_n(&primary->state, __ATOMIC_ACQUIRE);
        s.asked_refused = e->asked_refused;
        xsc_copy_text(s.choice_reason, sizeof(s.choice_reason), xsc_said(&e->choice_reason));
        xsc_copy_text(s.fail_reason, sizeof(s.fail_reason), fail_reason(e, primary));
        xsc_copy_text(s.refusal, sizeof(s.refusal), e->refusal);
    }
    /* A park's unsuccessful watch was counted as timed out; what came of it, later. */
    const uint64_t parks_met = n.parks_met < n.timeouts ? n.parks_met : n.timeouts;

    s.total_waits = n.total;
    s.successful_waits = n.changed + parks_met;
    s.timeouts = n.timeouts - parks_met;
    s.spurious_wakes = n.spurious;
    s.late_wakes = n.late;
    s.deep_sleeps = n.deep;
    s.shallow_spins = n.shallow;
    s.parks = n.parks;
    s.wakes = n.wakes;
    s.uncounted_waits = __atomic_load_n(&e->stats.uncounted, __ATOMIC_RELAXED);
    s.min_latency_ns = n.min_ns_plus ? n.min_ns_plus - 1 : 0;
    s.max_latency_ns = n.max_ns;
    s.avg_latency_ns = n.watched ? n.sum_ns / n.watched : 0;
    s.p50_latency_ns = xsc_hist_quantile(&waits, 500);
    s.p99_latency_ns = xsc_hist_quantile(&waits, 990);
    if (n.total) {
        s.success_rate_pct = (uint32_t)(s.successful_waits * 100 / n.total);
    }
    return copy_out(out, size, &s, sizeof(s));
}

/* ------------------------------------------------------------------------- mechanisms ---- */

unsigned xsc_mechanism_count(void)
{
    return XSC_N_MECHANISMS;
}

static void info_of(const struct xsc_mech_state *s, struct xsc_mechanism_info *info)
{
    const char *why = "";

    *info = (struct xsc_mechanism_info){0};
    xsc_copy_text(info->name, sizeof(info->name), s->mech->name);
    info->state = __atomic_load_n(&s->state, __ATOMIC_ACQUIRE);
    info->present = s->mech->detect(&xsc_library.cpu, &why) == XSC_PRESENT;
    info->monitor = (s->mech->traits & XSC_MONITOR) != 0;
    xsc_copy_text(info->reason, sizeof(info->reason), xsc_reason(s));
}

int xsc_mechanism_read(unsigned index, struct xsc_mechanism_info *out, size_t size)
{
    struct xsc_mechanism_info info;
    const int busy = xsc_library_ready();

    if (busy) {
        return busy;
    }
    if (index >= xsc_mechanism_count()) {
        return -ENOENT;
    }
    info_of(&xsc_library.mech[index], &info);
    return copy_out(out, size, &info, sizeof(info));
}

/* ------------------------------------------------------------------------- the probe ---- */

static struct xsc_quantiles quantiles(const struct xsc_spread *s)
{
    return (struct xsc_quantiles){s->n, s->p50, s->p99, s->max};
}

static void report_of(const struct xsc_mech_state *s, struct xsc_probe_report *r)
{
    const struct xsc_trial *t = &s->trial;
    const char *why = "";

    *r = (struct xsc_probe_report){0};
    info_of(s, &r->info);
    if (s->mech->detect(&xsc_library.cpu, &why) == XSC_ABSENT) {
        r->verdict = XSC_PROBE_ABSENT;
        return;
    }
    r->verdict = s->verdict;
    r->fault = t->fault;
    r->changed = quantiles(&t->changed);
    r->self_store = quantiles(&t->self_store);
    r->cross_store = quantiles(&t->cross_store);
    r->overshoot = quantiles(&t->overshoot);
    r->rest = quantiles(&t->rest);
    r->rest_mean_ns = t->rest_mean_ns;
    r->os_limit_ns = t->os_limit_ns;
    r->missed = t->missed;
    r->spurious_per_s = t->spurious_per_s;
    r->cpu_permille = t->cpu_permille;
    r->sleeps = s->mech->traits & XSC_MONITOR && t->rest.n && xsc_trial_sleeps(s->mech, t);
    xsc_copy_text(r->cross_trouble, sizeof(r->cross_trouble),
                  t->cross_trouble ? t->cross_trouble : "");
}

static int check_options(const struct xsc_probe_options *o)
{
    if (!o || o->size != sizeof(*o) || o->iterations < 16 || o->iterations > 100000000 ||
        o->timeout_ns < 1000 || o->timeout_ns > 10000000000u) {
        return -EINVAL;
    }
    return 0;
}

/* Quiet waits: a few where they are long, enough for a p99 where they are short. */
#define QUIET_WAITS_MIN 4
#define QUIET_WAITS_MAX 200

#define PEER_PATIENCE_NS 100000000u

int xsc_probe_mechanism(unsigned index, const struct xsc_probe_options *options,
                        struct xsc_probe_report *out, size_t size)
{
    /* One probe at a time, which also places threads: user/affinity.h. Too large for a stack. */
    static struct xsc_affinity before;
    static uint64_t probing; /* the process of which a thread does so; 0: none does */
    const uint64_t me = xsc_port_process();
    struct xsc_probe_report report;
    int err = check_options(options);

    if (err || (err = xsc_library_ready())) {
        return err;
    }
    if (index >= xsc_mechanism_count()) {
        return -ENOENT;
    }
    const uint64_t affordable = options->budget_ns / options->timeout_ns;
    const struct xsc_trial_plan plan = {
        .rounds = options->iterations,
        .quiet_waits = (uint32_t)(affordable < QUIET_WAITS_MIN   ? QUIET_WAITS_MIN
                                  : affordable > QUIET_WAITS_MAX ? QUIET_WAITS_MAX
                                                                 : affordable),
        .quiet_ns = options->timeout_ns,
        .budget_ns = options->budget_ns,
        .again_ns = UINT64_MAX,
        .patience_ns = PEER_PATIENCE_NS,
        .cross = true,
        .progress = options->progress,
        .progress_arg = options->progress_arg,
    };

    if (__atomic_exchange_n(&probing, me, __ATOMIC_ACQUIRE) == me) {
        return -EBUSY;
    }
    err = xsc_affinity_set(options->waiter_cpu, options->storer_cpu, &before);
    if (!err) {
        err = xsc_engine_try(&xsc_library, index, &plan) ? 0 : -EBUSY;
        xsc_affinity_restore(&before);
    }
    __atomic_store_n(&probing, 0, __ATOMIC_RELEASE);
    if (err) {
        return err;
    }
    report_of(&xsc_library.mech[index], &report);
    return copy_out(out, size, &report, sizeof(report));
}

int xsc_park_costs_read(struct xsc_park_costs *out, size_t size)
{
    struct xsc_costs c;
    const int busy = xsc_library_ready();

    if (busy) {
        return busy;
    }
    if (!xsc_sites_measure()) {
        return -EBUSY;
    }
    for (int i = 0; i < 3 && xsc_barrier_decide(XSC_PARK_AUTO) == XSC_PARK_ASYMMETRIC; i++) {
        xsc_barrier_heavy(false);
    }
    xsc_costs_read(&c);
    const struct xsc_park_costs seen = {
        .park_cpu_ns = c.park_cpu_ns,
        .park_latency_ns = c.park_latency_ns,
        .nap_cpu_ns = c.nap_cpu_ns,
        .nap_late_ns = c.nap_latency_ns,
        .nap_jitter_ns = c.nap_jitter_ns,
        .barrier_ns = xsc_barrier_ns(),
        .latency_weight = c.weight,
    };

    return copy_out(out, size, &seen, sizeof(seen));
}

int xsc_machine_read(struct xsc_machine *out, size_t size)
{
    const struct xsc_engine *e = &xsc_library;
    struct xsc_machine m = {0};
    const int busy = xsc_library_ready();

    if (busy) {
        return busy;
    }
    xsc_copy_text(m.arch, sizeof(m.arch), XSC_ARCH_NAME);
    m.cpus = __atomic_load_n(&e->cpu.cpus, __ATOMIC_RELAXED);
    m.hypervisor = e->cpu.hypervisor;
    m.counter_trusted = e->cpu.counter_trusted;
    m.umwait_known = e->cpu.umwait_known;
    m.umwait_c02 = e->cpu.umwait_c02;
    m.umwait_max_ticks = e->cpu.umwait_max_ticks;
    m.ticks_per_s = e->clock.hz;
    m.relax_ps = e->relax_ps;
    m.tight_looks = e->tight_looks;
    xsc_copy_text(m.clock_source, sizeof(m.clock_source),
                  !e->cpu.counter_trusted && e->cpu.counter_reason ? e->cpu.counter_reason
                                                                   : e->clock.source);
    xsc_copy_text(m.umwait_source, sizeof(m.umwait_source),
                  e->cpu.umwait_source ? e->cpu.umwait_source : "");
    return copy_out(out, size, &m, sizeof(m));
}
