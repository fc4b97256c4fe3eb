/* SPDX-License-Identifier: MIT */
/* nsync's mutex and condition variable. */
#include "bench/replay.h"

#include <nsync.h>
#include <stddef.h>

static nsync_mu mu = NSYNC_MU_INIT;
static nsync_cv cv = NSYNC_CV_INIT;
static uint32_t guarded;

static void wait_for(uint32_t seen)
{
    nsync_mu_lock(&mu);
    while (guarded == seen) {
        nsync_cv_wait(&cv, &mu);
    }
    nsync_mu_unlock(&mu);
}

static void post(uint32_t news)
{
    nsync_mu_lock(&mu);
    guarded = news;
    nsync_mu_unlock(&mu);
    nsync_cv_signal(&cv);
}

const struct replay_peer replay_nsync = {NULL, NULL, wait_for, post};
