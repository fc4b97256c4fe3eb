/* SPDX-License-Identifier: MIT */
/* user/mutex.c, user/lock.c: which waiter is woken, may take what, gives up, and when. G1, G2. */
#define _GNU_SOURCE
#include "tests/unit/park_os.h"

int xsc_library_ready(void)
{
    return 0;
}

#include "user/lock.c"
#include "user/mutex.c"

static struct xsc_mutex m;
static struct xsc_ticket ticket;
static struct xsc_queue queue;
static struct xsc_queue_node node[3];
static unsigned round_no;

static int fresh(void **state)
{
    setup(state);
    m = (struct xsc_mutex){0};
    ticket = (struct xsc_ticket){0};
    queue = (struct xsc_queue){0};
    round_no = 0;
    waiters = 0;
    return 0;
}

#define FRESH(f) cmocka_unit_test_setup(f, fresh)

/* Another thread has it. */
static void hold(void)
{
    assert_int_equal(xsc_mutex_trylock(&m), 0);
}

/* --------------------------------------------------------------- the mutex, one by one ---- */

static void no_waiter_no_wake(void **state)
{
    (void)state;
    for (int decided = 0; decided < 2; decided++) {
        xsc_mutex_lock(&m);
        assert_int_equal(m.word, XSC_MUTEX_HELD);
        assert_int_equal(xsc_mutex_trylock(&m), -EBUSY);
        xsc_mutex_unlock(&m);
        assert_int_equal(m.word, 0);
        xsc_park_init(XSC_PARK_AUTO);
    }
    assert_int_equal(os.wakes + os.sleeps, 0);
}

static void unlock_and_see(void)
{
    assert_int_equal(m.word, XSC_MUTEX_HELD | XSC_MUTEX_PARKED);
    xsc_mutex_unlock(&m);
    assert_int_equal(m.word, 0);
    assert_int_equal(os.wakes, 1);
    assert_int_equal(os.woke_count, 1);
    assert_int_equal(os.woke_bits, 1);
}

static void an_unlock_wakes_a_parked_waiter(void **state)
{
    (void)state;
    for (int seq_cst = 0; seq_cst < 2; seq_cst++) {
        fresh(state);
        xsc_park_init(seq_cst ? XSC_PARK_SEQ_CST : XSC_PARK_ASYMMETRIC);
        xsc_parked[xsc_park_bucket(&m)] = seq_cst ? XSC_PARK_FENCED
                                                  : 0; /* a park has lasted before */
        hold();
        os.in_sleep = unlock_and_see;
        xsc_mutex_lock(&m);
        assert_int_equal(m.word, XSC_MUTEX_HELD); /* no other thread is parked */
        assert_int_equal(os.sleeps, 1);
        xsc_mutex_unlock(&m);
        assert_int_equal(m.word, 0);
        assert_int_equal(os.wakes, 1);
    }
}

/* An owner that comes back, and back, before the one that was woken gets to run. */
static void unlock_thrice(void)
{
    for (int i = 0; i < 3; i++) {
        xsc_mutex_unlock(&m);
        assert_int_equal(m.word, 0); /* so that the next lock is inline */
        assert_int_equal(os.wakes, 1);
        if (i < 2) {
            xsc_mutex_lock(&m);
            assert_int_equal(m.word, XSC_MUTEX_HELD);
        }
    }
}

static void one_is_woken_not_one_an_unlock(void **state)
{
    (void)state;
    hold();
    os.in_sleep = unlock_thrice;
    xsc_mutex_lock(&m);
    assert_int_equal(m.word, XSC_MUTEX_HELD);
}

/* Woken, too late: another has it. Asleep again it must be woken again. */
static void lose_it_twice(void)
{
    round_no++;
    assert_int_equal(m.word, XSC_MUTEX_HELD | XSC_MUTEX_PARKED);
    xsc_mutex_unlock(&m);
    assert_int_equal(os.wakes, round_no);
    if (round_no < 3) {
        hold();
    }
}

static void a_waiter_too_late_is_woken_again(void **state)
{
    (void)state;
    hold();
    os.in_sleep = lose_it_twice;
    xsc_mutex_lock(&m);
    assert_int_equal(os.sleeps, 3);
    assert_int_equal(m.word, XSC_MUTEX_HELD);
}

