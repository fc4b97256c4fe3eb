/* SPDX-License-Identifier: MIT */
/* user/costs.c and user/sites.c: costs measured and followed, records kept and learned from. D1, D2. */
#define _GNU_SOURCE
#include "tests/unit/unit.h"

#include <stdlib.h>

#include "tests/unit/fake_port.h"
#include "user/config.c"
#include "user/costs.c"
#include "user/sites.c"

#define US 1000u

/* ---------------------------------------------------------------------------- a fake OS ---- */

static struct {
    uint64_t late[FIRST_NAPS], slack; /* of the naps, in turn */
    unsigned naps;
} os;

enum xsc_slept xsc_sleep(const volatile uint32_t *word, uint32_t expected, uint32_t bits,
                         uint64_t deadline_ns, bool shared)
{
    (void)bits;
    (void)shared;
    assert_int_equal(*word, expected);
    fake_advance(deadline_ns + os.late[os.naps++ % FIRST_NAPS] - fake.now);
    return XSC_SLEPT_TIMED_OUT;
}

uint64_t xsc_slack(uint64_t ns)
{
    const uint64_t before = os.slack;

    os.slack = ns;
    return before;
}

static uint32_t words[4096];
static struct xsc_costs costs;
static struct xsc_evidence seen; /* some site's */

static int setup(void **state)
{
    (void)state;
    fake_reset();
    fake.step = 0;
    fake.cpu_permille = 100;
    unsetenv("XSC_PREFER");
    os.naps = 0;
    os.slack = 50000;
    for (int i = 0; i < FIRST_NAPS; i++) {
        os.late[i] = 30 * US;
    }
    memset(&everywhere, 0, sizeof(everywhere));
    memset(&seen, 0, sizeof(seen));
    memset(&in_force, 0, sizeof(in_force));
    memset(sites, 0, sizeof(sites));
    memset(place, 0, sizeof(place));
    taken = 0;
    changes = 0;
    learning = 0;
    memset(&reported, 0, sizeof(reported));
    return 0;
}

/* ----------------------------------------------------------------------------- the costs ---- */

static void until_measured_a_guess(void **state)
{
    (void)state;
    assert_int_equal(xsc_costs_read(&costs), 0);
    assert_int_equal(costs.park_cpu_ns, 13000);
    assert_int_equal(costs.park_latency_ns, 40000);
}

/* The middle of five naps; two of them lost their CPU. 20 us asked for, 30 late, a tenth of it CPU. */
static void measured_by_a_few_naps(void **state)
{
    (void)state;
    os.late[1] = 4000 * US;
    os.late[3] = 9000 * US;
    xsc_costs_refresh();
    assert_int_equal(os.naps, FIRST_NAPS);
    assert_int_equal(os.slack, 50000); /* as it was */
    assert_int_equal(xsc_costs_read(&costs), 1);
    assert_int_equal(costs.park_latency_ns, 30000);
    assert_int_equal(costs.park_cpu_ns, 5000);
    assert_int_equal(costs.nap_cpu_ns, 5000);
    assert_in_range(costs.nap_latency_ns + costs.nap_jitter_ns / 2, 29000, 31000);
    assert_int_equal(costs.doze_ns, 0);
    assert_int_equal(costs.weight, XSC_WEIGHT_BALANCED);
    xsc_costs_refresh();
    assert_int_equal(os.naps, FIRST_NAPS); /* once */
    assert_int_equal(xsc_costs_read(&costs), 1);
}

static void a_spread_of_latenesses_is_jitter(void **state)
{
    (void)state;
    for (unsigned i = 0; i < FIRST_NAPS; i++) {
        os.late[i] = (20 + 5 * i) * US; /* 20 to 40 us */
    }
    xsc_costs_refresh();
    xsc_costs_read(&costs);
    assert_in_range(costs.nap_latency_ns, 19000, 21000);
    assert_in_range(costs.nap_jitter_ns, 19000, 21000);
}

