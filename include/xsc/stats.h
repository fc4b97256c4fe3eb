/* SPDX-License-Identifier: MIT */
/*
 * xsc/stats.h - what the library has chosen, why, and how its waits have gone
 *
 * Reading costs the waiters nothing and may be done at any time, from any thread. Counts
 * are of waits that ended; a wait in progress is in none of them. Waits that the inline
 * part of xsc/wait.h finds already over are not counted at all.
 */
#ifndef XSC_STATS_H
#define XSC_STATS_H

#include <stddef.h>
#include <stdint.h>

#include <xsc/wait.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Where a mechanism stands; see docs/mechanisms.md. */
enum xsc_mechanism_state {
    XSC_CANDIDATE,  /* known to the library, not tried on this machine yet */
    XSC_VALIDATING, /* being tried at this moment */
    XSC_ACTIVE,     /* passed its trial */
    XSC_DEGRADED,   /* in use, and its last health interval (10 s) was bad */
    XSC_FAILED,     /* not there, or failed its trial, or rolled back after three bad intervals */
};

/* The statistics of this process. Times are in nanoseconds. */
struct xsc_stats {
    char type[16];     /* mechanism in use: "UMWAIT", "PAUSE", ...; "" before the first choice */
    char primary[16];  /* the same */
    char fallback[16]; /* what a roll back would put in its place */
    uint32_t state;    /* of the primary: enum xsc_mechanism_state */
    uint32_t asked_refused;    /* 1: XSC_MECHANISM or xsc_init() named one that is unavailable */
    uint64_t total_waits;      /* waits that were not over at the first look */
    uint64_t successful_waits; /* ended with the condition met */
    uint64_t timeouts;         /* ended at their timeout; total = successful + timeouts */
    uint64_t spurious_wakes;   /* hardware wake-ups with the condition still false */
    uint64_t late_wakes;       /* stores noticed only at the end of a slice */
    uint64_t deep_sleeps;      /* waits that used UMWAIT, MWAITX, WFE, WFET or WRS */
    uint64_t shallow_spins;    /* waits that only spun */
    uint64_t uncounted_waits;  /* waits not counted because all slots were busy */
    uint64_t min_latency_ns;   /* of the waits past the first microsecond: the shortest, */
    uint64_t max_latency_ns;   /* the longest, */
    uint64_t avg_latency_ns;   /* and the mean, from the start of the watch to its end */
    uint64_t p50_latency_ns;   /* quantiles of the same, from a histogram, within 6.25 % */
    uint64_t p99_latency_ns;
    uint32_t success_rate_pct; /* successful of total, rounded down; 100 where there were none */
    uint32_t reserved;
    char choice_reason[160]; /* why the primary is the primary */
    char fail_reason[160];   /* why the primary is DEGRADED, or why one was rolled back; "" */
    char refusal[160];       /* why a mechanism asked for by name was refused; "" */
    uint64_t parks;          /* of total_waits, those that left the CPU (xsc/park.h, xsc/event.h);
                                a parked wait counts as timed out until it ends */
    uint64_t wakes;          /* unparks and signals that entered the kernel to wake a waiter */
};

/*
 * Fills in *out, of which the caller's header knows `size` bytes: sizeof(struct xsc_stats).
 * Returns 0, or -EINVAL for a NULL out or a size larger than this library's.
 */
XSC_API int xsc_stats_read(struct xsc_stats *out, size_t size);

/* One mechanism of this architecture. */
struct xsc_mechanism_info {
    char name[16];
    uint32_t state;   /* enum xsc_mechanism_state */
    uint32_t present; /* 1: this CPU has it, and it is fit for use here */
    uint32_t monitor; /* 1: the hardware watches the word; 0: the word is polled */
    uint32_t reserved;
    char reason[160]; /* why it is in that state, for people */
};

/* How many mechanisms are known for this architecture. Best first from index 0. */
XSC_API unsigned xsc_mechanism_count(void);

/*
 * Fills in *out for mechanism `index`. Chooses first, if nothing did yet (see xsc_init()).
 * Returns 0, -EINVAL as above, or -ENOENT for an index past the last.
 */
XSC_API int xsc_mechanism_read(unsigned index, struct xsc_mechanism_info *out, size_t size);

#ifdef __cplusplus
}
#endif

#endif /* XSC_STATS_H */
