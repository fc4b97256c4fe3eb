/* SPDX-License-Identifier: MIT */
/* user/affinity.h - which CPU waits and which one stores, while a probe runs */
#ifndef XSC_USER_AFFINITY_H
#define XSC_USER_AFFINITY_H

#if defined(__linux__)
#include "user/linux_cpu.h"
struct xsc_affinity {
    struct xsc_cpu_set set;
    int moved; /* there is something to restore */
};
#else
struct xsc_affinity {
    int moved;
};
#endif

/*
 * Moves the calling thread to waiter, and lets the next peer run on storer; -1: as it is.
 * Returns 0, or -ENODEV where such a CPU is offline, not allowed, or can't be chosen here.
 */
int xsc_affinity_set(int waiter, int storer, struct xsc_affinity *before);

/* Undoes both. */
void xsc_affinity_restore(const struct xsc_affinity *before);

#endif /* XSC_USER_AFFINITY_H */
