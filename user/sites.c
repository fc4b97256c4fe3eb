/* SPDX-License-Identifier: MIT */
/*
 * The sites of this process, and which thread may touch them when.
 *
 * A wait that ended leaves a record at its site; a later one learns from it. A record's state
 * goes EMPTY -> WRITING -> FULL -> LEARNING -> EMPTY, each step by one thread:
 *
 *     EMPTY -> WRITING     compare-and-swap, acquire: sees what the learner has read
 *     WRITING -> FULL      store, release: publishes the record
 *     FULL -> LEARNING     by the holder of `learning` only; acquire: sees the record
 *     LEARNING -> EMPTY    store, release
 *
 * No thread waits for another: where the state is not EMPTY, or `learning` is held, a record is
 * dropped or learned from later. So all of this is safe in signal handlers.
 *
 * FORK. The child has the state of what its parent's threads were doing, and not those threads. So
 * WRITING and LEARNING carry the number of the process whose thread does it, and so does `learning`
 * (xsc_port_process()): those of another process are EMPTY, and not held. FULL is a record of the
 * parent's, as good as any. A policy that was being changed is one step old in part; its `busy` is
 * taken off by the next to hold `learning` and the record, for no other thread changes it.
 */
#define _GNU_SOURCE
#include "user/sites.h"

#include <xsc/park.h>

#include <xsc/cas.h>

#include "core/port.h"
#include "user/costs.h"

#define XSC_SITES 16u
#define PLACE_BITS 8

/* The first sleeps of a site are all timed, then one in 8, and after so many one in 64. */
#define TIMED_FIRST 16
#define TIMED_OFTEN 256

enum record_state { EMPTY, WRITING, FULL, LEARNING, STATES };

struct xsc_live_site {
    struct xsc_policy site;
    uint32_t state; /* of the record: enum record_state, and STATES times the process's number */
    uint32_t sleeps;
    struct xsc_evidence seen;
    struct xsc_costs costs; /* in force here; of weight 0: not yet */
    struct xsc_plan plan;   /* the record */
    struct xsc_outcome was;
};

_Static_assert(sizeof(struct xsc_live_site) <= sizeof(struct xsc_site),
               "xsc/park.h's is too small");

static struct xsc_live_site sites[XSC_SITES];
static struct xsc_policy_scratch scratch; /* the holder's of `learning` */
static uint64_t learning;                 /* the process of which a thread does so; 0: none does */

/*
 * A site has 1.5 KB, so there are few; a word's first wait takes the next one that is free, and only
 * when all are taken do words share. place[] says which word has which: 0, none yet, or the
 * site's index plus 1. Two first waits at one place may take a site each: the later store counts, and
 * the other site is not used again.
 */
static uint8_t place[1u << PLACE_BITS];
static uint32_t taken;

static struct xsc_live_site *site_of(const volatile void *word)
{
    /* Fibonacci hashing, of what differs between neighbouring words. */
    const uint32_t at = (uint32_t)(((uint64_t)(uintptr_t)word * 0x9e3779b97f4a7c15u) >>
                                   (64 - PLACE_BITS));
    uint32_t site = __atomic_load_n(&place[at], __ATOMIC_RELAXED);

    if (!site) {
        site = __atomic_load_n(&taken, __ATOMIC_RELAXED);
        if (site < XSC_SITES) {
            site = __atomic_fetch_add(&taken, 1, __ATOMIC_RELAXED);
        }
        site = (site < XSC_SITES ? site : at % XSC_SITES) + 1;
        __atomic_store_n(&place[at], (uint8_t)site, __ATOMIC_RELAXED);
    }
    return &sites[site - 1];
}

/* ------------------------------------------------------------------------ the lock ---- */

static bool try_learning(void)
{
    const uint64_t me = xsc_port_process();
    uint64_t holder = __atomic_load_n(&learning, __ATOMIC_RELAXED);

    return holder != me &&
           __atomic_compare_exchange_n(&learning, &holder, me, false, XSC_CAS_SEQ_CST);
}

