/* SPDX-License-Identifier: MIT */
/* Concurrency Kit's spin locks. */
#include <stddef.h>

#include <ck_spinlock.h>

#include "bench/locks/locks.h"

static struct {
    ck_spinlock_fas_t fas;
} __attribute__((aligned(128))) fas[LOCKS_SLOTS];
static struct {
    ck_spinlock_ticket_t ticket;
} __attribute__((aligned(128))) ticket[LOCKS_SLOTS];
static struct {
    ck_spinlock_mcs_t mcs;
} __attribute__((aligned(128))) mcs[LOCKS_SLOTS];
static struct {
    ck_spinlock_clh_t *clh;
    ck_spinlock_clh_t unowned __attribute__((aligned(128)));
} __attribute__((aligned(128))) clh[LOCKS_SLOTS];

struct mcs_node {
    ck_spinlock_mcs_context_t node;
} __attribute__((aligned(128)));

/* A CLH lock keeps the node of its last owner; that owner continues with its predecessor's node. */
#define CLH_NODES 256
static struct clh_node {
    ck_spinlock_clh_t node;
} __attribute__((aligned(128))) clh_node[CLH_NODES];
static unsigned clh_nodes;

static ck_spinlock_clh_t *new_clh_node(void)
{
    return &clh_node[__atomic_fetch_add(&clh_nodes, 1, __ATOMIC_RELAXED) % CLH_NODES].node;
}

static void init_fas(unsigned slot)
{
    ck_spinlock_fas_init(&fas[slot].fas);
}

static void init_ticket(unsigned slot)
{
    ck_spinlock_ticket_init(&ticket[slot].ticket);
}

static void init_mcs(unsigned slot)
{
    ck_spinlock_mcs_init(&mcs[slot].mcs);
}

static void init_clh(unsigned slot)
{
    ck_spinlock_clh_init(&clh[slot].clh, &clh[slot].unowned);
    __atomic_store_n(&clh_nodes, 0, __ATOMIC_RELAXED);
}

LOCKS_WORKER(run_fas, ck_spinlock_fas_t *l = &fas[r->slot].fas, ck_spinlock_fas_lock(l),
             ck_spinlock_fas_unlock(l))
LOCKS_WORKER(run_ticket, ck_spinlock_ticket_t *l = &ticket[r->slot].ticket,
             ck_spinlock_ticket_lock(l), ck_spinlock_ticket_unlock(l))
LOCKS_WORKER(run_mcs, ck_spinlock_mcs_t *l = &mcs[r->slot].mcs;
             struct mcs_node node, ck_spinlock_mcs_lock(l, &node.node),
             ck_spinlock_mcs_unlock(l, &node.node))
LOCKS_WORKER(run_clh, ck_spinlock_clh_t **l = &clh[r->slot].clh;
             ck_spinlock_clh_t *node = new_clh_node(), ck_spinlock_clh_lock(l, node),
             ck_spinlock_clh_unlock(&node))

const struct locks_peer locks_ck_fas = {"ck fas", LOCKS_SPINS, false, init_fas, run_fas};
const struct locks_peer locks_ck_ticket = {"ck ticket", LOCKS_FIFO, false, init_ticket, run_ticket};
const struct locks_peer locks_ck_mcs = {"ck mcs", LOCKS_FIFO, false, init_mcs, run_mcs};
const struct locks_peer locks_ck_clh = {"ck clh", LOCKS_FIFO, false, init_clh, run_clh};
