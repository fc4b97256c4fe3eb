/* SPDX-License-Identifier: MIT */
/*
 * A wait that may leave the CPU, top to bottom:
 *
 *     look once; timeout 0: done
 *     tight spin, about 1 us         unless the plan leaves the CPU before that
 *     learn from the site's last wait
 *     watch                          as long as the plan says
 *     nap, watch again               where the plan knows when the event is due
 *     sleep                          until it is woken
 *     leave a record for the site
 *
 * A nap is a sleep with an earlier deadline: the writer's unpark ends it, and so it is never worse
 * than the policy takes it to be. For a plain word, whose writer wakes no thread, the nap lasts as
 * long as it was planned, and the sleep is dozing: nap after nap, longer ones in a longer wait,
 * with a look after each. What ended in the tight spin leaves no record: no plan could have been
 * better.
 *
 * WHAT A RECORD SAYS. The time from the start to the event. If the thread was watching, the time at
 * which it saw the store; if it slept, its waker's stamp, or (a waker in another process, a word that
 * shares its stamp) the time it ran again less what waking takes. If it dozed: between which two looks
 * the store came. If the wait timed out, or the sleep ended for another reason than the event: that it
 * had not come by then.
 *
 * STARVED. Back from a watch much later than its end: it had lost its CPU, with or without the event
 * there, which is the sign of more runnable threads than CPUs, of which watching keeps one from running.
 * Or watched without success, slept, and woken at once by a thread on the CPU that had just become
 * free: it had been ready to run, and we were occupying its CPU. A later wake proves nothing: if we
 * had watched on, the waker might have run elsewhere; it may have come to this CPU because we left
 * it.
 *
 * CROWDED. One CPU; or more threads of this process watching than there are CPUs. The waker
 * needs one, so we leave ours at once. A child that is forked meanwhile does not count its
 * parent's watchers: see user/process.h.
 */
#define _GNU_SOURCE
#include <errno.h>

#include <xsc/park.h>

#include "core/port.h"
#include "core/wait.h"
#include "core/watch.h"
#include "user/costs.h"
#include "user/cpus.h"
#include "user/library.h"
#include "user/park.h"
#include "user/process.h"
#include "user/sites.h"
#include "user/sleep.h"

#define SPIN_NS 1000u         /* the tight spin, about */
#define SPIN_TIMEOUT_NS 4000u /* a timeout this short would notice it */
#define STARVED_NS 500000u    /* shorter than a time slice, longer than any interrupt */
#define DOZE_NS 200000u       /* the first nap of a doze; the others: core/costs.h */
#define LATE_NAP_NS 20000u    /* a nap that would begin this late after its end is none, */
#define SHORTEST_NAP_NS 200u  /* and the kernel is not asked for less */
#define READY_NS 5000u        /* a thread that wakes us so soon had been ready, but for a CPU */

/* ------------------------------------------------------------------------- the stamps ---- */

/*
 * When a word was last unparked, by the OS clock, and on which CPU: a hint and no more. In one number,
 * so that both are of the same wake: the time's lowest 52 bits, which come round in 52 days, and the
 * CPU's number plus 1, 0 for one that is not known or above 4094.
 */
#define STAMP_CPU_BITS 12
#define STAMP_CPUS ((1u << STAMP_CPU_BITS) - 1)

static uint64_t woken[XSC_PARK_BUCKETS];

void xsc_stamp_wake(const volatile void *word)
{
    const int cpu = xsc_this_cpu();
    const uint64_t known = cpu >= 0 && cpu < (int)STAMP_CPUS ? (uint64_t)cpu + 1 : 0;

    __atomic_store_n(&woken[xsc_park_bucket(word)], xsc_port_now_ns() << STAMP_CPU_BITS | known,
                     __ATOMIC_RELAXED);
}

static uint64_t stamp_ns(uint64_t stamp, uint64_t now_ns)
{
    return now_ns - ((now_ns - (stamp >> STAMP_CPU_BITS)) & (UINT64_MAX >> STAMP_CPU_BITS));
}

static int stamp_cpu(uint64_t stamp)
{
    return (int)(stamp & STAMP_CPUS) - 1;
}

/* ------------------------------------------------------------------------ one wait ---- */

struct stay {
    const struct xsc_watch *watch;
    xsc_sleep_fn *sleep; /* NULL: a plain word */
    void *arg;
    struct xsc_stay site;
    uint64_t start_ns, deadline_ns;
    bool watched, slept;
    bool in_the_way; /* the waker ran as soon as we had left it our CPU */
    bool lost_cpu;   /* while it watched */
    struct xsc_outcome was;
};

static uint32_t watching; /* threads, now: user/process.h */

/* Where the number of CPUs is not known, neither is a crowd. */
static bool crowded(void)
{
    const uint32_t cpus = xsc_cpus();

    return cpus == 1 || (cpus && xsc_heads(&watching) >= cpus);
}

