/* SPDX-License-Identifier: MIT */
/* user/peer.h - where the trial's other thread may run; defined by linux.c or other.c */
#ifndef XSC_USER_PEER_H
#define XSC_USER_PEER_H

#include <pthread.h>

/* How many CPUs the waiter and its peer may run on; 1 means that they can't run at once. */
unsigned xsc_peer_cpus(void);

/* Moves the peer to the storer's CPU, where a probe named one. */
void xsc_peer_place_thread(pthread_t thread);
void xsc_peer_place_tid(int tid);

#endif /* XSC_USER_PEER_H */
