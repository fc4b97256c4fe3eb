/* SPDX-License-Identifier: MIT */
/*
 * user/cpus.h - how many CPUs the threads of this process may run on, now
 *
 * A program is confined to one CPU, or let out of it, while it runs (sched_setaffinity(2), a cpuset).
 * So the number is read again, where a wait makes a system call anyway: before it sleeps, naps or
 * yields. Not more often than every 10 ms, and for a 256th of the time at most: where the calling
 * thread is pinned to one CPU, as people do with one thread a core, each of the others is asked.
 */
#ifndef XSC_USER_CPUS_H
#define XSC_USER_CPUS_H

#include <stdint.h>

#include "user/library.h"

/* As last read. 0: not known; that is no reason to take them for few, or for many. */
static inline uint32_t xsc_cpus(void)
{
    return __atomic_load_n(&xsc_library.chosen, __ATOMIC_ACQUIRE)
               ? __atomic_load_n(&xsc_library.cpu.cpus, __ATOMIC_RELAXED)
               : 0;
}

/* Reads it, by system calls. 0: unknown. One thread at a time. user/linux_cpu.c, user/other.c */
uint32_t xsc_count_cpus(void);

#endif /* XSC_USER_CPUS_H */
