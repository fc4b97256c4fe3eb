/* SPDX-License-Identifier: MIT */
/* user/cpus.c: how often the CPUs are counted, and by how many threads at a time. D8. */
#define _GNU_SOURCE
#include "tests/unit/unit.h"

#include "tests/unit/fake_mech.h"
#include "tests/unit/fake_port.h"

#define xsc_port_recheck recheck
void recheck(uint64_t now_ns);
#include "user/cpus.c"

#define MS 1000000u

struct xsc_engine xsc_library;

static unsigned looks;
static uint32_t cpus;
static uint64_t takes_ns;
static bool nests;

uint32_t xsc_count_cpus(void)
{
    looks++;
    if (nests) {
        recheck(fake.now + 1000 * MS); /* a signal handler, or another thread */
    }
    fake_advance(takes_ns);
    return cpus;
}

static int fresh(void **state)
{
    (void)state;
    fake_reset();
    fake.step = 0;
    fake_mechs_reset();
    fake_mech_polls(2);
    fake_engine(&xsc_library, 0, 2);
    xsc_library.cpu.cpus = 2;
    next_ns = looking = looks = 0;
    cpus = 4;
    takes_ns = 1000;
    nests = false;
    return 0;
}

static unsigned looks_in(uint64_t ns)
{
    const uint64_t until = fake.now + ns;
    const unsigned before = looks;

    while (fake.now < until) {
        recheck(fake.now);
        fake_advance(10000);
    }
    return looks - before;
}

static void every_ten_milliseconds(void **state)
{
    (void)state;
    assert_in_range(looks_in(1000 * MS), 98, 100);
    assert_int_equal(xsc_cpus(), 4);
}

static void and_for_a_small_part_of_the_time(void **state)
{
    (void)state;
    takes_ns = MS; /* there are many threads to ask */
    assert_in_range(looks_in(10000u * (uint64_t)MS), 38, 40);
}

static void what_is_not_told_changes_nothing(void **state)
{
    (void)state;
    cpus = 0;
    assert_true(looks_in(100 * MS) > 5);
    assert_int_equal(xsc_cpus(), 2);
}

static void one_at_a_time_in_each_process(void **state)
{
    (void)state;
    nests = true;
    recheck(fake.now);
    assert_int_equal(looks, 1);
    assert_int_equal(looking, 0);
    nests = false;
    looking = fake.process; /* another thread */
    assert_int_equal(looks_in(100 * MS), 0);
    fake.process++; /* and it is not in the child */
    assert_true(looks_in(100 * MS) > 5);
}

static void before_the_choice_nothing_is_known(void **state)
{
    (void)state;
    xsc_library.chosen = 0;
    assert_int_equal(looks_in(100 * MS), 0);
    assert_int_equal(xsc_cpus(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(every_ten_milliseconds, fresh),
        cmocka_unit_test_setup(and_for_a_small_part_of_the_time, fresh),
        cmocka_unit_test_setup(what_is_not_told_changes_nothing, fresh),
        cmocka_unit_test_setup(one_at_a_time_in_each_process, fresh),
        cmocka_unit_test_setup(before_the_choice_nothing_is_known, fresh),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
