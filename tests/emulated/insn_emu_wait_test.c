/* SPDX-License-Identifier: MIT */
/*
 * That the emulated waits end when the manuals say they do, by counts and results. The only statement
 * about time is "not before the deadline"; everything that could hang is under an alarm.
 */
#define _GNU_SOURCE
#include "insn_emu_case.h"

#if defined(__x86_64__)

/* --- waits that end by time ------------------------------------------------------------------ */

static void tpause_honours_its_deadline(void **state)
{
    (void)state;
    for (uint32_t control = 0; control < 2; control++) {
        uint64_t deadline = __rdtsc() + 100000;
        assert_false(tpause(control, deadline));
        assert_true(__rdtsc() >= deadline);
    }
    assert_false(tpause(0, 0));
    assert_int_equal(counted(EMU_TPAUSE), 3);
    assert_int_equal(counted(EMU_END_DEADLINE), 3);
}

static void umwait_honours_its_deadline(void **state)
{
    (void)state;
    umonitor(lines[0]);
    uint64_t deadline = __rdtsc() + 100000;
    assert_false(umwait(0, deadline));
    assert_true(__rdtsc() >= deadline);
    assert_int_equal(counted(EMU_UMONITOR), 1);
    assert_int_equal(counted(EMU_UMWAIT), 1);
    assert_int_equal(counted(EMU_END_DEADLINE), 1);
}

static void the_os_limit_sets_carry(void **state)
{
    (void)state;
    insn_emu_set_os_limit(50000);
    uint64_t start = __rdtsc();
    assert_true(tpause(0, FAR_AWAY));
    assert_true(__rdtsc() - start >= 50000);
    umonitor(lines[0]);
    start = __rdtsc();
    assert_true(umwait(1, FAR_AWAY));
    assert_true(__rdtsc() - start >= 50000);
    assert_int_equal(counted(EMU_END_OS_LIMIT), 2);

    insn_emu_set_os_limit(FAR_AWAY);
    assert_false(tpause(0, __rdtsc() + 1000)); /* the deadline comes first */
    assert_int_equal(counted(EMU_END_DEADLINE), 1);
}

static void mwaitx_honours_its_timer(void **state)
{
    (void)state;
    insn_emu_set_os_limit(1); /* is none of MWAITX's business */
    monitorx(lines[0], 0);
    uint64_t start = __rdtsc();
    mwaitx(2, 0xf0, 100000);
    assert_true(__rdtsc() - start >= 100000);
    monitorx(lines[0], 0);
    mwaitx(3, 0, 1000); /* bit 0: interrupts end it even when masked */
    assert_int_equal(counted(EMU_MONITORX), 2);
    assert_int_equal(counted(EMU_MWAITX_WAIT), 2);
    assert_int_equal(counted(EMU_END_DEADLINE), 2);
}

/* --- the monitor ----------------------------------------------------------------------------- */

static void nothing_armed_does_not_wait(void **state)
{
    (void)state;
    assert_false(umwait(0, __rdtsc() + 1)); /* disarm whatever there was */
    insn_emu_reset_counts();
    assert_false(umwait(0, FAR_AWAY));
    mwaitx(0, 0, 0);
    umonitor(lines[0]);
    (void)umwait(0, 0);
    assert_false(umwait(0, FAR_AWAY)); /* the wait before has disarmed it */
    assert_int_equal(counted(EMU_END_UNARMED), 3);
    assert_int_equal(counted(EMU_END_DEADLINE), 1);
}

static void a_store_before_the_wait_is_not_missed(void **state)
{
    (void)state;
    for (size_t word = 0; word < 8; word++) { /* anywhere in the line */
        umonitor(&lines[0][7 - word]);
        atomic_fetch_add(&lines[0][word], 1);
        assert_false(umwait(0, FAR_AWAY));
        monitorx(&lines[0][7 - word], 0);
        atomic_fetch_add(&lines[0][word], 1);
        mwaitx(0, 0, 0);
    }
    assert_int_equal(counted(EMU_END_STORE), 16);
}

static void a_store_beside_the_line_does_not_end_it(void **state)
{
    (void)state;
    umonitor(lines[1]);
    atomic_fetch_add(&lines[0][7], 1);
    atomic_fetch_add(&lines[2][0], 1);
    (void)umwait(0, __rdtsc() + 20000);
    assert_int_equal(counted(EMU_END_STORE), 0);
    assert_int_equal(counted(EMU_END_DEADLINE), 1);
}

