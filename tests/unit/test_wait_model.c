/* SPDX-License-Identifier: MIT */
/* core/wait.c against a reference model: random scripts of returns, stores and limits. A1. */
#include "tests/unit/unit_wait.h"

/* --------------------------------------------- random scripts against a reference model ---- */

#define MAX_RETURNS 400

static struct {
    uint64_t ns[MAX_RETURNS]; /* how long each wait of the mechanism takes */
    bool limit[MAX_RETURNS];
    size_t next;
} script;

static enum xsc_woke scripted_wait(const struct xsc_mech_ctx *ctx, const struct xsc_watch *w,
                                   uint64_t deadline, uint64_t *at)
{
    (void)w;
    (void)deadline;
    assert_true(script.next < MAX_RETURNS);
    fake_advance(script.ns[script.next]);
    *at = fake_ticks(ctx->clock);
    return script.limit[script.next++] ? XSC_WOKE_LIMIT : XSC_WOKE;
}

/*
 * What must come out, from the script alone. Slices of at most 100 us, each ended by the first
 * return that is at or past its end; time moves in the mechanism and nowhere else.
 */
static enum xsc_end model(struct xsc_counts *n, uint64_t timeout, uint64_t store, bool monitor)
{
    uint64_t t = 0, end = 0;
    bool in_slice = false, met = false;

    for (size_t i = 0; !met; i++) {
        if (!in_slice) {
            if (t >= timeout) {
                break;
            }
            end = t + (timeout - t < 100000 ? timeout - t : 100000) + 1;
            in_slice = true;
        }
        t += script.ns[i];
        n->hw_waits++;
        met = t >= store;
        if (met && monitor && script.ns[i] >= 20000 &&
            (script.limit[i] || (t >= end && t - end < 50000))) {
            n->late++;
        } else if (met) {
            n->woken++;
        } else if (t >= end) {
            n->expired++;
            n->overslept += t - end > 50000;
            n->max_over_ns = t - end > n->max_over_ns ? t - end : n->max_over_ns;
            in_slice = false;
        } else if (script.limit[i]) {
            n->limited++;
        } else {
            n->spurious++;
        }
    }
    n->total++;
    n->watched++;
    *(met ? &n->changed : &n->timeouts) += 1;
    *(monitor ? &n->deep : &n->shallow) += 1;
    n->sum_ns += t;
    n->slices_ns += t;
    n->max_ns = t > n->max_ns ? t : n->max_ns;
    n->min_ns_plus = !n->min_ns_plus || t + 1 < n->min_ns_plus ? t + 1 : n->min_ns_plus;
    return met ? XSC_MET : XSC_TIMED_OUT;
}

static void random_scripts(void **state)
{
    static const uint64_t longest[] = {50, 1000, 20000, 90000, 101000, 260000};
    struct xsc_mechanism m = {.name = "SCRIPTED", .wait = scripted_wait};
    struct xsc_counts expected = {0};
    uint64_t seed = 6;

    (void)state;
    fake.step = 0;
    e.mech[1].mech = &m;
    e.chosen = XSC_CHOICE(1, 2);
    e.health_ns = (uint64_t)1 << 60; /* judged elsewhere */
    for (int round = 0; round < 20000; round++) {
        const uint64_t most = longest[unit_random(&seed) % LENGTH(longest)];
        const bool monitor = unit_random(&seed) & 1;
        uint64_t sum = 0;

        m.traits = monitor ? XSC_MONITOR | XSC_DEADLINE : XSC_POLL;
        script.next = 0;
        for (size_t i = 0; i < MAX_RETURNS; i++) {
            script.ns[i] = i % 50 == 49 ? 100000 : unit_between(&seed, 0, most);
            script.limit[i] = unit_random(&seed) % 4 == 0;
            sum += script.ns[i];
        }
        /* The wait is over, one way or the other, before the script is. */
        const uint64_t timeout = unit_between(&seed, 1, sum / 2);
        const uint64_t store = unit_between(&seed, 0, sum);

        word = 0;
        fake_store_at(fake.now + store, &word, 4, 1);
        const enum xsc_end end = model(&expected, timeout, store, monitor);

        assert_int_equal(wait(timeout), end);
        const struct xsc_counts n = counts();

        assert_memory_equal(&n, &expected, sizeof(n));
        fake_advance(sum); /* the store of a wait that timed out is not the next one's */
    }
    assert_sound(&expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(random_scripts, setup),
    };

    return cmocka_run_group_tests_name("wait, by a model", tests, NULL, NULL);
}
