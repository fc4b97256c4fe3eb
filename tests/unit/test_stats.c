/* SPDX-License-Identifier: MIT */
/* core/stats.h: slots that have one writer each, and their sum. */
#include "tests/unit/unit.h"

#include "core/stats.h"
#include "tests/unit/fake_port.h"

static struct xsc_stats_table t;

static int clear(void **state)
{
    (void)state;
    fake_reset();
    memset(&t, 0, sizeof(t));
    return 0;
}

static void a_free_slot_is_taken_where_the_hint_says(void **state)
{
    (void)state;
    for (uint32_t hint = 0; hint < 3 * XSC_SLOTS; hint++) {
        struct xsc_slot *s = xsc_slot_claim(&t, hint);

        assert_ptr_equal(s, &t.slot[hint % XSC_SLOTS]);
        assert_int_equal(s->claimed, fake.process);
        xsc_slot_release(s);
        assert_int_equal(s->claimed, 0);
    }
    assert_int_equal(t.uncounted, 0);
}

static void a_taken_slot_is_passed_over(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < XSC_SLOT_PROBES; i++) {
        assert_ptr_equal(xsc_slot_claim(&t, 60), &t.slot[(60 + i) % XSC_SLOTS]);
    }
    assert_int_equal(t.uncounted, 0);
}

static void with_none_free_it_is_the_unread_one(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < XSC_SLOTS; i++) {
        t.slot[i].claimed = (uint32_t)fake.process;
    }
    assert_ptr_equal(xsc_slot_claim(&t, 5), &t.nobodys);
    assert_ptr_equal(xsc_slot_claim(&t, 6), &t.nobodys);
    assert_int_equal(t.uncounted, 2);
    xsc_slot_release(&t.nobodys);
    t.slot[7].claimed = 0;
    assert_ptr_equal(xsc_slot_claim(&t, 7 - (XSC_SLOT_PROBES - 1)), &t.slot[7]);
    assert_int_equal(t.uncounted, 2);
}

/* Threads of the parent had them at the fork; those the child does not have. */
static void a_childs_are_all_free(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < XSC_SLOTS; i++) {
        xsc_slot_claim(&t, i);
    }
    fake.process++;
    for (uint32_t i = 0; i < XSC_SLOTS; i++) {
        assert_ptr_equal(xsc_slot_claim(&t, i), &t.slot[i]);
    }
    assert_ptr_equal(xsc_slot_claim(&t, 0), &t.nobodys);
}

static void hints_near_the_end_of_their_range(void **state)
{
    (void)state;
    assert_ptr_equal(xsc_slot_claim(&t, UINT32_MAX), &t.slot[XSC_SLOTS - 1]);
    assert_ptr_equal(xsc_slot_claim(&t, UINT32_MAX), &t.slot[0]);
}

static void counters(void **state)
{
    uint64_t n = 5, max = 5, min = 0;

    (void)state;
    xsc_count(&n, 3);
    assert_int_equal(n, 8);
    xsc_count_max(&max, 4);
    assert_int_equal(max, 5);
    xsc_count_max(&max, 6);
    assert_int_equal(max, 6);
    xsc_count_min(&min, 9); /* 0 stands for none yet */
    assert_int_equal(min, 9);
    xsc_count_min(&min, 10);
    assert_int_equal(min, 9);
    xsc_count_min(&min, 1);
    assert_int_equal(min, 1);
}

#define N_COUNTS (sizeof(struct xsc_counts) / sizeof(uint64_t))