/* Two are asleep, one is woken: it takes the lock, and sees to it that the other is woken, too. */
static void the_one_woken_remembers_the_other(void **state)
{
    uint32_t *parked = &xsc_parked[xsc_park_bucket(&m)];

    (void)state;
    xsc_park_init(XSC_PARK_AUTO);
    *parked += PARKED_ONE;
    hold();
    os.in_sleep = unlock_and_see;
    xsc_mutex_lock(&m);
    assert_int_equal(m.word, XSC_MUTEX_HELD | XSC_MUTEX_PARKED);
    xsc_mutex_unlock(&m);
    assert_int_equal(os.wakes, 2);
    /* A thread that has not slept knows nothing of sleepers: one is on its way. */
    assert_int_equal(xsc_mutex_lock_slow(&m, XSC_FOREVER), 0);
    assert_int_equal(m.word, XSC_MUTEX_HELD);
    xsc_mutex_unlock(&m);
    assert_int_equal(m.word, 0);
    assert_int_equal(os.wakes, 2);
    *parked -= PARKED_ONE;
}

/* Left by an unlock that found no thread parked. */
static void a_parked_that_means_no_thread(void **state)
{
    uint32_t *parked = &xsc_parked[xsc_park_bucket(&m)];

    (void)state;
    xsc_park_init(XSC_PARK_AUTO);
    hold();
    m.word |= XSC_MUTEX_PARKED;
    xsc_mutex_unlock(&m);
    assert_int_equal(m.word, XSC_MUTEX_PARKED);
    *parked += PARKED_ONE; /* a thread is parked, perhaps for another word: it stays, */
    xsc_mutex_lock(&m);
    assert_int_equal(m.word, XSC_MUTEX_HELD | XSC_MUTEX_PARKED);
    xsc_mutex_unlock(&m);
    assert_int_equal(m.word, 0);
    assert_int_equal(os.wakes, 1);
    *parked -= PARKED_ONE;
    m.word = XSC_MUTEX_PARKED; /* no thread: it goes */
    xsc_mutex_lock(&m);
    assert_int_equal(m.word, XSC_MUTEX_HELD);
}

/* The owner's second look: it knows nothing but the address. */
static void late_waiters_of_either_kind_are_woken(void **state)
{
    (void)state;
    xsc_park_init(XSC_PARK_AUTO);
    xsc_parked[xsc_park_bucket(&m)] += PARKED_ONE;
    xsc_mutex_unlocked(&m);
    assert_int_equal(os.wakes, 2);
    assert_int_equal(os.woke_bits, 1u << XSC_MUTEX_HELD_BYTE);
    assert_ptr_equal(os.woke, &m);
    assert_int_equal(m.word, 0);
}

/* After a time of fences without a waiter an unlock is a store again (RELIEF in user/park.c). */
static void fences_without_a_waiter_end(void **state)
{
    const uint32_t b = xsc_park_bucket(&m);

    (void)state;
    xsc_park_init(XSC_PARK_AUTO);
    xsc_parked[b] = XSC_PARK_FENCED;
    relief[b].fenced = 1;
    takes_ns = 5000;
    for (int i = 0; i < 100; i++) {
        xsc_mutex_lock(&m);
        xsc_mutex_unlock(&m);
        assert_int_equal(m.word, 0);
    }
    assert_int_equal(xsc_parked[b], XSC_PARK_FENCED);
    for (int i = 0; i < 600; i++) {
        xsc_mutex_lock(&m);
        xsc_mutex_unlock(&m);
    }
    assert_int_equal(xsc_parked[b], 0);
    assert_int_equal(os.wakes, 0);
}

/* ------------------------------------------------------------------------------ queries ---- */

static void seen_by_queries(void)
{
    assert_true(xsc_mutex_is_held(&m));
    assert_true(xsc_mutex_has_waiters(&m));
}

