/* SPDX-License-Identifier: MIT */
/*
 * examples/vmm/vmm.h - a small VMM with one vCPU whose halt exits come back at once
 *
 * Two engines run a guest that really halts: Unicorn an arm64 guest (WFI), /dev/kvm an x86 one
 * (HLT). The first has interrupts masked and looks at its device's status word after every halt;
 * the second is interrupted while it halts. To serve the device it clears the status, counts down
 * `work`, and adds 1 to `done`: words of a page that it shares with the VMM, whose loop (vmm.c)
 * plays the device and the timer and decides what comes of a halt.
 */
#ifndef XSC_EXAMPLES_VMM_H
#define XSC_EXAMPLES_VMM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The page that guest and VMM share. A request is made only when the last has been served. */
struct vmm_page {
    uint32_t status; /* not 0: the device (or timer) interrupts */
    uint32_t work;   /* loops that a request costs the guest */
    uint32_t done;   /* requests served */
};

struct vmm_guest;

struct vmm_engine {
    const char *name;
    /* NULL: not here, and why says what is missing. */
    struct vmm_guest *(*open)(struct vmm_page **page, char *why, size_t size);
    /* Runs the guest to its next halt, interrupted if it can be. 0, or a negative errno. */
    int (*run)(struct vmm_guest *guest, bool interrupt);
    void (*close)(struct vmm_guest *guest);
};

extern const struct vmm_engine vmm_unicorn, vmm_kvm;

/* What the VMM does at a halt. */
enum vmm_halt {
    VMM_OFF,      /* runs the guest again at once */
    VMM_NAIVE,    /* sleeps max_sleep_ns every time, whatever is pending */
    VMM_GOVERNOR, /* asks xsc/idle.h, and naps as xsc/nap.h does */
    VMM_PARK,     /* parks on the device's status word: how long to watch first is learned */
};

/* What is asked of the guest. */
struct vmm_load {
    uint64_t requests;  /* the run ends when so many are served; 0: after run_ns */
    uint64_t run_ns;    /* 0: no limit */
    uint64_t device_ns; /* chained: the device interrupts so long after the last was served */
    uint64_t burst;     /* chained: a pause after so many; 0: none */
    uint64_t pause_ns;  /* of that length, by the VMM's timer */
    uint64_t every_ns;  /* not 0: another thread sends each, so long after the last was served */
    uint64_t boot_ns;   /* what is left of the governor's first 15 s when the run begins */
    uint32_t work;      /* loops a request */
};

struct vmm_result {
    uint64_t wall_ns, pause_ns, cpu_ns; /* the run, its pauses, and the vCPU thread's CPU time */
    uint64_t halts, sleeps, kicked;     /* halts; those slept after; sleeps that a kick ended */
    uint64_t served;
    uint64_t first_sleep_ns; /* from the run's beginning; UINT64_MAX: it never slept */
    /* From the moment a request is due to the halt after it is served; the last max_latencies. */
    uint64_t *latency_ns;
    uint64_t max_latencies;
};

/*
 * One run on the calling thread. r->latency_ns and max_latencies are the caller's (NULL and 0: not
 * wanted); the rest is filled in. 0, or a negative errno.
 */
int vmm_run(const struct vmm_engine *engine, struct vmm_guest *guest, struct vmm_page *page,
            enum vmm_halt halt, uint64_t max_sleep_ns, const struct vmm_load *load,
            struct vmm_result *r);

#endif /* XSC_EXAMPLES_VMM_H */