static void no_figure_is_beyond_belief(void **state)
{
    (void)state;
    fake.cpu_permille = 0;
    for (int i = 0; i < FIRST_NAPS; i++) {
        os.late[i] = 0;
    }
    xsc_costs_refresh();
    xsc_costs_read(&costs);
    assert_int_equal(costs.park_cpu_ns, LEAST_NS);
    assert_int_equal(costs.park_latency_ns, LEAST_NS);
    setup(NULL);
    for (int i = 0; i < FIRST_NAPS; i++) {
        os.late[i] = 10ull * XSC_COST_MAX;
    }
    xsc_costs_refresh();
    xsc_costs_read(&costs);
    assert_int_equal(costs.park_latency_ns, XSC_COST_MAX);
}

/* In force changes when the evidence is a quarter away, and each time it is again. */
static void the_costs_in_force_follow_the_evidence(void **state)
{
    (void)state;
    xsc_costs_refresh();
    for (int i = 0; i < 1000; i++) {
        xsc_costs_saw(&seen, XSC_WOKEN, 36 * US);
        xsc_costs_refresh();
    }
    assert_int_equal(xsc_costs_read(&costs), 1);
    for (int i = 0; i < 1000; i++) {
        xsc_costs_saw(&seen, XSC_WOKEN, 80 * US);
        xsc_costs_refresh();
    }
    assert_in_range(xsc_costs_read(&costs), 3, 5);
    assert_in_range(costs.park_latency_ns, 64 * US, 84 * US);
    assert_int_equal(costs.park_cpu_ns, 5000);
    for (int i = 0; i < 1000; i++) {
        xsc_costs_saw(&seen, XSC_PARK_CPU, 1 * US);
        xsc_costs_saw(&seen, XSC_NAP_LATE, 3 * US);
        xsc_costs_refresh();
    }
    xsc_costs_read(&costs);
    assert_in_range(costs.park_cpu_ns, 900, 2000);
    assert_int_equal(costs.nap_cpu_ns, 5000); /* of these nothing has been seen */
    assert_in_range(costs.nap_latency_ns + costs.nap_jitter_ns / 2, 2500, 6 * US);
    for (int i = 0; i < 1000; i++) {
        xsc_costs_saw(&seen, XSC_NAP_CPU, 12 * US);
        xsc_costs_refresh();
    }
    xsc_costs_read(&costs);
    assert_in_range(costs.nap_cpu_ns, 9 * US, 13 * US);
}

/* One sample in ten that lost its CPU for ms moves nothing. */
static void preemptions_are_not_followed(void **state)
{
    (void)state;
    xsc_costs_refresh();
    for (int i = 0; i < 1000; i++) {
        xsc_costs_saw(&seen, XSC_WOKEN, i % 10 ? 30 * US + (uint64_t)(i % 7) * 100 : 4000 * US);
        xsc_costs_refresh();
    }
    assert_int_equal(xsc_costs_read(&costs), 1);
}

static void the_preference_is_asked_once_and_must_be_known(void **state)
{
    static const struct {
        const char *value;
        uint32_t weight;
        unsigned says;
    } cases[] = {{"latency", XSC_WEIGHT_LATENCY, 0},  {"balanced", XSC_WEIGHT_BALANCED, 0},
                 {"cpu", XSC_WEIGHT_CPU, 0},          {"", XSC_WEIGHT_BALANCED, 0},
                 {"Latency", XSC_WEIGHT_BALANCED, 1}, {"speed", XSC_WEIGHT_BALANCED, 1}};

    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        setup(NULL);
        setenv("XSC_PREFER", cases[i].value, 1);
        xsc_costs_refresh();
        xsc_costs_read(&costs);
        assert_int_equal(costs.weight, cases[i].weight);
        assert_int_equal(fake.says, cases[i].says);
        xsc_costs_refresh();
        assert_int_equal(fake.says, cases[i].says);
    }
}

