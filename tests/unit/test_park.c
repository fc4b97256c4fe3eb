/* SPDX-License-Identifier: MIT */
/* user/park.c, user/barrier.c: what waiter and writer store and read, in which order. A5, A7. */
#define _GNU_SOURCE
#include "tests/unit/park_os.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

static void store(void)
{
    __atomic_store_n(&word.u32[0], 1, __ATOMIC_RELEASE);
}

static void store_and_unpark(void)
{
    store();
    xsc_unpark_one(&word);
}

/* --------------------------------------------------------------------------- deciding ---- */

/* 0 in every bucket and event: tests/unit/test_unpark.c has what the inline part makes of that. */
static void before_the_first_park_unparks_are_free(void **state)
{
    (void)state;
    fences = 0;
    for (unsigned i = 0; i < 1000; i++) {
        xsc_unpark_one(&word);
        xsc_unpark_all(&word);
        xsc_event_signal(&event);
        assert_false(xsc_unpark_told(&word));
    }
    assert_int_equal(fences, 0);
    assert_int_equal(os.wakes + os.registers[0] + os.barriers[0], 0);
    assert_int_equal(bucket() + event.waiters, 0);
    assert_int_equal(xsc_park_in_force(), XSC_PARK_AUTO);
    xsc_unpark_slow(&word, 1);
    assert_int_equal(fences, 1); /* it does count */
}

static void the_first_park_decides(void **state)
{
    (void)state;
    assert_int_equal(xsc_park_u32(word.u32, 0, MS), -ETIMEDOUT);
    assert_int_equal(os.registers[0], 1);
    assert_int_equal(os.barriers[0], 1);
    assert_int_equal(xsc_park_in_force(), XSC_PARK_ASYMMETRIC);
    for (unsigned i = 0; i < XSC_PARK_BUCKETS; i++) {
        assert_int_equal(xsc_parked[i], 0);
    }
    assert_int_equal(xsc_park_u32(word.u32, 0, MS), -ETIMEDOUT);
    assert_int_equal(os.registers[0], 1);
    assert_int_equal(xsc_park_init(XSC_PARK_SEQ_CST), -EALREADY);
    assert_int_equal(xsc_park_init(XSC_PARK_AUTO), 0);
}

static void a_watched_wait_decides_nothing(void **state)
{
    (void)state;
    assert_int_equal(xsc_park_u32(word.u32, 0, 20 * US), -ETIMEDOUT);
    assert_int_equal(os.registers[0] + os.barriers[0] + os.sleeps, 0);
    assert_int_equal(counts().parks, 0);
}

static void fences_where_registration_is_refused(void **state)
{
    (void)state;
    os.register_fails[0] = true;
    assert_int_equal(xsc_park_init(XSC_PARK_ASYMMETRIC), -ENOTSUP);
    assert_int_equal(xsc_park_u32(word.u32, 0, MS), -ETIMEDOUT);
    assert_int_equal(os.barriers[0], 0);
    os.in_sleep = store_and_unpark;
    assert_int_equal(xsc_park_u32(word.u32, 0, XSC_FOREVER), 0);
    /* Until its writers fence it takes no wake from another: as SECOND, which the second call wakes. */
    assert_int_equal(os.slept_bits, 0x10);
    assert_int_equal(os.wakes, 2);
    assert_int_equal(os.woke_bits, 0x10);
    assert_int_equal(*seconds_of(&word), 0);
    assert_int_equal(bucket(), 0); /* no park has lasted: writers need not fence */
}

static void fences_where_the_environment_says_so(void **state)
{
    (void)state;
    setenv("XSC_PARK", "seqcst", 1);
    assert_int_equal(xsc_park_u32(word.u32, 0, MS), -ETIMEDOUT);
    assert_int_equal(os.registers[0] + os.barriers[0], 0);
    assert_int_equal(xsc_park_in_force(), XSC_PARK_SEQ_CST);
    assert_int_equal(xsc_event_join_shared(), -ENOTSUP);
    assert_int_equal(os.registers[1], 0);
}

/* Decided by another while this one parks: the announcement tells which barrier it takes. */
static void decided_meanwhile(void **state)
{
    (void)state;
    in_force = XSC_PARK_ASYMMETRIC;
    assert_int_equal(xsc_park_u32(word.u32, 0, MS), -ETIMEDOUT);
    assert_int_equal(os.barriers[0], 1);
    xsc_parked[xsc_park_bucket(&word)] |= XSC_PARK_FENCED;
    assert_int_equal(xsc_park_u32(word.u32, 0, MS), -ETIMEDOUT);
    assert_int_equal(os.barriers[0], 2); /* no thread has said that fences are enough here */
}