/* Every field by its offset, so that one that is added later and forgotten in the sum shows. */
static void every_count_is_summed(void **state)
{
    static const size_t greatest[] = {offsetof(struct xsc_counts, max_ns),
                                      offsetof(struct xsc_counts, max_over_ns)};
    uint64_t seed = 5, expected[N_COUNTS] = {0}, got[N_COUNTS];
    struct xsc_counts sum;

    (void)state;
    for (uint32_t s = 0; s < XSC_SLOTS; s++) {
        uint64_t n[N_COUNTS];

        for (size_t i = 0; i < N_COUNTS; i++) {
            const size_t at = i * sizeof(uint64_t);

            n[i] = unit_between(&seed, 1, 1000000);
            if (at == greatest[0] || at == greatest[1]) {
                expected[i] = n[i] > expected[i] ? n[i] : expected[i];
            } else if (at == offsetof(struct xsc_counts, min_ns_plus)) {
                expected[i] = !s || n[i] < expected[i] ? n[i] : expected[i];
            } else {
                expected[i] += n[i];
            }
        }
        memcpy(&t.slot[s].n, n, sizeof(n));
    }
    memset(&t.nobodys, 0xff, sizeof(t.nobodys)); /* not looked at */
    memset(&sum, 0xff, sizeof(sum));             /* and nothing is left of what was there */
    xsc_stats_sum(&t, &sum, NULL);
    memcpy(got, &sum, sizeof(got));
    for (size_t i = 0; i < N_COUNTS; i++) {
        if (got[i] != expected[i]) {
            fail_msg("count %zu: %ju, not %ju", i, (uintmax_t)got[i], (uintmax_t)expected[i]);
        }
    }
}

static void the_least_is_of_slots_that_have_one(void **state)
{
    struct xsc_counts sum;

    (void)state;
    xsc_stats_sum(&t, &sum, NULL);
    assert_int_equal(sum.min_ns_plus, 0);
    t.slot[9].n.min_ns_plus = 70;
    xsc_stats_sum(&t, &sum, NULL);
    assert_int_equal(sum.min_ns_plus, 70);
    t.slot[3].n.min_ns_plus = 1; /* a wait of 0 ns */
    xsc_stats_sum(&t, &sum, NULL);
    assert_int_equal(sum.min_ns_plus, 1);
}

static void histograms_are_summed_bucket_by_bucket(void **state)
{
    struct xsc_histogram waits;
    struct xsc_counts sum;

    (void)state;
    memset(&waits, 0xff, sizeof(waits));
    for (uint32_t h = 0; h < XSC_SLOT_HISTOGRAMS; h++) {
        for (uint32_t b = 0; b < XSC_HIST_BUCKETS; b++) {
            t.waits[h].count[b] = h * b;
        }
    }
    xsc_stats_sum(&t, &sum, &waits);
    for (uint32_t b = 0; b < XSC_HIST_BUCKETS; b++) {
        assert_int_equal(waits.count[b], b * (XSC_SLOT_HISTOGRAMS - 1) * XSC_SLOT_HISTOGRAMS / 2);
    }
    t.waits[0].count[7] = t.waits[1].count[7] = UINT32_MAX - 3;
    xsc_stats_sum(&t, &sum, &waits);
    assert_int_equal(waits.count[7], UINT32_MAX);
}

/* All slots' waits are in the histograms, those of no slot in none. */
static void slots_share_histograms(void **state)
{
    struct xsc_histogram waits;
    struct xsc_counts sum;

    (void)state;
    for (uint32_t s = 0; s < XSC_SLOTS; s++) {
        xsc_slot_waited(xsc_slot_claim(&t, s), 1000);
    }
    xsc_slot_waited(xsc_slot_claim(&t, 0), 1000);
    assert_int_equal(t.uncounted, 1);
    xsc_stats_sum(&t, &sum, &waits);
    assert_int_equal(xsc_hist_total(&waits), XSC_SLOTS);
    for (uint32_t h = 0; h < XSC_SLOT_HISTOGRAMS; h++) {
        assert_int_equal(xsc_hist_total(&t.waits[h]), XSC_SLOTS / XSC_SLOT_HISTOGRAMS);
    }
    t.waits[1].count[xsc_hist_bucket(1000)] = UINT32_MAX - 65536; /* full: it stays so */
    xsc_slot_waited(&t.slot[1], 1000);
    assert_int_equal(t.waits[1].count[xsc_hist_bucket(1000)], UINT32_MAX - 65536);
}

static void slots_share_no_cache_line(void **state)
{
    (void)state;
    assert_int_equal(sizeof(struct xsc_slot) % 128, 0);
    assert_int_equal((uintptr_t)&t.slot[0] % 128, 0);
}

