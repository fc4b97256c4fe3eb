/* SPDX-License-Identifier: MIT */
/* core/text.h: sentences in buffers of any size. */
#include "tests/unit/unit.h"

#include "core/text.h"

static void starts_empty(void **state)
{
    char buf[4] = "abc";
    const struct xsc_text t = xsc_text_in(buf, sizeof(buf));

    (void)state;
    assert_string_equal(buf, "");
    assert_ptr_equal(t.at, buf);
}

static void parts_are_joined(void **state)
{
    char buf[32];
    struct xsc_text t = xsc_text_in(buf, sizeof(buf));

    (void)state;
    xsc_text_put(&t, "a ");
    xsc_text_put(&t, "");
    xsc_text_number(&t, 42);
    xsc_text_put(&t, " b");
    assert_string_equal(buf, "a 42 b");
}

static void numbers_from_none_to_the_largest(void **state)
{
    static const struct {
        uint64_t n;
        const char *text;
    } cases[] = {{0, "0"},
                 {9, "9"},
                 {10, "10"},
                 {1000000007, "1000000007"},
                 {UINT64_MAX, "18446744073709551615"}};

    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        char buf[32];
        struct xsc_text t = xsc_text_in(buf, sizeof(buf));

        xsc_text_number(&t, cases[i].n);
        assert_string_equal(buf, cases[i].text);
    }
}

static void times_in_the_unit_that_reads_best(void **state)
{
    static const struct {
        uint64_t ns;
        const char *text;
    } cases[] = {
        {0, "0 ns"},
        {1, "1 ns"},
        {830, "830 ns"},
        {999, "999 ns"},
        {1000, "1.0 us"},
        {1099, "1.0 us"},
        {1100, "1.1 us"},
        {12400, "12.4 us"},
        {999999, "999.9 us"},
        {1000000, "1.0 ms"},
        {3049999, "3.0 ms"},
        {999999999, "999.9 ms"},
        {1000000000, "1.0 s"},
        {2500000000u, "2.5 s"},
        {UINT64_MAX, "18446744073.7 s"},
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        char buf[32];
        struct xsc_text t = xsc_text_in(buf, sizeof(buf));

        xsc_text_ns(&t, cases[i].ns);
        assert_string_equal(buf, cases[i].text);
    }
}

/* In a buffer of n bytes: the first n - 1 of them and a NUL; not a byte behind is touched. */
static void what_does_not_fit_is_cut_off(void **state)
{
    static const char whole[] = "trapped 18446744073709551615 times";

    (void)state;
    for (size_t size = 1; size <= sizeof(whole) + 2; size++) {
        char buf[64];

        memset(buf, '#', sizeof(buf));
        struct xsc_text t = xsc_text_in(buf, size);

        xsc_text_put(&t, "trapped ");
        xsc_text_number(&t, UINT64_MAX);
        xsc_text_put(&t, " times");
        xsc_text_put(&t, "");
        const size_t n = size - 1 < strlen(whole) ? size - 1 : strlen(whole);

        assert_int_equal(strlen(buf), n);
        assert_memory_equal(buf, whole, n);
        for (size_t i = size; i < sizeof(buf); i++) {
            assert_int_equal(buf[i], '#');
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(starts_empty),
        cmocka_unit_test(parts_are_joined),
        cmocka_unit_test(numbers_from_none_to_the_largest),
        cmocka_unit_test(times_in_the_unit_that_reads_best),
        cmocka_unit_test(what_does_not_fit_is_cut_off),
    };

    return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