static void the_last_monitor_counts(void **state)
{
    (void)state;
    umonitor(lines[1]);
    umonitor(lines[2]);
    atomic_fetch_add(&lines[1][0], 1);
    (void)umwait(0, __rdtsc() + 20000);
    assert_int_equal(counted(EMU_END_STORE), 0);
}

static void tpause_leaves_the_monitor_alone(void **state)
{
    (void)state;
    umonitor(lines[1]);
    (void)tpause(0, 0);
    atomic_fetch_add(&lines[1][0], 1);
    (void)umwait(0, FAR_AWAY);
    assert_int_equal(counted(EMU_END_STORE), 1);
}

/* --- threads --------------------------------------------------------------------------------- */

enum { PAIRS = 4, ROUNDS = 200 };
static atomic_int use_mwaitx;

/* Waits without a deadline until *word has left old. */
static void wait_for_change(_Atomic uint64_t *word, uint64_t old)
{
    while (atomic_load(word) == old) {
        if (atomic_load(&use_mwaitx)) {
            monitorx(word, 0);
        } else {
            umonitor(word);
        }
        if (atomic_load(word) != old) {
            break;
        }
        if (atomic_load(&use_mwaitx)) {
            mwaitx(0, 0, 0);
        } else {
            (void)umwait(0, FAR_AWAY);
        }
    }
}

static void *pong(void *ball)
{
    _Atomic uint64_t *word = ball;
    for (uint64_t i = 0; i < ROUNDS; i++) {
        wait_for_change(&word[0], i);
        atomic_fetch_add(&word[8], 1); /* the next line */
    }
    return NULL;
}

static void *ping(void *ball)
{
    _Atomic uint64_t *word = ball;
    for (uint64_t i = 0; i < ROUNDS; i++) {
        atomic_fetch_add(&word[0], 1);
        wait_for_change(&word[8], i);
    }
    return NULL;
}

/* Eight threads in the handler at once, on lines of their own: no wake-up is lost, none is mixed up
 * with another thread's. */
static void threads_wake_each_other(void **state)
{
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        pthread_t threads[2 * PAIRS];
        atomic_store(&use_mwaitx, kind);
        memset(lines, 0, sizeof lines);
        for (size_t i = 0; i < PAIRS; i++) {
            assert_int_equal(pthread_create(&threads[2 * i], NULL, pong, lines[2 * i]), 0);
            assert_int_equal(pthread_create(&threads[2 * i + 1], NULL, ping, lines[2 * i]), 0);
        }
        for (size_t i = 0; i < 2 * PAIRS; i++) {
            assert_int_equal(pthread_join(threads[i], NULL), 0);
        }
        for (size_t i = 0; i < 2 * PAIRS; i++) {
            assert_int_equal(atomic_load(&lines[i][0]), ROUNDS);
        }
    }
    assert_int_equal(counted(EMU_END_DEADLINE), 0);
    assert_int_equal(counted(EMU_END_UNARMED), 0);
    assert_int_equal(counted(EMU_END_STORE), counted(EMU_UMWAIT) + counted(EMU_MWAITX_WAIT));
}

/* --- signals --------------------------------------------------------------------------------- */

static void *interrupted_wait(void *unused)
{
    (void)unused;
    umonitor(lines[0]);
    assert_false(umwait(0, FAR_AWAY));
    assert_int_equal(atomic_load(&signals_seen), 1);
    return NULL;
}

static void a_signal_ends_a_wait(void **state)
{
    (void)state;
    struct sigaction action = {.sa_handler = on_usr1};
    pthread_t thread;
    atomic_store(&signals_seen, 0);
    assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
    assert_int_equal(pthread_create(&thread, NULL, interrupted_wait, NULL), 0);
    while (counted(EMU_UMWAIT) == 0) {
        sched_yield();
    }
    assert_int_equal(pthread_kill(thread, SIGUSR1), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(counted(EMU_END_SIGNAL), 1);
}

static void a_blocked_signal_does_not(void **state)
{
    (void)state;
    sigset_t usr1;
    struct sigaction action = {.sa_handler = on_usr1};
    assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &usr1, NULL);
    raise(SIGUSR1);
    (void)tpause(0, __rdtsc() + 20000);
    pthread_sigmask(SIG_UNBLOCK, &usr1, NULL);
    assert_int_equal(counted(EMU_END_SIGNAL), 0);
    assert_int_equal(counted(EMU_END_DEADLINE), 1);
}