/* What a wait left behind is in the sum at once, and in the counts when the slot is claimed. */
static void what_is_left_behind_is_counted_once(void **state)
{
    struct xsc_counts sum, later;
    struct xsc_histogram waits;

    (void)state;
    for (uint64_t deep = 0; deep < 2; deep++) {
        clear(NULL);
        t.slot[4].n.total = t.slot[4].n.changed = 10;
        t.slot[4].last = XSC_LAST((uint64_t)12345, deep);
        t.slot[4].in_slices_ns = 12000;
        xsc_stats_sum(&t, &sum, &waits);
        assert_int_equal(sum.total, 11);
        assert_int_equal(sum.changed, 11);
        assert_int_equal(sum.deep, deep);
        assert_int_equal(sum.shallow, 1 - deep);
        assert_int_equal(sum.hw_waits, 1);
        assert_int_equal(sum.woken, 1);
        assert_int_equal(sum.watched, 1);
        assert_int_equal(sum.slices_ns, 345);
        assert_int_equal(sum.sum_ns, 12345);
        assert_int_equal(sum.max_ns, 12345);
        assert_int_equal(sum.min_ns_plus, 12346);
        assert_int_equal(waits.count[xsc_hist_bucket(12345)], 1);
        assert_int_equal(t.slot[4].n.total, 10); /* looking changes nothing */

        assert_ptr_equal(xsc_slot_claim(&t, 4), &t.slot[4]);
        assert_int_equal(t.slot[4].last, 0);
        assert_int_equal(t.slot[4].in_slices_ns, 0);
        xsc_stats_sum(&t, &later, &waits);
        assert_memory_equal(&later, &sum, sizeof(sum));
        assert_int_equal(waits.count[xsc_hist_bucket(12345)], 1);
    }
}

/* A wait of 0 ns is not nothing. */
static void a_wait_of_no_time_is_left_behind_too(void **state)
{
    struct xsc_counts sum;

    (void)state;
    t.slot[0].last = XSC_LAST((uint64_t)0, 0);
    xsc_stats_sum(&t, &sum, NULL);
    assert_int_equal(sum.watched, 1);
    assert_int_equal(sum.min_ns_plus, 1);
}

static void tight_spins_are_counted_by_any_thread(void **state)
{
    struct xsc_counts sum;

    (void)state;
    for (uint32_t hint = 0; hint < 200; hint++) {
        xsc_count_tight(&t, hint, 1);
    }
    xsc_count_tight(&t, 199, -1);
    xsc_stats_sum(&t, &sum, NULL);
    assert_int_equal(sum.total, 199);
    assert_int_equal(sum.changed, 199);
    assert_int_equal(sum.shallow, 199);
    assert_int_equal(sum.watched + sum.hw_waits + sum.timeouts + sum.deep, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_free_slot_is_taken_where_the_hint_says, clear),
        cmocka_unit_test_setup(a_taken_slot_is_passed_over, clear),
        cmocka_unit_test_setup(with_none_free_it_is_the_unread_one, clear),
        cmocka_unit_test_setup(a_childs_are_all_free, clear),
        cmocka_unit_test_setup(hints_near_the_end_of_their_range, clear),
        cmocka_unit_test(counters),
        cmocka_unit_test_setup(every_count_is_summed, clear),
        cmocka_unit_test_setup(the_least_is_of_slots_that_have_one, clear),
        cmocka_unit_test_setup(histograms_are_summed_bucket_by_bucket, clear),
        cmocka_unit_test_setup(slots_share_histograms, clear),
        cmocka_unit_test(slots_share_no_cache_line),
        cmocka_unit_test_setup(what_is_left_behind_is_counted_once, clear),
        cmocka_unit_test_setup(a_wait_of_no_time_is_left_behind_too, clear),
        cmocka_unit_test_setup(tight_spins_are_counted_by_any_thread, clear),
    };

    return cmocka_run_group_tests_name("stats", tests, NULL, NULL);
}