/* The record's state in this process: what another process's thread was doing is not being done. */
static enum record_state state_now(uint32_t state, uint32_t me)
{
    const enum record_state s = (enum record_state)(state % STATES);

    return s == FULL || state / STATES == me ? s : EMPTY;
}

/* This process's number, as far as there is room for it. */
static uint32_t my_number(void)
{
    return (uint32_t)xsc_port_process() & (UINT32_MAX / STATES);
}

bool xsc_sites_measure(void)
{
    if (!try_learning()) {
        return false;
    }
    xsc_costs_refresh();
    __atomic_store_n(&learning, 0, __ATOMIC_RELEASE);
    return true;
}

/* ------------------------------------------------------------------------ one wait ---- */

struct xsc_stay xsc_stay_begin(const volatile void *word, struct xsc_site *own, uint32_t doze_ns,
                               uint64_t timeout_ns, bool crowded)
{
    /* All zeroes is a new one, and only this file looks into it. */
    struct xsc_live_site *site = own ? (struct xsc_live_site *)(void *)own : site_of(word);
    struct xsc_costs costs = xsc_costs_load(&site->costs);

    if (!costs.weight) {
        xsc_costs_read(&costs);
        costs.doze_ns = doze_ns;
    }
    return (struct xsc_stay){site, xsc_policy_plan(&site->site, &costs, timeout_ns, crowded),
                             doze_ns, timeout_ns};
}

void xsc_stay_learn(struct xsc_stay *stay)
{
    struct xsc_live_site *s = stay->site;
    const bool new = !__atomic_load_n(&s->costs.weight, __ATOMIC_RELAXED);
    uint32_t was = __atomic_load_n(&s->state, __ATOMIC_RELAXED);

    if (!new &&was % STATES != FULL) {
        return;
    }
    if (!try_learning()) {
        return;
    }
    xsc_costs_refresh();
    __atomic_store_n(&s->site.busy, 0, __ATOMIC_RELAXED); /* ours: else an ancestor's, cut off */
    if (xsc_costs_settle(&s->seen, stay->doze_ns, &s->costs)) {
        xsc_policy_costs_changed(&s->site);
    }
    was = __atomic_load_n(&s->state, __ATOMIC_RELAXED);
    if (was % STATES == FULL &&
        __atomic_compare_exchange_n(&s->state, &was, my_number() * STATES + LEARNING, false,
                                    XSC_CAS_SEQ_CST)) {
        xsc_policy_learn(&s->site, &s->costs, &s->plan, &s->was, &scratch);
        __atomic_store_n(&s->state, EMPTY, __ATOMIC_RELEASE);
    }
    if (new) {
        stay->plan = xsc_policy_plan(&s->site, &s->costs, stay->timeout_ns, false);
    }
    __atomic_store_n(&learning, 0, __ATOMIC_RELEASE);
}

void xsc_stay_saw(const struct xsc_stay *stay, enum xsc_evidence_of what, uint64_t ns)
{
    xsc_costs_saw(&stay->site->seen, what, ns);
}

bool xsc_stay_times(const struct xsc_stay *stay)
{
    const uint32_t n = __atomic_add_fetch(&stay->site->sleeps, 1, __ATOMIC_RELAXED);

    return n <= TIMED_FIRST || n % (n < TIMED_OFTEN ? 8 : 64) == 0;
}

void xsc_stay_end(const struct xsc_stay *stay, const struct xsc_outcome *was)
{
    struct xsc_live_site *s = stay->site;
    const uint32_t me = my_number();
    uint32_t found = __atomic_load_n(&s->state, __ATOMIC_RELAXED);

    if (stay->plan.crowded || state_now(found, me) != EMPTY ||
        !__atomic_compare_exchange_n(&s->state, &found, me * STATES + WRITING, false,
                                     XSC_CAS_SEQ_CST)) {
        return;
    }
    s->plan = stay->plan;
    s->was = *was;
    s->was.timeout_ns = stay->timeout_ns;
    __atomic_store_n(&s->state, FULL, __ATOMIC_RELEASE);
}
