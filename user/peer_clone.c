/* SPDX-License-Identifier: MIT */
/*
 * The trial's other CPU on Linux: a bare clone() on a static stack (user/peer.h).
 *
 * A trial runs inside a thread's first slow wait, where nothing may be allocated and no
 * thread be left behind. pthread_create() allocates; this doesn't. The child shares the
 * parent's thread pointer, so it must not touch anything thread-local: it runs
 * xsc_peer_main() and nothing else, atomics and the counter. All signals are blocked in it.
 * It exists for some milliseconds and is gone, waited for, before the trial ends.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/port.h"
#include "core/validate.h"
#include "user/peer.h"

static uint64_t owner; /* the process in which the child is a thread */
static int running;    /* cleared, and waited on, by the kernel when the child is gone */

static int run(void *peer)
{
    xsc_peer_main(peer);
    return 0;
}

int xsc_port_peer_start(struct xsc_peer *peer)
{
    const int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
                      CLONE_SYSVSEM | CLONE_CHILD_CLEARTID;
    sigset_t all, before;

    if (xsc_peer_cpus() < 2) {
        peer->trouble = "only one CPU to run on";
        return -1;
    }
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    __atomic_store_n(&running, 1, __ATOMIC_RELAXED);
    owner = xsc_port_process();
    const int saved = errno;
    const int tid = clone(run, xsc_trial_stack + XSC_TRIAL_STACK_SIZE, flags, peer, NULL, NULL,
                          &running);

    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = saved;
    if (tid < 0) {
        peer->trouble = "no thread could be started (clone refused)";
        return -1;
    }
    xsc_peer_place_tid(tid);
    return 0;
}

void xsc_port_peer_stop(struct xsc_peer *peer)
{
    const int saved = errno;

    __atomic_store_n(&peer->stop, 1, __ATOMIC_RELEASE);
    if (owner != xsc_port_process()) {
        return; /* a signal handler forked in mid-trial: its child has no such thread */
    }
    /* Acquire: what the child did, its use of the stack included, is over. */
    while (__atomic_load_n(&running, __ATOMIC_ACQUIRE)) {
        syscall(SYS_futex, &running, FUTEX_WAIT, 1, NULL, NULL, 0);
    }
    errno = saved;
}