static void queries_need_no_peek_at_the_word(void **state)
{
    (void)state;
    assert_false(xsc_mutex_is_held(&m));
    hold();
    assert_true(xsc_mutex_is_held(&m));
    assert_false(xsc_mutex_has_waiters(&m));
    os.in_sleep = seen_by_queries;
    assert_int_equal(xsc_mutex_lock_for(&m, MS), -ETIMEDOUT);
    assert_int_equal(m.word, XSC_MUTEX_HELD | XSC_MUTEX_PARKED);
    assert_false(xsc_mutex_has_waiters(&m)); /* whatever the word says */
    xsc_mutex_unlock(&m);
    assert_false(xsc_mutex_is_held(&m));
    assert_int_equal(xsc_mutex_lock_slow(&m, 0), 0);
    assert_int_equal(m.word, XSC_MUTEX_HELD); /* and it settles */

    for (uint32_t n = 0; n < 0x10003; n++) { /* round the halves' end */
        assert_false(xsc_ticket_is_held(&ticket));
        xsc_ticket_lock(&ticket);
        assert_true(xsc_ticket_is_held(&ticket));
        assert_false(xsc_ticket_has_waiters(&ticket));
        ticket.word += XSC_TICKET_NEXT;
        assert_true(xsc_ticket_has_waiters(&ticket));
        xsc_ticket_unlock(&ticket);
        assert_true(xsc_ticket_is_held(&ticket)); /* the next one's */
        assert_false(xsc_ticket_has_waiters(&ticket));
        xsc_ticket_unlock(&ticket);
    }
    assert_false(xsc_queue_is_held(&queue));
    xsc_queue_lock(&queue, &node[0]);
    assert_true(xsc_queue_is_held(&queue));
    assert_false(xsc_queue_has_waiters(&queue));
    queue.word |= (uintptr_t)&node[1];
    assert_true(xsc_queue_has_waiters(&queue));
    xsc_queue_unlock(&queue, &node[0]);
    assert_false(xsc_queue_is_held(&queue));
    assert_true(xsc_queue_has_waiters(&queue));
}

/* ---------------------------------------------------------------------------- starving ---- */

/* Each time another one was faster; the fourth time the waiter has had enough. */
static void barge(void)
{
    const uint32_t was = m.word;

    round_no++;
    fake_advance(PATIENCE_NS / 3 + 1);
    if (round_no <= 3) {
        assert_int_equal(was, XSC_MUTEX_HELD | XSC_MUTEX_PARKED);
        xsc_mutex_unlock(&m);
        hold();
        return;
    }
    assert_int_equal(was, XSC_MUTEX_HELD | XSC_MUTEX_RESERVED);
    assert_int_equal(os.slept_bits, 1u << XSC_MUTEX_HELD_BYTE);
    m.word |= XSC_MUTEX_PARKED; /* another one sleeps: that is for the unlock after this */
    xsc_mutex_unlock(&m);
    assert_int_equal(m.word, XSC_MUTEX_RESERVED | XSC_MUTEX_PARKED);
    assert_int_equal(os.woke_bits, 1u << XSC_MUTEX_HELD_BYTE);
    assert_int_equal(xsc_mutex_trylock(&m), -EBUSY);
    assert_int_equal(xsc_mutex_lock_for(&m, US), -ETIMEDOUT);
    assert_int_equal(m.word, XSC_MUTEX_RESERVED | XSC_MUTEX_PARKED);
    os.woken = true;
}

static void a_long_waiter_is_next(void **state)
{
    (void)state;
    hold();
    os.in_sleep = barge;
    xsc_mutex_lock(&m);
    assert_int_equal(round_no, 4);
    assert_int_equal(m.word, XSC_MUTEX_HELD | XSC_MUTEX_PARKED);
    xsc_mutex_unlock(&m);
    assert_int_equal(xsc_mutex_trylock(&m), 0); /* for any thread again */
}

static void hold_on(void)
{
    if (++round_no == 1) {
        fake_advance(PATIENCE_NS);
        xsc_mutex_unlock(&m);
        hold();
    } else {
        assert_int_equal(m.word, XSC_MUTEX_HELD | XSC_MUTEX_RESERVED);
    }
}

