/* SPDX-License-Identifier: MIT
 *
 * See insn_emu.h. Async-signal-safe throughout: no locks, no allocation, atomics and per-thread
 * state only, so any number of threads may be in the handler at once.
 */
#define _GNU_SOURCE
#include "insn_emu.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

atomic_ulong insn_emu_count[EMU_COUNTERS];

void insn_emu_reset_counts(void)
{
    for (size_t i = 0; i < EMU_COUNTERS; i++) {
        atomic_store(&insn_emu_count[i], 0);
    }
}

static _Atomic uint64_t os_limit = 100000;
static _Atomic uint64_t oversleep_ns = 4000000;
static atomic_uint faults_played;

void insn_emu_set_os_limit(uint64_t ticks)
{
    atomic_store(&os_limit, ticks);
}

void insn_emu_set_oversleep_ns(uint64_t ns)
{
    atomic_store(&oversleep_ns, ns);
}

void insn_emu_set_fault(unsigned faults)
{
    atomic_store(&faults_played, faults);
}

#if !defined(__x86_64__)

int insn_emu_install(unsigned which)
{
    (void)which;
    return -ENOSYS;
}

#else

#include <pthread.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>
#include <x86intrin.h>

enum { LINE = 64, LINE_WORDS = LINE / 8, MAX_INSN = 15 };

/* The monitor of a thread. Initial-exec: a signal handler must not make the C library allocate. */
struct monitor {
    const uint64_t *line; /* NULL: not armed */
    uint64_t content[LINE_WORDS];
    uint64_t random;
};
static _Thread_local struct monitor monitor __attribute__((tls_model("initial-exec")));

static atomic_uint enabled;
static atomic_bool installed;

static void count(enum insn_emu_counter which)
{
    atomic_fetch_add_explicit(&insn_emu_count[which], 1, memory_order_relaxed);
}

/* --- The handler behind ours ----------------------------------------------------------------- */

/* Signal handlers belong to a process, our memory may be shared: a child of vfork() that sets one
 * must not change its parent's. So the handler behind is kept by process: that of the process that
 * installed the emulation, which its children inherit, and those that children have set since.
 * Structs are published whole, and reused after many further calls only. */
enum { SLOTS = 64, CHILDREN = 16 };
static pid_t owner;
static struct sigaction slots[SLOTS];
static atomic_uint slots_used;
static _Atomic(struct sigaction *) behind;
static struct {
    _Atomic pid_t pid;
    struct sigaction action;
} children[CHILDREN];
static atomic_uint children_used;

static struct sigaction handler_behind(void)
{
    const pid_t self = getpid();
    for (size_t i = 0; self != owner && i < CHILDREN; i++) {
        if (atomic_load(&children[i].pid) == self) {
            return children[i].action;
        }
    }
    return *atomic_load(&behind);
}

static void set_handler_behind(const struct sigaction *action)
{
    const pid_t self = getpid();
    if (self == owner) {
        struct sigaction *slot = &slots[atomic_fetch_add(&slots_used, 1) % SLOTS];
        *slot = *action;
        atomic_store(&behind, slot);
        return;
    }
    size_t i = 0;
    while (i < CHILDREN && atomic_load(&children[i].pid) != self) {
        i++;
    }
    if (i == CHILDREN) {
        i = atomic_fetch_add(&children_used, 1) % CHILDREN;
    }
    atomic_store(&children[i].pid, 0);
    children[i].action = *action;
    atomic_store(&children[i].pid, self);
}

/* glibc's own name for the function that we replace. */
extern int __sigaction(int signal, const struct sigaction *action, struct sigaction *old);

int sigaction(int sig, const struct sigaction *restrict action, struct sigaction *restrict old)
{
    if (sig != SIGILL || !atomic_load(&installed)) {
        return __sigaction(sig, action, old);
    }
    const struct sigaction before = handler_behind();
    if (action != NULL) {
        set_handler_behind(action);
    }
    if (old != NULL) {
        *old = before;
    }
    return 0;
}

/* glibc's signal() does not come by sigaction(). */
void (*signal(int sig, void (*handler)(int)))(int)
{
    struct sigaction action = {.sa_flags = SA_RESTART};
    struct sigaction old;
    action.sa_handler = handler;
    sigemptyset(&action.sa_mask);
    return sigaction(sig, &action, &old) == 0 ? old.sa_handler : SIG_ERR;
}

