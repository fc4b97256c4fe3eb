/* SPDX-License-Identifier: MIT
 *
 * That the emulated instructions do what the manuals say, by counts and results. The only statement
 * about time is "not before the deadline"; everything that could hang is under an alarm.
 *
 * cc -std=c11 -pthread insn_emu_test.c insn_emu.c -lcmocka
 */
#define _GNU_SOURCE
#include "insn_emu.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#if !defined(__x86_64__)

int main(void)
{
    puts("insn_emu_test: skipped: not an x86-64 machine");
    return insn_emu_install(EMU_WAITPKG) == -ENOSYS ? 77 : 1;
}

#else

#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <x86intrin.h>

#if defined(__SANITIZE_THREAD__)
#define UNDER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_TSAN 1
#endif
#endif
#ifndef UNDER_TSAN
#define UNDER_TSAN 0
#endif

#define FAR_AWAY (UINT64_C(1) << 62) /* a deadline no test lives to see */

static _Alignas(64) _Atomic uint64_t lines[16][8];

/* In bytes, so that no compiler flag is needed and the test decides about the encoding. */
static void umonitor(const volatile void *p) /* umonitor %rcx */
{
    __asm__ volatile(".byte 0xf3, 0x0f, 0xae, 0xf1" : : "c"(p) : "memory");
}

static bool umwait(uint32_t control, uint64_t deadline) /* umwait %ecx */
{
    bool carry;
    __asm__ volatile(".byte 0xf2, 0x0f, 0xae, 0xf1"
                     : "=@ccc"(carry)
                     : "c"(control), "a"((uint32_t)deadline), "d"((uint32_t)(deadline >> 32))
                     : "memory");
    return carry;
}

static bool tpause(uint32_t control, uint64_t deadline) /* tpause %ecx */
{
    bool carry;
    __asm__ volatile(".byte 0x66, 0x0f, 0xae, 0xf1"
                     : "=@ccc"(carry)
                     : "c"(control), "a"((uint32_t)deadline), "d"((uint32_t)(deadline >> 32))
                     : "memory");
    return carry;
}

static void monitorx(const volatile void *p, uint64_t extensions)
{
    __asm__ volatile(".byte 0x0f, 0x01, 0xfa" : : "a"(p), "c"(extensions), "d"(0) : "memory");
}

static void mwaitx(uint64_t extensions, uint32_t hint, uint32_t ticks)
{
    __asm__ volatile(".byte 0x0f, 0x01, 0xfb"
                     :
                     : "a"(hint), "b"(ticks), "c"(extensions)
                     : "memory");
}

static unsigned long counted(enum insn_emu_counter which)
{
    return atomic_load(&insn_emu_count[which]);
}

static int set_up(void **state)
{
    (void)state;
    alarm(60);
    insn_emu_set_fault(0);
    insn_emu_set_os_limit(0);
    return insn_emu_install(EMU_WAITPKG | EMU_MWAITX);
}

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

static atomic_int signals_seen;

static void on_usr1(int sig)
{
    (void)sig;
    atomic_fetch_add(&signals_seen, 1);
}

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

/* --- faults ---------------------------------------------------------------------------------- */

static sigjmp_buf out;
static siginfo_t fault;
static volatile greg_t fault_rip;

