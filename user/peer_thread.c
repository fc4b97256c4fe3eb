/* SPDX-License-Identifier: MIT */
/*
 * The trial's other CPU, as an ordinary thread. For systems without clone(), and for
 * sanitizers, which must know of every thread. Linux uses user/peer_clone.c: no malloc.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

#include "core/port.h"
#include "core/validate.h"
#include "user/peer.h"

static pthread_t thread;
static uint64_t owner; /* the process in which it runs */

static void *run(void *peer)
{
    xsc_peer_main(peer);
    return NULL;
}

int xsc_port_peer_start(struct xsc_peer *peer)
{
    sigset_t all, before;

    if (xsc_peer_cpus() < 2) {
        peer->trouble = "only one CPU to run on";
        return -1;
    }
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before); /* no signal may interrupt the new thread */
    owner = xsc_port_process();
    const int err = pthread_create(&thread, NULL, run, peer);

    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (err) {
        peer->trouble = "no thread could be started";
        return -1;
    }
    xsc_peer_place_thread(thread);
    return 0;
}

void xsc_port_peer_stop(struct xsc_peer *peer)
{
    __atomic_store_n(&peer->stop, 1, __ATOMIC_RELEASE);
    if (owner != xsc_port_process()) {
        return; /* a signal handler forked in mid-trial: its child has no such thread */
    }
    pthread_join(thread, NULL);
}
