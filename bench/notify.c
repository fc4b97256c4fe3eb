/* SPDX-License-Identifier: MIT */
/*
 * notify: what a writer pays after its store for possible waiters, when no thread waits.
 *
 * The floor is what any such scheme needs at the least: after the store, one load and a
 * branch. The loops are timed as in the question fastpath: many calls, the quickest of several
 * runs in a round, since all that others do adds to it. Every loop stores before it notifies;
 * the bare store shows what of it is the store.
 */
#include "bench/notify.h"

#include <stdio.h>
#include <stdlib.h>

#include <xsc/event.h>

#include "bench/bench.h"
#include "bench/figures.h"

#define ROUNDS 50u
#define CALLS 20000u
#define RUNS 7

static const struct bench_metric metrics[] = {
    {"time", "ns", 2, true},
    {"cycles", "of the core", 2, false},
};

enum { NS, CYCLES, METRICS };

/* Lines of their own, as a ring's tail and a table of waiters would have. */
static struct {
    uint32_t word;
} bare __attribute__((aligned(64))), known __attribute__((aligned(64)));
static uint32_t none __attribute__((aligned(64)));
static struct {
    uint32_t word;
    struct xsc_event event;
} ring __attribute__((aligned(64))), mapped __attribute__((aligned(64)));

#define LOOP(name, at, each_time, notify)                                                          \
    static BENCH_NOTIFY_LOOP void name(uint32_t n)                                                 \
    {                                                                                              \
        uint32_t *w = &(at).word;                                                                  \
                                                                                                   \
        BENCH_LAUNDER(w);                                                                          \
        for (uint32_t i = 0; i < n; i++) {                                                         \
            each_time(w);                                                                          \
            __atomic_store_n(w, i, __ATOMIC_RELEASE);                                              \
            notify;                                                                                \
        }                                                                                          \
    }

#define STAY(p) (void)0

static __attribute__((noinline)) void somebody_waits(const void *word)
{
    bench_die("the word at %p has a waiter, and should not", word);
}

#define FLOOR                                                                                      \
    __asm__ __volatile__("" ::: "memory");                                                         \
    if (__builtin_expect(__atomic_load_n(&none, __ATOMIC_RELAXED) != 0, 0)) {                      \
        somebody_waits(w);                                                                         \
    }

LOOP(store_passed, bare, STAY, (void)0)
LOOP(floor_passed, bare, STAY, FLOOR)
LOOP(unpark_passed, known, STAY, xsc_unpark_one(w))
LOOP(signal_passed, ring, STAY, xsc_event_signal(&ring.event))
LOOP(signal_shared_passed, mapped, STAY, xsc_event_signal_shared(&mapped.event))
LOOP(store_fresh, bare, BENCH_LAUNDER, (void)0)
LOOP(floor_fresh, bare, BENCH_LAUNDER, FLOOR)
LOOP(unpark_fresh, known, BENCH_LAUNDER, xsc_unpark_one(w))
LOOP(fence_fresh, known, BENCH_LAUNDER, xsc_unpark_slow(w, 1))
LOOP(unpark_shared, known, BENCH_LAUNDER, xsc_unpark_one_shared(w))

/* Those before STORE_PASSED are measured while the process has selected no barrier. */
enum {
    FLOOR_NEVER,
    UNPARK_NEVER,
    SIGNAL_NEVER,
    FLOOR_NEVER_FRESH,
    UNPARK_NEVER_FRESH,
    STORE_PASSED,
    FLOOR_PASSED,
    UNPARK_PASSED,
    SIGNAL_PASSED,
    SIGNAL_SHARED_PASSED,
    STORE_FRESH,
    FLOOR_FRESH,
    UNPARK_FRESH,
    FENCE_FRESH,
    UNPARK_SHARED,
    STD_ATOMIC_RELEASE,
    STD_ATOMIC,
    CK_EC,
    CONTENDERS,
};

static struct contender {
    const char *group, *name;
    int baseline;
    bench_notify_loop *loop;
    uint32_t fewer; /* so many times fewer calls: it enters the kernel */
} contenders[CONTENDERS] = {
    [FLOOR_NEVER] = {"no thread has parked yet", "floor: load and branch", -1, floor_passed, 1},
    [UNPARK_NEVER] = {"no thread has parked yet", "xsc_unpark_one", FLOOR_NEVER, unpark_passed, 1},
    [SIGNAL_NEVER] = {"no thread has parked yet", "xsc_event_signal", FLOOR_NEVER, signal_passed,
                      1},
    [FLOOR_NEVER_FRESH] = {"none yet, another word a time", "floor: load and branch", -1,
                           floor_fresh, 1},
    [UNPARK_NEVER_FRESH] = {"none yet, another word a time", "xsc_unpark_one", FLOOR_NEVER_FRESH,
                            unpark_fresh, 1},
    [STORE_PASSED] = {"word passed in", "store alone", FLOOR_PASSED, store_passed, 1},
    [FLOOR_PASSED] = {"word passed in", "floor: load and branch", -1, floor_passed, 1},
    [UNPARK_PASSED] = {"word passed in", "xsc_unpark_one", FLOOR_PASSED, unpark_passed, 1},
    [SIGNAL_PASSED] = {"word passed in", "xsc_event_signal", FLOOR_PASSED, signal_passed, 1},
    [SIGNAL_SHARED_PASSED] = {"word passed in", "xsc_event_signal_shared", FLOOR_PASSED,
                              signal_shared_passed, 1},
    [STORE_FRESH] = {"another word each time", "store alone", FLOOR_FRESH, store_fresh, 1},
    [FLOOR_FRESH] = {"another word each time", "floor: load and branch", -1, floor_fresh, 1},
    [UNPARK_FRESH] = {"another word each time", "xsc_unpark_one", FLOOR_FRESH, unpark_fresh, 1},
    [FENCE_FRESH] = {"another word each time", "the same, seq_cst", FLOOR_FRESH, fence_fresh, 1},
    [UNPARK_SHARED] = {"another word each time", "xsc_unpark_one_shared", FLOOR_FRESH,
                       unpark_shared, 50},
    [STD_ATOMIC_RELEASE] = {"another word each time", "notify_one, release store", FLOOR_FRESH,
                            NULL, 1},
    [STD_ATOMIC] = {"another word each time", "std::atomic notify_one", FLOOR_FRESH, NULL, 1},
    [CK_EC] = {"another word each time", "ck_ec32_inc", FLOOR_FRESH, NULL, 1},
};