static void giving_up_gives_back_what_it_reserved(void **state)
{
    (void)state;
    hold();
    os.in_sleep = hold_on;
    assert_int_equal(xsc_mutex_lock_for(&m, 3 * (uint64_t)PATIENCE_NS), -ETIMEDOUT);
    assert_int_equal(round_no, 2);
    /* It was woken, and others may sleep: the owner's unlock is to wake one of those. */
    assert_int_equal(m.word, XSC_MUTEX_HELD | XSC_MUTEX_PARKED);
    xsc_parked[xsc_park_bucket(&m)] += PARKED_ONE;
    xsc_mutex_unlock(&m);
    assert_int_equal(os.wakes, 2);
    assert_int_equal(os.woke_bits, 1);
}

/* ---------------------------------------------------------------------------- timeouts ---- */

static void never(void)
{
}

static void a_deadline_is_kept(void **state)
{
    (void)state;
    hold();
    os.in_sleep = never;
    const uint64_t start = fake.now;

    assert_int_equal(xsc_mutex_lock_for(&m, 0), -ETIMEDOUT);
    assert_int_equal(os.sleeps, 0);
    assert_int_equal(xsc_mutex_lock_for(&m, MS), -ETIMEDOUT);
    assert_true(fake.now - start >= MS);
    assert_int_equal(m.word, XSC_MUTEX_HELD | XSC_MUTEX_PARKED);
    xsc_mutex_unlock(&m);
    assert_int_equal(xsc_mutex_lock_for(&m, 0), 0);
}

/* The unlock's wake came together with the deadline, and another one took the lock. */
static void too_late(void)
{
    xsc_mutex_unlock(&m);
    hold();
    assert_int_equal(m.word, XSC_MUTEX_HELD);
    fake_advance(2 * MS);
}

static void giving_up_passes_on_the_wake(void **state)
{
    (void)state;
    hold();
    os.in_sleep = too_late;
    assert_int_equal(xsc_mutex_lock_for(&m, MS), -ETIMEDOUT);
    /* Otherwise that owner would wake no thread. */
    assert_int_equal(m.word, XSC_MUTEX_HELD | XSC_MUTEX_PARKED);
}

static void just_in_time(void)
{
    xsc_mutex_unlock(&m);
    fake_advance(2 * MS);
}

static void free_at_the_deadline_is_taken(void **state)
{
    (void)state;
    hold();
    os.in_sleep = just_in_time;
    assert_int_equal(xsc_mutex_lock_for(&m, MS), 0);
    assert_int_equal(m.word, XSC_MUTEX_HELD);
}

/* ---------------------------------------------------------------------- ticket, queue ---- */

static void tickets_wrap(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 0x20005; i++) {
        xsc_ticket_lock(&ticket);
        assert_int_equal(xsc_ticket_trylock(&ticket), -EBUSY);
        xsc_ticket_unlock(&ticket);
    }
    assert_int_equal(ticket.word, 0x00050005);
    assert_int_equal(xsc_ticket_trylock(&ticket), 0);
    assert_int_equal(ticket.word, 0x00060005);
}

static void unlock_the_ticket(void *arg)
{
    (void)arg;
    xsc_ticket_unlock(&ticket);
}

static void a_ticket_watches_where_there_are_cpus(void **state)
{
    (void)state;
    xsc_ticket_lock(&ticket);
    fake_call_at(fake.now + MS, unlock_the_ticket, NULL);
    xsc_ticket_lock(&ticket);
    assert_in_range(fake.yields, MS / LOOK_AGAIN_NS / 2, MS / LOOK_AGAIN_NS);
    assert_int_equal(os.sleeps, 0);
    assert_int_equal(waiters, 0);
}

/* With an unknown number of CPUs it watches, and gives up the CPU now and then. */
static void a_ticket_watches_and_yields_where_cpus_are_unknown(void **state)
{
    xsc_library.cpu.cpus = 0;
    a_ticket_watches_where_there_are_cpus(state);
    assert_int_equal(fake.rechecks, fake.yields);
}

static void a_ticket_yields_where_there_are_none(void **state)
{
    (void)state;
    waiters = XSC_HEAD; /* and two CPUs: with this one there are two waiters */
    xsc_ticket_lock(&ticket);
    fake.yield_ns = 1000;
    fake_call_at(fake.now + MS, unlock_the_ticket, NULL);
    xsc_ticket_lock(&ticket);
    assert_true(fake.yields > 900);
    assert_int_equal(os.sleeps, 0);
    assert_int_equal(waiters, XSC_HEAD);
}

