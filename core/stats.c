/* SPDX-License-Identifier: MIT */
#include "core/stats.h"

#include <stddef.h>

#include <xsc/cas.h>

#include "core/port.h"

static uint64_t get(const uint64_t *counter)
{
    return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

/* Puts what a wait left behind into its place. */
static void settle(uint64_t last, uint64_t in_slices_ns, struct xsc_counts *n,
                   struct xsc_histogram *waits)
{
    const uint64_t ns = last >> 2;

    xsc_count(&n->total, 1);
    xsc_count(&n->changed, 1);
    xsc_count(last & 2 ? &n->deep : &n->shallow, 1);
    xsc_count(&n->hw_waits, 1);
    xsc_count(&n->woken, 1);
    xsc_count(&n->slices_ns, ns > in_slices_ns ? ns - in_slices_ns : 0);
    xsc_count_watched(n, ns);
    if (waits) {
        xsc_hist_add_shared(waits, ns);
    }
}

struct xsc_slot *xsc_slot_claim(struct xsc_stats_table *t, uint32_t hint)
{
    const uint32_t me = (uint32_t)xsc_port_process();

    for (uint32_t i = 0; i < XSC_SLOT_PROBES; i++) {
        const uint32_t at = (hint + i) % XSC_SLOTS;
        struct xsc_slot *s = &t->slot[at];
        uint32_t owner = __atomic_load_n(&s->claimed, __ATOMIC_RELAXED);

        /*
         * Acquire pairs with the last owner's release, so that its counts are the ones we
         * add to. The load first keeps a taken slot's line from being torn from its owner.
         */
        if (owner != me &&
            __atomic_compare_exchange_n(&s->claimed, &owner, me, false, XSC_CAS_SEQ_CST)) {
            s->waits = &t->waits[at % XSC_SLOT_HISTOGRAMS];
            if (s->last) {
                settle(s->last, s->in_slices_ns, &s->n, s->waits);
                __atomic_store_n(&s->last, 0, __ATOMIC_RELAXED);
            }
            __atomic_store_n(&s->in_slices_ns, 0, __ATOMIC_RELAXED);
            return s;
        }
    }
    __atomic_fetch_add(&t->uncounted, 1, __ATOMIC_RELAXED);
    return &t->nobodys;
}

static void sum_counts(const struct xsc_counts *n, struct xsc_counts *sum)
{
    const uint64_t min = get(&n->min_ns_plus), max = get(&n->max_ns), over = get(&n->max_over_ns);

    sum->total += get(&n->total);
    sum->changed += get(&n->changed);
    sum->timeouts += get(&n->timeouts);
    sum->deep += get(&n->deep);
    sum->shallow += get(&n->shallow);
    sum->watched += get(&n->watched);
    sum->hw_waits += get(&n->hw_waits);
    sum->woken += get(&n->woken);
    sum->expired += get(&n->expired);
    sum->late += get(&n->late);
    sum->spurious += get(&n->spurious);
    sum->limited += get(&n->limited);
    sum->overslept += get(&n->overslept);
    sum->slices_ns += get(&n->slices_ns);
    sum->sum_ns += get(&n->sum_ns);
    sum->parks += get(&n->parks);
    sum->parks_met += get(&n->parks_met);
    sum->wakes += get(&n->wakes);
    sum->max_ns = max > sum->max_ns ? max : sum->max_ns;
    sum->max_over_ns = over > sum->max_over_ns ? over : sum->max_over_ns;
    if (min && (!sum->min_ns_plus || min < sum->min_ns_plus)) {
        sum->min_ns_plus = min;
    }
}

void xsc_stats_sum(const struct xsc_stats_table *t, struct xsc_counts *sum,
                   struct xsc_histogram *waits)
{
    *sum = (struct xsc_counts){0};
    if (waits) {
        *waits = (struct xsc_histogram){{0}};
    }
    for (uint32_t i = 0; i < XSC_SLOTS; i++) {
        const struct xsc_slot *s = &t->slot[i];
        const uint64_t tight = get(&s->tight), last = get(&s->last);

        sum_counts(&s->n, sum);
        sum->total += tight;
        sum->changed += tight;
        sum->shallow += tight;
        if (last) {
            settle(last, get(&s->in_slices_ns), sum, waits);
        }
    }
    for (uint32_t i = 0; waits && i < XSC_SLOT_HISTOGRAMS; i++) {
        for (uint32_t b = 0; b < XSC_HIST_BUCKETS; b++) {
            const uint32_t n = __atomic_load_n(&t->waits[i].count[b], __ATOMIC_RELAXED);

            waits->count[b] = n > UINT32_MAX - waits->count[b] ? UINT32_MAX : waits->count[b] + n;
        }
    }
}
