/* SPDX-License-Identifier: MIT */
/* core/watch.h, and the inline part of xsc/wait.h, which must judge alike. A1, A2, A3. */
#include "tests/unit/unit.h"

#include <xsc/wait.h>

#include "core/watch.h"

/* In builds that do not inline, the inline functions live here. */
#define EMIT(bits, type) extern inline int xsc_wait_u##bits(const volatile type *, type, uint64_t);
EMIT(8, uint8_t)
EMIT(16, uint16_t)
EMIT(32, uint32_t)
EMIT(64, uint64_t)

#define WENT_SLOW 77

static struct xsc_watch slow_watch;
static uint64_t slow_timeout;
static unsigned slow_calls;

int xsc_wait_slow(const struct xsc_watch *watch, uint64_t timeout_ns)
{
    slow_watch = *watch;
    slow_timeout = timeout_ns;
    slow_calls++;
    return WENT_SLOW;
}

static const uint32_t sizes[] = {1, 2, 4, 8};

static uint64_t range_of(uint32_t size)
{
    return size == 8 ? UINT64_MAX : ((uint64_t)1 << 8 * size) - 1;
}

static struct xsc_watch watch(const volatile void *word, uint32_t size, uint32_t until,
                              uint64_t value, uint64_t mask)
{
    return (struct xsc_watch){word, value, mask, size, until};
}

/* --------------------------------------------------------------------------- the load ---- */

static void loads_its_size_and_no_more(void **state)
{
    const uint64_t words[2] = {0x8877665544332211, UINT64_MAX};
    uint8_t v8;
    uint16_t v16;
    uint32_t v32;

    (void)state;
    memcpy(&v8, words, sizeof(v8));
    memcpy(&v16, words, sizeof(v16));
    memcpy(&v32, words, sizeof(v32));
    const uint64_t expected[] = {v8, v16, v32, words[0]};

    for (size_t i = 0; i < LENGTH(sizes); i++) {
        const struct xsc_watch w = watch(words, sizes[i], XSC_UNTIL_NOT, 0, UINT64_MAX);

        assert_int_equal(xsc_watch_load(&w), expected[i]);
    }
}

static void load_extends_with_zeroes(void **state)
{
    uint64_t word = UINT64_MAX;

    (void)state;
    for (size_t i = 0; i < LENGTH(sizes); i++) {
        const struct xsc_watch w = watch(&word, sizes[i], XSC_UNTIL_NOT, 0, UINT64_MAX);

        assert_int_equal(xsc_watch_load(&w), range_of(sizes[i]));
    }
}

/* --------------------------------------------------------------- every byte, every mask ---- */

static void byte_not_and_equal_for_every_value_and_mask(void **state)
{
    (void)state;
    for (uint32_t mask = 0; mask < 256; mask++) {
        for (uint32_t want = 0; want < 256; want++) {
            const struct xsc_watch n = watch(&mask, 1, XSC_UNTIL_NOT, want, mask);
            const struct xsc_watch e = watch(&mask, 1, XSC_UNTIL_EQUAL, want, mask);

            for (uint32_t v = 0; v < 256; v++) {
                bool same = true; /* bit by bit: the masked-out ones of v count as 0 */

                for (uint32_t bit = 1; bit < 256; bit <<= 1) {
                    same = same && ((v & mask & bit) != 0) == ((want & bit) != 0);
                }
                if (xsc_watch_holds(&n, v) == same || xsc_watch_holds(&e, v) != same) {
                    fail_msg("v %u mask %u value %u", v, mask, want);
                }
            }
        }
    }
}

static void byte_reached_for_every_pair(void **state)
{
    (void)state;
    for (uint32_t target = 0; target < 256; target++) {
        const struct xsc_watch w = watch(&target, 1, XSC_UNTIL_REACHED, target, 0);

        /* Walking on from the target: reached for 128 steps, then still to come for 128. */
        for (uint32_t step = 0; step < 256; step++) {
            if (xsc_watch_holds(&w, (target + step) & 255) != (step < 128)) {
                fail_msg("target %u, %u steps on", target, step);
            }
        }
    }
}

/* -------------------------------------------------------------------------- boundaries ---- */

static const uint64_t edges[] = {
    0,
    1,
    2,
    0x7e,
    0x7f,
    0x80,
    0x81,
    0xfe,
    0xff,
    0x100,
    0x7fff,
    0x8000,
    0x8001,
    0xfffe,
    0xffff,
    0x10000,
    0x7fffffff,
    0x80000000,
    0x80000001,
    0xfffffffe,
    0xffffffff,
    0x100000000,
    0x7fffffffffffffff,
    0x8000000000000000,
    0x8000000000000001,
    0xfffffffffffffffe,
    0xffffffffffffffff,
};