static void forward(int sig, siginfo_t *info, void *context)
{
    const ucontext_t *uc = context;
    struct sigaction action = handler_behind();

    count(EMU_FORWARDED);
    if ((action.sa_flags & SA_SIGINFO) == 0 &&
        (action.sa_handler == SIG_DFL || action.sa_handler == SIG_IGN)) {
        if (info->si_code <= 0 && action.sa_handler == SIG_IGN) {
            return; /* sent by kill(): this one can be ignored */
        }
        /* The kernel does not ignore a fault either. The instruction runs again and the process
         * ends as it would have without us. */
        struct sigaction end = {0};
        end.sa_handler = SIG_DFL;
        __sigaction(SIGILL, &end, NULL);
        if (info->si_code <= 0) { /* sent, not met: nothing will happen again by itself */
            (void)raise(sig);
        }
        return;
    }
    if ((action.sa_flags & (int)SA_RESETHAND) != 0) {
        set_handler_behind(&(struct sigaction){0});
    }
    /* Run it under the mask it asked for, not under ours. */
    sigset_t mask;
    sigemptyset(&mask);
    memcpy(&mask, &uc->uc_sigmask, sizeof(uint64_t)); /* the kernel fills in just that much */
    sigorset(&mask, &mask, &action.sa_mask);
    if ((action.sa_flags & SA_NODEFER) == 0) {
        sigaddset(&mask, SIGILL);
    }
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    if ((action.sa_flags & SA_SIGINFO) != 0) {
        action.sa_sigaction(sig, info, context);
    } else {
        action.sa_handler(sig);
    }
}

/* --- Raising what the instruction would have raised ------------------------------------------ */

static uint64_t mask_word(const sigset_t *set)
{
    uint64_t word;
    memcpy(&word, set, sizeof word);
    return word;
}

static uint64_t signal_bit(int sig)
{
    return UINT64_C(1) << (sig - 1);
}

/* SIGSEGV, delivered when our handler returns, with RIP still at the instruction. */
static void raise_segv(ucontext_t *uc, int code, uint64_t address)
{
    sigset_t segv;
    struct sigaction now;
    uint64_t blocked = mask_word(&uc->uc_sigmask);

    count(EMU_RAISED_SEGV);
    __sigaction(SIGSEGV, NULL, &now);
    if ((blocked & signal_bit(SIGSEGV)) != 0 || now.sa_handler == SIG_IGN) {
        /* The kernel does not let a fault be blocked or ignored: the process ends. */
        struct sigaction end = {0};
        end.sa_handler = SIG_DFL;
        __sigaction(SIGSEGV, &end, NULL);
        blocked &= ~signal_bit(SIGSEGV);
        memcpy(&uc->uc_sigmask, &blocked, sizeof blocked);
    }
    sigemptyset(&segv);
    sigaddset(&segv, SIGSEGV);
    pthread_sigmask(SIG_BLOCK, &segv, NULL);

    siginfo_t info;
    memset(&info, 0, sizeof info);
    info.si_signo = SIGSEGV;
    info.si_code = code; /* a thread may send itself any code */
    memcpy(&info.si_addr, &address, sizeof address);
    (void)syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid), SIGSEGV, &info);
}

/* --- Monitor and waits ----------------------------------------------------------------------- */

/* The line may hold, beside the caller's word, anybody's data: of no interest to the sanitizers. */
__attribute__((no_sanitize_address, no_sanitize_thread)) static bool line_changed(void)
{
    for (size_t i = 0; i < LINE_WORDS; i++) {
        if (__atomic_load_n(&monitor.line[i], __ATOMIC_ACQUIRE) != monitor.content[i]) {
            return true;
        }
    }
    return false;
}

__attribute__((no_sanitize_address, no_sanitize_thread)) static bool arm(uint64_t address)
{
    const uint64_t *line = NULL;
    address &= ~(uint64_t)(LINE - 1);
    memcpy(&line, &address, sizeof line);

    /* Ask the kernel first, so that a bad address is a fault of the instruction and not one inside
     * this handler. Where it won't say (a sandbox), just try. */
    monitor.line = NULL;
    struct iovec to = {monitor.content, LINE};
    struct iovec from = {(void *)(uintptr_t)line, LINE};
    if (process_vm_readv(getpid(), &to, 1, &from, 1, 0) != LINE && errno == EFAULT) {
        return false;
    }
    for (size_t i = 0; i < LINE_WORDS; i++) {
        monitor.content[i] = __atomic_load_n(&line[i], __ATOMIC_ACQUIRE);
    }
    monitor.line = line;
    return true;
}

static uint64_t clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

/* A signal that the interrupted code does not block. All but faults are blocked while our handler
 * runs, so it has been left for us to see. */
static bool signal_waits(const ucontext_t *uc)
{
    sigset_t pending;
    return sigpending(&pending) == 0 && (mask_word(&pending) & ~mask_word(&uc->uc_sigmask)) != 0;
}

static uint64_t spurious_ticks(void)
{
    if (monitor.random == 0) {
        monitor.random = __rdtsc() | 1;
    }
    monitor.random ^= monitor.random << 13;
    monitor.random ^= monitor.random >> 7;
    monitor.random ^= monitor.random << 17;
    return monitor.random % 32768;
}