/* ------------------------------------------------------------------- unlike priorities ---- */

/* The owner is kept from running until the waiter sleeps. Its section takes three naps. */
static void ticket_owner_runs(void)
{
    if (fake.naps == 3) {
        xsc_ticket_unlock(&ticket);
    }
}

static void a_ticket_sleeps_where_yielding_does_not_help(void **state)
{
    for (unsigned crowd = 0; crowd < 2; crowd++) {
        fresh(state);
        waiters = crowd;
        fake.yield_ns = 1000;
        fake.must_sleep = true;
        fake.on_nap = ticket_owner_runs;
        fake_call_at(fake.now + 950 * MS, unlock_the_ticket, NULL); /* the kernel throttles us */
        xsc_ticket_lock(&ticket);
        const uint64_t start = fake.now;

        xsc_ticket_lock(&ticket);
        assert_int_equal(fake.naps, 3);
        assert_int_equal(fake.policy_asks, 1);
        assert_in_range(fake.longest_nap, MS / 16, MS / 8);
        assert_in_range(fake.yields, YIELDS, crowd ? YIELDS + 1001 : YIELDS + 51);
        assert_in_range(fake.now - start, MS, 3 * MS);
        assert_int_equal(waiters, crowd);
    }
}

static void a_ticket_among_equals_goes_on_yielding(void **state)
{
    (void)state;
    xsc_ticket_lock(&ticket);
    fake_call_at(fake.now + 30 * MS, unlock_the_ticket, NULL);
    xsc_ticket_lock(&ticket);
    assert_int_equal(fake.naps, 0);
    assert_in_range(fake.policy_asks, 4, 5); /* at 1, 2, 4, 8 and 16 ms from its 32nd yield */
}

static void unlock_the_queue(void)
{
    xsc_queue_unlock(&queue, &node[0]);
}

static void a_queue_parks_and_is_woken(void **state)
{
    (void)state;
    for (unsigned crowd = 0; crowd < 2; crowd++) {
        fresh(state);
        waiters = crowd * XSC_HEAD;
        fake.yield_ns = 1000;
        xsc_queue_lock(&queue, &node[0]);
        assert_int_equal(xsc_queue_trylock(&queue, &node[1]), -EBUSY);
        os.in_sleep = unlock_the_queue;
        xsc_queue_lock(&queue, &node[1]);
        assert_int_equal(fake.yields, crowd ? YIELDS : 0);
        assert_int_equal(os.sleeps, 1);
        assert_int_equal(os.wakes, 1);
        assert_int_equal(os.woke_bits, 1u << (XSC_QUEUE_HELD_BYTE & 3));
        assert_int_equal(queue.word, XSC_QUEUE_HELD); /* the line is empty */
        xsc_queue_unlock(&queue, &node[1]);
        assert_int_equal(queue.word, 0);
        assert_int_equal(os.wakes, 1);
    }
}

/* Two wait: the second one's turn comes when the first has the lock, and then it watches HELD. */
static void second_in_line(void)
{
    if (++round_no == 1) {
        assert_ptr_equal(os.slept_on, &node[2].turn);
        node[2].turn = 1;
        os.woken = true;
    } else {
        assert_int_equal(os.slept_bits, 1u << (XSC_QUEUE_HELD_BYTE & 3));
        assert_int_equal(queue.word, (uintptr_t)&node[2] | XSC_QUEUE_HELD);
        unlock_the_queue();
    }
}

static void a_turn_is_waited_for_before_the_lock(void **state)
{
    (void)state;
    xsc_queue_lock(&queue, &node[0]);
    queue.word = (uintptr_t)&node[1] | XSC_QUEUE_HELD;
    os.in_sleep = second_in_line;
    xsc_queue_lock(&queue, &node[2]);
    assert_ptr_equal(node[1].next, &node[2]);
    assert_int_equal(os.sleeps, 2);
    assert_int_equal(queue.word, XSC_QUEUE_HELD);
}

