/* SPDX-License-Identifier: MIT */
#include "tests/unit/fake_mech.h"

#include <string.h>

#include "tests/unit/fake_port.h"

struct fake_script fake_script[FAKE_MECHS];
struct xsc_mechanism fake_mech[FAKE_MECHS];

/* The time until which nothing but a store ends the wait, and whether it is the OS's limit. */
static uint64_t end_of(const struct fake_script *s, const struct xsc_mech_ctx *ctx,
                       uint64_t deadline, bool *limited)
{
    const uint64_t left = deadline - fake_ticks(ctx->clock);
    uint64_t end = (int64_t)left > 0 ? fake.now + fake_ticks_ns(ctx->clock, left) : fake.now;

    *limited = false;
    if (s->stream_ns) {
        end = (fake.now / s->stream_ns + 1) * s->stream_ns;
    }
    if (s->limit_ns && fake.now + s->limit_ns < end) {
        end = fake.now + s->limit_ns;
        *limited = true;
    }
    if (s->rest_ns && fake.now + s->rest_ns < end) {
        end = fake.now + s->rest_ns;
        *limited = false;
    }
    return end;
}

static enum xsc_woke run(struct fake_script *s, const struct xsc_mech_ctx *ctx,
                         const struct xsc_watch *w, uint64_t deadline)
{
    const uint64_t left = deadline - fake_ticks(ctx->clock);
    bool limited, deaf = false;
    uint64_t next;

    s->waits++;
    if ((int64_t)left > 0 && fake_ticks_ns(ctx->clock, left) > s->longest_ns) {
        s->longest_ns = fake_ticks_ns(ctx->clock, left);
    }
    fake_advance(s->enter_ns);
    if (xsc_watch_met(w)) {
        return XSC_WOKE;
    }
    if (s->inside) {
        s->inside();
    }
    const uint64_t end = end_of(s, ctx, deadline, &limited);

    while (fake.now < end) {
        const bool event = fake_next(&next) && next <= end;

        fake_advance(event ? (next > fake.now ? next - fake.now : 0) : end - fake.now);
        if (!deaf && xsc_watch_met(w)) {
            s->stores++;
            deaf = (s->miss_every && s->stores % s->miss_every == 0) || s->stores == s->miss_once;
            if (!deaf) {
                fake_advance(s->wake_ns);
                return XSC_WOKE;
            }
        }
    }
    fake_advance(s->exit_ns);
    return limited ? XSC_WOKE_LIMIT : XSC_WOKE;
}

#define FAKE(n)                                                                                    \
    static enum xsc_woke wait##n(const struct xsc_mech_ctx *ctx, const struct xsc_watch *w,        \
                                 uint64_t deadline, uint64_t *at)                                  \
    {                                                                                              \
        const enum xsc_woke woke = run(&fake_script[n], ctx, w, deadline);                         \
                                                                                                   \
        if (fake_mech[n].traits & XSC_POLL) {                                                      \
            *at = fake_ticks(ctx->clock);                                                          \
        }                                                                                          \
        return woke;                                                                               \
    }                                                                                              \
    static enum xsc_presence detect##n(const struct xsc_cpu *cpu, const char **why)                \
    {                                                                                              \
        (void)cpu;                                                                                 \
        *why = fake_script[n].why;                                                                 \
        return fake_script[n].presence;                                                            \
    }
FAKE(0)
FAKE(1)
FAKE(2)
FAKE(3)
FAKE(4)
FAKE(5)

void fake_mechs_reset(void)
{
    static const struct xsc_mechanism good[FAKE_MECHS] = {
#define GOOD(n)                                                                                    \
    {.name = "FAKE" #n,                                                                            \
     .traits = XSC_MONITOR | XSC_DEADLINE | XSC_MAY_FAULT,                                         \
     .rest_ns = 40000,                                                                             \
     .detect = detect##n,                                                                          \
     .wait = wait##n}
        GOOD(0), GOOD(1), GOOD(2), GOOD(3), GOOD(4), GOOD(5),
    };

    memcpy(fake_mech, good, sizeof(fake_mech));
    for (uint32_t i = 0; i < FAKE_MECHS; i++) {
        fake_script[i] = (struct fake_script){
            .enter_ns = 20, .wake_ns = 100, .exit_ns = 60, .presence = XSC_PRESENT, .why = ""};
    }
}

void fake_mech_polls(uint32_t i)
{
    fake_mech[i].traits = XSC_POLL;
    fake_mech[i].rest_ns = 0;
}

static const struct xsc_mechanism *const table[FAKE_MECHS] = {
    &fake_mech[0], &fake_mech[1], &fake_mech[2], &fake_mech[3], &fake_mech[4], &fake_mech[5],
};

void fake_engine(struct xsc_engine *e, uint32_t primary, uint32_t fallback)
{
    *e = (struct xsc_engine){0};
    xsc_engine_defaults(e);
    e->cpu = fake.cpu;
    e->clock.ticks = fake_counter;
    e->clock.hardware = true;
    xsc_clock_set_rate(&e->clock, fake.hz);
    e->clock.grain_ns = 1000000000u / fake.hz + 1;
    e->ctx = (struct xsc_mech_ctx){&e->cpu, &e->clock, 1};
    e->table = table;
    e->n_mechs = FAKE_MECHS;
    for (uint32_t i = 0; i < FAKE_MECHS; i++) {
        e->mech[i].mech = &fake_mech[i];
        e->mech[i].late_ns = FAKE_LATE_NS;
        xsc_set_state(&e->mech[i], XSC_STATE_CANDIDATE, "not tried yet");
    }
    xsc_set_state(&e->mech[primary], XSC_STATE_ACTIVE, "passed");
    xsc_set_state(&e->mech[fallback], XSC_STATE_ACTIVE, "passed");
    e->chosen = XSC_CHOICE(primary, fallback);
}
