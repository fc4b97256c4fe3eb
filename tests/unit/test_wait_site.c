/* SPDX-License-Identifier: MIT */
/*
 * xsc_wait_site() from end to end on a clock that only moves when it is told to: events at a fixed gap
 * after the start of each wait, on two machines. What all waits cost, the learning among it, is at most
 * twice the better of watching each and of dozing through each. D7.
 */
#define _GNU_SOURCE
#include "tests/unit/unit.h"

#include <stdlib.h>

#include "tests/unit/fake_mech.h"
#include "tests/unit/fake_port.h"
#include "user/config.c"
#include "user/costs.c"
#include "user/sites.c"
#include "user/watch_then.c"

#define US 1000u
#define MS 1000000u
#define WAITS 5000 /* as xsc-wait-bench replay makes them */

struct xsc_engine xsc_library;
uint32_t xsc_parked[XSC_PARK_BUCKETS];
extern inline uint32_t xsc_park_bucket(const volatile void *word);

const char *xsc_set_up_by_environment(void)
{
    return NULL;
}

/* ------------------------------------------------------------------------- a machine ---- */

struct machine {
    const char *name;
    uint64_t nap_cpu_ns, late_ns, jitter_ns;
};

static const struct machine machines[] = {
    {"a VM", 13 * US, 40 * US, 4 * US},
    {"a VM whose timers are dear", 20 * US, 52 * US, 6 * US},
    {"bare metal", 2500, 3500, 500},
};

static const struct machine *machine;
static uint64_t random_state;

/* The timer is late, and setting it and coming back takes CPU time: the rest is slept. */
enum xsc_slept xsc_sleep(const volatile uint32_t *at, uint32_t expected, uint32_t bits,
                         uint64_t deadline_ns, bool shared)
{
    (void)bits;
    (void)shared;
    assert_int_equal(*at, expected);
    const uint64_t late = machine->late_ns + unit_between(&random_state, 0, machine->jitter_ns);
    const uint64_t until = (deadline_ns > fake.now ? deadline_ns : fake.now) + late;
    const uint64_t asleep = until - fake.now;

    fake.lost_ns += asleep > machine->nap_cpu_ns ? asleep - machine->nap_cpu_ns : 0;
    fake_advance(asleep);
    return XSC_SLEPT_TIMED_OUT;
}

uint64_t xsc_slack(uint64_t ns)
{
    return ns;
}

int xsc_this_cpu(void)
{
    return 0;
}

uint32_t xsc_wake(const volatile uint32_t *at, uint32_t bits, uint32_t count, bool shared)
{
    (void)at;
    (void)bits;
    (void)count;
    (void)shared;
    fail();
    return 0;
}

static void start(const struct machine *m, const char *prefer)
{
    fake_reset();
    fake.step = 0;
    fake_mechs_reset();
    fake_engine(&xsc_library, 0, 2);
    xsc_library.health_ns = UINT64_MAX / 2;
    setenv("XSC_PREFER", prefer, 1);
    memset(&everywhere, 0, sizeof(everywhere));
    memset(&in_force, 0, sizeof(in_force));
    memset(sites, 0, sizeof(sites));
    changes = 0;
    learning = 0;
    machine = m;
    random_state = 7;
    assert_true(xsc_sites_measure()); /* once a process, not to be charged to one gap */
}

/* ----------------------------------------------------------------------------- waits ---- */

static uint32_t word;

/* What it costs, by the rule of core/costs.h, in ns: CPU time and what the latency counts. */
static double cost_of_one(uint64_t gap_ns, struct xsc_site *site, double weight)
{
    const struct xsc_watch w = XSC_WATCH(&word, 0);
    const uint64_t begun = fake.now, lost = fake.lost_ns;
    uint64_t from_ns;

    word = 0;
    fake_store_at(begun + gap_ns, &word, 4, 1);
    if (site) {
        assert_int_equal(xsc_wait_site(site, &w, XSC_FOREVER), 0);
    } else {
        assert_true(doze(&w, false, XSC_FOREVER, &from_ns));
    }
    return (double)(fake.now - begun - (fake.lost_ns - lost)) +
           weight * (double)(fake.now - begun - gap_ns);
}

static double mean_cost(uint64_t gap_ns, struct xsc_site *site, unsigned waits, double weight)
{
    double sum = 0;

    for (unsigned i = 0; i < waits; i++) {
        sum += cost_of_one(gap_ns, site, weight);
    }
    return sum / waits;
}

static double ratio_at(uint64_t gap_ns, const char *prefer, double weight)
{
    static struct xsc_site site;

    memset(&site, 0, sizeof(site));
    const double ours = mean_cost(gap_ns, &site, WAITS, weight);
    const double dozing = mean_cost(gap_ns, NULL, WAITS / 50, weight);
    const double watched = (double)gap_ns + (1 + weight) * (double)fake_script[0].wake_ns;
    const double better = dozing < watched ? dozing : watched;

    if (ours > 2 * better) {
        fail_msg("on %s, preferring %s, events after %llu ns cost %.0f; watching %.0f, dozing %.0f",
                 machine->name, prefer, (unsigned long long)gap_ns, ours, watched, dozing);
    }
    return ours / better;
}

/* Ten gaps a decade, from 1 us to 100 ms. */
static void fixed_gaps(const char *prefer, double weight)
{
    static const uint64_t steps[] = {100, 126, 158, 200, 251, 316, 398, 500, 631, 794};
    double worst = 0;

    for (size_t m = 0; m < LENGTH(machines); m++) {
        for (uint64_t unit = 10; unit <= MS; unit *= 10) {
            for (size_t k = 0; k < (unit < MS ? LENGTH(steps) : 1); k++) {
                start(&machines[m], prefer);
                const double ratio = ratio_at(steps[k] * unit, prefer, weight);

                worst = ratio > worst ? ratio : worst;
            }
        }
    }
    print_message("preferring %s: at most %.2f times the better\n", prefer, worst);
}

static void fixed_gaps_for_cpu(void **state)
{
    (void)state;
    fixed_gaps("cpu", 0.1);
}

static void fixed_gaps_balanced(void **state)
{
    (void)state;
    fixed_gaps("balanced", 1);
}

static void fixed_gaps_for_latency(void **state)
{
    (void)state;
    fixed_gaps("latency", 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fixed_gaps_for_cpu),
        cmocka_unit_test(fixed_gaps_balanced),
        cmocka_unit_test(fixed_gaps_for_latency),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
