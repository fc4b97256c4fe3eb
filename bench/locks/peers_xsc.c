/* SPDX-License-Identifier: MIT */
/* Ours. */
#include <stddef.h>

#include <xsc/lock.h>

#include "bench/locks/locks.h"

static struct {
    struct xsc_mutex mutex;
    struct xsc_ticket ticket;
    struct xsc_queue queue;
} __attribute__((aligned(128))) lock[LOCKS_SLOTS];

LOCKS_WORKER(mutex, struct xsc_mutex *m = &lock[r->slot].mutex, xsc_mutex_lock(m),
             xsc_mutex_unlock(m))
LOCKS_WORKER(ticket, struct xsc_ticket *l = &lock[r->slot].ticket, xsc_ticket_lock(l),
             xsc_ticket_unlock(l))
LOCKS_WORKER(queue, struct xsc_queue *q = &lock[r->slot].queue;
             struct xsc_queue_node node, xsc_queue_lock(q, &node), xsc_queue_unlock(q, &node))

const struct locks_peer locks_xsc_mutex = {"xsc mutex", LOCKS_PARKS, true, NULL, mutex};
const struct locks_peer locks_xsc_ticket = {"xsc ticket", LOCKS_FIFO, true, NULL, ticket};
const struct locks_peer locks_xsc_queue = {"xsc queue", LOCKS_FIFO, true, NULL, queue};
