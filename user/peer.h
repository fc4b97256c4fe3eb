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

/*
 * The stack of a trial's children, one after the other: of the one that executes an instruction which
 * may fault, gone before the other CPU's storer begins. The engine's lock allows one trial at a time.
 * Tests execute emulated instructions on it, in their signal handlers.
 */
#if defined(XSC_TESTING)
#define XSC_TRIAL_STACK_SIZE 32768
#else
#define XSC_TRIAL_STACK_SIZE 16384
#endif
#define XSC_TRIAL_FRAMES 2048
extern char xsc_trial_stack[XSC_TRIAL_STACK_SIZE];

#endif /* XSC_USER_PEER_H */
