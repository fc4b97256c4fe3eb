/* SPDX-License-Identifier: MIT */
/*
 * fuzz_core.c - sequences of calls of what is pure in core/, against references
 *
 * The first byte says which: conditions of watches, the idle governor, histograms and statistics, the
 * waiting policy (its bound, which it keeps whatever the waits are).
 */
#include <xsc/idle.h>

#include "core/port.h"
#include "core/histogram.h"
#include "core/policy.h"
#include "core/stats.h"
#include "core/watch.h"
#include "tests/fuzz/fuzz.h"

/* ----------------------------------------------------------------------------- watches ---- */

/* As the words of xsc/watch.h have it, one value after another where that is possible. */
static void try_watch(struct bytes *b)
{
    static uint64_t word;
    const uint32_t size = 1u << next_byte(b) % 4;
    const uint64_t range = size == 8 ? UINT64_MAX : (1ull << 8 * size) - 1;
    const struct xsc_watch w = {&word, next_magnitude(b) & range, next_magnitude(b), size,
                                (enum xsc_until)(next_byte(b) % 3)};
    const bool valid = xsc_watch_valid(&w);

    if (size == 1) { /* all values there are */
        bool any = false;

        for (unsigned v = 0; v < 256; v++) {
            any |= xsc_watch_holds(&w, v);
        }
        MUST(valid == any);
    }
    for (unsigned i = 0; valid && b->left && i < 16; i++) {
        const uint64_t v = next_magnitude(b) & range;
        bool expected;

        if (w.until == XSC_UNTIL_REACHED) { /* less than half of the range past the target */
            expected = ((v - w.value) & range) <= range / 2;
        } else {
            expected = ((v & w.mask) == w.value) == (w.until == XSC_UNTIL_EQUAL);
        }
        word = 0;
        memcpy(&word, &v, sizeof(v)); /* little-endian, as the machines that run this */
        MUST(xsc_watch_holds(&w, v) == expected);
        MUST(xsc_watch_load(&w) == v);
    }
}

/* --------------------------------------------------------------------- the idle governor ---- */

static void try_idle(struct bytes *b)
{
    const uint64_t max_ns = next_magnitude(b);
    uint64_t now = next_magnitude(b), row = 0, last = 0;
    const uint64_t ready = now > UINT64_MAX - 15000000000u ? UINT64_MAX : now + 15000000000u;
    struct xsc_idle idle;

    xsc_idle_init(&idle, max_ns, now);
    while (b->left) {
        const uint8_t what = next_byte(b);
        const bool work = what % 64 == 1;
        unsigned repeats = 1 + (what % 4 == 3 ? next_byte(b) : 0u);

        if (what % 64 == 2) {
            xsc_idle_on_activity(&idle);
            row = 0;
            continue;
        }
        const uint64_t step = what & 0x80 ? next_magnitude(b) : 1000;

        for (; repeats; repeats--) {
            now += step;
            const uint64_t gap = now - last;
            const uint64_t got = xsc_idle_on_wait(&idle, now, work);

            row = work || gap > 1000000 ? 0 : row;
            last = now;
            if (work) {
                MUST(got == 0);
                continue;
            }
            row++;
            const uint64_t wanted = now < ready || row <= 50 ? 0
                                    : row <= 100             ? max_ns / 10
                                    : row <= 200             ? max_ns / 4
                                    : row <= 500             ? max_ns / 2
                                                             : max_ns;

            MUST(got == wanted);
        }
    }
}

/* -------------------------------------------------------------------------- statistics ---- */

