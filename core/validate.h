/* SPDX-License-Identifier: MIT */
/*
 * core/validate.h - trying a mechanism out before trusting it
 *
 * A trial runs the mechanism against words whose fate is known and writes down what it
 * saw; a judgement, apart from it and pure, says what that is worth. The library runs a
 * short trial at the first slow wait (at most a few ms), the probe a long one.
 */
#ifndef XSC_CORE_VALIDATE_H
#define XSC_CORE_VALIDATE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/histogram.h"
#include "mech/mech.h"

/* Quantiles of one kind of measurement; times in ns. */
struct xsc_spread {
    uint64_t n, p50, p99, max;
};

/* What a trial saw. */
struct xsc_trial {
    bool still;                    /* the clock did not move: the trial was given up */
    int32_t fault;                 /* signal that the first execution raised, 0: none */
    struct xsc_spread changed;     /* condition met before the call: call to return */
    struct xsc_spread self_store;  /* met by this thread just before: store to return */
    struct xsc_spread cross_store; /* met by another CPU while waiting: store to return */
    uint64_t cross_p999;           /* ... and all but 1 in 1,000 of it */
    struct xsc_spread overshoot;   /* no store at all: return less deadline */
    struct xsc_spread rest;        /* no store at all: how long each hardware wait lasted */
    uint64_t rest_mean_ns;         /* ... on average */
    uint64_t rests_limited;        /* ... and how many the OS's limit ended */
    uint64_t os_limit_ns;          /* shortest wait that the OS's limit ended; 0: never */
    uint64_t missed;               /* stores noticed only because the slice ended */
    uint64_t unclear;              /* ... or perhaps: the waiter lost its CPU meanwhile */
    uint64_t spurious_per_s;       /* early returns a second of waiting for nothing */
    uint64_t cpu_permille;         /* CPU time a waited time: 1000 burns it all; 0 if unknown */
    const char *cross_trouble;     /* why cross_store could not be tried; NULL: it could */
};

/* How long to try. The numbers of waits are bounded by the budgets, down to a minimum. */
struct xsc_trial_plan {
    uint32_t rounds;      /* waits of each kind with a store */
    uint32_t quiet_waits; /* waits with none */
    uint64_t quiet_ns;    /* deadline of those */
    uint64_t budget_ns;   /* for each of the four kinds */
    uint64_t again_ns;    /* a trial that failed is made again if it took less than this so far */
    uint64_t patience_ns; /* for the peer to be given a CPU */
    bool cross;           /* also for polling mechanisms, which coherence alone would vouch for */
    void (*progress)(void *arg, uint32_t permille); /* or NULL */
    void *progress_arg;
};

/* What a trial must not exceed, in ns. */
struct xsc_limits {
    uint64_t return_p99;    /* of changed and self_store */
    uint64_t cross_p99;     /* of cross_store */
    uint64_t cross_max;     /* of cross_store's largest; in a long trial of all but 1 in 1,000 */
    uint64_t overshoot_p50; /* with a hardware deadline, or when polling */
    uint64_t overshoot_p50_stream; /* with the event stream as the only bound */
};

extern const struct xsc_limits xsc_default_limits;
extern const struct xsc_trial_plan xsc_short_plan;

enum xsc_verdict {
    XSC_GOOD,
    XSC_NO_SLEEP, /* works, but its waits come back at once: no better than spinning */
    XSC_UNPROVEN, /* nothing wrong, but the other-CPU part could not be tried */
    XSC_SLOW,     /* works, over a limit */
    XSC_BROKEN,   /* faults, or loses wake-ups */
};

/* What a mechanism may oversleep by, in ns: more where only an event stream bounds it. */
static inline uint64_t xsc_overshoot_limit(const struct xsc_mechanism *m,
                                           const struct xsc_limits *limits)
{
    const bool stream = m->traits & XSC_MONITOR && !(m->traits & XSC_DEADLINE);

    return stream ? limits->overshoot_p50_stream : limits->overshoot_p50;
}

/* Whether a monitor's undisturbed waits lasted: neither a NOP nor a trap. Pure. */
bool xsc_trial_sleeps(const struct xsc_mechanism *m, const struct xsc_trial *t);

/* Measurement buffers: too large for a kernel's stack. */
struct xsc_trial_scratch {
    struct xsc_histogram changed, self_store, cross_store, overshoot, rest;
};

void xsc_trial_run(const struct xsc_mechanism *m, const struct xsc_mech_ctx *ctx,
                   const struct xsc_trial_plan *plan, struct xsc_trial_scratch *scratch,
                   struct xsc_trial *out);

/* Pure. Writes a sentence for people into text, NUL-terminated, also for XSC_GOOD. */
enum xsc_verdict xsc_trial_judge(const struct xsc_mechanism *m, const struct xsc_trial *t,
                                 const struct xsc_limits *limits, char *text, uint32_t size);

/*
 * The other CPU's part. The waiter asks by raising `request`; the peer lets delay_ticks
 * pass, stamps the time, stores the request's number to `word` (release), wakes where the
 * mechanism needs it, stamps again and acknowledges in `done`. One cache line each way.
 */
struct xsc_peer {
    const struct xsc_clock *clock;
    void (*wake)(void);                             /* NULL: the store is enough */
    const char *trouble;                            /* set by a port that can't start it */
    uint32_t request __attribute__((aligned(128))); /* waiter -> peer, release */
    uint32_t stop;
    uint64_t delay_ticks;
    uint32_t word __attribute__((aligned(128)));   /* the watched word, alone on its line */
    uint64_t before __attribute__((aligned(128))); /* written before word is */
    uint64_t after;                                /* written before done is */
    uint32_t done;                                 /* peer -> waiter, release */
};

/* Serves requests until peer->stop. For xsc_port_peer_start(). */
void xsc_peer_main(struct xsc_peer *peer);

#endif /* XSC_CORE_VALIDATE_H */
