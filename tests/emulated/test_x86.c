/* SPDX-License-Identifier: MIT */
/*
 * test_x86: what our x86 mechanisms put into the registers, and what a whole library does
 * when one of them goes bad in use.
 *
 * The first part needs no emulation: a SIGILL handler writes the operands down and steps over
 * the instruction. The second plays a monitor that stops to wake, or a CPU that begins to
 * oversleep, under a running program, with health intervals of milliseconds in place of ten
 * seconds. Exit 77 where the CPU has the instructions, so that they can't be played.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include <xsc/stats.h>
#include <xsc/wait.h>

#include "harness.h"
#include "insn_emu.h"
#include "user/library.h"
#include "user/peer.h"

/* ------------------------------------------------------------------------- operands ---- */

enum { INSN_LENGTH_LONG = 4, INSN_LENGTH_SHORT = 3 };

static struct seen {
    unsigned umonitor, umwait, tpause, monitorx, mwaitx, other;
    uint64_t armed, state, deadline, ticks, hints, extensions;
} seen;

static bool carry; /* what UMWAIT and TPAUSE shall leave in CF */

static void step_over(int sig, siginfo_t *info, void *context)
{
    greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
    const uint8_t *code = (const uint8_t *)info->si_addr;
    const uint64_t edx_eax = (uint64_t)r[REG_RDX] << 32 | (uint32_t)r[REG_RAX];

    (void)sig;
    if (!memcmp(code, "\xf3\x0f\xae\xf0", 4)) {
        seen.umonitor++;
        seen.armed = (uint64_t)r[REG_RAX];
    } else if (!memcmp(code, "\xf2\x0f\xae\xf1", 4) || !memcmp(code, "\x66\x0f\xae\xf1", 4)) {
        *(code[0] == 0xf2 ? &seen.umwait : &seen.tpause) += 1;
        seen.state = (uint64_t)r[REG_RCX];
        seen.deadline = edx_eax;
        r[REG_EFL] = carry ? r[REG_EFL] | 1 : r[REG_EFL] & ~(greg_t)1;
    } else if (!memcmp(code, "\x0f\x01\xfa", 3)) {
        seen.monitorx++;
        seen.armed = (uint64_t)r[REG_RAX];
        seen.extensions = (uint64_t)r[REG_RCX] | (uint64_t)r[REG_RDX];
    } else if (!memcmp(code, "\x0f\x01\xfb", 3)) {
        seen.mwaitx++;
        seen.hints = (uint64_t)r[REG_RAX];
        seen.ticks = (uint64_t)r[REG_RBX];
        seen.extensions = (uint64_t)r[REG_RCX];
    } else {
        seen.other++;
        signal(SIGILL, SIG_DFL);
        return;
    }
    r[REG_RIP] += code[0] == 0x0f ? INSN_LENGTH_SHORT : INSN_LENGTH_LONG;
}

static struct xsc_cpu cpu;
static struct xsc_clock tsc;
static const struct xsc_mech_ctx ctx = {&cpu, &tsc, 1};
static uint32_t words[32] __attribute__((aligned(64)));

static uint64_t read_tsc(void)
{
    return __builtin_ia32_rdtsc();
}

/* One wait on the last word of a line, whose value is 0, until it is `until`. */
static enum xsc_woke one(const struct xsc_mechanism *m, bool met, uint64_t deadline)
{
    const struct xsc_watch w = {&words[15], met ? 1 : 0, UINT32_MAX, 4, XSC_UNTIL_NOT};

    uint64_t at = xsc_arch_counter();

    seen = (struct seen){0};
    return m->wait(&ctx, &w, deadline, &at);
}

