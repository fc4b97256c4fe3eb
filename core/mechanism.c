/* SPDX-License-Identifier: MIT */
#include "core/mechanism.h"

#include <stddef.h>

#include <xsc/cas.h>

#include "core/health.h"
#include "core/port.h"
#include "core/text.h"

#define TIGHT_NS 1000u     /* what the tight spin may take: some hand-overs' length */
#define TIGHT_LOOKS_MIN 8u /* where a hint is very slow, a few looks all the same */
#define TIGHT_LOOKS_MAX 100u
#define LOOK_EVERY_NS 8u /* hints shorter than this are bunched up between two looks */
#define RELAXES_MAX 10u
#define RELAX_SAMPLE 256u
#define NAME_SHOWN 32
#define TRIES 3 /* a trial disturbed by a preemption gets another chance */

const struct xsc_mechanism *const xsc_mechanisms[XSC_N_MECHANISMS] = {
#define XSC_ENTRY(id, traits) &xsc_mech_##id,
    XSC_MECHANISMS(XSC_ENTRY)
#undef XSC_ENTRY
};

_Static_assert(XSC_N_MECHANISMS <= XSC_MAX_MECHANISMS, "the table outgrew the engine");

const char *xsc_state_name(uint32_t state)
{
    static const char *const names[] = {"CANDIDATE", "VALIDATING", "ACTIVE", "DEGRADED", "FAILED"};

    return state < sizeof(names) / sizeof(names[0]) ? names[state] : "?";
}

/* ---------------------------------------------------------------- the manager's lock ---- */

/*
 * The lock word holds the owner's process, by a number that is not its pid: parent and child
 * may both be 1 of a pid namespace. A forked child inherits it taken by a thread
 * that does not exist in the child: the owner is then another process, and the child takes
 * it over, by compare-and-swap, so that of two of its threads one wins. Never waited for.
 */
bool xsc_manager_lock(struct xsc_engine *e)
{
    const uint64_t me = xsc_port_process();
    uint64_t owner = 0;

    do {
        if (__atomic_compare_exchange_n(&e->manager, &owner, me, false, XSC_CAS_ACQUIRE)) {
            return true;
        }
    } while (owner != me); /* owner was reloaded: try to take it from the other process */
    return false;
}

void xsc_manager_unlock(struct xsc_engine *e)
{
    __atomic_store_n(&e->manager, 0, __ATOMIC_RELEASE);
}

/* ------------------------------------------------------------------- names and states ---- */

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool same_name(const char *a, const char *b)
{
    for (; *a && lower(*a) == lower(*b); a++, b++) {
    }
    return lower(*a) == lower(*b);
}

int xsc_engine_find(const struct xsc_engine *e, const char *name)
{
    for (uint32_t i = 0; i < e->n_mechs; i++) {
        if (same_name(name, e->table[i]->name)) {
            return (int)i;
        }
    }
    return -1;
}

void xsc_say(struct xsc_sentence *s, const char *a, const char *b)
{
    const uint32_t other = (__atomic_load_n(&s->now, __ATOMIC_RELAXED) + 1) & 1;
    struct xsc_text t = xsc_text_in(s->half[other], XSC_REASON_SIZE);

    xsc_text_put(&t, a);
    xsc_text_put(&t, b);
    __atomic_store_n(&s->now, other, __ATOMIC_RELEASE);
}

void xsc_set_state(struct xsc_mech_state *s, enum xsc_state state, const char *reason)
{
    xsc_say(&s->reason, reason, "");
    __atomic_store_n(&s->state, state, __ATOMIC_RELEASE);
}

/* ------------------------------------------------------------------------- the facts ---- */

/* What one relax hint takes, best of a few runs: a preemption only ever adds. */
static void measure_relax(struct xsc_engine *e)
{
    uint64_t best = UINT64_MAX;

    for (int run = 0; run < 5; run++) {
        const uint64_t start = e->clock.ticks();

        for (uint32_t i = 0; i < RELAX_SAMPLE; i++) {
            xsc_arch_relax();
        }
        const uint64_t ns = xsc_elapsed_ns(&e->clock, start, e->clock.ticks());

        best = ns < best ? ns : best;
    }
    e->relax_ps = best * 1000 / RELAX_SAMPLE;

    const uint64_t look_ps = e->relax_ps + 1000; /* a look is a nanosecond or so */
    const uint64_t looks = TIGHT_NS * 1000ull / look_ps;
    const uint64_t hints = LOOK_EVERY_NS * 1000ull / (e->relax_ps + 1);

    e->tight_looks = (uint32_t)(looks > TIGHT_LOOKS_MAX   ? TIGHT_LOOKS_MAX
                                : looks < TIGHT_LOOKS_MIN ? TIGHT_LOOKS_MIN
                                                          : looks);
    e->ctx.relaxes_per_look = (uint32_t)(hints > RELAXES_MAX ? RELAXES_MAX : hints < 1 ? 1 : hints);
}

