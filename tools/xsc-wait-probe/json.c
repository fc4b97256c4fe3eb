/* SPDX-License-Identifier: MIT */
/* The findings as JSON. docs/probe-json.md describes it, and is to be changed with it. */
#include "probe.h"

#if defined(XSC_PROBE_JSON)

#include <cjson/cJSON.h>
#include <stdlib.h>

#define FORMAT 1 /* raised when a member changes its meaning or goes; not for new ones */

/* cJSON's numbers are doubles: exact to 2^53 ns, three months. */
static void add_number(cJSON *to, const char *name, uint64_t n)
{
    cJSON_AddNumberToObject(to, name, (double)n);
}

static void add_number_if(cJSON *to, const char *name, bool known, uint64_t n)
{
    if (known) {
        add_number(to, name, n);
    } else {
        cJSON_AddNullToObject(to, name);
    }
}

static void add_text_if(cJSON *to, const char *name, const char *text)
{
    if (text && *text) {
        cJSON_AddStringToObject(to, name, text);
    } else {
        cJSON_AddNullToObject(to, name);
    }
}

static cJSON *add_quantiles(cJSON *to, const char *name, const struct xsc_quantiles *q)
{
    if (!q->n) {
        cJSON_AddNullToObject(to, name);
        return NULL;
    }
    cJSON *o = cJSON_AddObjectToObject(to, name);

    add_number(o, "n", q->n);
    add_number(o, "p50", q->p50);
    add_number(o, "p99", q->p99);
    add_number(o, "max", q->max);
    return o;
}

static void add_machine(cJSON *to, const struct findings *f)
{
    const struct xsc_machine *m = &f->machine;
    cJSON *o = cJSON_AddObjectToObject(to, "machine");

    cJSON_AddStringToObject(o, "arch", m->arch);
    add_text_if(o, "model", f->cpu_model);
    add_text_if(o, "os", f->os);
    add_number_if(o, "cpus", m->cpus > 0, m->cpus);
    cJSON_AddBoolToObject(o, "hypervisor", m->hypervisor != 0);

    cJSON *counter = cJSON_AddObjectToObject(o, "counter");

    cJSON_AddBoolToObject(counter, "trusted", m->counter_trusted != 0);
    add_number(counter, "ticks_per_s", m->ticks_per_s);
    cJSON_AddStringToObject(counter, "source", m->clock_source);
    cJSON_AddNumberToObject(o, "spin_hint_ns", (double)m->relax_ps / 1000);
    add_number(o, "tight_looks", m->tight_looks);

    cJSON *park = cJSON_AddObjectToObject(o, "leaving_the_cpu");

    add_number(park, "park_cpu_ns", f->park.park_cpu_ns);
    add_number(park, "park_latency_ns", f->park.park_latency_ns);
    add_number(park, "nap_cpu_ns", f->park.nap_cpu_ns);
    add_number(park, "nap_late_ns", f->park.nap_late_ns);
    add_number(park, "nap_jitter_ns", f->park.nap_jitter_ns);
    add_number_if(park, "barrier_ns", f->park.barrier_ns > 0, f->park.barrier_ns);
    cJSON_AddNumberToObject(park, "latency_weight", (double)f->park.latency_weight / 10);

    if (!m->umwait_known && !*m->umwait_source) {
        cJSON_AddNullToObject(o, "umwait_control");
        return;
    }
    cJSON *control = cJSON_AddObjectToObject(o, "umwait_control");

    if (m->umwait_known) {
        cJSON_AddBoolToObject(control, "c02_allowed", m->umwait_c02 != 0);
    } else {
        cJSON_AddNullToObject(control, "c02_allowed");
    }
    add_number_if(control, "max_ticks", m->umwait_known, m->umwait_max_ticks);
    cJSON_AddStringToObject(control, "source", m->umwait_source);
}

static void add_settings(cJSON *to, const struct findings *f)
{
    cJSON *o = cJSON_AddObjectToObject(to, "settings");

    add_number(o, "iterations", f->iterations);
    add_number(o, "timeout_ns", f->timeout_ns);
    add_number_if(o, "waiter_cpu", f->waiter >= 0, (uint64_t)f->waiter);
    add_number_if(o, "storer_cpu", f->storer >= 0, (uint64_t)f->storer);
    add_text_if(o, "cpus_are", f->cpus_relation);
    add_text_if(o, "xsc_mechanism", f->asked_by_environment);
}

static void add_target(cJSON *to, const struct result *r)
{
    if (!r->target) {
        cJSON_AddNullToObject(to, "target");
        return;
    }
    const struct xsc_quantiles *q = &r->report.cross_store;
    cJSON *o = cJSON_AddObjectToObject(to, "target");

    add_number(o, "low_ns", r->target->low_ns);
    add_number(o, "high_ns", r->target->high_ns);
    add_number_if(o, "measured_ns", q->n > 0, q->p50);
    if (q->n) {
        cJSON_AddBoolToObject(o, "met", target_met(r->target, &r->report));
    } else {
        cJSON_AddNullToObject(o, "met");
    }
}

