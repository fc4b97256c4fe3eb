/* SPDX-License-Identifier: MIT */
/* What the findings come to. */
#include "probe.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

/*
 * Design targets, in ns from another CPU's store to the return of the wait, p50. A target
 * is not a limit of the trial: a mechanism may pass and miss it.
 */
static const struct target targets[] = {
    {"UMWAIT", 50, 200},
    {"PAUSE", 10, 50},
    {"WFE", 10, 50},
    {"WFET", 10, 50}, /* a WFE with a deadline: it wakes as WFE does */
};

const struct target *target_of(const char *mechanism)
{
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        if (!strcmp(targets[i].mechanism, mechanism)) {
            return &targets[i];
        }
    }
    return NULL;
}

bool target_met(const struct target *t, const struct xsc_probe_report *r)
{
    return r->cross_store.n && r->cross_store.p50 <= t->high_ns;
}

const char *verdict_word(const struct result *r)
{
    static const char *const words[] = {
        [XSC_PROBE_GOOD] = "passed",       [XSC_PROBE_NO_SLEEP] = "no-sleep",
        [XSC_PROBE_UNPROVEN] = "unproven", [XSC_PROBE_SLOW] = "slow",
        [XSC_PROBE_BROKEN] = "broken",     [XSC_PROBE_ABSENT] = "absent",
    };

    if (!r->probed) {
        return "not tried";
    }
    return r->report.verdict < sizeof(words) / sizeof(words[0]) ? words[r->report.verdict] : "?";
}

const char *state_word(uint32_t state)
{
    static const char *const words[] = {
        [XSC_CANDIDATE] = "CANDIDATE", [XSC_VALIDATING] = "VALIDATING", [XSC_ACTIVE] = "ACTIVE",
        [XSC_DEGRADED] = "DEGRADED",   [XSC_FAILED] = "FAILED",
    };

    return state < sizeof(words) / sizeof(words[0]) ? words[state] : "?";
}

bool is_validated(const struct result *r)
{
    return r->probed && r->report.verdict == XSC_PROBE_GOOD;
}

const struct result *find_result(const struct findings *f, const char *name)
{
    for (unsigned i = 0; i < f->n; i++) {
        if (!strcmp(f->result[i].report.info.name, name)) {
            return &f->result[i];
        }
    }
    return NULL;
}

/* The same as a predicate, for sentences. */
static const char *verdict_clause(const struct result *r)
{
    switch (r->report.verdict) {
    case XSC_PROBE_ABSENT:
        return "is not available here";
    case XSC_PROBE_NO_SLEEP:
        return "does not sleep";
    case XSC_PROBE_UNPROVEN:
        return "could not be proven";
    case XSC_PROBE_SLOW:
        return "is too slow";
    default:
        return "is broken";
    }
}

static void say(struct findings *f, enum exit_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void say(struct findings *f, enum exit_status status, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(f->verdict, sizeof(f->verdict), format, args);
    va_end(args);
    f->status = status;
}

/* True: it was asked for, and the verdict is that it is not fit. */
static bool judge_doorbell(struct findings *f)
{
    const struct doorbell *d = &f->doorbell;

    if (!d->named || doorbell_steady(d)) {
        return false;
    }
    say(f, STATUS_NOT_VALIDATED, "NOT VALIDATED: DOORBELL, asked for by %s, %s: %s",
        d->asked ? "--mechanism" : "--doorbell", d->present ? "is broken" : "is not available here",
        d->why);
    return true;
}

static void judge_asked(struct findings *f)
{
    char names[128] = "";

    for (unsigned i = 0; i < f->n; i++) {
        const struct result *r = &f->result[i];
        const size_t used = strlen(names);

        if (!r->asked) {
            continue;
        }
        if (!is_validated(r)) {
            say(f, STATUS_NOT_VALIDATED, "NOT VALIDATED: %s, asked for by --mechanism, %s: %s",
                r->report.info.name, verdict_clause(r), r->report.info.reason);
            return;
        }
        snprintf(names + used, sizeof(names) - used, "%s%s", used ? ", " : "", r->report.info.name);
    }
    if (judge_doorbell(f)) {
        return;
    }
    say(f, STATUS_VALIDATED, "validated: %s%s", names,
        !f->doorbell.asked ? ""
        : *names           ? ", DOORBELL"
                           : "DOORBELL");
}

static void judge_choice(struct findings *f)
{
    const struct result *r = find_result(f, f->chosen.primary);

    if (f->chosen.asked_refused) {
        say(f, STATUS_NOT_VALIDATED, "NOT AS ASKED: XSC_MECHANISM=%s is refused; programs get %s",
            f->asked_by_environment, f->chosen.primary);
    } else if (!r) {
        say(f, STATUS_NOT_VALIDATED, "NOT VALIDATED: the library has chosen nothing");
    } else if (!is_validated(r)) {
        say(f, STATUS_NOT_VALIDATED, "NOT VALIDATED: %s, which programs get, %s: %s",
            f->chosen.primary, verdict_clause(r), r->report.info.reason);
    } else if (r->report.cross_store.n) {
        say(f, STATUS_VALIDATED,
            "validated: programs wait with %s; another CPU's store ends a wait in %" PRIu64
            " ns (p50)",
            f->chosen.primary, r->report.cross_store.p50);
    } else {
        say(f, STATUS_VALIDATED, "validated, on one CPU: programs wait with %s", f->chosen.primary);
    }
}

void judge(struct findings *f)
{
    bool by_name = f->doorbell.asked;

    for (unsigned i = 0; i < f->n; i++) {
        by_name |= f->result[i].asked;
    }
    if (by_name) {
        judge_asked(f);
    } else if (!judge_doorbell(f)) {
        judge_choice(f);
    }
}