static void wider_words_by_boundaries(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH(sizes); i++) {
        const uint64_t range = range_of(sizes[i]);

        for (size_t a = 0; a < LENGTH(edges); a++) {
            for (size_t b = 0; b < LENGTH(edges); b++) {
                const uint64_t v = edges[a] & range, x = edges[b] & range;
                const uint64_t ahead = (v - x) & range; /* steps from x on to v */
                const struct xsc_watch n = watch(&v, sizes[i], XSC_UNTIL_NOT, x, range);
                const struct xsc_watch e = watch(&v, sizes[i], XSC_UNTIL_EQUAL, x, range);
                const struct xsc_watch r = watch(&v, sizes[i], XSC_UNTIL_REACHED, x, 0);

                assert_int_equal(xsc_watch_holds(&n, v), v != x);
                assert_int_equal(xsc_watch_holds(&e, v), v == x);
                assert_int_equal(xsc_watch_holds(&r, v), ahead <= range / 2);
                for (size_t m = 0; m < LENGTH(edges); m++) {
                    const uint64_t mask = edges[m] & range;
                    const struct xsc_watch me = watch(&v, sizes[i], XSC_UNTIL_EQUAL, x, mask);
                    const struct xsc_watch mn = watch(&v, sizes[i], XSC_UNTIL_NOT, x, mask);

                    assert_int_equal(xsc_watch_holds(&me, v), (v & mask) == x);
                    assert_int_equal(xsc_watch_holds(&mn, v), (v & mask) != x);
                }
            }
        }
    }
}

/* A ring index that wraps: 300 steps of a counter through its end, one at a time. */
static void reached_wraps_around(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH(sizes); i++) {
        const uint64_t range = range_of(sizes[i]);

        for (uint64_t from = range - 150; from != range - 149 + 300; from++) {
            const uint64_t target = from & range;
            const struct xsc_watch w = watch(&range, sizes[i], XSC_UNTIL_REACHED, target, 0);

            assert_false(xsc_watch_holds(&w, (target - 1) & range));
            assert_true(xsc_watch_holds(&w, target));
            assert_true(xsc_watch_holds(&w, (target + 1) & range));
            assert_true(xsc_watch_holds(&w, (target + range / 2) & range));
            assert_false(xsc_watch_holds(&w, (target + range / 2 + 1) & range));
        }
    }
}

/* ---------------------------------------------------------------------------- validity ---- */

static void refuses_null_and_misaligned(void **state)
{
    _Alignas(16) char room[32] = {0};

    (void)state;
    for (size_t i = 0; i < LENGTH(sizes); i++) {
        for (uint32_t until = XSC_UNTIL_NOT; until <= XSC_UNTIL_REACHED; until++) {
            struct xsc_watch w = watch(NULL, sizes[i], until, 0, UINT64_MAX);

            assert_false(xsc_watch_valid(&w));
            for (uint32_t off = 0; off < 16; off++) {
                w = watch(room + off, sizes[i], until, 0, UINT64_MAX);
                assert_int_equal(xsc_watch_valid(&w), off % sizes[i] == 0);
            }
        }
    }
}

static void refuses_other_sizes(void **state)
{
    static _Alignas(64) const char room[64];

    (void)state;
    for (uint32_t size = 0; size < 70; size++) {
        for (uint32_t until = XSC_UNTIL_NOT; until <= XSC_UNTIL_REACHED; until++) {
            const struct xsc_watch w = watch(room, size, until, 0, UINT64_MAX);

            assert_int_equal(xsc_watch_valid(&w), size == 1 || size == 2 || size == 4 || size == 8);
        }
    }
    const struct xsc_watch huge = watch(room, UINT32_MAX, XSC_UNTIL_NOT, 0, UINT64_MAX);
    const struct xsc_watch wraps = watch(room, 0x80000001u, XSC_UNTIL_NOT, 0, UINT64_MAX);

    assert_false(xsc_watch_valid(&huge));
    assert_false(xsc_watch_valid(&wraps));
}

static void refuses_unknown_conditions(void **state)
{
    uint32_t word = 0;

    (void)state;
    for (uint32_t until = XSC_UNTIL_REACHED + 1; until < 20; until++) {
        const struct xsc_watch w = watch(&word, 4, until, 0, UINT32_MAX);

        assert_false(xsc_watch_valid(&w));
    }
    const struct xsc_watch w = watch(&word, 4, UINT32_MAX, 0, UINT32_MAX);

    assert_false(xsc_watch_valid(&w));
}