/* ----------------------------------------------------------------------------- the sites ---- */

static void stay_end(const struct xsc_stay *stay, uint64_t ns)
{
    const struct xsc_outcome was = {.ns = ns};

    xsc_stay_end(stay, &was);
}

/* One wait of ns at the word, as user/watch_then.c makes it; returns the plan it had. */
static struct xsc_plan one_wait(const void *word, uint64_t ns)
{
    struct xsc_stay stay = xsc_stay_begin(word, NULL, 0, XSC_NEVER, false);

    xsc_stay_learn(&stay);
    stay_end(&stay, ns);
    return stay.plan;
}

/* Before the first wait is measured the plan is a guess: that wait already goes by what is measured. */
static void new_is_watch_for_what_a_park_costs(void **state)
{
    (void)state;
    assert_int_equal(xsc_stay_begin(words, NULL, 0, XSC_NEVER, false).plan.watch_ns, 53000);
    assert_int_equal(one_wait(words, US).watch_ns, 31250);
    assert_int_equal(one_wait(words, US).watch_ns, 31250);
}

static void long_waits_are_parked_at_once(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 200; i++) {
        one_wait(words, (1 + i * 7919 % 100) * 1000 * US);
    }
    const struct xsc_plan plan = one_wait(words, US);

    assert_int_equal(plan.watch_ns, 0);
    assert_true(plan.nap_ns == XSC_NEVER);
}

static void regular_waits_are_napped(void **state)
{
    (void)state;
    for (int i = 0; i < 200; i++) {
        one_wait(words, 300 * US);
    }
    const struct xsc_plan plan = one_wait(words, 300 * US);

    assert_in_range(plan.nap_ns, 240 * US, 275 * US); /* which ends 30 us late */
}

/* What a timed wait's record says reaches the policy: after waits that all ended unmet, park at once. */
static void timed_waits_learn_to_leave(void **state)
{
    struct xsc_stay stay;

    (void)state;
    for (int i = 0; i < 50; i++) {
        const struct xsc_outcome was = {.ns = 25 * US, .unmet = true};

        stay = xsc_stay_begin(words, NULL, 0, 25 * US, false);
        xsc_stay_learn(&stay);
        assert_true(i || stay.plan.watch_ns > 25 * US);
        xsc_stay_end(&stay, &was);
        assert_int_equal(site_of(words)->was.timeout_ns, 25 * US);
    }
    assert_int_equal(stay.plan.watch_ns, 0);
    assert_true(stay.plan.nap_ns == XSC_NEVER);
}

/* Many words of one site, which other words' waits teach nothing, not those at its own address either. */
static void a_site_of_ones_own(void **state)
{
    static struct xsc_site own;
    static const uint32_t many[200];
    struct xsc_stay stay;

    (void)state;
    memset(&own, 0, sizeof(own));
    for (unsigned i = 0; i < 200; i++) {
        stay = xsc_stay_begin(&many[i], &own, 0, XSC_NEVER, false);
        xsc_stay_learn(&stay);
        stay_end(&stay, 300 * US);
        assert_true(one_wait(&own, US).nap_ns == XSC_NEVER);
    }
    assert_in_range(xsc_stay_begin(words, &own, 0, XSC_NEVER, false).plan.nap_ns, 240 * US,
                    275 * US);
    assert_int_equal(xsc_stay_begin(words, NULL, 0, XSC_NEVER, false).plan.watch_ns, 35000);
}

static void another_word_has_learned_nothing_of_it(void **state)
{
    const uint32_t *other = words + 1;

    (void)state;
    while (site_of(other) == site_of(words)) {
        other++;
    }
    for (int i = 0; i < 200; i++) {
        one_wait(words, 300 * US);
    }
    assert_int_equal(one_wait(other, US).watch_ns, 31250);
}

