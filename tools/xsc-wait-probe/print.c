/* SPDX-License-Identifier: MIT */
/* The findings for people: at most 100 columns wide, and nothing that needs a terminal. */
#include "probe.h"

#include <inttypes.h>
#include <string.h>

#define WIDTH 100

/*
 * Prints text from column `at` on, broken between words, further lines indented by `indent`
 * columns. The column it ends in is of no use to anyone: a newline follows.
 */
static void wrap(FILE *to, int at, int indent, const char *text)
{
    bool fresh = true; /* nothing on this line yet */

    while (*text) {
        const int length = (int)strcspn(text, " ");

        if (!fresh && at + 1 + length > WIDTH) {
            fprintf(to, "\n%*s", indent, "");
            at = indent;
            fresh = true;
        }
        at += fprintf(to, "%s%.*s", fresh ? "" : " ", length, text);
        fresh = false;
        text += length;
        text += strspn(text, " ");
    }
    fputc('\n', to);
}

/* A line "label     text", both wrapped and indented. */
static void fact(FILE *to, const char *label, const char *text)
{
    wrap(to, fprintf(to, "%-12s", label), 12, text);
}

/* ns in at most 6 characters: 0 to 9999 as they are, then 12.3us, 456us, 7.8ms, 1.2s */
static const char *brief(uint64_t ns, char buf[16])
{
    static const struct {
        double unit;
        const char *name;
    } units[] = {{1e3, "us"}, {1e6, "ms"}, {1e9, "s"}};
    size_t i = 0;

    if (ns < 10000) {
        snprintf(buf, 16, "%" PRIu64, ns);
        return buf;
    }
    /* 999.5 would be printed as 1000. */
    while (i + 1 < sizeof(units) / sizeof(units[0]) && (double)ns / units[i].unit >= 999.5) {
        i++;
    }
    const double value = (double)ns / units[i].unit;

    snprintf(buf, 16, "%.*f%s", value < 99.95 ? 1 : 0, value, units[i].name);
    return buf;
}

/* The same with its unit always said, for sentences. */
static const char *spoken(uint64_t ns, char buf[16])
{
    brief(ns, buf);
    if (ns < 10000) {
        strcat(buf, " ns");
    }
    return buf;
}

/* ------------------------------------------------------------------------ the machine ---- */

static void print_umwait(FILE *to, const struct xsc_machine *m)
{
    char text[256], limit[16];

    if (m->umwait_known && m->umwait_max_ticks && m->ticks_per_s) {
        const double ns = (double)m->umwait_max_ticks * 1e9 / (double)m->ticks_per_s;

        snprintf(text, sizeof(text), "C0.2 %s; at most %" PRIu32 " TSC ticks (%s) a wait; from %s",
                 m->umwait_c02 ? "allowed" : "not allowed (C0.1 is used)", m->umwait_max_ticks,
                 spoken((uint64_t)ns, limit), m->umwait_source);
    } else if (m->umwait_known) {
        snprintf(text, sizeof(text), "C0.2 %s; no limit on a wait; from %s",
                 m->umwait_c02 ? "allowed" : "not allowed (C0.1 is used)", m->umwait_source);
    } else if (*m->umwait_source) {
        snprintf(text, sizeof(text), "permissions unknown: %s", m->umwait_source);
    } else {
        return; /* nothing here has such a control */
    }
    fact(to, "umwait", text);
}

static void print_park(FILE *to, const struct xsc_park_costs *p)
{
    char text[320], cpu[16], late[16], barrier[16];

    if (!p->latency_weight) {
        return;
    }
    snprintf(text, sizeof(text), "%s of CPU, back %s after its time; a membarrier, alone here, %s",
             spoken(p->nap_cpu_ns, cpu), spoken(p->nap_late_ns + p->nap_jitter_ns / 2, late),
             p->barrier_ns ? spoken(p->barrier_ns, barrier) : "is not available");
    fact(to, "a sleep", text);
}

