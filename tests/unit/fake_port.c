/* SPDX-License-Identifier: MIT */
#include "tests/unit/fake_port.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__extension__ typedef unsigned __int128 u128;

struct fake_port fake;

/* ------------------------------------------------------------------------- what will be ---- */

#define MAX_EVENTS 64

enum kind { STORE, CALL, PREEMPT, PEER_STORE, PEER_ACK };

struct event {
    enum kind kind;
    uint64_t at;
    volatile void *word;
    uint32_t size;
    uint64_t value;
    void (*fn)(void *);
    void *arg;
};

static struct event events[MAX_EVENTS]; /* by time, soonest first; equals as they were added */
static unsigned n_events;

static struct xsc_peer *peer;
static uint32_t peer_seen, peer_served;

static void add(struct event e)
{
    unsigned i = n_events;

    if (n_events == MAX_EVENTS) {
        fprintf(stderr, "fake_port: more than %d things scheduled\n", MAX_EVENTS);
        abort();
    }
    for (; i && events[i - 1].at > e.at; i--) {
        events[i] = events[i - 1];
    }
    events[i] = e;
    n_events++;
}

bool fake_next(uint64_t *at)
{
    if (n_events) {
        *at = events[0].at;
    }
    return n_events != 0;
}

void fake_store_at(uint64_t at, volatile void *word, uint32_t size, uint64_t value)
{
    add((struct event){.kind = STORE, .at = at, .word = word, .size = size, .value = value});
}

void fake_call_at(uint64_t at, void (*fn)(void *), void *arg)
{
    add((struct event){.kind = CALL, .at = at, .fn = fn, .arg = arg});
}

void fake_preempt_at(uint64_t at, uint64_t ns)
{
    add((struct event){.kind = PREEMPT, .at = at, .value = ns});
}

static void store(const struct event *e)
{
    switch (e->size) {
    case 1:
        *(volatile uint8_t *)e->word = (uint8_t)e->value;
        break;
    case 2:
        *(volatile uint16_t *)e->word = (uint16_t)e->value;
        break;
    case 4:
        *(volatile uint32_t *)e->word = (uint32_t)e->value;
        break;
    default:
        *(volatile uint64_t *)e->word = e->value;
        break;
    }
}

/* ----------------------------------------------------------------------- the other CPU ---- */

/* A request is raised between two moments: found here, before time moves on from it. */
static void peer_looks(void)
{
    if (!peer || peer->request == peer_seen) {
        return;
    }
    peer_seen = peer->request;
    if (peer_served++ < fake.peer_serves) {
        const uint64_t delay = fake_ticks_ns(peer->clock, peer->delay_ticks);

        add((struct event){.kind = PEER_STORE, .at = fake.now + delay + fake.peer_lag_ns});
    }
}

static void peer_acknowledges(void)
{
    peer->after = fake_ticks(peer->clock);
    peer->done = peer_seen;
}

static void peer_stores(void)
{
    peer->before = fake_ticks(peer->clock);
    peer->word = peer_seen;
    if (peer->wake) {
        peer->wake();
        fake.peer_wakes++;
    }
    if (fake.peer_ack_ns) {
        add((struct event){.kind = PEER_ACK, .at = fake.now + fake.peer_ack_ns});
    } else {
        peer_acknowledges();
    }
}

int xsc_port_peer_start(struct xsc_peer *p)
{
    fake.peer_starts++;
    if (fake.peer_trouble) {
        p->trouble = fake.peer_trouble;
        return -1;
    }
    peer = p;
    peer_seen = 0;
    peer_served = 0;
    return 0;
}

void xsc_port_peer_stop(struct xsc_peer *p)
{
    fake.peer_stops++;
    p->stop = 1;
    peer = NULL;
    for (unsigned i = 0; i < n_events;) { /* what it was about to do, it never does */
        if (events[i].kind == PEER_STORE || events[i].kind == PEER_ACK) {
            memmove(&events[i], &events[i + 1], (n_events - i - 1) * sizeof(events[0]));
            n_events--;
        } else {
            i++;
        }
    }
}

/* -------------------------------------------------------------------------------- time ---- */

