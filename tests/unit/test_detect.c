/* SPDX-License-Identifier: MIT */
/*
 * mech/: what each mechanism says of a made-up CPU, and what it executes in one wait. B1-B9,
 * B13. Compiled four times, with FAKE_X86, FAKE_ARM64, FAKE_ARM and FAKE_RISCV64.
 */
#include "tests/unit/unit.h"

#include "tests/unit/fake_arch.h"

/* yield.c writes its one instruction itself; here it becomes a relax hint like the others. */
#define __asm__
#define __volatile__(instruction) xsc_arch_relax()

#if defined(FAKE_X86)
#include "mech/mwaitx.c"
#include "mech/pause.c"
#include "mech/tpause.c"
#include "mech/umwait.c"
#elif defined(FAKE_ARM64)
#include "mech/isb.c"
#include "mech/wfe.c"
#include "mech/wfet.c"
#include "mech/yield.c"
#elif defined(FAKE_ARM)
#include "mech/wfe_armv7.c"
#include "mech/yield.c"
#elif defined(FAKE_RISCV64)
#include "mech/pause.c"
#include "mech/wrs.c"
#endif
#include "mech/generic.c"

#undef __asm__
#undef __volatile__

#include "tests/unit/fake_port.h"

static uint32_t word;
static struct xsc_cpu cpu;
static struct xsc_clock clock_ = {.ticks = xsc_arch_counter,
                                  .ns_per_tick = (uint64_t)1 << 32,
                                  .ticks_per_ns = (uint64_t)1 << 32,
                                  .hz = 1000000000u};
static struct xsc_mech_ctx ctx;

static int setup(void **state)
{
    (void)state;
    fake_reset();
    memset(&arch, 0, sizeof(arch));
    arch.counter = 1000000;
    arch.step = 1;
    word = 5;
    cpu = (struct xsc_cpu){.has = UINT32_MAX, .cpus = 2, .counter_trusted = true};
    ctx = (struct xsc_mech_ctx){&cpu, &clock_, 1};
    return 0;
}

static const struct xsc_watch unmet = {&word, 5, UINT32_MAX, 4, XSC_UNTIL_NOT};

static void store_now(void)
{
    word = 6;
}

static enum xsc_woke wait(const struct xsc_mechanism *m, uint64_t ticks)
{
    uint64_t at = arch.counter;

    arch.n = 0;
    arch.log[0] = '\0';
    return m->wait(&ctx, &unmet, at + ticks, &at);
}

/* present: what it says of that CPU; the reason contains `why` where it is not there. */
static void detects(const struct xsc_mechanism *m, enum xsc_presence presence, const char *why)
{
    const char *said = "";

    assert_int_equal(m->detect(&cpu, &said), presence);
    if (presence == XSC_PRESENT) {
        assert_string_equal(said, "");
    } else {
        unit_contains(said, why);
    }
}

/* A polling mechanism: looks, hints as often as told, and looks at the time now and then. */
static inline void polls(const struct xsc_mechanism *m)
{
    cpu.has = 0;
    cpu.counter_trusted = false;
    detects(m, XSC_PRESENT, "");
    assert_int_equal(m->traits, XSC_POLL);

    arch.step = 100;
    assert_int_equal(wait(m, 250), XSC_WOKE); /* the time is read at +100, +200 and +300 */
    assert_int_equal(arch.n, 3 * XSC_LOOKS_PER_TICK_READ);
    ctx.relaxes_per_look = 2;
    wait(m, 50);
    assert_int_equal(arch.n, 2 * XSC_LOOKS_PER_TICK_READ);
    store_now();
    assert_int_equal(wait(m, 1000000), XSC_WOKE_MET);
    assert_int_equal(arch.n, 0); /* met: neither a hint nor a look at the time */
}

static void generic_is_everywhere(void **state)
{
    (void)state;
    cpu = (struct xsc_cpu){0};
    detects(&xsc_mech_generic, XSC_PRESENT, "");
}

static void generic_yields_then_naps(void **state)
{
    (void)state;
    arch.step = 0;
    assert_int_equal(wait(&xsc_mech_generic, 1000000), XSC_WOKE);
    assert_int_equal(fake.yields, 32);
    assert_int_equal(fake.naps, 1);
    assert_int_equal(fake.longest_nap, 50000);
    fake.longest_nap = 0;
    wait(&xsc_mech_generic, 700); /* not past the deadline, if the OS keeps its word */
    assert_int_equal(fake.longest_nap, 700);
    wait(&xsc_mech_generic, 0);
    assert_int_equal(fake.naps, 2);
    fake.yields = 0;
    store_now();
    wait(&xsc_mech_generic, 1000000);
    assert_int_equal(fake.yields, 0);
    assert_int_equal(fake.naps, 2);
}