/* --- misbehaving ----------------------------------------------------------------------------- */

static void a_stuck_monitor_waits_for_the_deadline(void **state)
{
    (void)state;
    insn_emu_set_fault(EMU_NEVER_WAKES);
    umonitor(lines[0]);
    atomic_fetch_add(&lines[0][0], 1);
    uint64_t deadline = __rdtsc() + 50000;
    assert_false(umwait(0, deadline));
    assert_true(__rdtsc() >= deadline);
    insn_emu_set_os_limit(1000);
    umonitor(lines[0]);
    atomic_fetch_add(&lines[0][0], 1);
    assert_true(umwait(0, FAR_AWAY));
    monitorx(lines[0], 0);
    atomic_fetch_add(&lines[0][0], 1);
    mwaitx(2, 0, 1000);
    assert_int_equal(counted(EMU_END_STORE), 0);
    assert_int_equal(counted(EMU_END_DEADLINE), 2);
    assert_int_equal(counted(EMU_END_OS_LIMIT), 1);
}

static void trap_and_skip_never_waits(void **state)
{
    (void)state;
    insn_emu_set_fault(EMU_RETURNS_AT_ONCE);
    umonitor(lines[0]);
    assert_false(umwait(0, FAR_AWAY));
    assert_false(tpause(0, FAR_AWAY));
    monitorx(lines[0], 0);
    mwaitx(0, 0, 0);
    assert_int_equal(counted(EMU_END_FAULT), 3);
}

static void spurious_ends_come_without_a_store(void **state)
{
    (void)state;
    insn_emu_set_fault(EMU_SPURIOUS);
    for (int i = 0; i < 100; i++) {
        umonitor(lines[0]);
        assert_false(umwait(0, FAR_AWAY));
        assert_false(tpause(0, FAR_AWAY));
    }
    assert_int_equal(counted(EMU_END_FAULT), 200);
}

static void oversleeping_ends_late_but_for_stores(void **state)
{
    (void)state;
    insn_emu_set_fault(EMU_OVERSLEEPS);
    insn_emu_set_oversleep_ns(3000000);
    struct timespec a;
    struct timespec b;
    clock_gettime(CLOCK_MONOTONIC, &a);
    assert_false(tpause(0, 0));
    clock_gettime(CLOCK_MONOTONIC, &b);
    assert_true((b.tv_sec - a.tv_sec) * 1000000000 + (b.tv_nsec - a.tv_nsec) >= 3000000);
    insn_emu_set_oversleep_ns(FAR_AWAY);
    umonitor(lines[0]);
    atomic_fetch_add(&lines[0][0], 1);
    assert_false(umwait(0, 0));
    assert_int_equal(counted(EMU_END_DEADLINE), 1);
    assert_int_equal(counted(EMU_END_STORE), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(tpause_honours_its_deadline, set_up),
        cmocka_unit_test_setup(umwait_honours_its_deadline, set_up),
        cmocka_unit_test_setup(the_os_limit_sets_carry, set_up),
        cmocka_unit_test_setup(mwaitx_honours_its_timer, set_up),
        cmocka_unit_test_setup(nothing_armed_does_not_wait, set_up),
        cmocka_unit_test_setup(a_store_before_the_wait_is_not_missed, set_up),
        cmocka_unit_test_setup(a_store_beside_the_line_does_not_end_it, set_up),
        cmocka_unit_test_setup(the_last_monitor_counts, set_up),
        cmocka_unit_test_setup(tpause_leaves_the_monitor_alone, set_up),
        cmocka_unit_test_setup(threads_wake_each_other, set_up),
        cmocka_unit_test_setup(a_signal_ends_a_wait, set_up),
        cmocka_unit_test_setup(a_blocked_signal_does_not, set_up),
        cmocka_unit_test_setup(a_stuck_monitor_waits_for_the_deadline, set_up),
        cmocka_unit_test_setup(trap_and_skip_never_waits, set_up),
        cmocka_unit_test_setup(spurious_ends_come_without_a_store, set_up),
        cmocka_unit_test_setup(oversleeping_ends_late_but_for_stores, set_up),
    };

    return run_cases(tests, sizeof(tests) / sizeof(tests[0]));
}

#endif