/* Until `end_ns` after the start. True: met, and *ns is when. */
static bool watch_until(struct stay *s, uint64_t from_ns, uint64_t end_ns, uint64_t *ns)
{
    struct xsc_watching how = {.asked = xsc_set_up_by_environment, .again = s->watched, .n = 1};
    const uint32_t generation = xsc_generation();

    xsc_heads_enter(&watching, generation);
    const bool met = xsc_core_watch(&xsc_library, s->watch, end_ns - from_ns, &how) == XSC_MET;

    xsc_heads_leave(&watching, generation);
    s->watched = true;
    *ns = from_ns + how.took_ns;
    s->lost_cpu |= *ns > end_ns + STARVED_NS;
    return met;
}

/* *from_ns: when the last nap began. */
static bool doze(const struct xsc_watch *w, bool nap, uint64_t until_ns, uint64_t *from_ns)
{
    static const uint32_t never;
    const uint64_t start_ns = xsc_port_now_ns();
    uint64_t now_ns = start_ns, refused_ns = 0;

    do {
        const uint64_t ns = xsc_doze_nap(DOZE_NS, now_ns - start_ns);

        *from_ns = now_ns;
        const uint64_t end_ns = nap || now_ns + ns > until_ns ? until_ns : now_ns + ns;

        xsc_nap_if_refused(xsc_sleep(&never, 0, 1, end_ns, false), &refused_ns, end_ns);
        now_ns = xsc_port_now_ns();
        if (xsc_watch_met(w)) {
            return true;
        }
    } while (now_ns < until_ns);
    return false;
}

/* Sleeps until until_ns of the OS clock at most, and learns from it what sleeping costs. */
static bool sleep_until(struct stay *s, uint64_t until_ns, uint64_t *ns)
{
    const uint32_t b = xsc_park_bucket(s->watch->word);
    const bool nap = until_ns < s->deadline_ns;
    const bool timed = (nap || s->sleep) && xsc_stay_times(&s->site);

    xsc_port_recheck(xsc_port_now_ns());
    const uint64_t cpu_before = timed ? xsc_port_cpu_ns() : 0;
    const int here = xsc_this_cpu();
    const uint64_t asleep_ns = xsc_port_now_ns();
    uint64_t dozed_ns;

    s->slept = true;
    const bool met = s->sleep ? s->sleep(s->arg, until_ns)
                              : doze(s->watch, nap, until_ns, &dozed_ns);
    const uint64_t now_ns = xsc_port_now_ns();
    const uint64_t last = __atomic_load_n(&woken[b], __ATOMIC_RELAXED);
    const uint64_t stamp = stamp_ns(last, now_ns);
    struct xsc_costs costs;

    if (timed) {
        xsc_stay_saw(&s->site, nap ? XSC_NAP_CPU : XSC_PARK_CPU, xsc_port_cpu_ns() - cpu_before);
    }
    if (nap && now_ns >= until_ns && asleep_ns < until_ns) {
        xsc_stay_saw(&s->site, XSC_NAP_LATE, now_ns - until_ns);
    }
    if (!met) {
        *ns = now_ns - s->start_ns;
        return false;
    }
    if (!s->sleep) {
        s->was.within = true;
        s->was.after_ns = dozed_ns - s->start_ns;
        *ns = now_ns - s->start_ns;
        return true;
    }
    if (stamp >= asleep_ns && stamp <= now_ns) {
        xsc_stay_saw(&s->site, XSC_WOKEN, now_ns - stamp);
        s->in_the_way = s->site.plan.watch_ns && stamp - asleep_ns < READY_NS && here >= 0 &&
                        stamp_cpu(last) == here;
        *ns = stamp - s->start_ns;
        return true;
    }
    s->was.unmet = !xsc_watch_met(s->watch); /* an event's waiter is to look for itself */
    if (s->was.unmet) {
        *ns = now_ns - s->start_ns;
        return true;
    }
    xsc_costs_read(&costs);
    *ns = now_ns - s->start_ns > costs.park_latency_ns
              ? now_ns - s->start_ns - costs.park_latency_ns
              : 0;
    return true;
}

static bool nap_until(struct stay *s, uint64_t until_ns, uint64_t *ns)
{
    const uint64_t slack = xsc_slack(1);
    const bool met = sleep_until(s, until_ns, ns);

    xsc_slack(slack);
    return met;
}

/* The OS clock decides, not the ticks that *ns comes from. */
static bool over(const struct stay *s)
{
    return s->deadline_ns != XSC_FOREVER && xsc_port_now_ns() >= s->deadline_ns;
}

/*
 * A nap that is aimed at the wait's start, as it is for an event due in what coming back from a nap
 * takes, is due before we get here. It is as good as it was planned if it begins now.
 */