static void operands(void *arg)
{
    struct sigaction act;
    const uint64_t far = 0x123456789abcdef0;

    (void)arg;
    memset(&act, 0, sizeof(act));
    act.sa_sigaction = step_over;
    act.sa_flags = SA_SIGINFO;
    sigaction(SIGILL, &act, NULL);
    tsc.ticks = read_tsc;
    xsc_clock_set_rate(&tsc, 1000000000);

    check(one(&xsc_mech_umwait, false, far) == XSC_WOKE && seen.umonitor == 1 && seen.umwait == 1,
          "UMWAIT: armed once, waited once");
    check(seen.armed == (uintptr_t)&words[15], "UMONITOR of the word's address");
    check(seen.deadline == far, "deadline in EDX:EAX: %#llx", (unsigned long long)seen.deadline);
    check(seen.state == 0, "nothing known of the limits: C0.2 asked for");
    check(one(&xsc_mech_umwait, true, far) != XSC_WOKE_LIMIT && seen.umonitor == 1 && !seen.umwait,
          "the word has changed: armed, looked, not waited");
    cpu.umwait_known = true;
    cpu.umwait_c02 = true;
    one(&xsc_mech_umwait, false, far);
    check(seen.state == 0, "C0.2 allowed: asked for");
    cpu.umwait_c02 = false;
    one(&xsc_mech_umwait, false, far);
    check(seen.state == 1, "C0.2 not allowed: C0.1 asked for");
    carry = true;
    check(one(&xsc_mech_umwait, false, far) == XSC_WOKE_LIMIT, "CF set: the OS's limit ended it");
    carry = false;

    const uint64_t soon = read_tsc() + 400;

    one(&xsc_mech_tpause, false, soon);
    check(seen.tpause >= 1 && !seen.umonitor && seen.state == 1, "TPAUSE: no monitor, C0.1");
    check(seen.deadline <= soon, "and no nap beyond the deadline");
    one(&xsc_mech_tpause, true, far);
    check(!seen.tpause, "no nap where the word has changed");

    one(&xsc_mech_mwaitx, false, far);
    check(seen.monitorx == 1 && seen.mwaitx == 1 && seen.armed == (uintptr_t)&words[15],
          "MWAITX: armed with the word's address, waited");
    check(seen.ticks == UINT32_MAX && seen.extensions == 2 && seen.hints == 0,
          "far deadline: EBX all ones, ECX the timer, EAX C1: %#llx %#llx %#llx",
          (unsigned long long)seen.ticks, (unsigned long long)seen.extensions,
          (unsigned long long)seen.hints);
    one(&xsc_mech_mwaitx, false, read_tsc() + 1000000);
    check(seen.ticks > 0 && seen.ticks <= 1000000, "near deadline: %llu ticks of 1000000",
          (unsigned long long)seen.ticks);
    one(&xsc_mech_mwaitx, false, read_tsc() - 1000000);
    check(!seen.mwaitx, "past deadline: not waited");
    one(&xsc_mech_mwaitx, true, far);
    check(seen.monitorx == 1 && !seen.mwaitx, "the word has changed: not waited");
    check(!seen.other, "no other instruction was illegal");
}

/* ------------------------------------------------------------------------ going bad ---- */

static struct line request, answer;

static void *answer_slowly(void *arg)
{
    uint32_t asked = 0;

    (void)arg;
    while (asked < 1u << 31 && !xsc_wait_reached(&request.word, asked + 1, LOST_NS)) {
        const uint64_t until = now_ns() + 30000; /* the asker has begun to watch by then */

        asked = __atomic_load_n(&request.word, __ATOMIC_ACQUIRE);
        while (now_ns() < until) {
        }
        __atomic_store_n(&answer.word, asked, __ATOMIC_RELEASE);
    }
    return NULL;
}

/* Waits, each ended by a store, until the statistics show `state` or `primary`. */
static bool until_shown(const char *primary, uint32_t state, struct xsc_stats *s)
{
    static uint32_t number;
    const uint64_t patience = now_ns() + 100 * NS_PER_S;

    do {
        for (int i = 0; i < 5; i++) {
            number++;
            __atomic_store_n(&request.word, number, __ATOMIC_RELEASE);
            if (!expect(!xsc_wait_reached(&answer.word, number, LOST_NS), "answer %u", number)) {
                return false;
            }
        }
        xsc_stats_read(s, sizeof(*s));
    } while ((strcmp(s->primary, primary) || s->state != state) && now_ns() < patience);
    return !strcmp(s->primary, primary) && s->state == state;
}

static struct xsc_limits patient;
static struct xsc_trial_plan unhurried;

static bool be_emulated(unsigned which)
{
    const int got = insn_emu_install(which);

    if (!check(!got, "emulation installed: %s", strerror(-got))) {
        return false;
    }
    patient = xsc_default_limits;
    patient.return_p99 = 10000000;
    patient.cross_p99 = 20000000;
    patient.cross_max = 1000000000;
    patient.overshoot_p50 = 2000000;
    unhurried = xsc_short_plan;
    unhurried.patience_ns = 5 * NS_PER_S;
    unhurried.budget_ns = 20 * NS_PER_MS;
    unhurried.again_ns = 5 * NS_PER_S;
    xsc_library.limits = &patient;
    xsc_library.plan = &unhurried;
    xsc_library.health_ns = 400 * NS_PER_MS; /* room to see each state on a busy machine */
    return true;
}

/* Why UMWAIT is not used, if it is not. */
static const char *said_of_umwait(void)
{
    static struct xsc_mechanism_info info;

    return xsc_mechanism_read(0, &info, sizeof(info)) ? "unknown" : info.reason;
}