static void try_stats(struct bytes *b)
{
    static struct xsc_stats_table table;
    struct xsc_slot *held[4] = {NULL};
    uint64_t waits = 0, sum = 0, max = 0;
    struct xsc_counts counts;
    struct xsc_histogram waited;

    memset(&table, 0, sizeof(table));
    while (b->left) {
        struct xsc_slot **slot = &held[next_byte(b) % 4];

        if (!*slot) {
            *slot = xsc_slot_claim(&table, next_byte(b));
            continue;
        }
        const uint64_t ns = next_magnitude(b) >> 8;

        /* A slot of one's own counts without loss; the one for all may lose. */
        if (*slot != &table.nobodys) {
            __atomic_store_n(&(*slot)->last, XSC_LAST(ns, ns & 1), __ATOMIC_RELAXED);
            waits++;
            sum += ns;
            max = ns > max ? ns : max;
        }
        xsc_slot_release(*slot);
        *slot = NULL;
    }
    for (unsigned i = 0; i < 4; i++) {
        for (unsigned k = 0; held[i] && k < i; k++) {
            MUST(held[i] != held[k] || held[i] == &table.nobodys);
        }
    }
    xsc_stats_sum(&table, &counts, &waited);
    MUST(counts.total == waits && counts.watched == waits && counts.changed == waits);
    MUST(counts.sum_ns == sum && counts.max_ns == max);
    MUST(counts.deep + counts.shallow == waits);
}

/* ------------------------------------------------------------------------ the policy ---- */

#define POLICY_WAITS 300 /* an input's: more take long, and teach little */

static uint64_t cost(struct bytes *b, uint32_t least)
{
    const uint64_t ns = least + next_magnitude(b) % 1000000;

    return ns;
}

/* The dearer of the nap's earliest and latest end. */
static uint64_t paid(const struct xsc_costs *c, const struct xsc_plan *p, uint64_t ns)
{
    const uint64_t one = xsc_cost_of(c, p, ns, c->nap_latency_ns);
    const uint64_t two = p->nap_ns == XSC_NEVER
                             ? one
                             : xsc_cost_of(c, p, ns,
                                           (uint64_t)c->nap_latency_ns + c->nap_jitter_ns);

    return one > two ? one : two;
}

/* What the statistics ask of the port. */
uint64_t xsc_port_process(void)
{
    return 1;
}

static void try_policy(struct bytes *b)
{
    static struct xsc_policy_scratch scratch;
    struct xsc_costs c = {.park_cpu_ns = (uint32_t)cost(b, 500),
                          .park_latency_ns = (uint32_t)cost(b, 500),
                          .nap_cpu_ns = (uint32_t)cost(b, 500),
                          .nap_latency_ns = (uint32_t)cost(b, 500),
                          .nap_jitter_ns = (uint32_t)cost(b, 0),
                          .watch_latency_ns = (uint32_t)(next_byte(b)),
                          .weight = 1 + next_byte(b) % 100};
    struct xsc_policy site;
    uint64_t ours = 0, watch = 0, park = 0;
    unsigned waits = 0;

    memset(&site, 0, sizeof(site));
    while (b->left && waits < POLICY_WAITS) {
        const uint8_t what = next_byte(b);
        const bool crowded = what % 32 == 1;
        const uint64_t ns = next_magnitude(b) >> 15; /* below 2^49 */

        for (unsigned repeats = 1 + (what & 0x40 ? next_byte(b) : 0); repeats; repeats--) {
            const struct xsc_plan plan = xsc_policy_plan(&site, &c, XSC_NEVER, crowded);
            const struct xsc_outcome was = {
                .ns = ns, .timeout_ns = XSC_NEVER, .starved = what % 32 == 2};

            waits++;
            MUST(plan.nap_ns == XSC_NEVER || plan.nap_ns >= plan.watch_ns);
            if (!plan.crowded) { /* the others are outside of the account */
                ours += paid(&c, &plan, ns);
                watch += 10 * ns + xsc_cost_notice(&c);
                park += xsc_cost_park(&c, ns);
                MUST(ours <= 2 * watch);
                MUST(ours <= 2 * park);
            }
            xsc_policy_learn(&site, &c, &plan, &was, &scratch);
            if (ours > 1ull << 58 || watch > 1ull << 58) {
                return;
            }
        }
        if (what % 32 == 3) {
            xsc_policy_costs_changed(&site);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes b = {data, size};

    switch (next_byte(&b) % 4) {
    case 0:
        try_watch(&b);
        break;
    case 1:
        try_idle(&b);
        break;
    case 2:
        try_stats(&b);
        break;
    default:
        try_policy(&b);
    }
    return 0;
}
