/* SPDX-License-Identifier: MIT */
/*
 * core/mechanism.h - the mechanisms of this machine: found, tried, chosen, watched
 *
 * An engine is everything the library knows; a process (or a kernel) has one. Reading it
 * on the wait path costs one acquire load of `chosen`. Changing it (choosing, health) is
 * done by the thread that gets the manager's lock, on a slow wait or in xsc_init(); no thread ever
 * waits for that lock.
 */
#ifndef XSC_CORE_MECHANISM_H
#define XSC_CORE_MECHANISM_H

#include <stdbool.h>
#include <stdint.h>

#include "core/clock.h"
#include "core/cpu.h"
#include "core/stats.h"
#include "core/validate.h"
#include "mech/mech.h"

/*
 * CANDIDATE    known to the library; not tried on this machine yet
 * VALIDATING   being tried
 * ACTIVE       passed its trial: in use, or fit for it
 * DEGRADED     in use, and its last health interval was bad
 * FAILED       not there, or failed its trial, or rolled back: the reason says which
 */
enum xsc_state {
    XSC_STATE_CANDIDATE,
    XSC_STATE_VALIDATING,
    XSC_STATE_ACTIVE,
    XSC_STATE_DEGRADED,
    XSC_STATE_FAILED,
};

#define XSC_MAX_MECHANISMS 8
#define XSC_REASON_SIZE 160

/*
 * A sentence for people, that changes now and then. It is written into the half not in use, then
 * switched to, so a reader that takes its time to copy is safe unless it sleeps through two
 * changes. Written under the manager's lock.
 */
struct xsc_sentence {
    char half[2][XSC_REASON_SIZE];
    uint32_t now;
};

struct xsc_mech_state {
    const struct xsc_mechanism *mech;
    uint32_t state;   /* enum xsc_state; stored with release after the reason */
    uint32_t verdict; /* enum xsc_verdict, of the last trial */
    bool tried;       /* trial is filled in */
    bool uncertain;   /* no source says whether it is there: tried only by name */
    struct xsc_trial trial;

    /* Health. */
    uint64_t late_ns;        /* a slice that ends later than this is overslept */
    uint32_t bad_intervals;  /* in a row */
    uint32_t setbacks;       /* roll backs, and trials that could not be finished */
    uint64_t quiet_until_ns; /* after a setback: not tried again before this */

    struct xsc_sentence reason; /* why it is in that state */
};

/* The chosen pair, packed so that it is read and replaced whole. 0: nothing chosen yet. */
#define XSC_CHOICE(primary, fallback) (0x10000u | (uint32_t)(fallback) << 8 | (uint32_t)(primary))
#define XSC_PRIMARY(choice) ((choice)&0xffu)
#define XSC_FALLBACK(choice) ((choice) >> 8 & 0xffu)

struct xsc_health_mark {
    uint64_t next_ns;         /* when the running interval ends; 0: none runs */
    struct xsc_counts before; /* the counts when it began */
    struct xsc_counts grown;  /* by how much they grew, while it is judged: not on the stack */
};

struct xsc_engine {
    uint32_t chosen;      /* XSC_CHOICE; stored with release once all below is ready */
    uint64_t manager;     /* xsc_port_process() of the lock's holder; 0: free */
    uint32_t tight_looks; /* looks of the tight spin: about a microsecond of relax hints */
    struct xsc_cpu cpu;
    struct xsc_clock clock;
    struct xsc_mech_ctx ctx;
    uint64_t relax_ps; /* one relax hint, in picoseconds, as measured */

    const struct xsc_limits *limits;
    const struct xsc_trial_plan *plan; /* the short one */
    uint64_t health_ns;                /* length of a health interval */

    const struct xsc_mechanism *const *table; /* best first */
    uint32_t n_mechs;
    uint32_t by_name;   /* index + 1 of the mechanism in use because it was asked for; 0: none */
    uint32_t naps;      /* waits that get long may nap: see core/wait.c; relaxed */
    bool asked_refused; /* a mechanism was asked for by name and is unavailable */
    struct xsc_mech_state mech[XSC_MAX_MECHANISMS];
    struct xsc_sentence choice_reason; /* why the primary is the primary */
    char refusal[XSC_REASON_SIZE];     /* why what was asked for was refused */