static void find_facts(struct xsc_engine *e)
{
    struct xsc_clock_sources sources;

    e->by_name = 0;
    e->cpu = (struct xsc_cpu){0};
    xsc_port_cpu(&e->cpu);
    xsc_port_clocks(&sources);
    xsc_clock_init(&e->clock, &e->cpu, &sources);
    e->ctx.cpu = &e->cpu;
    e->ctx.clock = &e->clock;
    e->ctx.relaxes_per_look = 1;
    /* Deadlines in ticks of a counter that is not used after all would mean nothing. */
    e->cpu.counter_trusted = e->clock.hardware;
    measure_relax(e);

    for (uint32_t i = 0; i < e->n_mechs; i++) {
        const char *why = "";

        e->mech[i].mech = e->table[i];
        switch (e->table[i]->detect(&e->cpu, &why)) {
        case XSC_ABSENT:
            xsc_set_state(&e->mech[i], XSC_STATE_FAILED, why);
            break;
        case XSC_UNCERTAIN:
            e->mech[i].uncertain = true;
            xsc_set_state(&e->mech[i], XSC_STATE_CANDIDATE, why);
            break;
        case XSC_PRESENT:
            xsc_set_state(&e->mech[i], XSC_STATE_CANDIDATE, "not tried yet");
            break;
        }
    }
}

/* ----------------------------------------------------------------------------- trying ---- */

/*
 * Health's idea of late, by what the trial saw: half of what any mechanism is granted, and
 * four times what this one takes. A mechanism that yields the CPU returns when the scheduler runs
 * it.
 */
static uint64_t late_after(const struct xsc_mech_state *s, const struct xsc_limits *limits)
{
    if (s->mech->traits & XSC_LEAVES_CPU) {
        return UINT64_MAX;
    }
    return xsc_overshoot_limit(s->mech, limits) / 2 + 4 * s->trial.overshoot.p50;
}

void xsc_validate(struct xsc_engine *e, struct xsc_mech_state *s, const struct xsc_trial_plan *plan)
{
    char text[XSC_REASON_SIZE];
    enum xsc_verdict v = XSC_BROKEN;

    xsc_set_state(s, XSC_STATE_VALIDATING, "being tried");
    /*
     * A mechanism that works passes a whole trial without a miss; one disturbed by a
     * preemption gets two more chances to. A fault won't go away.
     */
    const uint64_t start = xsc_port_now_ns();

    for (int try = 0; try < TRIES; try++) {
        xsc_trial_run(s->mech, &e->ctx, plan, &e->scratch, &s->trial);
        s->tried = true;
        v = xsc_trial_judge(s->mech, &s->trial, e->limits, text, sizeof(text));
        if (s->trial.fault || v == XSC_GOOD || v == XSC_NO_SLEEP || v == XSC_UNPROVEN ||
            xsc_port_now_ns() - start >= plan->again_ns) {
            break;
        }
    }
    s->verdict = v;
    s->bad_intervals = 0;
    __atomic_store_n(&s->late_ns, late_after(s, e->limits), __ATOMIC_RELAXED);
    if (v == XSC_UNPROVEN) {
        xsc_setback(s, xsc_port_now_ns());
    }
    if (v == XSC_GOOD && s->mech->traits & XSC_NEEDS_WAKE) {
        struct xsc_text t = xsc_text_in(text, sizeof(text));

        xsc_text_put(&t, "passed, for writers that send an event: not used for plain stores");
    }
    xsc_set_state(s,
                  v == XSC_BROKEN || v == XSC_SLOW ? XSC_STATE_FAILED
                  : v == XSC_UNPROVEN              ? XSC_STATE_CANDIDATE
                                                   : XSC_STATE_ACTIVE,
                  text);
}

void xsc_setback(struct xsc_mech_state *s, uint64_t now_ns)
{
    const uint64_t quiet = XSC_QUIET_NS << (s->setbacks < 8 ? s->setbacks : 8);

    s->setbacks++;
    s->quiet_until_ns = now_ns + (quiet < XSC_QUIET_MAX_NS ? quiet : XSC_QUIET_MAX_NS);
}