static void generic_looks_after_each_yield(void **state)
{
    (void)state;
    fake_store_at(fake.now + 3 * fake.yield_ns, &word, 4, 6);
    wait(&xsc_mech_generic, 1000000);
    assert_int_equal(fake.yields, 3);
    assert_int_equal(fake.naps, 0);
}

/* --------------------------------------------------------------------------------- x86 ---- */

#if defined(FAKE_X86)

static void umwait_needs_its_bit_and_the_tsc(void **state)
{
    static const struct xsc_mechanism *const both[] = {&xsc_mech_umwait, &xsc_mech_tpause};

    (void)state;
    for (size_t i = 0; i < LENGTH(both); i++) {
        setup(NULL);
        cpu.has = XSC_HAS_WAITPKG;
        detects(both[i], XSC_PRESENT, "");
        cpu.counter_trusted = false;
        detects(both[i], XSC_ABSENT, "TSC can't be trusted");
        cpu.has = UINT32_MAX & ~(uint32_t)XSC_HAS_WAITPKG;
        cpu.counter_trusted = true;
        detects(both[i], XSC_ABSENT, "this CPU does not have it");
        cpu.hypervisor = true;
        detects(both[i], XSC_ABSENT, "masked by the hypervisor");
        assert_true(both[i]->traits & XSC_MAY_FAULT);
        assert_true(both[i]->traits & XSC_DEADLINE);
    }
}

static void mwaitx_needs_its_bit_and_the_tsc(void **state)
{
    (void)state;
    cpu.has = XSC_HAS_MONITORX;
    detects(&xsc_mech_mwaitx, XSC_PRESENT, "");
    cpu.counter_trusted = false;
    detects(&xsc_mech_mwaitx, XSC_ABSENT, "TSC can't be trusted");
    cpu.has = UINT32_MAX & ~(uint32_t)XSC_HAS_MONITORX;
    cpu.counter_trusted = true;
    detects(&xsc_mech_mwaitx, XSC_ABSENT, "not an AMD CPU, or an older one");
    cpu.hypervisor = true;
    detects(&xsc_mech_mwaitx, XSC_ABSENT, "masked by the hypervisor");
    assert_true(xsc_mech_mwaitx.traits & XSC_MAY_FAULT);
}

static void pause_polls(void **state)
{
    (void)state;
    polls(&xsc_mech_pause);
}

static void umwait_arms_looks_and_waits(void **state)
{
    (void)state;
    const uint64_t deadline = arch.counter + 5000;

    assert_int_equal(wait(&xsc_mech_umwait, 5000), XSC_WOKE);
    assert_string_equal(arch.log, "mw");
    assert_ptr_equal(arch.word, &word);
    assert_int_equal(arch.deadline, deadline); /* absolute, in TSC ticks */
    arch.limit = true;
    assert_int_equal(wait(&xsc_mech_umwait, 5000), XSC_WOKE_LIMIT);
    arch.armed = store_now; /* before UMONITOR, or between it and the look */
    assert_int_equal(wait(&xsc_mech_umwait, 5000), XSC_WOKE_MET);
    assert_string_equal(arch.log, "m");
}

/* Bit 0 of MSR 0xE1 set means that C0.2 is not allowed; bit 0 of the operand asks for C0.1. */
static void umwait_asks_for_what_is_allowed(void **state)
{
    static const struct {
        bool known, c02;
        uint32_t state;
    } cases[] = {{false, false, 0}, {false, true, 0}, {true, true, 0}, {true, false, 1}};

    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        cpu.umwait_known = cases[i].known;
        cpu.umwait_c02 = cases[i].c02;
        wait(&xsc_mech_umwait, 5000);
        assert_int_equal(arch.state, cases[i].state);
    }
}

static void tpause_naps_until_its_deadline(void **state)
{
    (void)state;
    const uint64_t deadline = arch.counter + 2500;

    arch.step = 0;
    wait(&xsc_mech_tpause, 2500);
    assert_string_equal(arch.log, "ttt"); /* 1000, 1000, and what is left */
    assert_int_equal(arch.deadline, deadline);
    assert_int_equal(arch.state, 1);
    store_now();
    wait(&xsc_mech_tpause, 2500);
    assert_string_equal(arch.log, "");
}