    struct xsc_health_mark health;
    struct xsc_stats_table stats;
    struct xsc_trial_scratch scratch;
};

/* Every mechanism of this architecture, best first. */
#define XSC_COUNT_ONE(id, traits) +1
#define XSC_N_MECHANISMS (0 XSC_MECHANISMS(XSC_COUNT_ONE))
extern const struct xsc_mechanism *const xsc_mechanisms[XSC_N_MECHANISMS];

/*
 * An engine starts out as zeroes, in memory that costs a program nothing until its first
 * slow wait. This fills in what is still unset of limits, plan, health_ns, table and n_mechs;
 * xsc_engine_choose() calls it first.
 */
void xsc_engine_defaults(struct xsc_engine *e);

/* ------------------------------------------------------------------------- choosing ---- */

enum xsc_chose {
    XSC_CHOSE,         /* a choice is in place, and it is what was asked for, if anything was */
    XSC_CHOSE_OTHER,   /* in place, but the one asked for is unavailable: its reason says why */
    XSC_CHOSE_UNKNOWN, /* in place, but there is no mechanism of that name */
    XSC_CHOSE_EARLIER, /* made before this call, and it is another than the one asked for */
    XSC_CHOSE_BUSY,    /* being made by another thread, or by the one we have interrupted */
};

/*
 * Finds the CPU's facts, calibrates, tries mechanisms in order of preference and settles on
 * primary and fallback. asked: a mechanism's name in any case, or NULL for the best.
 */
enum xsc_chose xsc_engine_choose(struct xsc_engine *e, const char *asked);

/*
 * Tries one mechanism, as the probe does; its state and trial are updated, and where the
 * primary turns out unfit the fallback takes its place. False: busy.
 */
bool xsc_engine_try(struct xsc_engine *e, uint32_t index, const struct xsc_trial_plan *plan);

/*
 * Sets the number of CPUs that this process may run on; 0: not known. Where it becomes 1, or is no
 * longer 1, primary and fallback are chosen again: with one CPU, a waiter must leave it to the
 * writer. Does nothing while another has the manager's lock: call it again later.
 */
void xsc_engine_cpus(struct xsc_engine *e, uint32_t cpus);

/* The mechanism of that name, in any case; -1 where there is none. */
int xsc_engine_find(const struct xsc_engine *e, const char *name);

/* "CANDIDATE", ... */
const char *xsc_state_name(uint32_t state);

/* ------------------------------------------------------------- for the core's files ---- */

bool xsc_manager_lock(struct xsc_engine *e);
void xsc_manager_unlock(struct xsc_engine *e);

/* Sets the reason, then the state. */
void xsc_set_state(struct xsc_mech_state *s, enum xsc_state state, const char *reason);

/* Says a, then b, from now on. */
void xsc_say(struct xsc_sentence *s, const char *a, const char *b);

/* What is said now. */
static inline const char *xsc_said(const struct xsc_sentence *s)
{
    return s->half[__atomic_load_n(&s->now, __ATOMIC_ACQUIRE) & 1];
}

static inline const char *xsc_reason(const struct xsc_mech_state *s)
{
    return xsc_said(&s->reason);
}

/* Puts the fallback in the primary's place, FAILED for the reason given. */
void xsc_roll_back(struct xsc_engine *e, uint64_t now_ns, const char *reason);

/* Tries s and sets its state by the verdict. The manager's lock is held. */
void xsc_validate(struct xsc_engine *e, struct xsc_mech_state *s,
                  const struct xsc_trial_plan *plan);

/* Notes one more setback, and with it a quiet time that doubles with each. */
void xsc_setback(struct xsc_mech_state *s, uint64_t now_ns);

/* Whether its last trial makes it fit to be chosen without being asked for. */
static inline bool xsc_fit(const struct xsc_mech_state *s)
{
    return s->tried && s->verdict == XSC_GOOD && !(s->mech->traits & XSC_NEEDS_WAKE);
}

#endif /* XSC_CORE_MECHANISM_H */
