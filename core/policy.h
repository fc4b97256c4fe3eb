/* SPDX-License-Identifier: MIT */
/*
 * core/policy.h - how to spend a wait at this site, learned from its earlier waits
 *
 * WHAT IT IS
 *
 *     struct xsc_plan plan = xsc_policy_plan(&site, &costs, timeout_ns, crowded);
 *     ... wait as the plan says ...
 *     struct xsc_outcome was = {.ns = when it came, ...};
 *     xsc_policy_learn(&site, &costs, &plan, &was, &scratch);
 *
 * Pure arithmetic over the site's state (1.4 KB): no clock, no allocation, no floating
 * point, no operating system. The simulator runs this very code.
 *
 * What a plan is and what it costs: core/costs.h. docs/policy.md has the idea, the argument for the
 * bound below, and what was measured.
 *
 * WHAT IS PROMISED. With one thread at a time at a site, over any sequence of waits since it
 * was zeroed, an adversary's included, and whatever was learned: the cost is at most twice
 * that of watching every wait to its end, and at most twice that of parking at once in every
 * wait. Where waits end unmet (core/costs.h) it is that and the cost of two parks, once in the life of
 * the site; docs/policy.md shows why nothing can do without such a constant.
 * (Waits planned as crowded are outside this account: see below.) Threads that share a
 * site may lose each other's updates, hence lose exactness of that account, never its sanity.
 *
 * UNMET, AND NOT SEEN. A wait that timed out after c, or came back for another reason, tells that the
 * event takes longer than c, not that it came then. One that was found met after a nap tells that it
 * came at some time in the nap. Neither is taken for a wait of that length: it counts as one of the
 * waits that are known and could have been this one, each in turn, or of those that may be.
 *
 * CROWDED. Watching is wrong where the thread that is to wake us needs the CPU we watch on.
 * Then a plan leaves the CPU at once. The caller says so by `crowded` when it knows (one CPU
 * allowed or online; more runnable threads than CPUs), and by `starved` afterwards when it
 * finds out: the watch ended later than it was to by more than an interrupt takes (so there is more to
 * run than CPUs), or the waker ran on the waiter's own CPU as soon as the waiter had left it. A
 * site where a quarter of the recent watches were starved is taken to be crowded, but for every
 * 32nd wait, which finds out whether it still is; up to every 256th where it always was.
 */
#ifndef XSC_CORE_POLICY_H
#define XSC_CORE_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "core/costs.h"
#include "core/plan.h"
#include "core/spread.h"

/* ------------------------------------------------------------------------- the site ---- */

#define XSC_CLASSES 4
#define XSC_RECENT 64

/* Whose advice: learned from all waits, from those after one like the last, from the latest;
   or none of it: leave at once, or watch for as long as a park costs and then park. */
enum xsc_adviser { XSC_BY_ALL, XSC_BY_CLASS, XSC_BY_RECENT, XSC_AT_ONCE, XSC_SAFE, XSC_ADVISERS };

/* A learned plan, and the least that one wait under it can add to each account. */
struct xsc_learned {
    struct xsc_short_plan plan;
    uint32_t valid;
    int64_t least[2];
};

#define XSC_LEARNED (XSC_CLASSES + 2) /* all, each class, recent */

/*
 * Zeroed is new. All members are the policy's own. The first six are read and written by
 * any thread (relaxed atomics); the others by the one that has set busy.
 */
struct xsc_policy {
    uint32_t busy;              /* a thread is learning here: another's wait is not learned from */
    uint32_t adviser;           /* of the next wait: enum xsc_adviser + 1; 0: new */
    uint32_t starved;           /* share of starved watches, 65536 = all */
    uint32_t crowded;           /* waits until one watches all the same */
    uint32_t confirmed;         /* how often in a row that one starved, up to a limit */
    uint32_t brief_leave;       /* waits whose timeout ends within their watch leave at once */
    struct xsc_short_plan next; /* the adviser's plan, where it was learned; also atomic */
    uint32_t bounds[XSC_CLASSES - 1]; /* between the classes, codes */
    uint32_t last_class;              /* the class of the last wait */
    uint32_t waits;                   /* learned from; saturates */
    uint32_t due;                     /* which of learned[] is computed next */
    uint32_t since;                   /* waits since one was computed, */
    uint64_t spent;                   /* and their cost */
    int64_t account[2];          /* twice what watching, or parking, would have cost, less paid */
    uint64_t cost[XSC_ADVISERS]; /* decaying sum of what each adviser's plans would have cost */
    int64_t
        brief; /* the same, by how much watching to the end was dearer than to park at once, of */
               /* waits whose timeout ends within their watch */
    struct xsc_learned learned[XSC_LEARNED];
    struct xsc_distribution after[XSC_CLASSES]; /* waits that came after one of the class */
    uint32_t recent[XSC_RECENT];                /* the latest waits, codes, a ring */
};

/* What a wait has told. Times from its start. */
struct xsc_outcome {
    uint64_t ns;         /* when the event came; unmet: it had not come by then */
    uint64_t after_ns;   /* of meaning where `within` is set */
    uint64_t timeout_ns; /* of the wait, XSC_NEVER: none */
    bool unmet;          /* timed out, or came back for another reason */
    bool within;         /* it came later than after_ns, at ns at the latest: in a nap */
    bool starved;        /* as CROWDED above says */
};

/*
 * How to spend the next wait here, which ends after timeout_ns (XSC_NEVER: has none) in any case. A
 * few loads, branches and shifts; no lock.
 */
struct xsc_plan xsc_policy_plan(struct xsc_policy *site, const struct xsc_costs *costs,
                                uint64_t timeout_ns, bool crowded);

/*
 * What the wait under `plan` has told. 0.13 to 0.6 us a wait on a 2.6 GHz VM, the plans computed
 * again now and then included; may be called late, while the next wait is under way.
 */
void xsc_policy_learn(struct xsc_policy *site, const struct xsc_costs *costs,
                      const struct xsc_plan *plan, const struct xsc_outcome *was,
                      struct xsc_policy_scratch *scratch);

/*
 * The costs have been measured again: what was learned stays, the plans and what they were worth
 * are forgotten, and made again from the next wait learned. The accounts go on: each wait stands in
 * them at the costs of its time.
 */
void xsc_policy_costs_changed(struct xsc_policy *site);

#endif /* XSC_CORE_POLICY_H */