bool xsc_engine_try(struct xsc_engine *e, uint32_t index, const struct xsc_trial_plan *plan)
{
    struct xsc_mech_state *s = &e->mech[index];
    const char *why = "";

    if (!xsc_manager_lock(e)) {
        return false;
    }
    if (s->mech->detect(&e->cpu, &why) != XSC_ABSENT) {
        const uint32_t choice = __atomic_load_n(&e->chosen, __ATOMIC_RELAXED);
        char text[XSC_REASON_SIZE];

        xsc_validate(e, s, plan);
        if (choice && index == XSC_PRIMARY(choice) && index != XSC_FALLBACK(choice) &&
            (s->verdict == XSC_BROKEN || s->verdict == XSC_SLOW)) {
            struct xsc_text t = xsc_text_in(text, sizeof(text));

            xsc_text_put(&t, xsc_reason(s));
            xsc_roll_back(e, xsc_port_now_ns(), text);
        }
    }
    xsc_manager_unlock(e);
    return true;
}

/* --------------------------------------------------------------------------- choosing ---- */

/* Can be waited with at all: there, and does not fault or lose wake-ups when tried. */
static bool usable(struct xsc_engine *e, uint32_t i)
{
    struct xsc_mech_state *s = &e->mech[i];
    const char *why = "";

    if (s->mech->detect(&e->cpu, &why) == XSC_ABSENT) {
        return false;
    }
    if (s->mech->traits & XSC_NEEDS_WAKE) {
        xsc_set_state(s, XSC_STATE_FAILED,
                      "ends only for writers that send an event: for locks, "
                      "not for a plain store");
        return false;
    }
    xsc_validate(e, s, e->plan);
    if (s->verdict == XSC_BROKEN) {
        return false;
    }
    if (__atomic_load_n(&s->state, __ATOMIC_RELAXED) == XSC_STATE_FAILED) {
        xsc_set_state(s, XSC_STATE_ACTIVE, "used because it was asked for, over a limit as it is");
    }
    return true;
}

static bool lone_cpu(const struct xsc_engine *e)
{
    return __atomic_load_n(&e->cpu.cpus, __ATOMIC_RELAXED) == 1;
}

/* Has passed its trial, and has not been rolled back since. */
static bool in_order(const struct xsc_mech_state *s)
{
    return xsc_fit(s) && __atomic_load_n(&s->state, __ATOMIC_RELAXED) != XSC_STATE_FAILED;
}

/*
 * The fallback is the first that only polls: it needs nothing but coherent memory. With one
 * CPU to run on it must leave that CPU, too. It is validated for the record but used regardless of
 * the result.
 */
static uint32_t find_fallback(struct xsc_engine *e)
{
    const uint32_t must = XSC_POLL | (lone_cpu(e) ? (uint32_t)XSC_LEAVES_CPU : 0);
    uint32_t last = e->n_mechs - 1;

    for (uint32_t i = 0; i < e->n_mechs; i++) {
        struct xsc_mech_state *s = &e->mech[i];

        if ((s->mech->traits & must) == must && !(s->mech->traits & XSC_MAY_FAULT)) {
            if (!in_order(s)) {
                xsc_validate(e, s, e->plan);
            }
            if (xsc_fit(s)) {
                return i;
            }
            last = i;
        }
    }
    xsc_set_state(&e->mech[last], XSC_STATE_ACTIVE, "the last resort: nothing here passed");
    return last;
}

/* The best that proves itself, before the fallback in order of preference; else that. */
static uint32_t find_primary(struct xsc_engine *e, uint32_t fallback)
{
    if (lone_cpu(e) && e->mech[fallback].mech->traits & XSC_LEAVES_CPU) {
        xsc_say(&e->choice_reason, "one CPU to run on: whoever wakes us needs it", "");
        return fallback;
    }
    for (uint32_t i = 0; i < fallback; i++) {
        struct xsc_mech_state *s = &e->mech[i];

        if (s->mech->traits & XSC_NEEDS_WAKE || s->uncertain) {
            continue;
        }
        if (__atomic_load_n(&s->state, __ATOMIC_RELAXED) == XSC_STATE_CANDIDATE) {
            xsc_validate(e, s, e->plan);
        }
        if (in_order(s)) {
            xsc_say(&e->choice_reason, "the best here that passed its trial", "");
            return i;
        }
    }
    xsc_say(&e->choice_reason, "nothing better here passed", "");
    return fallback;
}

/* As asked, where that can be had. */
static enum xsc_chose choose_asked(struct xsc_engine *e, const char *asked, uint32_t *primary)
{
    const int i = xsc_engine_find(e, asked);

    if (i < 0) {
        return XSC_CHOSE_UNKNOWN;
    }
    if (!usable(e, (uint32_t)i)) {
        return XSC_CHOSE_OTHER;
    }
    xsc_say(&e->choice_reason, "asked for by name", "");
    e->by_name = (uint32_t)i + 1;
    *primary = (uint32_t)i;
    return XSC_CHOSE;
}

/* A name from outside, for a terminal: printable ASCII, and no more of it than a name has. */
static void put_name(struct xsc_text *t, const char *name)
{
    for (int i = 0; name[i] && i < NAME_SHOWN; i++) {
        const char c[2] = {name[i] >= ' ' && name[i] <= '~' ? name[i] : '?', '\0'};

        xsc_text_put(t, c);
    }
}

