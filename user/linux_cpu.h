/* SPDX-License-Identifier: MIT */
/*
 * user/linux_cpu.h - sets of CPUs, for kernels of any number of them
 *
 * A cpu_set_t holds 1024, and sched_getaffinity(2) fails with EINVAL where the kernel could have
 * more. Linux is built for at most 8192 (NR_CPUS, x86-64's MAXSMP). The system calls are made
 * directly, and touch no errno.
 */
#ifndef XSC_USER_LINUX_CPU_H
#define XSC_USER_LINUX_CPU_H

#include <stdbool.h>
#include <stdint.h>

#define XSC_CPUS_MAX 8192u
#define XSC_CPUS_A_WORD (8u * (unsigned)sizeof(unsigned long))

struct xsc_cpu_set {
    unsigned long word[XSC_CPUS_MAX / XSC_CPUS_A_WORD];
};

/* Those that a thread may run on; tid 0: the calling one. False: not known, and *set is empty. */
bool xsc_cpus_of(int tid, struct xsc_cpu_set *set);

/* Moves a thread there. 0, or a negative errno value. */
int xsc_cpus_move(int tid, const struct xsc_cpu_set *set);

/* False: there is no such CPU in any kernel. */
bool xsc_cpus_only(int cpu, struct xsc_cpu_set *set);
void xsc_cpus_without(int cpu, struct xsc_cpu_set *set);
uint32_t xsc_cpus_in(const struct xsc_cpu_set *set);

/*
 * Those that any thread of this process may run on. A thread's own set tells of at least two, or of
 * a thread pinned to one CPU: then all threads are asked. Not a cancellation point. False: not known.
 */
bool xsc_cpus_of_process(struct xsc_cpu_set *all, struct xsc_cpu_set *scratch);

#endif /* XSC_USER_LINUX_CPU_H */