/* Waits for a store to the armed line (when monitored), the TSC to reach deadline, or limit ticks
 * to pass (when not 0); says what ended it. */
static enum insn_emu_counter wait_for(const ucontext_t *uc, bool monitored, uint64_t deadline,
                                      uint64_t limit)
{
    const uint64_t start = __rdtsc();
    const unsigned faults = atomic_load(&faults_played);
    const uint64_t spurious = (faults & EMU_SPURIOUS) != 0 ? start + spurious_ticks() : UINT64_MAX;
    enum insn_emu_counter reason = EMU_END_DEADLINE;
    uint64_t overslept_since = 0;

    if (limit != 0 && start < deadline && limit < deadline - start) {
        deadline = start + limit;
        reason = EMU_END_OS_LIMIT;
    }
    if ((faults & EMU_RETURNS_AT_ONCE) != 0) {
        return EMU_END_FAULT;
    }
    if (monitored && monitor.line == NULL) {
        return EMU_END_UNARMED;
    }
    for (;;) {
        if (monitored && (faults & EMU_NEVER_WAKES) == 0 && line_changed()) {
            return EMU_END_STORE;
        }
        const uint64_t now = __rdtsc();
        if (now >= deadline) {
            if ((faults & EMU_OVERSLEEPS) == 0) {
                return reason;
            }
            if (overslept_since == 0) {
                overslept_since = clock_ns();
            } else if (clock_ns() - overslept_since >= atomic_load(&oversleep_ns)) {
                return reason;
            }
        }
        if (now >= spurious) {
            return EMU_END_FAULT;
        }
        if (signal_waits(uc)) {
            return EMU_END_SIGNAL;
        }
        _mm_pause();
    }
}

/* --- Decoding -------------------------------------------------------------------------------- */

enum kind { NOT_OURS, UMONITOR, UMWAIT, TPAUSE, MONITORX, MWAITX };

struct insn {
    enum kind kind;
    unsigned length;
    unsigned reg;       /* of UMONITOR, UMWAIT, TPAUSE: 0 to 15 */
    bool short_address; /* 32-bit address size */
};

/* Reads no byte more than needed: the next page may not be there. */
static struct insn decode(const uint8_t *code)
{
    struct insn insn = {.kind = NOT_OURS};
    uint8_t repeat = 0;
    uint8_t rex = 0;
    bool operand_size = false;
    unsigned i = 0;

    for (;; i++) {
        if (i == MAX_INSN - 3) {
            return insn;
        }
        const uint8_t byte = code[i];
        if (byte == 0xf2 || byte == 0xf3) {
            repeat = byte; /* the last one counts */
        } else if (byte == 0x66) {
            operand_size = true;
        } else if (byte == 0x67) {
            insn.short_address = true;
        } else if (byte != 0x2e && byte != 0x36 && byte != 0x3e && byte != 0x26) {
            break; /* those four, segments without a base, mean nothing in 64-bit mode */
        }
    }
    if ((code[i] & 0xf0) == 0x40) {
        rex = code[i++];
    }
    if (code[i] != 0x0f) {
        return insn;
    }
    if (code[i + 1] == 0xae && (code[i + 2] & 0xf8) == 0xf0) { /* group 15, /6, a register */
        insn.reg = (code[i + 2] & 7u) | ((rex & 1u) << 3);
        insn.kind = repeat == 0xf3   ? UMONITOR
                    : repeat == 0xf2 ? UMWAIT
                    : operand_size   ? TPAUSE
                                     : NOT_OURS; /* without a prefix it is MFENCE */
    } else if (code[i + 1] == 0x01 && repeat == 0 && !operand_size) {
        insn.kind = code[i + 2] == 0xfa ? MONITORX : code[i + 2] == 0xfb ? MWAITX : NOT_OURS;
    }
    insn.length = i + 3;
    return insn;
}

static const int reg_index[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
                                  REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                  REG_R12, REG_R13, REG_R14, REG_R15};