/* ------------------------------------------------------------------ without membarrier ---- */

static uint32_t in_sleep[4]; /* the bucket, or the event's count, in the first sleeps */

static void note_the_bucket(void)
{
    if (os.sleeps <= LENGTH(in_sleep)) {
        in_sleep[os.sleeps - 1] = bucket();
    }
}

/* T1 to T4: one look after 10 ms, FENCED while it is still counted, and then no more looks. */
static void a_long_park_asks_for_fences(void **state)
{
    (void)state;
    os.register_fails[0] = true;
    os.in_sleep = note_the_bucket;
    const uint64_t from = fake.now;

    assert_int_equal(xsc_park_u32(word.u32, 0, 5000ull * MS), -ETIMEDOUT);
    assert_true(fake.now - from >= 5000ull * MS);
    assert_int_equal(os.sleeps, 2);
    assert_int_equal(in_sleep[0], PARKED_ONE);
    assert_int_equal(in_sleep[1], PARKED_ONE | XSC_PARK_FENCED);
    assert_int_equal(bucket(), XSC_PARK_FENCED);
    assert_int_equal(xsc_park_u32(word.u32, 0, 5000ull * MS), -ETIMEDOUT);
    assert_int_equal(os.sleeps, 3); /* the second park finds it, and needs no look */
    for (unsigned i = 0; i < 100 * SAMPLED; i++) {
        xsc_unpark_one(&word); /* and it stays, however long no waiter comes */
    }
    assert_int_equal(bucket(), XSC_PARK_FENCED);
    assert_int_equal(os.barriers[0], 0);
}

/* A writer that loaded 0 before P1: its store is noticed by the look after 10 ms, FENCED not needed. */
static void a_store_by_a_writer_that_missed_us_is_found(void **state)
{
    (void)state;
    os.register_fails[0] = true;
    os.in_sleep = store;
    const uint64_t from = fake.now;

    assert_int_equal(xsc_park_u32(word.u32, 0, XSC_FOREVER), 0);
    assert_in_range(fake.now - from, XSC_SETTLE_NS, XSC_SETTLE_NS + MS);
    assert_int_equal(os.sleeps, 1);
    assert_int_equal(bucket(), 0);
}

static void a_park_of_10_ms_or_less_asks_for_nothing(void **state)
{
    (void)state;
    os.register_fails[0] = true;
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(xsc_park_u32(word.u32, 0, XSC_SETTLE_NS), -ETIMEDOUT);
    }
    assert_int_equal(os.sleeps, 10);
    assert_int_equal(bucket(), 0);
}

/* ------------------------------------------------------------------------------- relief ---- */

static uint64_t barrier_takes;
static uint32_t in_the_last_barrier;

static void a_barrier_takes_its_time(void)
{
    in_the_last_barrier = bucket();
    fake_advance(barrier_takes);
}

static void park_often(unsigned times)
{
    os.in_barrier = a_barrier_takes_its_time;
    for (unsigned i = 0; i < times; i++) {
        assert_int_equal(xsc_park_u32(word.u32, 0, MS), -ETIMEDOUT);
    }
}

static void a_bucket_of_many_parks_goes_to_fences(void **state)
{
    (void)state;
    barrier_takes = 16 * US;
    park_often(OFTEN - 1);
    assert_int_equal(bucket(), 0);
    park_often(1);
    assert_int_equal(in_the_last_barrier, PARKED_ONE | XSC_PARK_FENCED); /* R1 before P2 */
    assert_int_equal(bucket(), XSC_PARK_FENCED);
    assert_int_equal(os.barriers[0], OFTEN);
    park_often(100);
    assert_int_equal(os.barriers[0], OFTEN);
}

static void a_cheap_barrier_stays(void **state)
{
    (void)state;
    barrier_takes = CHEAP_NS - 100; /* and two clock readings */
    park_often(100);
    assert_int_equal(os.barriers[0], 100);
    assert_int_equal(bucket(), 0);
}

/* Fences without a waiter that have cost as much as a barrier: back. A park between resets. */
static void writers_are_relieved_again(void **state)
{
    (void)state;
    barrier_takes = 16 * US;
    park_often(OFTEN);
    for (unsigned i = 0; i < 16 * US / FENCE_NS / 2; i++) {
        xsc_unpark_one(&word);
    }
    park_often(1);
    for (unsigned i = 0; i < 16 * US / FENCE_NS - SAMPLED; i++) {
        assert_int_equal(bucket(), XSC_PARK_FENCED);
        xsc_unpark_one(&word);
    }
    for (unsigned i = 0; i < 3 * SAMPLED; i++) {
        xsc_unpark_one(&word);
    }
    assert_int_equal(bucket(), 0);
    assert_int_equal(os.barriers[0], OFTEN);
    park_often(1);
    assert_int_equal(os.barriers[0], OFTEN + 1);
}