/* Words all over a page, and the same field of many pages, use most of the sites. */
static void words_spread_over_the_sites(void **state)
{
    static const size_t steps[] = {4, 8, 64, 128, 4096, 4096 + 64};

    (void)state;
    for (size_t i = 0; i < LENGTH(steps); i++) {
        bool used[XSC_SITES] = {false};
        unsigned n = 0;

        for (size_t k = 0; k < 4 * XSC_SITES; k++) {
            const struct xsc_live_site *s = site_of((const char *)0x7f0000001000 + k * steps[i]);

            n += !used[s - sites];
            used[s - sites] = true;
        }
        assert_in_range(n, XSC_SITES / 2, XSC_SITES);
    }
}

/* No two of the first words share one, but the few whose places in the table are the same. */
static void the_first_words_have_a_site_each(void **state)
{
    const struct xsc_live_site *of[XSC_SITES];
    bool used[XSC_SITES] = {false};
    unsigned n = 0;

    (void)state;
    for (uint32_t k = 0; k < XSC_SITES; k++) {
        of[k] = site_of(&words[k]);
        n += !used[of[k] - sites];
        used[of[k] - sites] = true;
    }
    assert_int_equal(n, taken);
    assert_in_range(n, XSC_SITES - 2, XSC_SITES);
    for (uint32_t k = 0; k < LENGTH(words); k++) { /* more words than sites, and no site beyond */
        assert_in_range(site_of(&words[k]) - sites, 0, XSC_SITES - 1);
    }
    assert_int_equal(taken, XSC_SITES);
    for (uint32_t k = 0; k < XSC_SITES; k++) {
        assert_ptr_equal(site_of(&words[k]), of[k]);
    }
}

static void a_crowded_wait_leaves_no_record(void **state)
{
    (void)state;
    struct xsc_stay stay = xsc_stay_begin(words, NULL, 0, XSC_NEVER, true);

    assert_true(stay.plan.crowded);
    assert_int_equal(stay.plan.watch_ns, 0);
    stay_end(&stay, 1000 * US);
    assert_int_equal(stay.site->state, EMPTY);
}

/* Whatever another thread is in the middle of, no thread waits, and what there was stays. */
static void the_second_drops_its_record(void **state)
{
    static const enum record_state states[] = {WRITING, FULL, LEARNING};

    (void)state;
    for (size_t i = 0; i < LENGTH(states); i++) {
        setup(NULL);
        const uint32_t by_another = (uint32_t)fake.process * STATES + states[i];
        struct xsc_stay stay = xsc_stay_begin(words, NULL, 0, XSC_NEVER, false);

        stay.site->was.ns = 7;
        stay.site->state = by_another;
        stay_end(&stay, 99);
        assert_int_equal(stay.site->was.ns, 7);
        assert_int_equal(stay.site->state, by_another);
    }
}

static void while_another_learns_nothing_is_learned(void **state)
{
    (void)state;
    one_wait(words, US);
    one_wait(words, US);
    struct xsc_stay stay = xsc_stay_begin(words, NULL, 0, XSC_NEVER, false);
    const uint32_t waits = stay.site->site.waits;

    learning = fake.process;
    xsc_stay_learn(&stay);
    assert_int_equal(stay.site->site.waits, waits);
    assert_int_equal(stay.site->state, FULL);
    learning = 0;
    xsc_stay_learn(&stay);
    assert_int_equal(stay.site->site.waits, waits + 1);
    assert_int_equal(stay.site->state, EMPTY);
}

/* One wait that is parked, with its wake-up's latency and its CPU time. */
static struct xsc_plan one_sleep(const void *word, uint64_t ns, uint64_t latency_ns,
                                 uint64_t cpu_ns)
{
    struct xsc_stay stay = xsc_stay_begin(word, NULL, 0, XSC_NEVER, false);

    xsc_stay_learn(&stay);
    xsc_stay_saw(&stay, XSC_WOKEN, latency_ns);
    xsc_stay_saw(&stay, XSC_PARK_CPU, cpu_ns);
    stay_end(&stay, ns);
    return stay.plan;
}