static void add_mechanism(cJSON *to, const struct result *r)
{
    const struct xsc_probe_report *p = &r->report;
    const bool quiet = p->rest.n > 0; /* the waits that nothing ends were made */
    cJSON *o = cJSON_CreateObject();

    cJSON_AddItemToArray(to, o);
    cJSON_AddStringToObject(o, "name", p->info.name);
    cJSON_AddBoolToObject(o, "present", p->info.present != 0);
    cJSON_AddBoolToObject(o, "monitor", p->info.monitor != 0);
    cJSON_AddBoolToObject(o, "probed", r->probed);
    cJSON_AddStringToObject(o, "state", state_word(p->info.state));
    add_text_if(o, "verdict", r->probed ? verdict_word(r) : NULL);
    cJSON_AddStringToObject(o, "reason", p->info.reason);
    cJSON_AddBoolToObject(o, "validated", is_validated(r));
    if (p->info.monitor && quiet) {
        cJSON_AddBoolToObject(o, "sleeps", p->sleeps != 0);
    } else {
        cJSON_AddNullToObject(o, "sleeps");
    }
    cJSON *latency = cJSON_AddObjectToObject(o, "latency_ns");

    add_quantiles(latency, "changed", &p->changed);
    add_quantiles(latency, "self_store", &p->self_store);
    add_quantiles(latency, "cross_store", &p->cross_store);
    add_text_if(o, "cross_trouble", p->cross_trouble);
    add_quantiles(o, "overshoot_ns", &p->overshoot);

    cJSON *rest = add_quantiles(o, "rest_ns", &p->rest);

    if (rest) {
        add_number(rest, "mean", p->rest_mean_ns);
    }
    if (quiet) {
        cJSON_AddNumberToObject(o, "cpu_per_us", (double)p->cpu_permille / 1000);
    } else {
        cJSON_AddNullToObject(o, "cpu_per_us");
    }
    add_number_if(o, "spurious_per_s", quiet, p->spurious_per_s);
    add_number_if(o, "missed_stores", p->cross_store.n > 0, p->missed);
    add_number_if(o, "os_limit_ns", p->os_limit_ns > 0, p->os_limit_ns);
    add_number_if(o, "fault_signal", p->fault > 0, (uint64_t)p->fault);
    add_target(o, r);
}

static void add_reasons(cJSON *to, const struct findings *f)
{
    cJSON *o = cJSON_AddObjectToObject(to, "reasons");

    cJSON_AddStringToObject(o, "choice", f->chosen.choice_reason);
    add_text_if(o, "refused", f->chosen.asked_refused ? f->chosen.refusal : NULL);

    cJSON *each = cJSON_AddObjectToObject(o, "mechanisms");

    for (unsigned i = 0; i < f->n; i++) {
        const struct xsc_mechanism_info *info = &f->result[i].report.info;

        cJSON_AddStringToObject(each, info->name, info->reason);
    }
}

static void add_doorbell(cJSON *to, const struct doorbell *d)
{
    cJSON *o = cJSON_AddObjectToObject(to, "doorbell");
    const bool tried = d->probed && d->present;

    cJSON_AddStringToObject(o, "path", d->path);
    cJSON_AddBoolToObject(o, "probed", d->probed);
    cJSON_AddBoolToObject(o, "present", d->present);
    add_text_if(o, "state", d->probed ? doorbell_state(d) : NULL);
    cJSON_AddStringToObject(o, "reason", d->why);
    cJSON_AddBoolToObject(o, "validated", doorbell_steady(d));
    add_number_if(o, "rings", tried, d->report.trial_rings);
    add_number_if(o, "lost", tried, d->report.trial_lost);
    add_number_if(o, "min_ns", tried && d->report.max_ns, d->report.min_ns);
    add_number_if(o, "max_ns", tried && d->report.max_ns, d->report.max_ns);
}

bool json_built_in(void)
{
    return true;
}

bool json_report(FILE *to, const struct findings *f)
{
    cJSON *root = cJSON_CreateObject();

    add_number(root, "format", FORMAT);
    cJSON_AddStringToObject(root, "version", xsc_version());
    add_machine(root, f);
    add_settings(root, f);

    cJSON *list = cJSON_AddArrayToObject(root, "mechanisms");

    for (unsigned i = 0; i < f->n; i++) {
        add_mechanism(list, &f->result[i]);
    }
    add_doorbell(root, &f->doorbell);
    cJSON_AddStringToObject(root, "primary", f->chosen.primary);
    cJSON_AddStringToObject(root, "fallback", f->chosen.fallback);
    add_text_if(root, "rolled_back_to", f->rolled_back_to);
    add_reasons(root, f);

    cJSON *verdict = cJSON_AddObjectToObject(root, "verdict");

    add_number(verdict, "status", (uint64_t)f->status);
    cJSON_AddStringToObject(verdict, "text", f->verdict);

    char *text = cJSON_Print(root); /* NULL where memory ran out on the way */
    const bool ok = text && fputs(text, to) >= 0 && fputc('\n', to) != EOF;

    cJSON_free(text);
    cJSON_Delete(root);
    return ok;
}

#else /* built without: static and cross builds, where there is no libcjson to link */

bool json_built_in(void)
{
    return false;
}

bool json_report(FILE *to, const struct findings *f)
{
    (void)to;
    (void)f;
    return false;
}

#endif