/* Valid is what some value of the word meets: looked for among all of them. */
static void byte_conditions_are_valid_if_any_value_meets_them(void **state)
{
    uint8_t word = 0;

    (void)state;
    for (uint32_t until = XSC_UNTIL_NOT; until <= XSC_UNTIL_EQUAL; until++) {
        for (uint32_t mask = 0; mask < 512; mask++) {
            for (uint32_t value = 0; value < 512; value++) {
                const struct xsc_watch w = watch(&word, 1, until, value, mask);
                bool possible = false;

                for (uint32_t v = 0; v < 256 && !possible; v++) {
                    possible = xsc_watch_holds(&w, v);
                }
                if (xsc_watch_valid(&w) != possible) {
                    fail_msg("until %u mask %u value %u", until, mask, value);
                }
            }
        }
    }
}

static void wider_impossible_conditions(void **state)
{
    uint64_t word = 0;

    (void)state;
    for (size_t i = 1; i < LENGTH(sizes); i++) {
        const uint64_t range = range_of(sizes[i]), top = range / 2 + 1;
        const struct {
            uint32_t until;
            uint64_t value, mask;
            bool valid;
        } cases[] = {
            {XSC_UNTIL_EQUAL, top, range, true}, {XSC_UNTIL_EQUAL, top, range / 2, false},
            {XSC_UNTIL_EQUAL, 0, 0, true}, /* met by every value */
            {XSC_UNTIL_EQUAL, 1, 0, false},      {XSC_UNTIL_NOT, 0, 0, false},
            {XSC_UNTIL_NOT, 0, top, true},       {XSC_UNTIL_NOT, range, range, true},
            {XSC_UNTIL_REACHED, 0, 0, true},     {XSC_UNTIL_REACHED, range, 0, true},
        };

        for (size_t c = 0; c < LENGTH(cases); c++) {
            const struct xsc_watch w = watch(&word, sizes[i], cases[c].until, cases[c].value,
                                             cases[c].mask);

            assert_int_equal(xsc_watch_valid(&w), cases[c].valid);
        }
        if (sizes[i] < 8) { /* bits that the word does not have */
            const struct xsc_watch e = watch(&word, sizes[i], XSC_UNTIL_EQUAL, range + 1,
                                             UINT64_MAX);
            const struct xsc_watch n = watch(&word, sizes[i], XSC_UNTIL_NOT, 0, ~range);

            assert_false(xsc_watch_valid(&e));
            assert_false(xsc_watch_valid(&n));
        }
    }
}

/* --------------------------------------------------------------------- the inline part ---- */

#define INLINE_CASE(bits, type)                                                                    \
    static void inline_##bits(type v, type x, type mask)                                           \
    {                                                                                              \
        const struct xsc_watch n = watch(&v, sizeof(v), XSC_UNTIL_NOT, x, (type) ~(type)0);        \
        const struct xsc_watch e = watch(&v, sizeof(v), XSC_UNTIL_EQUAL, x, mask);                 \
        const struct xsc_watch r = watch(&v, sizeof(v), XSC_UNTIL_REACHED, x, (type) ~(type)0);    \
                                                                                                   \
        slow_calls = 0;                                                                            \
        const int not = xsc_wait_u##bits(&v, x, 5);                                                \
                                                                                                   \
        assert_int_equal(not, xsc_watch_met(&n) ? 0 : WENT_SLOW);                                  \
        if (not ) {                                                                                \
            assert_memory_equal(&slow_watch, &n, sizeof(n));                                       \
            assert_int_equal(slow_timeout, 5);                                                     \
        }                                                                                          \
        const int equal = xsc_wait_mask(&v, mask, x, 6);                                           \
                                                                                                   \
        assert_int_equal(equal, xsc_watch_met(&e) ? 0 : WENT_SLOW);                                \
        if (equal) {                                                                               \
            assert_memory_equal(&slow_watch, &e, sizeof(e));                                       \
            assert_int_equal(slow_timeout, 6);                                                     \
        }                                                                                          \
        const int reached = xsc_wait_reached(&v, x, 7);                                            \
                                                                                                   \
        assert_int_equal(reached, xsc_watch_met(&r) ? 0 : WENT_SLOW);                              \
        if (reached) {                                                                             \
            assert_memory_equal(&slow_watch, &r, sizeof(r));                                       \
            assert_int_equal(slow_timeout, 7);                                                     \
        }                                                                                          \
        assert_int_equal(slow_calls, !!not +!!equal + !!reached);                                  \
    }
