/* SPDX-License-Identifier: MIT */
/*
 * handover: two threads on two CPUs hand a word back and forth.
 *
 * One thread stamps every round trip with the counter; half of a round trip is reported as
 * the time of one hand-over, and p50 and p99 are of all round trips of a round. The stamp
 * costs all contenders the same (some 10 ns a round trip).
 */
#include <stdio.h>
#include <stdlib.h>

#include "bench/bench.h"
#include "bench/figures.h"
#include "bench/peers/peer.h"

#define ROUNDS 20u
#define TRIPS 30000u
#define PARKS_DIV 25u /* one that parks takes 50 times as long: fewer trips in a round */

static const struct bench_metric metrics[] = {
    {"p50", "ns", 0, true},
    {"p99", "ns", 0, false},
};

enum { P50, P99 };

enum layout { TWO_LINES, ONE_LINE, ONE_WORD, LAYOUTS };

static const char *const layout_names[LAYOUTS] = {"two lines", "one line", "one word"};

struct handover {
    const struct bench_peer *peer;
    volatile void *ping, *pong; /* A stores to ping and waits for pong; the same for ONE_WORD */
    unsigned size;              /* index of the size */
    bool one_word;
    uint32_t trips;
    uint64_t *stamps; /* trips + 1 */
};

static void put(const struct handover *h, volatile void *word, uint64_t value)
{
    switch (h->size) {
    case 0:
        __atomic_store_n((volatile uint8_t *)word, (uint8_t)value, __ATOMIC_RELEASE);
        break;
    case 1:
        __atomic_store_n((volatile uint16_t *)word, (uint16_t)value, __ATOMIC_RELEASE);
        break;
    case 2:
        __atomic_store_n((volatile uint32_t *)word, (uint32_t)value, __ATOMIC_RELEASE);
        break;
    default:
        __atomic_store_n((volatile uint64_t *)word, value, __ATOMIC_RELEASE);
        break;
    }
    if (h->peer->notify) {
        h->peer->notify(word);
    }
}

/* Two words count the trips. One word counts the stores: odd by A, even by B. */
static void side_a(void *p)
{
    const struct handover *h = p;

    for (uint64_t i = 1; i <= h->trips; i++) {
        h->stamps[i - 1] = bench_ticks();
        put(h, h->ping, h->one_word ? 2 * i - 1 : i);
        h->peer->wait[h->size](h->pong, h->one_word ? 2 * i - 1 : i - 1);
    }
    h->stamps[h->trips] = bench_ticks();
}

static void side_b(void *p)
{
    const struct handover *h = p;

    for (uint64_t i = 1; i <= h->trips; i++) {
        h->peer->wait[h->size](h->ping, h->one_word ? 2 * i - 2 : i - 1);
        put(h, h->pong, h->one_word ? 2 * i : i);
    }
}

struct result {
    double p50, p99;
};

static struct result hand_over(const struct bench_peer *peer, enum layout layout, unsigned size,
                               uint32_t trips, const int cpu[2])
{
    static unsigned char lines[4][128] __attribute__((aligned(128)));
    uint64_t *stamps = bench_alloc(((size_t)trips + 1) * sizeof(*stamps));
    struct handover h = {
        .peer = peer,
        .ping = lines[0],
        .pong = layout == TWO_LINES  ? lines[2]
                : layout == ONE_LINE ? &lines[0][32]
                                     : lines[0],
        .size = size,
        .one_word = layout == ONE_WORD,
        .trips = trips,
        .stamps = stamps,
    };

    *(volatile uint64_t *)h.ping = 0;
    *(volatile uint64_t *)h.pong = 0;
    bench_run_pair(side_a, side_b, &h, cpu);
    for (uint32_t i = 0; i < trips; i++) {
        stamps[i] = stamps[i + 1] - stamps[i];
    }
    bench_sort(stamps, trips);
    const struct result r = {bench_ticks_to_ns(bench_quantile(stamps, trips, 500)) / 2,
                             bench_ticks_to_ns(bench_quantile(stamps, trips, 990)) / 2};

    free(stamps);
    return r;
}