static void print_machine(FILE *to, const struct findings *f)
{
    const struct xsc_machine *m = &f->machine;
    char text[320], deadline[16];

    snprintf(text, sizeof(text), "%s%s%s, %u CPU%s, %s%s%s", m->arch, *f->cpu_model ? ", " : "",
             f->cpu_model, m->cpus, m->cpus == 1 ? "" : "s",
             m->hypervisor ? "virtual" : "no sign of a hypervisor", *f->os ? ", " : "", f->os);
    fact(to, "machine", text);

    if (m->counter_trusted) {
        snprintf(text, sizeof(text), "%.3f MHz: %s", (double)m->ticks_per_s / 1e6, m->clock_source);
    } else {
        snprintf(text, sizeof(text), "the OS clock, because %s", m->clock_source);
    }
    fact(to, "clock", text);

    snprintf(text, sizeof(text),
             "%.1f ns each; a wait's first microsecond, spent spinning, has %" PRIu64 " looks",
             (double)m->relax_ps / 1e3, m->tight_looks);
    fact(to, "spin hint", text);
    print_umwait(to, m);
    print_park(to, &f->park);

    if (f->storer >= 0) {
        snprintf(text, sizeof(text), "CPU %d waits, CPU %d stores (%s)", f->waiter, f->storer,
                 f->cpus_relation);
    } else {
        snprintf(text, sizeof(text), "%s",
                 m->cpus == 1 ? "one CPU waits, and no other may store"
                              : "CPUs as the OS places the threads");
    }
    const size_t used = strlen(text);

    snprintf(text + used, sizeof(text) - used, "; up to %" PRIu32 " waits of a kind; deadline %s",
             f->iterations, spoken(f->timeout_ns, deadline));
    fact(to, "trial", text);
}

/* --------------------------------------------------------------------- the mechanisms ---- */

static void print_mechanisms(FILE *to, const struct findings *f)
{
    fputs("\nMECHANISM   TRIAL      STATE      WHY\n", to);
    for (unsigned i = 0; i < f->n; i++) {
        const struct result *r = &f->result[i];
        const struct xsc_mechanism_info *info = &r->report.info;
        const int at = fprintf(to, "%-12s%-11s%-11s", info->name, verdict_word(r),
                               state_word(info->state));

        /* "passed passed" says no more than once. */
        wrap(to, at, at, strcmp(info->reason, verdict_word(r)) ? info->reason : "-");
    }
}

/* The last row: no mechanism that XSC_MECHANISM could ask for. */
static void print_doorbell(FILE *to, const struct doorbell *d)
{
    char text[320], min[16], max[16];
    const int at = fprintf(to, "%-12s%-11s%-11s", "DOORBELL", doorbell_word(d), doorbell_state(d));

    snprintf(text, sizeof(text), "%s", d->why);
    if (doorbell_steady(d)) {
        snprintf(text, sizeof(text), "%" PRIu32 " rings, none lost, each heard within %s to %s",
                 d->report.trial_rings, spoken(d->report.min_ns, min),
                 spoken(d->report.max_ns, max));
    }
    wrap(to, at, at, text);
}

static bool has_numbers(const struct result *r)
{
    return r->probed && r->report.changed.n;
}

static void print_quantiles(FILE *to, const struct xsc_quantiles *q)
{
    char a[16], b[16], c[16];

    if (q->n) {
        fprintf(to, "%8s%7s%7s", brief(q->p50, a), brief(q->p99, b), brief(q->max, c));
    } else {
        fprintf(to, "%8s%7s%7s", "-", "-", "-");
    }
}

static void print_latencies(FILE *to, const struct findings *f)
{
    fputs("\nLATENCY       already changed            own store    other CPU's store"
          "    past the deadline\n"
          "ns          ",
          to);
    for (int i = 0; i < 4; i++) {
        fprintf(to, "%8s%7s%7s", "p50", "p99", "max");
    }
    fputc('\n', to);
    for (unsigned i = 0; i < f->n; i++) {
        const struct xsc_probe_report *p = &f->result[i].report;

        if (has_numbers(&f->result[i])) {
            fprintf(to, "%-12s", p->info.name);
            print_quantiles(to, &p->changed);
            print_quantiles(to, &p->self_store);
            print_quantiles(to, &p->cross_store);
            print_quantiles(to, &p->overshoot);
            fputc('\n', to);
        }
    }
}

#define COST_ROW "%-12s%8s%10s%11s%12s%10s%14s%18s\n"

static void print_cost(FILE *to, const struct result *r)
{
    const struct xsc_probe_report *p = &r->report;
    char wait[16], used[24], woken[24], missed[24] = "-", target[32] = "-", measured[40] = "-";

    snprintf(used, sizeof(used), "%.3f", (double)p->cpu_permille / 1000);
    snprintf(woken, sizeof(woken), "%" PRIu64, p->spurious_per_s);
    if (p->cross_store.n && p->info.monitor) {
        snprintf(missed, sizeof(missed), "%" PRIu64, p->missed);
    }
    if (r->target) {
        char ns[16];

        snprintf(target, sizeof(target), "%" PRIu32 "-%" PRIu32, r->target->low_ns,
                 r->target->high_ns);
        if (p->cross_store.n) {
            snprintf(measured, sizeof(measured), "%s, %s", brief(p->cross_store.p50, ns),
                     target_met(r->target, p) ? "met" : "not met");
        }
    }
    fprintf(to, COST_ROW, p->info.name,
            !p->info.monitor ? "polls"
            : p->sleeps      ? "yes"
                             : "no",
            used, brief(p->rest_mean_ns, wait), woken, missed, target, measured);
}