static void refuse(enum xsc_chose chose, struct xsc_engine *e, const char *asked, uint32_t primary)
{
    char line[XSC_REASON_SIZE + 64];
    struct xsc_text t = xsc_text_in(e->refusal, sizeof(e->refusal));

    e->asked_refused = true;
    xsc_text_put(&t, "\"");
    put_name(&t, asked);
    if (chose == XSC_CHOSE_UNKNOWN) {
        xsc_text_put(&t, "\" is not known here; known are");
        for (uint32_t i = 0; i < e->n_mechs; i++) {
            xsc_text_put(&t, i ? ", " : " ");
            xsc_text_put(&t, e->mech[i].mech->name);
        }
    } else {
        xsc_text_put(&t, "\" can't be used: ");
        xsc_text_put(&t, xsc_reason(&e->mech[xsc_engine_find(e, asked)]));
    }
    t = xsc_text_in(line, sizeof(line));
    xsc_text_put(&t, "xsc-wait: mechanism ");
    xsc_text_put(&t, e->refusal);
    xsc_text_put(&t, "; using ");
    xsc_text_put(&t, e->mech[primary].mech->name);
    xsc_port_say(line);
}

void xsc_engine_cpus(struct xsc_engine *e, uint32_t cpus)
{
    const uint32_t before = __atomic_load_n(&e->cpu.cpus, __ATOMIC_RELAXED);

    if (cpus == before || !__atomic_load_n(&e->chosen, __ATOMIC_ACQUIRE) || !xsc_manager_lock(e)) {
        return;
    }
    __atomic_store_n(&e->cpu.cpus, cpus, __ATOMIC_RELAXED);
    if ((cpus == 1) != (before == 1)) {
        const uint32_t fallback = find_fallback(e);
        const uint32_t primary = e->by_name ? e->by_name - 1 : find_primary(e, fallback);

        __atomic_store_n(&e->chosen, XSC_CHOICE(primary, fallback), __ATOMIC_RELEASE);
    }
    xsc_manager_unlock(e);
}

/* Result for a request made after the choice. */
static enum xsc_chose earlier_choice(const struct xsc_engine *e, uint32_t choice, const char *asked)
{
    const int i = asked ? xsc_engine_find(e, asked) : (int)XSC_PRIMARY(choice);

    if (i < 0) {
        return XSC_CHOSE_UNKNOWN;
    }
    if (i == (int)XSC_PRIMARY(choice)) {
        return XSC_CHOSE;
    }
    return __atomic_load_n(&e->mech[i].state, __ATOMIC_ACQUIRE) == XSC_STATE_FAILED
               ? XSC_CHOSE_OTHER
               : XSC_CHOSE_EARLIER;
}

void xsc_engine_defaults(struct xsc_engine *e)
{
    e->limits = e->limits ? e->limits : &xsc_default_limits;
    e->plan = e->plan ? e->plan : &xsc_short_plan;
    e->health_ns = e->health_ns ? e->health_ns : XSC_HEALTH_NS;
    if (!e->table) {
        e->table = xsc_mechanisms;
        e->n_mechs = XSC_N_MECHANISMS;
    }
}

enum xsc_chose xsc_engine_choose(struct xsc_engine *e, const char *asked)
{
    enum xsc_chose result = XSC_CHOSE;
    uint32_t choice = __atomic_load_n(&e->chosen, __ATOMIC_ACQUIRE);

    if (!choice && !xsc_manager_lock(e)) {
        choice = __atomic_load_n(&e->chosen, __ATOMIC_ACQUIRE);
        if (!choice) {
            return XSC_CHOSE_BUSY;
        }
    } else if (!choice) {
        choice = __atomic_load_n(&e->chosen, __ATOMIC_ACQUIRE);
        if (choice) { /* made between our look and our lock */
            xsc_manager_unlock(e);
        }
    }
    if (choice) {
        return earlier_choice(e, choice, asked);
    }

    xsc_engine_defaults(e);
    find_facts(e);
    const uint32_t fallback = find_fallback(e);
    uint32_t primary = fallback;

    if (asked) {
        result = choose_asked(e, asked, &primary);
    }
    if (!asked || result != XSC_CHOSE) {
        primary = find_primary(e, fallback);
    }
    if (result != XSC_CHOSE) {
        refuse(result, e, asked, primary);
    }
    /* Release: a thread that sees the choice sees the facts, the clock and the states behind it. */
    __atomic_store_n(&e->chosen, XSC_CHOICE(primary, fallback), __ATOMIC_RELEASE);
    xsc_manager_unlock(e);
    return result;
}