/* The waiter behind has put itself last, and lost its CPU before it could give its name. */
static void now_gives_its_name(void *arg)
{
    (void)arg;
    __atomic_store_n(&node[1].next, &node[2], __ATOMIC_RELEASE);
}

static void another_comes(void)
{
    node[2] = (struct xsc_queue_node){0};
    queue.word = (uintptr_t)&node[2] | XSC_QUEUE_HELD;
    fake.yield_ns = 1000;
    fake_call_at(fake.now + 10000, now_gives_its_name, NULL);
    unlock_the_queue();
    assert_int_equal(queue.word, (uintptr_t)&node[2]);
    assert_int_equal(xsc_queue_trylock(&queue, &node[0]), -EBUSY); /* free, but only for the line */
}

/* Let go between the inline part's look and ours: there is no line to stand in. */
static void free_after_all(void **state)
{
    (void)state;
    xsc_queue_lock_slow(&queue, &node[0]);
    assert_int_equal(queue.word, XSC_QUEUE_HELD);
    xsc_queue_unlock(&queue, &node[0]);
    assert_int_equal(queue.word, 0);
}

static void the_new_owner_waits_for_the_name_of_the_next(void **state)
{
    (void)state;
    xsc_queue_lock(&queue, &node[0]);
    os.in_sleep = another_comes;
    xsc_parked[xsc_park_bucket(&node[2].turn)] += PARKED_ONE;
    xsc_queue_lock(&queue, &node[1]);
    assert_int_equal(node[2].turn, 1);
    assert_ptr_equal(os.woke, &node[2].turn);
    assert_int_equal(queue.word, (uintptr_t)&node[2] | XSC_QUEUE_HELD);
    assert_true(fake.yields > 0);
}

/* The one behind has put itself last, and lost its CPU to us, before it told its name. */
static void next_runs(void)
{
    if (fake.naps == 3) {
        node[1].next = &node[2];
    }
}

static void next_runs_late(void *arg)
{
    (void)arg;
    node[1].next = &node[2];
}

static void behind(void)
{
    queue.word = (uintptr_t)&node[2] | (queue.word & XSC_QUEUE_HELD);
    unlock_the_queue();
    os.in_sleep = never;
}

static void the_name_of_the_next_is_slept_for(void **state)
{
    (void)state;
    xsc_queue_lock(&queue, &node[0]);
    os.in_sleep = behind;
    fake.must_sleep = true;
    fake.on_nap = next_runs;
    fake_call_at(fake.now + 950 * MS, next_runs_late, NULL); /* the kernel throttles us */
    xsc_queue_lock(&queue, &node[1]);
    assert_int_equal(node[2].turn, 1);
    assert_int_equal(fake.naps, 3);
    assert_int_equal(fake.policy_asks, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FRESH(no_waiter_no_wake),
        FRESH(an_unlock_wakes_a_parked_waiter),
        FRESH(one_is_woken_not_one_an_unlock),
        FRESH(a_waiter_too_late_is_woken_again),
        FRESH(the_one_woken_remembers_the_other),
        FRESH(a_parked_that_means_no_thread),
        FRESH(late_waiters_of_either_kind_are_woken),
        FRESH(fences_without_a_waiter_end),
        FRESH(a_long_waiter_is_next),
        FRESH(queries_need_no_peek_at_the_word),
        FRESH(giving_up_gives_back_what_it_reserved),
        FRESH(a_deadline_is_kept),
        FRESH(giving_up_passes_on_the_wake),
        FRESH(free_at_the_deadline_is_taken),
        FRESH(tickets_wrap),
        FRESH(a_ticket_watches_where_there_are_cpus),
        FRESH(a_ticket_watches_and_yields_where_cpus_are_unknown),
        FRESH(a_ticket_yields_where_there_are_none),
        FRESH(a_ticket_sleeps_where_yielding_does_not_help),
        FRESH(a_ticket_among_equals_goes_on_yielding),
        FRESH(a_queue_parks_and_is_woken),
        FRESH(a_turn_is_waited_for_before_the_lock),
        FRESH(free_after_all),
        FRESH(the_new_owner_waits_for_the_name_of_the_next),
        FRESH(the_name_of_the_next_is_slept_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