static void print_costs(FILE *to, const struct findings *f)
{
    fputc('\n', to);
    fprintf(to, COST_ROW, "COST", "sleeps", "CPU us", "one wait", "woken by", "stores", "target",
            "measured");
    fprintf(to, COST_ROW, "", "", "per us", "lasts", "nothing/s", "missed", "p50, ns", "p50");
    for (unsigned i = 0; i < f->n; i++) {
        if (has_numbers(&f->result[i])) {
            print_cost(to, &f->result[i]);
        }
    }
}

/* A note below the tables; a blank line before the first. */
static void note(FILE *to, bool *any, const char *name, const char *text)
{
    if (!*any) {
        fputc('\n', to);
    }
    *any = true;
    fact(to, name, text);
}

/* What the tables have no column for. */
static void print_notes(FILE *to, const struct findings *f)
{
    char text[320], ns[16];
    bool any = false;

    for (unsigned i = 0; i < f->n; i++) {
        const struct result *r = &f->result[i];
        const struct xsc_probe_report *p = &r->report;

        if (p->os_limit_ns) {
            snprintf(text, sizeof(text), "the OS's limit ended waits, after %s",
                     spoken(p->os_limit_ns, ns));
            note(to, &any, p->info.name, text);
        }
        if (has_numbers(r) && *p->cross_trouble) {
            snprintf(text, sizeof(text), "other CPU's store %s: %s",
                     p->cross_store.n ? "cut short" : "not measured", p->cross_trouble);
            note(to, &any, p->info.name, text);
        } else if (f->iterations_asked && has_numbers(r) && p->cross_store.n < f->iterations) {
            snprintf(text, sizeof(text), "%" PRIu64 " stores by the other CPU: time was up",
                     p->cross_store.n);
            note(to, &any, p->info.name, text);
        }
        if (is_validated(r) && !p->info.present) {
            snprintf(text, sizeof(text),
                     "works although nothing reports it: the library takes it "
                     "only where XSC_MECHANISM asks for it");
            note(to, &any, p->info.name, text);
        }
    }
}

static void print_legend(FILE *to)
{
    fputs(
        "\nAlready changed, own store: call to return. Other CPU's store: store to return, the way "
        "of"
        " the cache\nline between the CPUs included; the target is held against its p50. Past the"
        " deadline: how late a\nwait that nothing ended came back. CPU us per us: what such a wait"
        " burns; 1.000 is a whole CPU.\n",
        to);
}

/* ------------------------------------------------------------------------- the choice ---- */

static void print_choice(FILE *to, const struct findings *f)
{
    const struct result *primary = find_result(f, f->chosen.primary);
    const struct result *fallback = find_result(f, f->chosen.fallback);
    char text[512];

    fputc('\n', to);
    if (f->chosen.asked_refused) {
        snprintf(text, sizeof(text), "XSC_MECHANISM=%s: %s", f->asked_by_environment,
                 f->chosen.refusal);
        fact(to, "refused", text);
    }
    snprintf(text, sizeof(text), "%s (%s): %s", f->chosen.primary,
             primary ? state_word(primary->report.info.state) : "unknown", f->chosen.choice_reason);
    fact(to, "primary", text);
    if (!strcmp(f->chosen.primary, f->chosen.fallback)) {
        snprintf(text, sizeof(text),
                 "%s as well: it polls, which needs coherent memory and nothing else",
                 f->chosen.fallback);
    } else {
        snprintf(text, sizeof(text), "%s (%s): takes over after three bad intervals of 10 s",
                 f->chosen.fallback,
                 fallback ? state_word(fallback->report.info.state) : "unknown");
    }
    fact(to, "fallback", text);
    if (*f->rolled_back_to) {
        snprintf(text, sizeof(text),
                 "to %s in this process, after the trial above; others will find "
                 "out by themselves",
                 f->rolled_back_to);
        fact(to, "rolled back", text);
    }
}

void print_report(FILE *to, const struct findings *f, bool quiet)
{
    bool numbers = false;

    if (!quiet) {
        fprintf(to, "xsc-wait-probe %s\n\n", xsc_version());
        print_machine(to, f);
        print_mechanisms(to, f);
        print_doorbell(to, &f->doorbell);
        for (unsigned i = 0; i < f->n; i++) {
            numbers |= has_numbers(&f->result[i]);
        }
        if (numbers) {
            print_latencies(to, f);
            print_costs(to, f);
            print_notes(to, f);
            print_legend(to);
        }
        print_choice(to, f);
        fputc('\n', to);
    }
    wrap(to, 0, 4, f->verdict);
}
