/* SPDX-License-Identifier: MIT */
/*
 * The library: with a writer that unparks; and for a word whose writer only stores, twice. A trace is
 * a wait site of its own, which has learned nothing yet.
 */
#include "bench/replay.h"

#include <string.h>

#include <xsc/park.h>
#include <xsc/wait.h>

static uint32_t parked __attribute__((aligned(128)));
static uint32_t plain __attribute__((aligned(128)));
static uint32_t learned __attribute__((aligned(128)));
static struct xsc_site parked_site, learned_site;

static void park(uint32_t seen)
{
    const struct xsc_watch w = XSC_WATCH(&parked, seen);

    xsc_park_site(&parked_site, &w, XSC_FOREVER);
}

static void park_anew(void)
{
    memset(&parked_site, 0, sizeof(parked_site));
}

static void unpark(uint32_t news)
{
    __atomic_store_n(&parked, news, __ATOMIC_RELEASE);
    xsc_unpark_one(&parked);
}

static void watch(uint32_t seen)
{
    xsc_wait_u32(&plain, seen, XSC_FOREVER);
}

static void store(uint32_t news)
{
    __atomic_store_n(&plain, news, __ATOMIC_RELEASE);
}

static void watch_site(uint32_t seen)
{
    const struct xsc_watch w = XSC_WATCH(&learned, seen);

    xsc_wait_site(&learned_site, &w, XSC_FOREVER);
}

static void learned_anew(void)
{
    memset(&learned_site, 0, sizeof(learned_site));
}

static void store_learned(uint32_t news)
{
    __atomic_store_n(&learned, news, __ATOMIC_RELEASE);
}

const struct replay_peer replay_park = {NULL, park_anew, park, unpark};
const struct replay_peer replay_wait = {NULL, NULL, watch, store};
const struct replay_peer replay_wait_site = {NULL, learned_anew, watch_site, store_learned};