INLINE_CASE(8, uint8_t)
INLINE_CASE(16, uint16_t)
INLINE_CASE(32, uint32_t)
INLINE_CASE(64, uint64_t)

static void inline_part_judges_as_core_does(void **state)
{
    (void)state;
    for (size_t a = 0; a < LENGTH(edges); a++) {
        for (size_t b = 0; b < LENGTH(edges); b++) {
            for (size_t m = 0; m < LENGTH(edges); m++) {
                inline_8((uint8_t)edges[a], (uint8_t)edges[b], (uint8_t)edges[m]);
                inline_16((uint16_t)edges[a], (uint16_t)edges[b], (uint16_t)edges[m]);
                inline_32((uint32_t)edges[a], (uint32_t)edges[b], (uint32_t)edges[m]);
                inline_64(edges[a], edges[b], edges[m]);
            }
        }
    }
}

/* A NULL or misaligned word is not touched: the part that is not inline refuses it. */
static void inline_part_touches_no_bad_word(void **state)
{
    _Alignas(8) char room[16] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};

    (void)state;
    assert_int_equal(xsc_wait_u8(NULL, 0, 1), WENT_SLOW);
    assert_int_equal(xsc_wait_mask((uint16_t *)NULL, 0, 0, 1), WENT_SLOW);
    assert_int_equal(xsc_wait_reached((uint32_t *)NULL, 0, 1), WENT_SLOW);
    assert_int_equal(xsc_wait_u64(NULL, 0, 1), WENT_SLOW);
    for (uintptr_t off = 1; off < 8; off++) {
        const uintptr_t at = (uintptr_t)room + off;

        assert_int_equal(xsc_wait_u64((const volatile uint64_t *)at, 0, 1), WENT_SLOW);
        assert_ptr_equal(slow_watch.word, (const void *)at);
        if (off % 4) {
            assert_int_equal(xsc_wait_u32((const volatile uint32_t *)at, 0, 1), WENT_SLOW);
        }
        if (off % 2) {
            assert_int_equal(xsc_wait_u16((const volatile uint16_t *)at, 0, 1), WENT_SLOW);
        }
        assert_int_equal(xsc_wait_u8((const volatile uint8_t *)at, 0, 1), 0);
    }
}

/* xsc_wait() takes the function that fits the word's type, and no sign is carried along. */
static void generic_form_picks_the_size(void **state)
{
    int8_t i8 = -1;
    unsigned short u16 = 0xffff;
    int i32 = -1;
    _Atomic uint32_t a32 = 9;
    long long i64 = -1;
    _Bool flag = 1;

    (void)state;
    assert_int_equal(xsc_wait(&i8, -1, 1), WENT_SLOW);
    assert_int_equal(slow_watch.size, 1);
    assert_int_equal(slow_watch.value, 0xff);
    assert_int_equal(xsc_wait(&u16, 0xffff, 1), WENT_SLOW);
    assert_int_equal(slow_watch.size, 2);
    assert_int_equal(xsc_wait(&i32, -1, 1), WENT_SLOW);
    assert_int_equal(slow_watch.size, 4);
    assert_int_equal(slow_watch.value, 0xffffffff);
    assert_int_equal(xsc_wait(&a32, 9, 1), WENT_SLOW);
    assert_int_equal(slow_watch.size, 4);
    assert_int_equal(xsc_wait(&i64, -1, 1), WENT_SLOW);
    assert_int_equal(slow_watch.size, 8);
    assert_int_equal(slow_watch.value, UINT64_MAX);
    assert_int_equal(xsc_wait(&flag, 1, 1), WENT_SLOW);
    assert_int_equal(xsc_wait(&flag, 0, 1), 0);
    assert_int_equal(xsc_wait(&i8, 0, 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loads_its_size_and_no_more),
        cmocka_unit_test(load_extends_with_zeroes),
        cmocka_unit_test(byte_not_and_equal_for_every_value_and_mask),
        cmocka_unit_test(byte_reached_for_every_pair),
        cmocka_unit_test(wider_words_by_boundaries),
        cmocka_unit_test(reached_wraps_around),
        cmocka_unit_test(refuses_null_and_misaligned),
        cmocka_unit_test(refuses_other_sizes),
        cmocka_unit_test(refuses_unknown_conditions),
        cmocka_unit_test(byte_conditions_are_valid_if_any_value_meets_them),
        cmocka_unit_test(wider_impossible_conditions),
        cmocka_unit_test(inline_part_judges_as_core_does),
        cmocka_unit_test(inline_part_touches_no_bad_word),
        cmocka_unit_test(generic_form_picks_the_size),
    };

    return cmocka_run_group_tests_name("watch", tests, NULL, NULL);
}