static uint64_t nap_end(const struct stay *s, uint64_t ns)
{
    const uint64_t aim_ns = s->site.plan.nap_ns;

    return s->start_ns + (aim_ns > ns + SHORTEST_NAP_NS ? aim_ns : ns + SHORTEST_NAP_NS);
}

static bool spend(struct stay *s, uint64_t spun_ns, uint64_t timeout_ns, uint64_t *ns)
{
    const struct xsc_plan *plan = &s->site.plan;
    const bool naps = plan->nap_ns < timeout_ns;

    *ns = spun_ns;
    if (plan->watch_ns > spun_ns) {
        const uint64_t end_ns = plan->watch_ns < timeout_ns ? plan->watch_ns : timeout_ns;

        if (watch_until(s, spun_ns, end_ns, ns)) {
            return true;
        }
    }
    if (naps) {
        if (*ns < plan->nap_ns + LATE_NAP_NS && nap_until(s, nap_end(s, *ns), ns)) {
            return true;
        }
        const uint64_t until_ns = plan->until_ns < timeout_ns ? plan->until_ns : timeout_ns;

        if (until_ns > *ns && watch_until(s, *ns, until_ns, ns)) {
            return true;
        }
    }
    return !over(s) && sleep_until(s, s->deadline_ns, ns);
}

/* The watch has been counted, as one that timed out; without one, so is the wait here. */
static void count_sleep(bool watched, bool met)
{
    struct xsc_slot *slot = xsc_slot_claim(&xsc_library.stats, xsc_port_slot_hint());

    if (!watched) {
        xsc_count(&slot->n.total, 1);
        xsc_count(&slot->n.timeouts, 1);
        xsc_count(&slot->n.shallow, 1);
    }
    xsc_count(&slot->n.parks, 1);
    xsc_count(&slot->n.parks_met, met);
    xsc_slot_release(slot);
}

/* In a crowd: nothing is watched, and nothing learned but that by the watches now and then. */
static int sleep_at_once(struct stay *s, uint64_t until_ns)
{
    uint64_t dozed_ns;

    xsc_port_recheck(xsc_port_now_ns());
    const bool met = s->sleep ? s->sleep(s->arg, until_ns)
                              : doze(s->watch, false, until_ns, &dozed_ns);

    count_sleep(false, met);
    return met ? 0 : -ETIMEDOUT;
}

static uint64_t end_of_timeout(uint64_t timeout_ns)
{
    const uint64_t now_ns = timeout_ns == XSC_FOREVER ? 0 : xsc_port_now_ns();

    return timeout_ns < XSC_FOREVER - now_ns ? now_ns + timeout_ns : XSC_FOREVER;
}

/* A process's first wait: before the choice it is not known how many CPUs there are. */
static bool crowded_after_all(void)
{
    if (__atomic_load_n(&xsc_library.chosen, __ATOMIC_ACQUIRE)) {
        return false;
    }
    xsc_engine_choose(&xsc_library, xsc_set_up_by_environment());
    return crowded();
}

int xsc_watch_then(const struct xsc_watch *w, struct xsc_site *own, uint64_t timeout_ns,
                   xsc_sleep_fn *sleep, void *arg)
{
    struct stay s = {.watch = w, .sleep = sleep, .arg = arg};
    uint64_t spun_ns = 0, ns;

    if (xsc_watch_met(w)) {
        return 0;
    }
    if (!timeout_ns) {
        return -ETIMEDOUT;
    }
    s.site = xsc_stay_begin(w->word, own, sleep ? 0 : DOZE_NS, timeout_ns, crowded());
    if (s.site.plan.crowded) {
        return sleep_at_once(&s, end_of_timeout(timeout_ns));
    }
    if (s.site.plan.watch_ns >= SPIN_NS && timeout_ns >= SPIN_TIMEOUT_NS &&
        xsc_core_spin(&xsc_library, w, &spun_ns)) {
        return 0;
    }
    const uint64_t now_ns = xsc_port_now_ns();

    s.start_ns = now_ns - spun_ns;
    s.deadline_ns = timeout_ns < XSC_FOREVER - now_ns ? s.start_ns + timeout_ns : XSC_FOREVER;
    if (crowded_after_all()) {
        return sleep_at_once(&s, s.deadline_ns);
    }
    xsc_stay_learn(&s.site);
    const bool met = spend(&s, spun_ns, timeout_ns, &ns);

    if (s.slept) {
        count_sleep(s.watched, met);
    }
    s.was.ns = ns;
    s.was.unmet |= !met;
    s.was.starved = s.in_the_way || s.lost_cpu;
    xsc_stay_end(&s.site, &s.was);
    return met ? 0 : -ETIMEDOUT;
}

int xsc_wait_site(struct xsc_site *site, const struct xsc_watch *watch, uint64_t timeout_ns)
{
    if (!site || !watch || !xsc_watch_valid(watch)) {
        return -EINVAL;
    }
    return xsc_watch_then(watch, site, timeout_ns, NULL, NULL);
}