/* In a process whose library was told to use GENERIC. */
static void child(const struct bench_options *o)
{
    bench_start();
    const struct result r = hand_over(&bench_peer_xsc, TWO_LINES, BENCH_U32,
                                      bench_iterations(o, TRIPS), o->cpu);

    printf("%.3f %.3f\n", r.p50, r.p99);
}

static void set(struct bench_table *t, unsigned row, unsigned round, struct result r)
{
    bench_cell(t, row, P50)[round] = r.p50;
    bench_cell(t, row, P99)[round] = r.p99;
}

/* ---- the contenders, in this order in every round ---- */

struct contender {
    const struct bench_peer *peer; /* NULL: the library in a child, with GENERIC */
    enum layout layout;
    unsigned size;
    int baseline;
};

static const struct contender contenders[] = {
    {&bench_peer_pause, TWO_LINES, 2, -1},
    {&bench_peer_xsc, TWO_LINES, 2, 0},
    {NULL, TWO_LINES, 2, 0},
#if defined(__linux__)
    {&bench_peer_futex, TWO_LINES, 2, 0},
#else
    {&bench_peer_pause, TWO_LINES, 2, 0}, /* keeps the indices below; no futex here */
#endif
    {&bench_peer_pause, ONE_LINE, 2, -1},
    {&bench_peer_xsc, ONE_LINE, 2, 4},
    {&bench_peer_pause, ONE_WORD, 2, -1},
    {&bench_peer_xsc, ONE_WORD, 2, 6},
    {&bench_peer_pause, TWO_LINES, 0, -1},
    {&bench_peer_xsc, TWO_LINES, 0, 8},
    {&bench_peer_pause, TWO_LINES, 1, -1},
    {&bench_peer_xsc, TWO_LINES, 1, 10},
    {&bench_peer_pause, TWO_LINES, 3, -1},
    {&bench_peer_xsc, TWO_LINES, 3, 12},
};

#define N_CONTENDERS ((unsigned)(sizeof(contenders) / sizeof(contenders[0])))

static struct result measure(const struct contender *c, uint32_t trips,
                             const struct bench_options *o)
{
    if (!c->peer) {
        double v[2];

        bench_child("handover", 0, trips, "generic", o, v, 2);
        return (struct result){v[0], v[1]};
    }
    if (c->peer->kind == BENCH_PARKS) {
        trips = trips / PARKS_DIV + 1;
    }
    return hand_over(c->peer, c->layout, c->size, trips, o->cpu);
}

static void run(const struct bench_options *o)
{
    const unsigned rounds = bench_rounds(o, ROUNDS);
    const uint32_t trips = bench_iterations(o, TRIPS);
    struct bench_table *t = bench_table_new("One hand-over of a word between two CPUs (half a "
                                            "round trip)",
                                            metrics, 2, N_CONTENDERS, rounds);

    for (unsigned i = 0; i < N_CONTENDERS; i++) {
        const struct contender *c = &contenders[i];
        char group[32];

        snprintf(group, sizeof(group), "%s, %u bytes", layout_names[c->layout], 1u << c->size);
        bench_table_row(t, group, c->peer ? c->peer->name : "xsc_wait, GENERIC", c->baseline);
    }
    for (unsigned round = 0; round < rounds; round++) {
        for (unsigned i = 0; i < N_CONTENDERS; i++) {
            set(t, i, round, measure(&contenders[i], trips, o));
        }
    }
    bench_report_table(t);
    bench_report_note("Round trips in a round: %u, and a %uth of that for the futex. The library's "
                      "first look and tight spin are the same with GENERIC: a hand-over ends in "
                      "them.",
                      trips, PARKS_DIV);
    for (unsigned i = 1; i < N_CONTENDERS; i++) {
        if (contenders[i].peer == &bench_peer_xsc) {
            char text[96];

            snprintf(text, sizeof(text), "p50 of a hand-over against a bare spin, %s",
                     t->rows[i].group);
            bench_report_ratio_goal(text, t, i, P50, 1.05);
        }
    }
    bench_table_free(t);
}

const struct bench_question bench_handover = {
    .name = "handover",
    .what = "handing a word back and forth between two CPUs, beside a bare spin and a futex",
    .two_cpus = true,
    .run = run,
    .child = child,
};