/* At once: not a plan at a time, watching for nothing meanwhile. */
static void changed_costs_make_plans_again(void **state)
{
    (void)state;
    for (int i = 0; i < 200; i++) {
        one_wait(words, 300 * US);
    }
    for (int i = 0; i < 200; i++) {
        xsc_costs_saw(&site_of(words)->seen, XSC_WOKEN, 500 * US);
    }
    one_wait(words, 300 * US); /* takes the new costs over, and learns */
    const struct xsc_plan plan = one_wait(words, 300 * US);

    assert_in_range(plan.nap_ns, 240 * US, 275 * US);
    assert_true(site_of(words)->costs.park_latency_ns > 300 * US);
}

/* Where sleeps are long, waking is dear, which is no other site's concern; all begin as the process. */
static void a_site_reckons_with_its_own_costs(void **state)
{
    const uint32_t *other = words + 1;

    (void)state;
    while (site_of(other) == site_of(words)) {
        other++;
    }
    one_wait(words, US);
    one_wait(other, US);
    for (int i = 0; i < 100; i++) {
        one_sleep(words, 20000 * US, 90 * US, 20 * US);
    }
    assert_in_range(site_of(words)->costs.park_latency_ns, 68 * US, 93 * US);
    assert_in_range(site_of(words)->costs.park_cpu_ns, 15 * US, 21 * US);
    one_wait(other, US);
    assert_int_equal(site_of(other)->costs.park_latency_ns, 30 * US);
    assert_int_equal(site_of(other)->costs.park_cpu_ns, 1250);
    while (site_of(other) == site_of(words) || site_of(other)->costs.weight) {
        other++;
    }
    one_wait(other, US);
    assert_in_range(site_of(other)->costs.park_latency_ns, 68 * US, 93 * US);
}

/* A plain word's: its parks are naps, whatever else changes. */
static void a_dozing_site_stays_one(void **state)
{
    (void)state;
    /* Half a nap of CPU, and of latency: what a park is guessed to cost at first. */
    assert_int_equal(xsc_stay_begin(words, NULL, 200 * US, XSC_NEVER, false).plan.watch_ns,
                     (13 + 200 + 40) * US / 2);
    for (int i = 0; i < 100; i++) {
        struct xsc_stay stay = xsc_stay_begin(words, NULL, 200 * US, XSC_NEVER, false);

        xsc_stay_learn(&stay);
        xsc_stay_saw(&stay, XSC_NAP_LATE, (50 + (uint64_t)i) * US);
        stay_end(&stay, 20000 * US);
        assert_int_equal(site_of(words)->costs.doze_ns, 200 * US);
    }
    assert_true(site_of(words)->costs.nap_latency_ns > 60 * US);
    assert_in_range(xsc_stay_begin(words, NULL, 200 * US, XSC_NEVER, false).plan.nap_ns, 19000 * US,
                    20000 * US);
}

/* A dozen sleeps are enough to tell 3 us from 30. */
static void the_first_sleeps_move_most(void **state)
{
    (void)state;
    one_wait(words, US);
    for (int i = 0; i < 12; i++) {
        one_sleep(words, 20000 * US, 3 * US, 1 * US);
    }
    assert_true(site_of(words)->costs.park_latency_ns < 12000); /* from 30 */
    assert_true(xsc_stay_begin(words, NULL, 0, XSC_NEVER, false).plan.watch_ns < 14000);
}

/* The first 16 sleeps, then one in 8, later one in 64. */
static void sleeps_are_timed_now_and_then(void **state)
{
    struct xsc_stay stay = xsc_stay_begin(words, NULL, 0, XSC_NEVER, false);
    unsigned early = 0, later = 0, late = 0;

    (void)state;
    for (unsigned i = 0; i < 16; i++) {
        early += xsc_stay_times(&stay);
    }
    for (unsigned i = 16; i < 256; i++) {
        later += xsc_stay_times(&stay);
    }
    for (unsigned i = 256; i < 896; i++) {
        late += xsc_stay_times(&stay);
    }
    assert_int_equal(early, 16);
    assert_in_range(later, 28, 31);
    assert_int_equal(late, 10);
}