/* Another waiter has set FENCED and is still in its barrier: a fence is not enough yet. */
static void between_r1_and_r2_the_barrier_is_ours(void **state)
{
    (void)state;
    barrier_takes = 16 * US;
    park_often(1);
    xsc_parked[xsc_park_bucket(&word)] |= XSC_PARK_FENCED;
    park_often(10);
    assert_int_equal(os.barriers[0], 11);
    assert_int_equal(relief[xsc_park_bucket(&word)].fenced, 0); /* not ours to say */
    relief[xsc_park_bucket(&word)].fenced = 1;
    park_often(1);
    assert_int_equal(os.barriers[0], 11);
}

static void a_refused_barrier_relieves_no_bucket(void **state)
{
    (void)state;
    barrier_takes = 16 * US;
    park_often(OFTEN - 1);
    os.barrier_fails[0] = true;
    park_often(1);
    assert_int_equal(relief[xsc_park_bucket(&word)].fenced, 0);
    park_often(3);
    assert_int_equal(os.barriers[0], OFTEN + 3); /* so every waiter goes on trying */
}

/* P1 found no FENCED, R1 finds what another waiter has set meanwhile: R2 is not ours. */
static void r2_is_for_the_thread_whose_r1_set_fenced(void **state)
{
    const uint32_t b = xsc_park_bucket(&word);

    (void)state;
    barrier_takes = 16 * US;
    park_often(OFTEN - 1);
    xsc_parked[b] |= XSC_PARK_FENCED;
    assert_true(reach_writers(b, 0));
    assert_int_equal(relief[b].fenced, 0);
    xsc_parked[b] = 0;
    assert_true(reach_writers(b, 0));
    assert_int_equal(relief[b].fenced, 1);
}

/* ------------------------------------------------------------------------------ parking ---- */

static void announced_by_then(void)
{
    assert_int_equal(bucket(), PARKED_ONE);
    assert_int_equal(os.sleeps, 0);
    store(); /* by a writer that loaded 0: this barrier makes it visible */
}

static void looks_after_the_barrier(void **state)
{
    (void)state;
    os.in_barrier = announced_by_then;
    assert_int_equal(xsc_park_u32(word.u32, 0, XSC_FOREVER), 0);
    assert_int_equal(os.barriers[0], 1);
    assert_int_equal(os.sleeps, 0);
    assert_int_equal(bucket(), 0);
    assert_int_equal(counts().parks, 1);
    assert_int_equal(counts().parks_met, 1);
    assert_int_equal(counts().timeouts, 1); /* of its watch: see user/report.c */
}

static void announced_while_asleep(void)
{
    assert_int_equal(bucket(), PARKED_ONE);
    store_and_unpark();
}

static void is_woken(void **state)
{
    (void)state;
    os.in_sleep = announced_while_asleep;
    assert_int_equal(xsc_park_u32(word.u32, 0, XSC_FOREVER), 0);
    assert_int_equal(os.sleeps, 1);
    assert_int_equal(os.until_ns, XSC_FOREVER);
    assert_int_equal(os.wakes, 1);
    assert_int_equal(os.woke_count, 1);
    assert_false(os.woke_shared);
    assert_int_equal(bucket(), 0);
    assert_int_equal(counts().wakes, 1);
    xsc_unpark_all(&word); /* and now no waiter is there any more */
    assert_int_equal(os.wakes, 1);
}

static void every_size_and_place(void **state)
{
    static const uint32_t sizes[] = {1, 2, 4, 8};

    for (size_t s = 0; s < LENGTH(sizes); s++) {
        for (uint32_t at = 0; at < 8; at += sizes[s]) {
            setup(state);
            const struct xsc_watch w = {word.u8 + at, 0, UINT64_MAX, sizes[s], XSC_UNTIL_NOT};

            word.u8[(at + 8 - 1) % 8] = sizes[s] < 8 ? 77 : 0; /* a neighbour */
            const uint32_t around = word.u32[at / 4];

            assert_int_equal(xsc_park_slow(&w, MS), -ETIMEDOUT);
            if (sizes[s] < 8) {
                assert_ptr_equal(os.slept_on, &word.u32[at / 4]);
                assert_int_equal(os.expected, around);
                assert_int_equal(os.slept_bits, 1u << at % 4);
            } else {
                assert_ptr_equal(os.slept_on, &wide[xsc_park_bucket(&word)].seq);
            }
            xsc_parked[xsc_park_bucket(w.word)] += 2;
            xsc_unpark_all(w.word);
            assert_ptr_equal(os.woke, &word.u32[at / 4]);
            assert_int_equal(os.woke_bits, 0x11u << at % 4); /* of both classes */
            assert_int_equal(os.woke_count, UINT32_MAX);
        }
    }
}