static void on_fault(int sig, siginfo_t *info, void *context)
{
    (void)sig;
    fault = *info;
    fault_rip = ((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
    siglongjmp(out, 1);
}

#define ASSERT_FAULT(sig, code, address, statement)                                                \
    do {                                                                                           \
        struct sigaction catch_ = {.sa_flags = SA_SIGINFO};                                        \
        struct sigaction before_;                                                                  \
        catch_.sa_sigaction = on_fault;                                                            \
        assert_int_equal(sigaction(sig, &catch_, &before_), 0);                                    \
        if (sigsetjmp(out, 1) == 0) {                                                              \
            statement;                                                                             \
            fail_msg("no signal from %s", #statement);                                             \
        }                                                                                          \
        assert_int_equal(sigaction(sig, &before_, NULL), 0);                                       \
        assert_int_equal(fault.si_signo, sig);                                                     \
        assert_int_equal(fault.si_code, code);                                                     \
        assert_ptr_equal(fault.si_addr, address);                                                  \
    } while (0)

static void reserved_bits_fault(void **state)
{
    (void)state;
    ASSERT_FAULT(SIGSEGV, SI_KERNEL, NULL, (void)tpause(2, 0));
    ASSERT_FAULT(SIGSEGV, SI_KERNEL, NULL, (void)umwait(0x80000000, 0));
    ASSERT_FAULT(SIGSEGV, SI_KERNEL, NULL, mwaitx(4, 0, 1));
    ASSERT_FAULT(SIGSEGV, SI_KERNEL, NULL, monitorx(lines, 1));
    assert_int_equal(counted(EMU_RAISED_SEGV), 4);
}

static void a_fault_shows_the_instruction(void **state)
{
    (void)state;
    static greg_t at;
    ASSERT_FAULT(SIGSEGV, SI_KERNEL, NULL,
                 __asm__ volatile("leaq 1f(%%rip), %%rax\n\tmovq %%rax, %0\n"
                                  "1:\t.byte 0x66, 0x0f, 0xae, 0xf1"
                                  : "=m"(at)
                                  : "c"(2)
                                  : "rax", "cc", "memory"));
    assert_true(fault_rip == at);
}

static void a_bad_address_faults(void **state)
{
    (void)state;
    char *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(page, MAP_FAILED);
    ASSERT_FAULT(SIGSEGV, SEGV_MAPERR, page + 128, umonitor(page + 128));
    ASSERT_FAULT(SIGSEGV, SEGV_MAPERR, page, monitorx(page, 0));
    munmap(page, 4096);
}

static int status_of_child(void (*body)(void))
{
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        for (int sig = SIGILL; sig <= SIGSEGV; sig++) { /* cmocka's own catchers are in the way */
            if (sig != SIGKILL) {
                signal(sig, SIG_DFL);
            }
        }
        body();
        _exit(0);
    }
    int status = 0;
    assert_true(waitpid(pid, &status, 0) == pid);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void child_ud2(void)
{
    __asm__ volatile("ud2");
}

static void child_bad_control(void)
{
    (void)tpause(2, 0);
}

static void child_bad_control_blocked(void)
{
    sigset_t segv;
    sigemptyset(&segv);
    sigaddset(&segv, SIGSEGV);
    sigprocmask(SIG_BLOCK, &segv, NULL);
    (void)tpause(2, 0);
}

static void child_umwait_works(void)
{
    umonitor(lines[0]);
    _exit(umwait(0, __rdtsc() + 1000) ? 1 : 42);
}

static void uncaught_faults_end_the_process(void **state)
{
    (void)state;
    assert_int_equal(status_of_child(child_ud2), 128 + SIGILL);
    assert_int_equal(status_of_child(child_bad_control), 128 + SIGSEGV);
    assert_int_equal(status_of_child(child_bad_control_blocked), 128 + SIGSEGV);
    assert_int_equal(status_of_child(child_umwait_works), 42); /* fork keeps the emulation */
}

/* --- forwarding ------------------------------------------------------------------------------ */

static void what_is_not_enabled_is_forwarded(void **state)
{
    (void)state;
    assert_int_equal(insn_emu_install(EMU_MWAITX), 0);
    monitorx(lines[0], 0);
    ASSERT_FAULT(SIGILL, ILL_ILLOPN, fault.si_addr, umonitor(lines[0]));
    ASSERT_FAULT(SIGILL, ILL_ILLOPN, fault.si_addr, (void)tpause(0, 0));
    assert_int_equal(insn_emu_install(EMU_WAITPKG), 0);
    umonitor(lines[0]);
    ASSERT_FAULT(SIGILL, ILL_ILLOPN, fault.si_addr, monitorx(lines[0], 0));
    ASSERT_FAULT(SIGILL, ILL_ILLOPN, fault.si_addr, mwaitx(0, 0, 0));
    assert_int_equal(insn_emu_install(0), 0);
    ASSERT_FAULT(SIGILL, ILL_ILLOPN, fault.si_addr, umonitor(lines[0]));
    ASSERT_FAULT(SIGILL, ILL_ILLOPN, fault.si_addr, __asm__ volatile("ud2"));
    assert_int_equal(counted(EMU_FORWARDED), 2);
    assert_int_equal(insn_emu_install(4), -EINVAL);
}

static void a_later_handler_stays_behind(void **state)
{
    (void)state;
    struct sigaction mine = {.sa_flags = SA_SIGINFO};
    struct sigaction before;
    struct sigaction old;
    mine.sa_sigaction = on_fault;
    assert_int_equal(sigaction(SIGILL, &mine, &before), 0);
    assert_false(tpause(0, 0)); /* is still emulated */
    assert_int_equal(sigaction(SIGILL, NULL, &old), 0);
    assert_ptr_equal(old.sa_sigaction, on_fault);
    assert_int_equal(sigaction(SIGILL, &before, &old), 0);
    assert_ptr_equal(old.sa_sigaction, on_fault);

    void (*handler)(int) = signal(SIGILL, on_usr1);
    assert_ptr_equal(handler, before.sa_handler);
    assert_false(tpause(0, 0));
    handler = signal(SIGILL, handler);
    assert_ptr_equal(handler, on_usr1);
}

static void a_sent_sigill_is_forwarded(void **state)
{
    (void)state;
    struct sigaction mine = {.sa_handler = on_usr1};
    struct sigaction before;
    atomic_store(&signals_seen, 0);
    assert_int_equal(sigaction(SIGILL, &mine, &before), 0);
    assert_int_equal(raise(SIGILL), 0);
    assert_int_equal(sigaction(SIGILL, &before, NULL), 0);
    assert_int_equal(atomic_load(&signals_seen), 1);
    assert_int_equal(counted(EMU_FORWARDED), 1);
}

static void exit_43(int sig)
{
    (void)sig;
    _exit(43);
}

static int child_with_handler(void *unused)
{
    (void)unused;
    const struct sigaction action = {.sa_handler = exit_43};
    sigaction(SIGILL, &action, NULL);
    if (tpause(0, __rdtsc() + 1000)) { /* emulated there, too */
        _exit(1);
    }
    __asm__ volatile("ud2");
    _exit(2);
}

static void a_child_that_shares_memory_has_its_own(void **state)
{
    (void)state;
    if (UNDER_TSAN) {
        skip(); /* TSan does not bear clone() with shared memory */
    }
    static _Alignas(64) char stack[65536];
    struct sigaction before;
    struct sigaction after;
    assert_int_equal(sigaction(SIGILL, NULL, &before), 0);
    for (int i = 0; i < 100; i++) {
        int status = 0;
        const int flags = CLONE_VM | CLONE_VFORK | SIGCHLD;
        pid_t pid = clone(child_with_handler, stack + sizeof stack, flags, NULL);
        assert_true(pid > 0);
        assert_true(waitpid(pid, &status, 0) == pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 43);
        assert_int_equal(sigaction(SIGILL, NULL, &after), 0);
        assert_ptr_equal(after.sa_handler, before.sa_handler);
    }
    assert_int_equal(counted(EMU_TPAUSE), 100);
    assert_int_equal(counted(EMU_FORWARDED), 100);
}

/* --- encodings ------------------------------------------------------------------------------- */

static void every_register_is_decoded(void **state)
{
    (void)state;
    /* umonitor of a line, then a store to it: only the right register's line ends umwait. The
     * control register of umwait is ECX and 0. */
#define WITH(register, bytes)                                                                      \
    do {                                                                                           \
        insn_emu_reset_counts();                                                                   \
        __asm__ volatile("movq %0, %%" register "\n\t.byte " bytes                                 \
                         :                                                                         \
                         : "r"(&lines[3][2])                                                       \
                         : register, "memory");                                                    \
        atomic_fetch_add(&lines[3][0], 1);                                                         \
        (void)umwait(0, FAR_AWAY);                                                                 \
        assert_int_equal(counted(EMU_END_STORE), 1);                                               \
    } while (0)
    WITH("rax", "0xf3, 0x0f, 0xae, 0xf0");
    WITH("rdx", "0xf3, 0x0f, 0xae, 0xf2");
    WITH("rsi", "0xf3, 0x0f, 0xae, 0xf6");
    WITH("rdi", "0xf3, 0x0f, 0xae, 0xf7");
    WITH("r8", "0xf3, 0x41, 0x0f, 0xae, 0xf0");
    WITH("r13", "0xf3, 0x41, 0x0f, 0xae, 0xf5");
    WITH("r15", "0xf3, 0x49, 0x0f, 0xae, 0xf7");
    WITH("r9", "0x66, 0xf3, 0x41, 0x0f, 0xae, 0xf1"); /* F3 counts, 66 does not */
    WITH("r9", "0x3e, 0xf2, 0xf3, 0x41, 0x0f, 0xae, 0xf1");
#undef WITH
    /* A 32-bit address: the upper half of the register is not used. */
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT;
    _Atomic uint64_t *low = mmap(NULL, 4096, PROT_READ | PROT_WRITE, flags, -1, 0);
    assert_ptr_not_equal(low, MAP_FAILED);
    __asm__ volatile(".byte 0xf3, 0x67, 0x0f, 0xae, 0xf1"
                     :
                     : "c"((uintptr_t)low | (UINT64_C(1) << 40))
                     : "memory");
    insn_emu_reset_counts();
    atomic_fetch_add(low, 1);
    (void)umwait(0, FAR_AWAY);
    assert_int_equal(counted(EMU_END_STORE), 1);
    munmap((void *)low, 4096);
    /* The operand of TPAUSE is 32 bits wide: what lies above is not reserved. */
    __asm__ volatile("movq %2, %%r10\n\t"
                     ".byte 0x66, 0x41, 0x0f, 0xae, 0xf2" /* tpause %r10d */
                     :
                     : "a"(0), "d"(0), "r"((UINT64_C(1) << 40) | 1)
                     : "r10", "cc", "memory");
    assert_int_equal(counted(EMU_TPAUSE), 1);
}

static void tpause_clears_the_other_flags(void **state)
{
    (void)state;
    uint64_t flags = 0x8d5;
    insn_emu_set_os_limit(1000);
    for (int by_limit = 0; by_limit < 2; by_limit++) {
        const uint64_t deadline = by_limit ? FAR_AWAY : 0;
        uint64_t after;
        __asm__ volatile("pushq %[flags]\n\tpopfq\n\t"
                         ".byte 0x66, 0x0f, 0xae, 0xf1\n\t"
                         "pushfq\n\tpopq %[after]"
                         : [after] "=r"(after)
                         : [flags] "r"(flags), "c"(0), "a"((uint32_t)deadline),
                           "d"((uint32_t)(deadline >> 32))
                         : "cc", "memory");
        assert_int_equal(after & 0x8d5, by_limit);
    }
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
        cmocka_unit_test_setup(reserved_bits_fault, set_up),
        cmocka_unit_test_setup(a_fault_shows_the_instruction, set_up),
        cmocka_unit_test_setup(a_bad_address_faults, set_up),
        cmocka_unit_test_setup(uncaught_faults_end_the_process, set_up),
        cmocka_unit_test_setup(what_is_not_enabled_is_forwarded, set_up),
        cmocka_unit_test_setup(a_later_handler_stays_behind, set_up),
        cmocka_unit_test_setup(a_sent_sigill_is_forwarded, set_up),
        cmocka_unit_test_setup(a_child_that_shares_memory_has_its_own, set_up),
        cmocka_unit_test_setup(every_register_is_decoded, set_up),
        cmocka_unit_test_setup(tpause_clears_the_other_flags, set_up),
        cmocka_unit_test_setup(a_stuck_monitor_waits_for_the_deadline, set_up),
        cmocka_unit_test_setup(trap_and_skip_never_waits, set_up),
        cmocka_unit_test_setup(spurious_ends_come_without_a_store, set_up),
        cmocka_unit_test_setup(oversleeping_ends_late_but_for_stores, set_up),
    };
    if (insn_emu_install(EMU_WAITPKG | EMU_MWAITX) == -ENOTSUP) {
        puts("insn_emu_test: skipped: this CPU runs these instructions itself");
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