/* A fork() in the middle of another thread's learning: the child goes on, the parent does not. */
static void a_child_takes_over_what_its_parents_thread_was_learning(void **state)
{
    (void)state;
    for (int child = 0; child < 2; child++) {
        setup(NULL);
        one_wait(words, US);
        struct xsc_stay stay = xsc_stay_begin(words, NULL, 0, XSC_NEVER, false);

        learning = fake.process; /* by a thread that the child does not have */
        stay.site->site.busy = 1;
        fake.process += (uint64_t)child;
        assert_int_equal(stay.site->state, FULL);
        xsc_stay_learn(&stay);
        assert_int_equal(learning, child ? 0 : fake.process);
        assert_int_equal(stay.site->site.busy, !child);
        assert_int_equal(stay.site->state % STATES, child ? EMPTY : FULL);
    }
}

/* In the middle of its record, or of learning from it: the child's next wait leaves its own. */
static void a_record_cut_off_by_a_fork_is_none(void **state)
{
    (void)state;
    for (int child = 0; child < 2; child++) {
        for (uint32_t at = WRITING; at <= LEARNING; at++) {
            setup(NULL);
            const struct xsc_stay stay = xsc_stay_begin(words, NULL, 0, XSC_NEVER, false);

            stay.site->state = (uint32_t)fake.process * STATES + at;
            fake.process += (uint64_t)child;
            stay.site->was.ns = 1;
            stay_end(&stay, 7 * US);
            assert_int_equal(stay.site->was.ns, child && at != FULL ? 7 * US : 1);
            assert_int_equal(stay.site->state % STATES, child ? FULL : at);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(until_measured_a_guess, setup),
        cmocka_unit_test_setup(measured_by_a_few_naps, setup),
        cmocka_unit_test_setup(a_spread_of_latenesses_is_jitter, setup),
        cmocka_unit_test_setup(no_figure_is_beyond_belief, setup),
        cmocka_unit_test_setup(the_costs_in_force_follow_the_evidence, setup),
        cmocka_unit_test_setup(preemptions_are_not_followed, setup),
        cmocka_unit_test_setup(the_preference_is_asked_once_and_must_be_known, setup),
        cmocka_unit_test_setup(new_is_watch_for_what_a_park_costs, setup),
        cmocka_unit_test_setup(long_waits_are_parked_at_once, setup),
        cmocka_unit_test_setup(regular_waits_are_napped, setup),
        cmocka_unit_test_setup(timed_waits_learn_to_leave, setup),
        cmocka_unit_test_setup(a_site_of_ones_own, setup),
        cmocka_unit_test_setup(another_word_has_learned_nothing_of_it, setup),
        cmocka_unit_test_setup(words_spread_over_the_sites, setup),
        cmocka_unit_test_setup(the_first_words_have_a_site_each, setup),
        cmocka_unit_test_setup(a_crowded_wait_leaves_no_record, setup),
        cmocka_unit_test_setup(the_second_drops_its_record, setup),
        cmocka_unit_test_setup(while_another_learns_nothing_is_learned, setup),
        cmocka_unit_test_setup(changed_costs_make_plans_again, setup),
        cmocka_unit_test_setup(a_site_reckons_with_its_own_costs, setup),
        cmocka_unit_test_setup(a_dozing_site_stays_one, setup),
        cmocka_unit_test_setup(the_first_sleeps_move_most, setup),
        cmocka_unit_test_setup(sleeps_are_timed_now_and_then, setup),
        cmocka_unit_test_setup(a_child_takes_over_what_its_parents_thread_was_learning, setup),
        cmocka_unit_test_setup(a_record_cut_off_by_a_fork_is_none, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