static void mwaitx_counts_from_now_in_32_bits(void **state)
{
    (void)state;
    arch.step = 0;
    wait(&xsc_mech_mwaitx, 5000);
    assert_string_equal(arch.log, "MW");
    assert_ptr_equal(arch.word, &word);
    assert_int_equal(arch.deadline, 5000); /* relative */
    wait(&xsc_mech_mwaitx, UINT32_MAX);
    assert_int_equal(arch.deadline, UINT32_MAX);
    wait(&xsc_mech_mwaitx, (uint64_t)UINT32_MAX + 1);
    assert_int_equal(arch.deadline, UINT32_MAX);
    wait(&xsc_mech_mwaitx, (uint64_t)1 << 40);
    assert_int_equal(arch.deadline, UINT32_MAX);
    wait(&xsc_mech_mwaitx, 1);
    assert_int_equal(arch.deadline, 1);
    wait(&xsc_mech_mwaitx, 0); /* the manual does not specify a count of 0 */
    assert_string_equal(arch.log, "M");
    wait(&xsc_mech_mwaitx, (uint64_t)-5); /* past */
    assert_string_equal(arch.log, "M");
    arch.armed = store_now;
    wait(&xsc_mech_mwaitx, 5000);
    assert_string_equal(arch.log, "M");
}

/* ------------------------------------------------------------------------------- arm64 ---- */

#elif defined(FAKE_ARM64)

static void wfe_needs_the_event_stream(void **state)
{
    (void)state;
    cpu.has = XSC_HAS_EVTSTRM;
    detects(&xsc_mech_wfe, XSC_PRESENT, "");
    cpu.counter_trusted = false; /* it takes no deadline */
    detects(&xsc_mech_wfe, XSC_PRESENT, "");
    cpu.has = UINT32_MAX & ~(uint32_t)XSC_HAS_EVTSTRM;
    detects(&xsc_mech_wfe, XSC_ABSENT, "no event stream");
    assert_int_equal(xsc_mech_wfe.traits, XSC_MONITOR);
}

static void wfet_needs_its_bit_and_the_counter(void **state)
{
    (void)state;
    cpu.has = XSC_HAS_WFXT;
    detects(&xsc_mech_wfet, XSC_PRESENT, "");
    cpu.counter_trusted = false;
    detects(&xsc_mech_wfet, XSC_ABSENT, "can't be trusted");
    cpu.counter_trusted = true;
    cpu.has = UINT32_MAX & ~(uint32_t)XSC_HAS_WFXT;
    detects(&xsc_mech_wfet, XSC_ABSENT, "HWCAP2_WFXT clear");
    assert_true(xsc_mech_wfet.traits & XSC_MAY_FAULT);
    assert_true(xsc_mech_wfet.traits & XSC_DEADLINE);
}

static void isb_and_yield_poll(void **state)
{
    (void)state;
    polls(&xsc_mech_isb);
    setup(NULL);
    polls(&xsc_mech_yield);
}

/* LDAXR arms, and the value it loaded is judged: a store after it is what ends the WFE. */
static void wfe_arms_judges_and_waits(void **state)
{
    (void)state;
    wait(&xsc_mech_wfe, 5000);
    assert_string_equal(arch.log, "lw");
    assert_ptr_equal(arch.word, &word);
    assert_int_equal(arch.size, 4);
    arch.armed = store_now;
    wait(&xsc_mech_wfe, 5000);
    assert_string_equal(arch.log, "lw");
    wait(&xsc_mech_wfe, 5000); /* and now it is met */
    assert_string_equal(arch.log, "l");
}

static void wfet_hands_its_deadline_on(void **state)
{
    (void)state;
    const uint64_t deadline = arch.counter + 5000;

    wait(&xsc_mech_wfet, 5000);
    assert_string_equal(arch.log, "lW");
    assert_int_equal(arch.deadline, deadline);
    store_now();
    wait(&xsc_mech_wfet, 5000);
    assert_string_equal(arch.log, "l");
}

static void the_exclusive_load_has_the_words_size(void **state)
{
    static const uint64_t wide = 1;

    (void)state;
    for (uint32_t size = 1; size <= 8; size *= 2) {
        const struct xsc_watch w = {&wide, 1, UINT64_MAX, size, XSC_UNTIL_NOT};

        uint64_t at = 0;

        xsc_mech_wfe.wait(&ctx, &w, 0, &at);
        assert_int_equal(arch.size, size);
        xsc_mech_wfet.wait(&ctx, &w, 0, &at);
        assert_int_equal(arch.size, size);
    }
}

/* --------------------------------------------------------------------------------- arm ---- */