/* Returns whether the instruction is done; if not, a signal has been raised in its place. */
static bool emulate(const struct insn *insn, ucontext_t *uc)
{
    greg_t *regs = uc->uc_mcontext.gregs;
    const uint64_t rax = (uint64_t)regs[REG_RAX];
    const uint64_t rcx = (uint64_t)regs[REG_RCX];
    const uint64_t operand = (uint64_t)regs[reg_index[insn->reg]];
    uint64_t address = insn->kind == UMONITOR ? operand : rax;
    enum insn_emu_counter reason;

    switch (insn->kind) {
    case UMONITOR:
    case MONITORX:
        count(insn->kind == UMONITOR ? EMU_UMONITOR : EMU_MONITORX);
        if (insn->kind == MONITORX && rcx != 0) { /* no extension is defined */
            raise_segv(uc, SI_KERNEL, 0);
            return false;
        }
        if (insn->short_address) {
            address = (uint32_t)address;
        }
        if (!arm(address)) {
            raise_segv(uc, SEGV_MAPERR, address);
            return false;
        }
        return true;

    case UMWAIT:
    case TPAUSE:
        count(insn->kind == UMWAIT ? EMU_UMWAIT : EMU_TPAUSE);
        if (((uint32_t)operand & ~1u) != 0) { /* bit 0 chooses C0.1 or C0.2, the rest is reserved */
            raise_segv(uc, SI_KERNEL, 0);
            return false;
        }
        reason = wait_for(uc, insn->kind == UMWAIT,
                          ((uint64_t)(uint32_t)regs[REG_RDX] << 32) | (uint32_t)rax,
                          atomic_load(&os_limit));
        regs[REG_EFL] &= ~(greg_t)0x8d5; /* OF SF ZF AF PF CF */
        if (reason == EMU_END_OS_LIMIT) {
            regs[REG_EFL] |= 1;
        }
        break;

    case MWAITX: {
        const uint32_t ticks = (uint32_t)regs[REG_RBX];
        count(EMU_MWAITX_WAIT);
        if ((rcx & ~UINT64_C(3)) != 0) {
            raise_segv(uc, SI_KERNEL, 0);
            return false;
        }
        const bool timer = (rcx & 2) != 0 && ticks != 0;
        reason = wait_for(uc, true, timer ? __rdtsc() + ticks : UINT64_MAX, 0);
        break;
    }
    case NOT_OURS:
    default:
        return false;
    }
    if (insn->kind != TPAUSE) {
        monitor.line = NULL;
    }
    count(reason);
    return true;
}

static void on_sigill(int sig, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    const int saved_errno = errno;
    const uint8_t *code;
    struct insn insn = {.kind = NOT_OURS};
    unsigned needed = EMU_WAITPKG;

    if (info->si_code > 0) { /* a real one, not one sent by kill() */
        memcpy(&code, &uc->uc_mcontext.gregs[REG_RIP], sizeof code);
        insn = decode(code);
    }
    if (insn.kind == MONITORX || insn.kind == MWAITX) {
        needed = EMU_MWAITX;
    }
    if (insn.kind == NOT_OURS || (atomic_load(&enabled) & needed) == 0) {
        forward(sig, info, context);
    } else if (emulate(&insn, uc)) {
        uc->uc_mcontext.gregs[REG_RIP] += (greg_t)insn.length;
    }
    errno = saved_errno;
}

/* Whether the two instructions that can't harm come to us: TPAUSE with a deadline long past, and
 * MWAITX with nothing armed and the shortest timer. */
static bool traps(unsigned which)
{
    unsigned long before = atomic_load(&insn_emu_count[EMU_TPAUSE]);
    if ((which & EMU_WAITPKG) != 0) {
        __asm__ volatile(".byte 0x66, 0x0f, 0xae, 0xf1" /* tpause %ecx */
                         :
                         : "a"(0), "d"(0), "c"(0)
                         : "cc", "memory");
        if (atomic_load(&insn_emu_count[EMU_TPAUSE]) == before) {
            return false;
        }
    }
    before = atomic_load(&insn_emu_count[EMU_MWAITX_WAIT]);
    if ((which & EMU_MWAITX) != 0) {
        __asm__ volatile(".byte 0x0f, 0x01, 0xfb" : : "a"(0), "b"(1), "c"(2) : "memory");
        if (atomic_load(&insn_emu_count[EMU_MWAITX_WAIT]) == before) {
            return false;
        }
    }
    return true;
}

int insn_emu_install(unsigned which)
{
    if ((which & ~(EMU_WAITPKG | EMU_MWAITX)) != 0) {
        return -EINVAL;
    }
    if (!atomic_exchange(&installed, true)) {
        struct sigaction action = {.sa_flags = SA_SIGINFO | SA_ONSTACK};
        struct sigaction before;
        action.sa_sigaction = on_sigill;
        sigfillset(&action.sa_mask);
        sigdelset(&action.sa_mask, SIGSEGV); /* a blocked fault would end the process unseen */
        sigdelset(&action.sa_mask, SIGBUS);
        sigdelset(&action.sa_mask, SIGFPE);
        sigdelset(&action.sa_mask, SIGTRAP);
        __sigaction(SIGILL, NULL, &before);
        owner = getpid();
        set_handler_behind(&before);
        __sigaction(SIGILL, &action, NULL);
    }
    atomic_store(&enabled, which);
    const bool all_trap = traps(which);
    insn_emu_reset_counts();
    return all_trap ? 0 : -ENOTSUP;
}

#endif
