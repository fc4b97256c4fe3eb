/* SPDX-License-Identifier: MIT */
/*
 * A monitor holds one line, so a wait for several words takes turns: all words are looked at,
 * then one of them is watched for a short while, another each time.
 *
 * WHY NO STORE IS LOST. Between two rests every word is loaded. A store to the word that is
 * watched ends the rest; a store to another is seen after it, REST_NS later at the most. Words
 * that share a cache line share its monitor where the hardware watches lines (XSC_WATCHES_LINE):
 * then any of the stores ends the rest, and only one that fell between our look at its word and
 * the arming is seen no earlier than its end, so that the rests may be longer.
 *
 * WHICH MECHANISMS TAKE TURNS. Those that take a deadline, or leave the CPU. Without a deadline
 * (WFE, WRS.STO) a rest lasts as long as the event stream or the implementation likes, and a store
 * to another word would wait for that; such a machine polls with the CPU's spin hint, as do those
 * that poll anyway.
 */
#include "core/any.h"

#define REST_NS 2000u       /* what a store to a word that is not being watched may wait */
#define REST_LINE_NS 20000u /* and on one line, where only arming leaves a gap */
#define REST_AWAY_NS 50000u /* leaving the CPU costs too much to come back sooner */
#define LINE 64u            /* bytes; CPUID leaf 5 gives the monitor's, never seen smaller */

static bool on_one_line(const struct xsc_watch *w, uint32_t n)
{
    for (uint32_t i = 1; i < n; i++) {
        if ((uintptr_t)w[i].word / LINE != (uintptr_t)w[0].word / LINE) {
            return false;
        }
    }
    return true;
}

static uint64_t rest_of(const struct xsc_mechanism *m, const struct xsc_watch *w, uint32_t n)
{
    if (m->traits & XSC_LEAVES_CPU) {
        return REST_AWAY_NS;
    }
    return m->traits & XSC_WATCHES_LINE && on_one_line(w, n) ? REST_LINE_NS : REST_NS;
}

static enum xsc_woke take_turns(const struct xsc_mechanism *m, const struct xsc_mech_ctx *ctx,
                                const struct xsc_watch *w, uint32_t n, uint32_t *which,
                                uint64_t deadline, uint64_t *at)
{
    const uint64_t rest = xsc_to_ticks(ctx->clock, rest_of(m, w, n)) + 1, start = *at;

    for (uint32_t turn = 0;; turn = turn + 1 < n ? turn + 1 : 0) {
        const uint64_t left = deadline - *at;

        if (xsc_any_met(w, n, which)) {
            return XSC_WOKE_MET;
        }
        if (xsc_slice_over(*at, start, deadline)) {
            return XSC_WOKE;
        }
        m->wait(ctx, &w[turn], *at + (left < rest ? left : rest), at);
        *at = ctx->clock->ticks();
    }
}

static enum xsc_woke poll(const struct xsc_mech_ctx *ctx, const struct xsc_watch *w, uint32_t n,
                          uint32_t *which, uint64_t deadline, uint64_t *at)
{
    const uint64_t start = *at;

    do {
        for (uint32_t looks = 0; looks < XSC_LOOKS_PER_TICK_READ; looks += n) {
            if (xsc_any_met(w, n, which)) {
                return XSC_WOKE_MET;
            }
            for (uint32_t i = ctx->relaxes_per_look; i; i--) {
                xsc_arch_relax();
            }
        }
        *at = ctx->clock->ticks();
    } while (!xsc_slice_over(*at, start, deadline));
    return XSC_WOKE;
}

enum xsc_woke xsc_any_wait(const struct xsc_mechanism *m, const struct xsc_mech_ctx *ctx,
                           const struct xsc_watch *w, uint32_t n, uint32_t *which,
                           uint64_t deadline, uint64_t *at)
{
    return m->traits & (XSC_DEADLINE | XSC_LEAVES_CPU)
               ? take_turns(m, ctx, w, n, which, deadline, at)
               : poll(ctx, w, n, which, deadline, at);
}
