/* SPDX-License-Identifier: MIT */
/*
 * core/stats.h - counting waits without slowing them
 *
 * What is done after the awaited store is latency; what is done before it is free. So a
 * wait that ends in the tight spin was counted before it, and taken off again if it did not
 * end there. One that goes on to watch claims a slot, with one atomic exchange: from then to
 * its end the slot has one writer, which needs only plain loads and stores; and when its store
 * comes it leaves one number behind, which the slot's next owner, or the reader of the
 * statistics, puts into its place. Waits that nest (a signal handler), or that meet a slot
 * taken, claim one of the next few; where those are taken too the wait writes to a slot that
 * no thread reads, and only `uncounted` tells of it. A thread killed, or a longjmp taken, in
 * mid-wait leaves its slot claimed for good: counts stay right, there is one slot less. A slot is
 * claimed by its owner's process: a forked child takes those that threads of its parent had.
 */
#ifndef XSC_CORE_STATS_H
#define XSC_CORE_STATS_H

#include <stdint.h>

#include "core/histogram.h"

#define XSC_SLOTS 64 /* a power of two */
#define XSC_SLOT_PROBES 8
#define XSC_SLOT_HISTOGRAMS 4 /* a kilobyte each, so slots share them */

struct xsc_counts {
    uint64_t total;       /* slow waits that ended */
    uint64_t changed;     /* ... with the condition met */
    uint64_t timeouts;    /* ... at their own deadline */
    uint64_t deep;        /* ... that used a hardware monitor */
    uint64_t shallow;     /* ... that only spun */
    uint64_t watched;     /* ... that outlasted the tight spin: the histogram's population */
    uint64_t hw_waits;    /* returns from a mechanism's wait() */
    uint64_t woken;       /* ... with the condition met before the slice's end */
    uint64_t expired;     /* ... at the slice's end, with the condition unmet */
    uint64_t late;        /* ... met, but only at the slice's or the OS's limit: missed? */
    uint64_t spurious;    /* ... early and unmet, and not by the OS's limit */
    uint64_t limited;     /* ... early and unmet, by the OS's limit */
    uint64_t overslept;   /* of the expired, those later than the health limit allows */
    uint64_t slices_ns;   /* time spent in slices, added at the end of each */
    uint64_t sum_ns;      /* time spent in watched waits, added at the end of each */
    uint64_t max_ns;      /* the longest of them */
    uint64_t min_ns_plus; /* the shortest, plus one; 0 for none */
    uint64_t max_over_ns; /* the furthest past a slice's end */
    uint64_t parks;       /* watches that timed out, and were parks that then left the CPU */
    uint64_t parks_met;   /* ... with the condition met in the end: no timeouts, after all */
    uint64_t wakes;       /* unparks and signals that entered the kernel */
};

struct xsc_slot {
    uint32_t claimed;      /* xsc_port_process() of its owner; 0: free */
    uint64_t tight;        /* waits that ended in the tight spin, or are in it; any writer */
    uint64_t last;         /* XSC_LAST of a wait that isn't in n and waits yet; 0: none */
    uint64_t in_slices_ns; /* of the wait in progress, or last: what is in n.slices_ns already */
    struct xsc_counts n;
    struct xsc_histogram *waits; /* where its owner adds; NULL: nowhere */
} __attribute__((aligned(128)));

struct xsc_stats_table {
    struct xsc_slot slot[XSC_SLOTS];
    struct xsc_slot nobodys;                         /* written by many at once, never read */
    uint64_t uncounted;                              /* waits that had to use it */
    struct xsc_histogram waits[XSC_SLOT_HISTOGRAMS]; /* ns of watched waits; any writer */
};

/* A watched wait that a store ended in time after ns. The lowest bit tells it from none. */
#define XSC_LAST(ns, deep) ((ns)*4 + ((deep) ? 3 : 1))

/* A slot for the caller alone, or the unread one. hint: where to look first. */
struct xsc_slot *xsc_slot_claim(struct xsc_stats_table *t, uint32_t hint);

static inline void xsc_slot_release(struct xsc_slot *s)
{
    __atomic_store_n(&s->claimed, 0, __ATOMIC_RELEASE);
}

/* Counts a wait that is about to spin tightly, or (by -1) goes on from there. */
static inline void xsc_count_tight(struct xsc_stats_table *t, uint32_t hint, int64_t by)
{
    __atomic_fetch_add(&t->slot[hint % XSC_SLOTS].tight, (uint64_t)by, __ATOMIC_RELAXED);
}

/* One writer at a time, readers any time: relaxed, so never torn, and never an RMW. */
static inline void xsc_count(uint64_t *counter, uint64_t by)
{
    __atomic_store_n(counter, __atomic_load_n(counter, __ATOMIC_RELAXED) + by, __ATOMIC_RELAXED);
}

static inline void xsc_count_max(uint64_t *counter, uint64_t value)
{
    if (value > __atomic_load_n(counter, __ATOMIC_RELAXED)) {
        __atomic_store_n(counter, value, __ATOMIC_RELAXED);
    }
}

/* For values that are never 0: 0 stands for none yet. */
static inline void xsc_count_min(uint64_t *counter, uint64_t value)
{
    const uint64_t old = __atomic_load_n(counter, __ATOMIC_RELAXED);

    if (!old || value < old) {
        __atomic_store_n(counter, value, __ATOMIC_RELAXED);
    }
}

/* A wait that outlasted the tight spin, by its length. */
static inline void xsc_count_watched(struct xsc_counts *n, uint64_t ns)
{
    xsc_count(&n->watched, 1);
    xsc_count(&n->sum_ns, ns);
    xsc_count_max(&n->max_ns, ns);
    xsc_count_min(&n->min_ns_plus, ns + 1);
}

/* And in the histogram: one atomic addition, before or after the wait's own time. */
static inline void xsc_slot_waited(const struct xsc_slot *s, uint64_t ns)
{
    if (s->waits) {
        xsc_hist_add_shared(s->waits, ns);
    }
}

/* The sum over all slots, of some recent moment. waits may be NULL. */
void xsc_stats_sum(const struct xsc_stats_table *t, struct xsc_counts *sum,
                   struct xsc_histogram *waits);

#endif /* XSC_CORE_STATS_H */