static double ns_a_call(const struct contender *c, uint32_t calls)
{
    uint64_t best = UINT64_MAX;

    for (int run = 0; run < RUNS; run++) {
        const uint64_t start = bench_ticks_ordered();

        c->loop(calls);
        const uint64_t took = bench_ticks_ordered() - start;

        best = took < best ? took : best;
    }
    return bench_ticks_to_ns(best) / calls;
}

/* How many times slower a peer is, for goals of the form "at least". Turned round: at most. */
static void cheaper_goal(const struct bench_table *t, unsigned ours, unsigned peer)
{
    double *ratio = bench_alloc(t->rounds * sizeof(*ratio));
    char text[96];

    bench_ratios(bench_cell(t, ours, NS), bench_cell(t, peer, NS), ratio, t->rounds);
    snprintf(text, sizeof(text), "%s against %s", contenders[ours].name, contenders[peer].name);
    bench_report_goal(text, ratio, t->rounds, 1.0 / 3, "x");
    free(ratio);
}

static void goals(const struct bench_table *t)
{
    bench_report_ratio_goal("unpark_one against the floor, no thread has parked yet", t,
                            UNPARK_NEVER, NS, 1.25);
    bench_report_ratio_goal("event_signal against the floor, no thread has parked yet", t,
                            SIGNAL_NEVER, NS, 1.25);
    bench_report_ratio_goal("unpark_one against the floor, word passed in", t, UNPARK_PASSED, NS,
                            1.25);
    bench_report_ratio_goal("event_signal against the floor", t, SIGNAL_PASSED, NS, 1.25);
    bench_report_ratio_goal("unpark_one against the floor, another word each time", t, UNPARK_FRESH,
                            NS, 1.25);
    for (unsigned peer = STD_ATOMIC_RELEASE; peer <= CK_EC; peer++) {
        if (contenders[peer].loop) {
            cheaper_goal(t, UNPARK_FRESH, peer);
            cheaper_goal(t, SIGNAL_PASSED, peer);
        } else {
            bench_report_note("%s: not built in (it needs %s).", contenders[peer].name,
                              peer == CK_EC ? "libck-dev" : "a C++20 compiler");
        }
    }
}

static void measure(const struct bench_table *t, unsigned first, unsigned end, unsigned rounds,
                    uint32_t calls)
{
    for (unsigned round = 0; round < rounds; round++) {
        const double cycle_ns = bench_core_cycle_ns();

        for (unsigned i = first; i < end; i++) {
            const struct contender *c = &contenders[i];

            if (c->loop) {
                const uint32_t n = calls / c->fewer ? calls / c->fewer : 1;
                const double ns = ns_a_call(c, n);

                bench_cell(t, i, NS)[round] = ns;
                bench_cell(t, i, CYCLES)[round] = ns / cycle_ns;
            }
        }
    }
}

static void run(const struct bench_options *o)
{
    const unsigned rounds = bench_rounds(o, ROUNDS);
    const uint32_t calls = bench_iterations(o, CALLS);
    struct bench_table *t = bench_table_new("A store and a notification, with no thread waiting",
                                            metrics, METRICS, CONTENDERS, rounds);

    contenders[STD_ATOMIC].loop = bench_notify_std_atomic(0);
    contenders[STD_ATOMIC_RELEASE].loop = bench_notify_std_atomic(1);
    contenders[CK_EC].loop = bench_notify_ck_ec();
    bench_pin(o->cpu[0]);
    for (unsigned i = 0; i < CONTENDERS; i++) {
        bench_table_row(t, contenders[i].group, contenders[i].name, contenders[i].baseline);
    }
    if (xsc_park_in_force() != XSC_PARK_AUTO) {
        bench_report_note("\"No thread has parked yet\" is not so: ask for notify alone.");
    }
    measure(t, 0, STORE_PASSED, rounds, calls);
    if (xsc_park_init(XSC_PARK_ASYMMETRIC) || xsc_event_join_shared()) {
        bench_report_note("No membarrier here: a signal that other processes wait for fences.");
    }
    measure(t, STORE_PASSED, CONTENDERS, rounds, calls);
    bench_report_table(t);
    bench_report_note(
        "Calls in a round: %u, the quickest of %d runs; the loop's own step and the "
        "store are in all of them, a release store but where std::atomic has its default. "
        "\"Seq_cst\" is the slow path, with its fence.",
        calls, RUNS);
    goals(t);
    bench_table_free(t);
}

const struct bench_question bench_notify = {
    .name = "notify",
    .what = "what unpark and signal cost with nobody parked, beside the least that could do",
    .run = run,
};