static void goes_bad(void *arg)
{
    pthread_t thread;
    struct xsc_stats s;

    (void)arg;
    if (!be_emulated(EMU_WAITPKG)) {
        return;
    }
    pthread_create(&thread, NULL, answer_slowly, NULL);
    check(until_shown("UMWAIT", XSC_ACTIVE, &s), "UMWAIT is chosen and waits: %s; %s",
          s.choice_reason, said_of_umwait());
    insn_emu_set_fault(EMU_NEVER_WAKES);
    check(until_shown("UMWAIT", XSC_DEGRADED, &s), "it stops to wake: %s", s.fail_reason);
    insn_emu_set_fault(0);
    check(until_shown("UMWAIT", XSC_ACTIVE, &s), "it wakes again, and recovers");
    insn_emu_set_fault(EMU_NEVER_WAKES);
    check(until_shown("PAUSE", XSC_ACTIVE, &s), "it stops again, and is rolled back: %s",
          s.choice_reason);
    check(strstr(s.fail_reason, "noticed only when"), "the reason: %s", s.fail_reason);

    struct xsc_mechanism_info info;

    check(!xsc_mechanism_read(0, &info, sizeof(info)) && info.state == XSC_FAILED,
          "%s is FAILED: %s", info.name, info.reason);
    __atomic_store_n(&request.word, 1u << 31, __ATOMIC_RELEASE);
    pthread_join(thread, NULL);
    check_stats("after a roll back");
}

/*
 * A wait that began while another thread chose knows nothing of the machine and spins; with
 * the choice made it must come to use it, however long it lasts.
 */
static struct line hold;
static uint32_t waiting;

static void *wait_long(void *arg)
{
    (void)arg;
    __atomic_store_n(&waiting, 1, __ATOMIC_RELEASE);
    xsc_wait_u32(&hold.word, 0, XSC_FOREVER);
    return NULL;
}

static void late_comer(void *arg)
{
    pthread_t thread;
    uint64_t umwaits;

    (void)arg;
    if (!be_emulated(EMU_WAITPKG)) {
        return;
    }
    /* As if a choice were being made by another thread: the manager's lock is held. */
    check(xsc_manager_lock(&xsc_library), "the manager's lock");
    pthread_create(&thread, NULL, wait_long, NULL);
    while (!__atomic_load_n(&waiting, __ATOMIC_ACQUIRE)) {
    }
    sleep_ns(20 * NS_PER_MS);
    xsc_manager_unlock(&xsc_library);
    xsc_init(NULL);
    insn_emu_reset_counts();
    sleep_ns(50 * NS_PER_MS);
    umwaits = insn_emu_count[EMU_UMWAIT];
    __atomic_store_n(&hold.word, 1, __ATOMIC_RELEASE);
    pthread_join(thread, NULL);
    if (strcmp(mechanism_in_use(), "UMWAIT")) {
        skipped("this machine is too busy for UMWAIT to be proven: %s", said_of_umwait());
        return;
    }
    check(umwaits > 0, "%llu UMWAITs by a wait that is older than the choice of %s",
          (unsigned long long)umwaits, mechanism_in_use());
}

/* ------------------------------------------------------------------- the trial's peer ---- */

static void *hold_still(void *gone)
{
    while (!__atomic_load_n((uint32_t *)gone, __ATOMIC_ACQUIRE)) {
        sleep_ns(NS_PER_MS);
    }
    return NULL;
}

/* Where a trial's peer is put: beside the waiter on its CPU no monitor could be proven. */
static void peer_elsewhere(void *arg)
{
    uint32_t gone = 0;
    pthread_t thread;
    cpu_set_t set;

    (void)arg;
    if (cpus_allowed() < 2) {
        skipped("a peer elsewhere needs two CPUs that this process may use");
        return;
    }
    xsc_init(NULL);
    CPU_ZERO(&set);
    pthread_create(&thread, NULL, hold_still, &gone);
    check(pin_to_nth(1), "the waiter is pinned to a CPU");
    xsc_peer_place_thread(thread);
    pthread_getaffinity_np(thread, sizeof(set), &set);
    check(CPU_COUNT(&set) > 0 && !CPU_ISSET((size_t)sched_getcpu(), &set),
          "a trial's peer may run on %d CPUs, and not on the waiter's", CPU_COUNT(&set));
    __atomic_store_n(&gone, 1, __ATOMIC_RELEASE);
    pthread_join(thread, NULL);
}

int main(void)
{
    if (insn_emu_install(EMU_WAITPKG | EMU_MWAITX)) {
        fprintf(stderr, "test_x86: this CPU has some of the waits, so none can be played\n");
        return 77;
    }
    insn_emu_install(0);
    harness_begin("test_x86");
    setenv("XSC_TEST_FEATURES", "waitpkg", 1);
    in_child("operands", NULL, 60, operands, NULL);
    in_child("goes bad", NULL, 300, goes_bad, NULL);
    in_child("peer elsewhere", NULL, 60, peer_elsewhere, NULL);
    in_child("late comer", NULL, 60, late_comer, NULL);
    return harness_end();
}
