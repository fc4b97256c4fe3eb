/* SPDX-License-Identifier: MIT */
/*
 * The part of the port for a generic POSIX system (no OS-specific code). Nothing can
 * be tried there that might fault, so what remains is polling and GENERIC. A port to such a
 * system starts from here: see core/port.h for what each function promises.
 */
#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <unistd.h>

#include "arch/arch.h"
#include "core/port.h"
#include "user/affinity.h"
#include "user/cpus.h"
#include "user/library.h"
#include "user/peer.h"
#include "user/process.h"

uint32_t xsc_count_cpus(void)
{
    const long n = sysconf(_SC_NPROCESSORS_ONLN);

    return n > 0 ? (uint32_t)n : 0;
}

void xsc_port_cpu(struct xsc_cpu *cpu)
{
    xsc_arch_features(cpu);
#if defined(XSC_TESTING)
    xsc_test_features(cpu);
#endif
    cpu->cpus = xsc_count_cpus();
}

uint32_t *xsc_wiped_page_map(void)
{
    return NULL;
}

void xsc_wiped_page_unmap(uint32_t *page)
{
    (void)page;
}

int xsc_port_try(void (*fn)(void *), void *arg)
{
    (void)fn;
    (void)arg;
    return -1;
}

bool xsc_port_must_sleep(void)
{
#if defined(_POSIX_PRIORITY_SCHEDULING) && _POSIX_PRIORITY_SCHEDULING > 0
    const int saved = errno, policy = sched_getscheduler(0);

    errno = saved;
    return policy < 0 || policy == SCHED_FIFO || policy == SCHED_RR;
#else
    return true;
#endif
}

unsigned xsc_peer_cpus(void)
{
    return __atomic_load_n(&xsc_library.cpu.cpus, __ATOMIC_RELAXED);
}

void xsc_peer_place_tid(int tid)
{
    (void)tid;
}

void xsc_peer_place_thread(pthread_t thread)
{
    (void)thread;
}

int xsc_affinity_set(int waiter, int storer, struct xsc_affinity *before)
{
    before->moved = 0;
    return waiter < 0 && storer < 0 ? 0 : -ENODEV;
}

void xsc_affinity_restore(const struct xsc_affinity *before)
{
    (void)before;
}