static void change_the_neighbour(void)
{
    if (os.sleeps < 4) {
        word.u8[1]++;
        os.woken = true;
    } else {
        word.u8[2] = 1;
        xsc_unpark_one(&word.u8[2]);
    }
}

static void a_neighbour_is_no_reason(void **state)
{
    (void)state;
    os.in_sleep = change_the_neighbour;
    assert_int_equal(xsc_park_u8(&word.u8[2], 0, XSC_FOREVER), 0);
    assert_int_equal(os.sleeps, 4);
    assert_int_equal(word.u8[2], 1);
}

static void store_high_half(void)
{
    word.u32[1] = 1;
    xsc_unpark_one(&word);
}

static void either_half_of_8_bytes(void **state)
{
    (void)state;
    os.in_sleep = store_high_half;
    assert_int_equal(xsc_park_u64(&word.u64, 0, XSC_FOREVER), 0);
    assert_int_equal(os.wakes, 2);
    assert_int_equal(os.woke_count, UINT32_MAX); /* all: one alone might be another word's */
    assert_int_equal(wide[xsc_park_bucket(&word)].seq, 1);
    assert_int_equal(wide[xsc_park_bucket(&word)].waiters, 0);

    /* Stored and woken between the look and the sleep: the sequence number has moved on. */
    setup(state);
    os.in_barrier = NULL;
    struct parking p = {.watch = &(struct xsc_watch){&word, 0, UINT64_MAX, 8, XSC_UNTIL_NOT}};

    wide[xsc_park_bucket(&word)].waiters = 1;
    xsc_parked[xsc_park_bucket(&word)] = 2;
    look_and_sleep(&p, fake.now + MS, false);
    assert_int_equal(os.expected, 0);
    xsc_unpark_one(&word);
    assert_int_not_equal(wide[xsc_park_bucket(&word)].seq, os.expected);
}

/*
 * The sequence number is read before the word: it moves on just as the word is loaded, which a
 * page that can't be read tells us, and the sleeper must notice.
 */
static uint64_t *trap;

static void at_the_load(int sig)
{
    (void)sig;
    mprotect(trap, (size_t)getpagesize(), PROT_READ | PROT_WRITE);
    wide[xsc_park_bucket(trap)].seq++;
}

