/* SPDX-License-Identifier: MIT */
/*
 * That what the emulator decodes, and what it passes on, is what the manuals say: encodings, faults,
 * signals that are not its own. Everything that could hang is under an alarm.
 */
#define _GNU_SOURCE
#include "insn_emu_case.h"

#if defined(__x86_64__)

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

int main(void)
{
    const struct CMUnitTest tests[] = {
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
    };

    return run_cases(tests, sizeof(tests) / sizeof(tests[0]));
}

#endif
