/* SPDX-License-Identifier: MIT */
/* The C library's mutex (and glibc's variant that spins first), and its spin lock. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stddef.h>

#include "bench/locks/locks.h"

static struct {
    pthread_mutex_t mutex;
} __attribute__((aligned(128))) plain[LOCKS_SLOTS], adaptive[LOCKS_SLOTS];
static struct {
    pthread_spinlock_t spin;
} __attribute__((aligned(128))) spinning[LOCKS_SLOTS];

static void init_mutex(unsigned slot)
{
    pthread_mutex_init(&plain[slot].mutex, NULL);
}

static void init_adaptive(unsigned slot)
{
    pthread_mutexattr_t a;

    pthread_mutexattr_init(&a);
#if defined(__GLIBC__)
    pthread_mutexattr_settype(&a, PTHREAD_MUTEX_ADAPTIVE_NP);
#endif
    pthread_mutex_init(&adaptive[slot].mutex, &a);
    pthread_mutexattr_destroy(&a);
}

static void init_spin(unsigned slot)
{
    pthread_spin_init(&spinning[slot].spin, PTHREAD_PROCESS_PRIVATE);
}

LOCKS_WORKER(run_mutex, pthread_mutex_t *m = &plain[r->slot].mutex, pthread_mutex_lock(m),
             pthread_mutex_unlock(m))
LOCKS_WORKER(run_adaptive, pthread_mutex_t *m = &adaptive[r->slot].mutex, pthread_mutex_lock(m),
             pthread_mutex_unlock(m))
LOCKS_WORKER(run_spin, pthread_spinlock_t *s = &spinning[r->slot].spin, pthread_spin_lock(s),
             pthread_spin_unlock(s))

const struct locks_peer locks_pthread_mutex = {"pthread mutex", LOCKS_PARKS, false, init_mutex,
                                               run_mutex};
const struct locks_peer locks_pthread_adaptive = {"pthread mutex, adaptive", LOCKS_PARKS, false,
                                                  init_adaptive, run_adaptive};
const struct locks_peer locks_pthread_spin = {"pthread spin", LOCKS_SPINS, false, init_spin,
                                              run_spin};