#elif defined(FAKE_ARM)

static void wfe_is_for_writers_that_send(void **state)
{
    (void)state;
    cpu.has = XSC_HAS_EVTSTRM;
    detects(&xsc_mech_wfe_armv7, XSC_PRESENT, "");
    cpu.has = UINT32_MAX & ~(uint32_t)XSC_HAS_EVTSTRM;
    detects(&xsc_mech_wfe_armv7, XSC_ABSENT, "no event stream");
    assert_true(xsc_mech_wfe_armv7.traits & XSC_NEEDS_WAKE);
    wait(&xsc_mech_wfe_armv7, 5000);
    assert_string_equal(arch.log, "lw");
    xsc_mech_wfe_armv7.wake();
    assert_string_equal(arch.log, "lws");
    store_now();
    wait(&xsc_mech_wfe_armv7, 5000);
    assert_string_equal(arch.log, "l");
}

static void yield_polls(void **state)
{
    (void)state;
    polls(&xsc_mech_yield);
}

/* ------------------------------------------------------------------------------- riscv ---- */

#elif defined(FAKE_RISCV64)

static void wrs_is_present_or_uncertain(void **state)
{
    (void)state;
    cpu.has = XSC_HAS_ZAWRS;
    detects(&xsc_mech_wrs, XSC_PRESENT, "");
    cpu.has = UINT32_MAX & ~(uint32_t)XSC_HAS_ZAWRS;
    cpu.unknown = XSC_HAS_ZAWRS;
    detects(&xsc_mech_wrs, XSC_UNCERTAIN, "no riscv_hwprobe to ask");
    cpu.unknown = UINT32_MAX & ~(uint32_t)XSC_HAS_ZAWRS;
    detects(&xsc_mech_wrs, XSC_UNCERTAIN, "does not report Zawrs");
    assert_true(xsc_mech_wrs.traits & XSC_MAY_FAULT);
    assert_false(xsc_mech_wrs.traits & XSC_DEADLINE);
}

static void pause_polls(void **state)
{
    (void)state;
    polls(&xsc_mech_pause); /* a hint that any CPU decodes: Zihintpause or not */
}

/* The reservation's value is not used: the look must come after it. */
static void wrs_reserves_looks_and_waits(void **state)
{
    (void)state;
    wait(&xsc_mech_wrs, 5000);
    assert_string_equal(arch.log, "lw");
    assert_ptr_equal(arch.word, &word);
    assert_int_equal(arch.size, 4);
    arch.armed = store_now;
    wait(&xsc_mech_wrs, 5000);
    assert_string_equal(arch.log, "l");
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(generic_is_everywhere, setup),
        cmocka_unit_test_setup(generic_yields_then_naps, setup),
        cmocka_unit_test_setup(generic_looks_after_each_yield, setup),
#if defined(FAKE_X86)
        cmocka_unit_test_setup(umwait_needs_its_bit_and_the_tsc, setup),
        cmocka_unit_test_setup(mwaitx_needs_its_bit_and_the_tsc, setup),
        cmocka_unit_test_setup(pause_polls, setup),
        cmocka_unit_test_setup(umwait_arms_looks_and_waits, setup),
        cmocka_unit_test_setup(umwait_asks_for_what_is_allowed, setup),
        cmocka_unit_test_setup(tpause_naps_until_its_deadline, setup),
        cmocka_unit_test_setup(mwaitx_counts_from_now_in_32_bits, setup),
#elif defined(FAKE_ARM64)
        cmocka_unit_test_setup(wfe_needs_the_event_stream, setup),
        cmocka_unit_test_setup(wfet_needs_its_bit_and_the_counter, setup),
        cmocka_unit_test_setup(isb_and_yield_poll, setup),
        cmocka_unit_test_setup(wfe_arms_judges_and_waits, setup),
        cmocka_unit_test_setup(wfet_hands_its_deadline_on, setup),
        cmocka_unit_test_setup(the_exclusive_load_has_the_words_size, setup),
#elif defined(FAKE_ARM)
        cmocka_unit_test_setup(wfe_is_for_writers_that_send, setup),
        cmocka_unit_test_setup(yield_polls, setup),
#elif defined(FAKE_RISCV64)
        cmocka_unit_test_setup(wrs_is_present_or_uncertain, setup),
        cmocka_unit_test_setup(pause_polls, setup),
        cmocka_unit_test_setup(wrs_reserves_looks_and_waits, setup),
#endif
    };

    return cmocka_run_group_tests_name("detect on " XSC_ARCH_NAME, tests, NULL, NULL);
}
