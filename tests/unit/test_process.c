/* SPDX-License-Identifier: MIT */
/* user/process.c: which process this is; user/process.h: counts that a child does not inherit. A7. */
#define _GNU_SOURCE
#include "tests/unit/unit.h"

#include <unistd.h>

static int fake_pid;

static int asked_pid(void)
{
    return fake_pid;
}

#define getpid asked_pid
#define xsc_port_process process_number
uint64_t process_number(void);
#include "user/process.c"
#undef getpid

static uint32_t memory;
static bool refuses;
static unsigned unmapped;
static void (*in_map)(void);

uint32_t *xsc_wiped_page_map(void)
{
    void (*const fn)(void) = in_map;

    in_map = NULL;
    if (fn) {
        fn();
    }
    return refuses ? NULL : &memory;
}

void xsc_wiped_page_unmap(uint32_t *at)
{
    assert_ptr_equal(at, &memory);
    unmapped++;
}

static int fresh(void **state)
{
    (void)state;
    memory = taken = no_page = 0;
    page = NULL;
    by_pid = 0;
    fake_pid = 7;
    refuses = false;
    unmapped = 0;
    in_map = NULL;
    return 0;
}

static void a_process_keeps_its_number(void **state)
{
    (void)state;
    assert_int_equal(process_number(), 1);
    fake_pid = 8; /* irrelevant: it may be the same in parent and child */
    assert_int_equal(process_number(), 1);
    assert_int_equal(xsc_generation(), 0);
}

/* At whatever moment the fork came: also between taking a number and publishing it. */
static void a_childs_is_larger_than_its_ancestors(void **state)
{
    (void)state;
    for (uint64_t last = 0, n = 0; n < 600; n++) {
        const uint64_t now = process_number();

        assert_true(now > last);
        assert_int_equal(xsc_generation(), (uint32_t)(now - 1) << 23);
        last = now;
        memory = 0; /* what the kernel does in the child */
        if (n % 3 == 0) {
            take_number();
        }
    }
}

static void without_a_page_the_pid_tells(void **state)
{
    (void)state;
    refuses = true;
    for (uint64_t last = 0; fake_pid < 100; fake_pid++) {
        const uint64_t now = process_number();

        assert_in_range(now, last + 1, UINT32_MAX);
        assert_int_equal(process_number(), now);
        last = now;
    }
    refuses = false;
    assert_int_equal(process_number() >> 32, 0); /* decided for life: not of both kinds */
    assert_int_equal(memory, 0);
}

static uint64_t others;

static void another_asks(void)
{
    others = process_number();
}

static void another_asks_and_gets_no_page(void)
{
    refuses = true;
    others = process_number();
    refuses = false;
}

static void two_at_once_agree(void **state)
{
    (void)state;
    in_map = another_asks;
    assert_int_equal(process_number(), 1);
    assert_int_equal(others, 1);
    assert_int_equal(unmapped, 1);
    fresh(state);
    in_map = another_asks_and_gets_no_page;
    assert_int_equal(process_number(), 1);
    assert_int_equal(others, 1);
    assert_int_equal(unmapped, 1);
    assert_int_equal(memory, 0);
}

/* ------------------------------------------------------------------------------ the counts ---- */

static void a_count_is_of_its_generation(void **state)
{
    (void)state;
    uint32_t heads = XSC_HEADS_FLAG;
    const uint32_t parents = xsc_generation();

    assert_int_equal(xsc_heads_enter(&heads, parents), XSC_HEADS_FLAG);
    xsc_heads_enter(&heads, parents);
    assert_int_equal(xsc_heads(&heads), 2);
    assert_int_equal(heads, 2 * XSC_HEAD | XSC_HEADS_FLAG);
    assert_false(xsc_heads_inherited(heads));

    memory = 0;
    const uint32_t ours = xsc_generation();

    assert_int_not_equal(ours, parents);
    assert_int_equal(xsc_heads(&heads), 0);
    assert_true(xsc_heads_inherited(heads));
    xsc_heads_enter(&heads, ours);
    assert_int_equal(heads, ours | XSC_HEAD | XSC_HEADS_FLAG);
    assert_int_equal(xsc_heads(&heads), 1);
    xsc_heads_leave(&heads, parents); /* forked in a handler, and was counted for the parent */
    assert_int_equal(xsc_heads(&heads), 1);
    xsc_heads_leave(&heads, ours);
    assert_int_equal(heads, XSC_HEADS_FLAG);
    assert_false(xsc_heads_inherited(heads));
    xsc_heads_leave(&heads, ours);
    assert_int_equal(heads, XSC_HEADS_FLAG);
}

static void the_last_of_a_parents_leaves_nothing(void **state)
{
    (void)state;
    uint32_t heads = 0;
    const uint32_t parents = xsc_generation();

    xsc_heads_enter(&heads, parents);
    memory = 0;
    xsc_heads_leave(&heads, parents);
    assert_int_equal(heads, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_process_keeps_its_number, fresh),
        cmocka_unit_test_setup(a_childs_is_larger_than_its_ancestors, fresh),
        cmocka_unit_test_setup(without_a_page_the_pid_tells, fresh),
        cmocka_unit_test_setup(two_at_once_agree, fresh),
        cmocka_unit_test_setup(a_count_is_of_its_generation, fresh),
        cmocka_unit_test_setup(the_last_of_a_parents_leaves_nothing, fresh),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
