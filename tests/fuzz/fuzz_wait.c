/* SPDX-License-Identifier: MIT */
/*
 * fuzz_wait.c - waits of core/wait.c for one word and for several, with a fake clock and mechanisms that
 * do anything: come back early, late, for nothing, and miss stores; while threads lose their CPU
 */
#include "tests/fuzz/fuzz.h"
#include "tests/unit/unit_wait.h"

#define WORDS 4

static uint64_t some(struct bytes *b, uint64_t most)
{
    return next_magnitude(b) % most;
}

static void script_of(struct bytes *b, unsigned i)
{
    struct fake_script *s = &fake_script[i];
    const uint8_t what = next_byte(b);

    if (what & 1) {
        fake_mech_polls(i);
    }
    s->enter_ns = what & 2 ? some(b, 5000) : 0;
    s->wake_ns = what & 4 ? some(b, 20000) : 0;
    s->exit_ns = what & 8 ? some(b, 20000) : 0;
    s->rest_ns = what & 16 ? 200 + some(b, 100000) : 0;
    s->limit_ns = what & 32 ? 200 + some(b, 100000) : 0;
    s->miss_every = what & 64 ? 1 + (uint32_t)some(b, 4) : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes b = {data, size};
    uint32_t words[WORDS] = {0}, which = 0;
    struct xsc_watch w[WORDS];
    uint64_t lost = 0, first_store = UINT64_MAX;
    void *no_state = NULL;

    setup(&no_state);
    fake.step = 50 + next_byte(&b); /* else a poll takes a million reads of the clock */
    fake.now += next_magnitude(&b) >> 2;
    script_of(&b, 0);
    script_of(&b, 2);
    e.naps = next_byte(&b) & 1;
    e.health_ns = (uint64_t)1 << 60; /* judged elsewhere */
    const uint32_t n = 1 + next_byte(&b) % WORDS;

    for (uint32_t i = 0; i < n; i++) {
        w[i] = changes(&words[i]);
    }
    const uint64_t begun = fake.now, timeout = some(&b, 600000);

    for (unsigned i = next_byte(&b) % 4; i; i--) {
        const uint64_t at = begun + some(&b, 800000);

        if (next_byte(&b) & 1) {
            const uint64_t ns = some(&b, 200000);

            fake_preempt_at(at, ns);
            lost += ns;
        } else {
            fake_store_at(at, &words[next_byte(&b) % n], 4, 1);
            first_store = at < first_store ? at : first_store;
        }
    }
    /* For ever only where there is something to come. */
    const bool forever = first_store != UINT64_MAX && (next_byte(&b) & 1);
    const enum xsc_end end = xsc_core_wait_any(&e, w, n, forever ? XSC_FOREVER : timeout, asked,
                                               &which);
    const uint64_t took = fake.now - begun;

    if (end == XSC_MET) {
        MUST(which < n && words[which] == 1);
        MUST(fake.now >= first_store);
    } else {
        MUST(end == XSC_TIMED_OUT && !forever);
        MUST(took >= timeout);
    }
    /* Noticed at the latest with the slice in which it came, and a nap: see core/wait.c. */
    const uint64_t until = forever || first_store < begun + timeout ? first_store : begun + timeout;
    const uint64_t late = fake.now > until ? fake.now - until : 0;

    MUST(late <= lost + 3000000);
    fake_advance(10000000); /* what is still to come is not the next run's */
    const struct xsc_counts c = counts();

    MUST(c.total == c.changed + c.timeouts && c.total == c.deep + c.shallow);
    MUST(c.hw_waits == c.woken + c.late + c.expired + c.spurious + c.limited);
    return 0;
}
