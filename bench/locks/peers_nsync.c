/* SPDX-License-Identifier: MIT */
/* nsync's. */
#include <stddef.h>

#include <nsync.h>

#include "bench/locks/locks.h"

static struct {
    nsync_mu mu;
} __attribute__((aligned(128))) lock[LOCKS_SLOTS];

LOCKS_WORKER(run, nsync_mu *m = &lock[r->slot].mu, nsync_mu_lock(m), nsync_mu_unlock(m))

const struct locks_peer locks_nsync = {"nsync_mu", LOCKS_PARKS, false, NULL, run};