void fake_advance(uint64_t ns)
{
    uint64_t until = fake.now + ns;

    peer_looks();
    while (n_events && events[0].at <= until) {
        const struct event e = events[0];

        n_events--;
        memmove(&events[0], &events[1], n_events * sizeof(events[0]));
        fake.now = e.at > fake.now ? e.at : fake.now;
        switch (e.kind) {
        case STORE:
            store(&e);
            break;
        case CALL:
            e.fn(e.arg);
            break;
        case PREEMPT:
            until += e.value;
            fake.lost_ns += e.value;
            break;
        case PEER_STORE:
            peer_stores();
            break;
        case PEER_ACK:
            peer_acknowledges();
            break;
        }
    }
    fake.now = until > fake.now ? until : fake.now;
}

uint64_t fake_counter_at(uint64_t ns)
{
    return fake.counter_base + (uint64_t)((u128)ns * fake.hz / 1000000000u);
}

uint64_t fake_counter(void)
{
    fake.counter_reads++;
    fake_advance(fake.step);
    return fake_counter_at(fake.now);
}

uint64_t xsc_port_now_ns(void)
{
    static uint64_t still_at;

    fake.clock_reads++;
    if (!fake.still) {
        still_at = 0;
    } else if (!still_at) {
        still_at = fake.now;
    }
    fake_advance(fake.step);
    return fake.still ? still_at : fake.now;
}

uint64_t fake_ticks(const struct xsc_clock *clock)
{
    return clock->ticks == fake_counter ? fake_counter_at(fake.now) : fake.now;
}

uint64_t fake_ticks_ns(const struct xsc_clock *clock, uint64_t n)
{
    const uint64_t hz = clock->ticks == fake_counter ? fake.hz : 1000000000u;

    return hz ? (uint64_t)(((u128)n * 1000000000u + hz - 1) / hz) : 0;
}

/* -------------------------------------------------------------------- the rest of it ---- */

void fake_reset(void)
{
    n_events = 0;
    peer = NULL;
    fake = (struct fake_port){
        .now = 1000000000u,
        .step = 20,
        .hz = 1000000000u,
        .cpu = {.cpus = 2, .counter_trusted = true},
        .cpu_permille = 1000,
        .yield_ns = 300,
        .process = 100,
        .peer_serves = FAKE_PATIENT,
    };
}

uint64_t xsc_port_cpu_ns(void)
{
    return (fake.now - fake.lost_ns) / 1000 * fake.cpu_permille;
}

void xsc_port_clocks(struct xsc_clock_sources *sources)
{
    sources->counter = fake_counter;
    sources->now_ns = xsc_port_now_ns;
}

void xsc_port_cpu(struct xsc_cpu *cpu)
{
    *cpu = fake.cpu;
}

int xsc_port_try(void (*fn)(void *), void *arg)
{
    fake.tries++;
    if (!fake.try_result) {
        fn(arg);
    }
    return fake.try_result;
}

void xsc_port_yield(void)
{
    fake.yields++;
    fake_advance(fake.yield_ns);
}

void xsc_port_nap(uint64_t ns)
{
    fake.naps++;
    fake.longest_nap = ns > fake.longest_nap ? ns : fake.longest_nap;
    fake_advance(ns + fake.nap_over_ns);
    if (fake.on_nap) {
        fake.on_nap();
    }
}

void xsc_port_say(const char *line)
{
    if (fake.says < FAKE_LINES) {
        snprintf(fake.line[fake.says], sizeof(fake.line[0]), "%s", line);
    }
    fake.says++;
}

uint32_t xsc_port_slot_hint(void)
{
    return fake.hint;
}

bool xsc_port_may_judge(void)
{
    return !fake.waits_only;
}

bool xsc_port_must_sleep(void)
{
    fake.policy_asks++;
    return fake.must_sleep;
}

void xsc_port_recheck(uint64_t now_ns)
{
    fake.rechecks++;
    fake.rechecked_at = now_ns;
    if (fake.on_recheck) {
        fake.on_recheck();
    }
}

uint64_t xsc_port_process(void)
{
    if (fake.on_process) {
        fake.on_process();
    }
    return fake.process;
}