static void the_key_is_older_than_the_look(void **state)
{
    struct sigaction before;
    const struct sigaction act = {.sa_handler = at_the_load};

    (void)state;
    trap = mmap(NULL, (size_t)getpagesize(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(trap, MAP_FAILED);
    const struct xsc_watch w = {trap, 0, UINT64_MAX, 8, XSC_UNTIL_NOT};
    const struct parking p = {.watch = &w};

    sigaction(SIGSEGV, &act, &before);
    look_and_sleep(&p, fake.now + MS, false);
    sigaction(SIGSEGV, &before, NULL);
    assert_int_equal(os.sleeps, 1);
    assert_int_equal(wide[xsc_park_bucket(trap)].seq, 1);
    assert_int_equal(os.expected, 0);
    munmap(trap, (size_t)getpagesize());
}

/* ------------------------------------------------------------- a wake that is discarded ---- */

static unsigned wakes_before;

/* Woken by an unpark that was for another waiter; then by one that is for this one. */
static void woken_for_another(void)
{
    if (os.sleeps + os.wide_sleeps == 1) {
        xsc_unpark_one(&word);
        assert_int_equal(os.wakes, 1);
        return;
    }
    assert_int_equal(os.wakes, 2); /* passed on: for one, of those that have not yet done so */
    assert_int_equal(os.woke_count, 1);
    assert_int_equal(os.woke_bits, 1);
    assert_int_equal(os.slept_bits, 0x10);
    assert_int_equal(xsc_heads(seconds_of(&word)), 1);
    word.u32[0] = 1;
    xsc_unpark_one(&word); /* finds no FIRST, and wakes all of SECOND */
    assert_int_equal(os.wakes, 4);
    assert_int_equal(os.woke_count, UINT32_MAX);
    assert_int_equal(os.woke_bits, 0x10);
}

static void a_discarded_wake_is_passed_on(void **state)
{
    for (int quiet = 0; quiet < 2; quiet++) {
        setup(state);
        xsc_park_init(quiet ? XSC_PARK_ASYMMETRIC : XSC_PARK_SEQ_CST);
        xsc_parked[xsc_park_bucket(&word)] += PARKED_ONE; /* another one */
        xsc_parked[xsc_park_bucket(&word)] |= quiet ? 0 : XSC_PARK_FENCED;
        os.in_sleep = woken_for_another;
        assert_int_equal(xsc_park_u32(&word.u32[0], 0, XSC_FOREVER), 0);
        assert_int_equal(os.sleeps, 2);
        assert_int_equal(*seconds_of(&word), 0);
        xsc_unpark_one(&word); /* no waiter passes a wake on: one call */
        assert_int_equal(os.wakes, 5);
    }
}

static void woken_alone(void)
{
    if (os.sleeps == 2) {
        word.u32[0] = 1;
    }
    xsc_unpark_one(&word);
    assert_int_equal(os.wakes, os.sleeps);
    assert_int_equal(os.slept_bits, 1);
}

static void alone_there_is_no_waiter_to_pass_it_to(void **state)
{
    (void)state;
    os.in_sleep = woken_alone;
    assert_int_equal(xsc_park_u32(&word.u32[0], 0, XSC_FOREVER), 0);
    assert_int_equal(os.sleeps, 2);
    assert_int_equal(*seconds_of(&word), 0);
}

static void a_waiter_that_may_discard_passes_nothing_on(void **state)
{
    const struct xsc_watch w = XSC_WATCH(&word.u32[0], 0);

    (void)state;
    xsc_parked[xsc_park_bucket(&word)] += PARKED_ONE;
    os.in_sleep = woken_alone;
    assert_int_equal(xsc_park_no_pass(&w, XSC_FOREVER), 0);
    assert_int_equal(os.sleeps, 2);
}

static void woken_at_the_deadline(void)
{
    xsc_unpark_one(&word);
    wakes_before = os.wakes;
    fake_advance(2 * MS);
}

static void a_timeout_passes_it_on(void **state)
{
    (void)state;
    xsc_parked[xsc_park_bucket(&word)] += PARKED_ONE;
    os.in_sleep = woken_at_the_deadline;
    assert_int_equal(xsc_park_u32(&word.u32[0], 0, MS), -ETIMEDOUT);
    assert_int_equal(os.sleeps, 1);
    assert_int_equal(os.wakes, wakes_before + 1);
    assert_int_equal(os.woke_count, 1);
    assert_int_equal(*seconds_of(&word), 0);
}

static void woken_shared(void)
{
    if (os.sleeps + os.wide_sleeps == 1) {
        xsc_unpark_one_shared(&word);
        assert_int_equal(os.wakes, 1);
        return;
    }
    /* There is no counter: where the first call wakes none, there is a second one. */
    assert_int_equal(os.wakes, 3);
    assert_int_equal(os.woke_bits, 0x10);
    assert_int_equal(os.slept_bits, 0x10);
    word.u64++;
    xsc_unpark_one_shared(&word);
    assert_int_equal(os.wakes, 5);
}

static void a_discarded_wake_is_passed_on_between_processes(void **state)
{
    setup(state);
    os.in_sleep = woken_shared;
    assert_int_equal(xsc_park_u32_shared(&word.u32[0], 0, XSC_FOREVER), 0);
    assert_int_equal(os.sleeps, 2);
    setup(state);
    os.in_sleep = woken_shared;
    assert_int_equal(xsc_park_u64_shared(&word.u64, 0, XSC_FOREVER), 0);
    assert_int_equal(os.wide_sleeps, 1); /* once: it would take a wake of any class */
    assert_int_equal(os.sleeps, 1);
}

/* Another word of the same bucket costs a wake without a sleeper, and wakes no thread. */
static void a_collision_costs_a_call(void **state)
{
    static uint32_t words[1 << 14];
    uint32_t other = 0;

    (void)state;
    while (&words[other] == word.u32 || xsc_park_bucket(&words[other]) != xsc_park_bucket(&word)) {
        other++;
    }
    xsc_park_init(XSC_PARK_AUTO);
    xsc_parked[xsc_park_bucket(&word)] += 2;
    xsc_unpark_one(&words[other]);
    assert_int_equal(os.wakes, 1);
    assert_ptr_equal(os.woke, &words[other]);
}

/* Neighbours never collide, nor do the same fields of page-aligned objects, up to a thousand. */
static void buckets_spread(void **state)
{
    bool seen[2][XSC_PARK_BUCKETS] = {{false}};

    (void)state;
    for (uintptr_t i = 0; i < XSC_PARK_BUCKETS; i++) {
        bool *const near = &seen[0][xsc_park_bucket((void *)(0x10000000 + 4 * i))];
        bool *const far = &seen[1][xsc_park_bucket((void *)(0x10000040 + 4096 * i))];

        assert_false(*near || *far);
        *near = *far = true;
    }
}

/* ---------------------------------------------------------------------------- deadlines ---- */

static void never_early(void **state)
{
    static const uint64_t lengths[] = {1, 20 * US, 21 * US, MS, 5000ull * MS};

    for (size_t i = 0; i < LENGTH(lengths); i++) {
        setup(state);
        const uint64_t from = fake.now;

        assert_int_equal(xsc_park_u64(&word.u64, 0, lengths[i]), -ETIMEDOUT);
        assert_true(fake.now - from >= lengths[i]);
        assert_int_equal(counts().timeouts, 1);
        assert_int_equal(counts().total, 1);
        assert_int_equal(counts().parks, lengths[i] > 20 * US);
    }
}

static void spurious_wake(void)
{
    if (os.sleeps < 100) {
        os.woken = true;
        fake_advance(10);
    }
}

static void the_kernel_may_wake_for_nothing(void **state)
{
    (void)state;
    const uint64_t from = fake.now;

    os.in_sleep = spurious_wake;
    assert_int_equal(xsc_park_u32(word.u32, 0, 10 * MS), -ETIMEDOUT);
    assert_true(fake.now - from >= 10 * MS);
    assert_int_equal(os.sleeps, 100);
    assert_int_equal(os.barriers[0], 1); /* one for the whole park */
}

static void a_store_without_unpark(void **state)
{
    (void)state;
    os.in_sleep = store;
    assert_int_equal(xsc_park_u32(word.u32, 0, 10 * MS), 0);
    assert_int_equal(os.sleeps, 1);
}

static unsigned patience;

static void store_at_last(void)
{
    if (os.sleeps == patience) {
        store(); /* whose writer has seen no waiter */
    }
}

/* Refused after registration: FENCED is set in the end, but not relied on without asking. */
static void looks_for_itself_where_the_barrier_is_refused(void **state)
{
    (void)state;
    xsc_park_init(XSC_PARK_ASYMMETRIC);
    os.barrier_fails[0] = true;
    os.in_sleep = store_at_last;
    patience = 1;
    const uint64_t from = fake.now;

    assert_int_equal(xsc_park_u32(word.u32, 0, XSC_FOREVER), 0);
    assert_in_range(fake.now - from, XSC_SETTLE_NS, XSC_SETTLE_NS + 100 * US);
    word.u32[0] = 0;
    os.in_sleep = NULL;
    assert_int_equal(xsc_park_u32(word.u32, 0, 100 * MS), -ETIMEDOUT);
    assert_int_equal(bucket(), XSC_PARK_FENCED);
    assert_int_equal(os.sleeps, 3);
    assert_int_equal(xsc_park_u32(word.u32, 0, 100 * MS), -ETIMEDOUT);
    assert_int_equal(os.sleeps, 5);
    assert_int_equal(os.barriers[0], 3);
}

static void one_cpu_does_not_watch(void **state)
{
    (void)state;
    xsc_library.cpu.cpus = 1;
    os.in_sleep = store_and_unpark;
    assert_int_equal(xsc_park_u32(word.u32, 0, XSC_FOREVER), 0);
    assert_int_equal(fake_script[0].waits, 0);
}

/* ------------------------------------------------------------------------------- shared ---- */

static void unpark_shared(void)
{
    store();
    xsc_unpark_one_shared(&word);
}

static void shared_words_have_no_counter(void **state)
{
    (void)state;
    os.in_sleep = unpark_shared;
    assert_int_equal(xsc_park_u32_shared(word.u32, 0, XSC_FOREVER), 0);
    assert_true(os.slept_shared && os.woke_shared);
    assert_int_equal(bucket(), 0);
    assert_int_equal(os.registers[0] + os.barriers[0] + os.barriers[1], 0);
    xsc_unpark_all_shared(&word);
    assert_int_equal(os.wakes, 2);
}

static void shared_looks_once_a_second(void **state)
{
    (void)state;
    os.in_sleep = store_at_last;
    patience = 2;
    const uint64_t from = fake.now;

    assert_int_equal(xsc_park_u16_shared(word.u16, 0, XSC_FOREVER), 0);
    assert_in_range(fake.now - from, 2000ull * MS, 2001ull * MS);
}

static void shared_8_bytes(void **state)
{
    (void)state;
    os.in_sleep = store_high_half;
    assert_int_equal(xsc_park_u64_shared(&word.u64, 0, 2000ull * MS), 0);
    assert_int_equal(os.wide_sleeps, 1);
    assert_int_equal(os.sleeps, 0);

    setup(state); /* no futex_waitv: the first half, a millisecond at a time */
    os.no_wide = true;
    os.in_sleep = store_high_half;
    const uint64_t from = fake.now;

    assert_int_equal(xsc_park_u64_shared(&word.u64, 0, XSC_FOREVER), 0);
    assert_in_range(fake.now - from, MS, 2 * MS);
    assert_ptr_equal(os.slept_on, word.u32);
}

/* --------------------------------------------------------------------------------- a fork ---- */

static void park_counts(void)
{
    xsc_park_u32(word.u32, 0, MS);
    xsc_park_u64(&word.u64, 0, MS);
}

/* With threads of the parent parked for the bucket: counted, and not there. */
static void be_a_child(uint32_t bits)
{
    const uint32_t b = xsc_park_bucket(&word);

    park_counts();
    xsc_parked[b] = xsc_generation() | 3 * XSC_HEAD | bits;
    wide[b].waiters = xsc_generation() | XSC_HEAD;
    fake.process++;
    os.wakes = os.barriers[0] = 0;
}

static void a_parents_waiters_cost_one_wake(void **state)
{
    (void)state;
    be_a_child(0);
    xsc_unpark_one(&word);
    assert_int_equal(os.wakes, 2); /* its futex, and that of 8-byte words */
    for (int i = 0; i < 100; i++) {
        xsc_unpark_one(&word);
    }
    assert_int_equal(os.wakes, 2);
    assert_int_equal(bucket(), 0);
    assert_int_equal(wide[xsc_park_bucket(&word)].waiters, 0);
}

static void see_one(void)
{
    assert_int_equal(bucket() & ~XSC_PARK_FENCED, xsc_generation() | XSC_HEAD);
    store_and_unpark();
}

static void a_child_counts_its_own(void **state)
{
    (void)state;
    be_a_child(0);
    os.in_sleep = see_one;
    assert_int_equal(xsc_park_u32(word.u32, 0, XSC_FOREVER), 0);
    assert_int_equal(bucket() & ~XSC_PARK_FENCED, 0);
    assert_int_equal(os.wakes, 1); /* none sleeps for 8 bytes */
}

/* A parent's thread had set FENCED, and would have said so after its barrier. */
static void a_relief_cut_off_by_the_fork_is_undone(void **state)
{
    (void)state;
    for (unsigned done = 0; done < 2; done++) {
        setup(state);
        be_a_child(XSC_PARK_FENCED);
        relief[xsc_park_bucket(&word)].fenced = done;
        xsc_unpark_one(&word);
        assert_int_equal(bucket(), done ? XSC_PARK_FENCED : 0);
    }
    setup(state); /* and where all fence, they go on to */
    setenv("XSC_PARK", "seqcst", 1);
    be_a_child(XSC_PARK_FENCED);
    xsc_unpark_one(&word);
    assert_int_equal(bucket(), XSC_PARK_FENCED);
}

static unsigned forks;

static void fork_in_a_handler(void)
{
    if (!forks++) {
        assert_int_equal(bucket() & ~XSC_PARK_FENCED, XSC_HEAD);
        fake.process++;
        os.woken = true; /* by the signal */
    } else {
        see_one();
    }
}

/* The thread that forked goes on in the child, counted for its parent: it is counted again. */
static void a_thread_that_forks_while_parked_is_counted_again(void **state)
{
    (void)state;
    forks = 0;
    os.in_sleep = fork_in_a_handler;
    assert_int_equal(xsc_park_u32(word.u32, 0, XSC_FOREVER), 0);
    assert_int_equal(forks, 2);
    assert_int_equal(os.sleeps, 2);
    assert_int_equal(os.barriers[0], 2);
    assert_int_equal(bucket() & ~XSC_PARK_FENCED, 0);
}

/* ------------------------------------------------------------------------- refused ---- */

static int park_by_size(size_t size, bool shared, uint64_t timeout_ns)
{
    switch (size) {
    case 1:
        return shared ? xsc_park_u8_shared(word.u8, 0, timeout_ns)
                      : xsc_park_u8(word.u8, 0, timeout_ns);
    case 2:
        return shared ? xsc_park_u16_shared(word.u16, 0, timeout_ns)
                      : xsc_park_u16(word.u16, 0, timeout_ns);
    case 4:
        return shared ? xsc_park_u32_shared(word.u32, 0, timeout_ns)
                      : xsc_park_u32(word.u32, 0, timeout_ns);
    default:
        return shared ? xsc_park_u64_shared(&word.u64, 0, timeout_ns)
                      : xsc_park_u64(&word.u64, 0, timeout_ns);
    }
}

/* Device memory, a filter: each sleep ends at once, and the waiter naps in between. */
static void naps_where_no_sleep_is_possible(void **state)
{
    for (size_t size = 1; size <= 8; size *= 2) {
        for (int shared = 0; shared < 2; shared++) {
            setup(state);
            os.refuses = true;
            const uint64_t from = fake.now;

            assert_int_equal(park_by_size(size, shared, 800ull * MS), -ETIMEDOUT);
            assert_in_range(fake.now - from, 800ull * MS, 801ull * MS);
            assert_in_range(fake.naps, 80, 100); /* 16 of 1 ms, then ever longer ones to 16 ms */
            assert_int_equal(fake.longest_nap, 16 * MS);
            assert_in_range(os.sleeps, fake.naps, fake.naps + 1);
        }
    }
}

static void a_nap_is_short_where_the_wait_is(void **state)
{
    for (uint64_t ms = 1; ms <= 1000; ms *= 10) {
        setup(state);
        os.refuses = true;
        const uint64_t from = fake.now;

        fake_store_at(from + ms * MS, &word, 4, 1);
        assert_int_equal(xsc_park_u32_shared(word.u32, 0, XSC_FOREVER), 0);
        assert_in_range(fake.now - from, ms * MS, ms * MS + ms * MS / 16 + 2 * MS);
    }
    setup(state); /* seen when the first nap of 1 ms is over */
    os.refuses = true;
    const uint64_t from = fake.now;

    fake_store_at(from + 100 * US, &word, 4, 1);
    assert_int_equal(xsc_park_u32_shared(word.u32, 0, XSC_FOREVER), 0);
    assert_in_range(fake.now - from, MS, MS + 100 * US);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_parents_waiters_cost_one_wake),
        TEST(a_child_counts_its_own),
        TEST(a_relief_cut_off_by_the_fork_is_undone),
        TEST(a_thread_that_forks_while_parked_is_counted_again),
        TEST(before_the_first_park_unparks_are_free),
        TEST(the_first_park_decides),
        TEST(a_watched_wait_decides_nothing),
        TEST(fences_where_registration_is_refused),
        TEST(fences_where_the_environment_says_so),
        TEST(decided_meanwhile),
        TEST(a_long_park_asks_for_fences),
        TEST(a_store_by_a_writer_that_missed_us_is_found),
        TEST(a_park_of_10_ms_or_less_asks_for_nothing),
        TEST(a_bucket_of_many_parks_goes_to_fences),
        TEST(a_cheap_barrier_stays),
        TEST(writers_are_relieved_again),
        TEST(between_r1_and_r2_the_barrier_is_ours),
        TEST(r2_is_for_the_thread_whose_r1_set_fenced),
        TEST(a_refused_barrier_relieves_no_bucket),
        TEST(looks_after_the_barrier),
        TEST(is_woken),
        TEST(every_size_and_place),
        TEST(a_neighbour_is_no_reason),
        TEST(either_half_of_8_bytes),
        TEST(the_key_is_older_than_the_look),
        TEST(a_discarded_wake_is_passed_on),
        TEST(alone_there_is_no_waiter_to_pass_it_to),
        TEST(a_waiter_that_may_discard_passes_nothing_on),
        TEST(a_timeout_passes_it_on),
        TEST(a_discarded_wake_is_passed_on_between_processes),
        TEST(a_collision_costs_a_call),
        TEST(buckets_spread),
        TEST(never_early),
        TEST(the_kernel_may_wake_for_nothing),
        TEST(a_store_without_unpark),
        TEST(looks_for_itself_where_the_barrier_is_refused),
        TEST(naps_where_no_sleep_is_possible),
        TEST(a_nap_is_short_where_the_wait_is),
        TEST(one_cpu_does_not_watch),
        TEST(shared_words_have_no_counter),
        TEST(shared_looks_once_a_second),
        TEST(shared_8_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
