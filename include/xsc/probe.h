/* SPDX-License-Identifier: MIT */
/*
 * xsc/probe.h - the long trial: what each mechanism is worth on this machine
 *
 * The library tries mechanisms for a few milliseconds before it uses them. This runs the
 * same trial for as long as you like and hands out all that it saw. xsc-wait-probe prints
 * it; a program may use it to decide for itself.
 */
#ifndef XSC_PROBE_H
#define XSC_PROBE_H

#include <stddef.h>
#include <stdint.h>

#include <xsc/stats.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Nearest-rank quantiles from a histogram (within 6.25 %), the maximum exact; ns. n 0: not measured. */
struct xsc_quantiles {
    uint64_t n, p50, p99, max;
};

struct xsc_probe_options {
    size_t size;         /* sizeof(struct xsc_probe_options) */
    uint32_t iterations; /* waits of each kind that a store ends; 16 to 100,000,000 */
    uint32_t reserved;
    uint64_t timeout_ns; /* deadline of the waits that nothing ends; 1 us to 10 s */
    uint64_t budget_ns;  /* time for each kind of wait; fewer iterations are made when it is up */
    int waiter_cpu;      /* CPU that waits and CPU that stores; -1: any */
    int storer_cpu;
    void (*progress)(void *arg, unsigned permille); /* called now and then, or NULL */
    void *progress_arg;
};

enum xsc_probe_verdict {
    XSC_PROBE_GOOD,     /* passed */
    XSC_PROBE_NO_SLEEP, /* works, but its waits come back at once: no better than spinning */
    XSC_PROBE_UNPROVEN, /* nothing wrong, but no other CPU could be made to store */
    XSC_PROBE_SLOW,     /* works, over a limit */
    XSC_PROBE_BROKEN,   /* faults, or misses stores */
    XSC_PROBE_ABSENT,   /* not on this CPU */
};

struct xsc_probe_report {
    struct xsc_mechanism_info info;   /* as it stands after the trial */
    uint32_t verdict;                 /* enum xsc_probe_verdict */
    int32_t fault;                    /* signal raised by executing it; 0: none */
    struct xsc_quantiles changed;     /* the word had changed before the call: call to return */
    struct xsc_quantiles self_store;  /* changed by this thread just before: store to return */
    struct xsc_quantiles cross_store; /* changed by another CPU: store to return */
    struct xsc_quantiles overshoot;   /* not changed at all: return less deadline */
    struct xsc_quantiles rest;        /* not changed at all: length of one hardware wait */
    uint64_t rest_mean_ns;            /* its mean; a sleep, a NOP or a trap shows here */
    uint64_t os_limit_ns;             /* shortest wait that the OS's limit ended; 0: never */
    uint64_t missed;                  /* stores by another CPU that did not end the wait */
    uint64_t spurious_per_s;          /* returns for no reason a second */
    uint64_t cpu_permille;            /* CPU time per time waited: 1000 burns it all */
    uint32_t sleeps;                  /* 1: yes, by what rest shows. 0: no, or it does not apply */
    uint32_t reserved;
    char cross_trouble[96]; /* why cross_store was not measured; "": it was */
};

/*
 * Tries mechanism `index`. The trial takes as long as the options say, runs on the calling
 * thread and, for cross_store, on a helper that exists for its duration. If waiter_cpu is
 * given the calling thread is moved to that CPU and back. Returns
 *   0        *out is filled in, whatever the verdict
 *   -EINVAL  an option out of range, or NULL
 *   -ENOENT  no such mechanism
 *   -EBUSY   another thread is choosing or probing
 *   -ENODEV  a CPU that is offline, or that this process may not use
 */
XSC_API int xsc_probe_mechanism(unsigned index, const struct xsc_probe_options *options,
                                struct xsc_probe_report *out, size_t size);

/* What the library found out about the machine. */
struct xsc_machine {
    char arch[16];
    uint32_t cpus;             /* this process may run on, as last counted; 0: not known */
    uint32_t hypervisor;       /* 1: the CPU says that it is virtual */
    uint32_t counter_trusted;  /* 1: the CPU's counter is used for deadlines */
    uint32_t umwait_known;     /* 1: the next two are known */
    uint32_t umwait_c02;       /* C0.2 allowed */
    uint32_t umwait_max_ticks; /* longest UMWAIT in TSC ticks, 0: no limit */
    uint64_t ticks_per_s;      /* rate of the counter, or 10^9 where the OS clock is used */
    uint64_t relax_ps;         /* one PAUSE, ISB, ... in picoseconds */
    uint64_t tight_looks;      /* looks at the word in the first microsecond */
    char clock_source[96];     /* how the rate was found, or why the counter isn't trusted */
    char umwait_source[96];    /* where the umwait values were read */
};

/* As xsc_mechanism_read(). */
XSC_API int xsc_machine_read(struct xsc_machine *out, size_t size);

/*
 * What leaving the CPU costs here, in ns: what parks (xsc/park.h) and events weigh watching against.
 * Measured once, by a few short naps, and followed from then on as the process parks.
 */
struct xsc_park_costs {
    uint32_t park_cpu_ns;     /* CPU time of a sleep that is woken; none seen yet: a nap's */
    uint32_t park_latency_ns; /* from an unpark to the waiter's running */
    uint32_t nap_cpu_ns;      /* CPU time of a timed sleep, */
    uint32_t nap_late_ns;     /* how late it ends at least, */
    uint32_t nap_jitter_ns;   /* and up to this much more */
    uint32_t barrier_ns;      /* a membarrier(2), with the threads running now; 0: none is used */
    /*
     * What a ns of latency is worth, in tenths of a ns of CPU time, by XSC_PREFER: latency 100,
     * balanced 10, cpu 1. (The probe's JSON has whole ns: 10, 1, 0.1.)
     */
    uint32_t latency_weight;
    uint32_t reserved;
};

/*
 * Decides as xsc_park_init(XSC_PARK_AUTO) does, and makes three barriers. Takes a millisecond the
 * first time. As xsc_mechanism_read(); -EBUSY: another thread is
 * measuring, or learning, at this moment. Thread-safe.
 */
XSC_API int xsc_park_costs_read(struct xsc_park_costs *out, size_t size);

#ifdef __cplusplus
}
#endif

#endif /* XSC_PROBE_H */
