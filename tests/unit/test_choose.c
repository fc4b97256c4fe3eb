/* SPDX-License-Identifier: MIT */
/* xsc_engine_choose(): which mechanism is taken, and what is said about it. C3. */
#include "tests/unit/unit.h"

#include "core/health.h"
#include "core/mechanism.h"
#include "core/wait.h"
#include "tests/unit/fake_mech.h"
#include "tests/unit/fake_port.h"

static struct xsc_engine e;

/* The order of an imaginary architecture: two monitors, PAUSE, a nap, an oddity, GENERIC. */
static int setup(void **state)
{
    (void)state;
    fake_reset();
    fake_mechs_reset();
    fake_mech[0].name = "UMWAIT";
    fake_mech[1].name = "MWAITX";
    fake_mech[2].name = "PAUSE";
    fake_mech_polls(2);
    fake_mech[3].name = "TPAUSE";
    fake_mech[3].traits = XSC_POLL | XSC_DEADLINE | XSC_MAY_FAULT;
    fake_mech[4].name = "WFE";
    fake_mech[4].traits = XSC_MONITOR | XSC_NEEDS_WAKE;
    fake_mech[5].name = "GENERIC";
    fake_mech[5].traits = XSC_POLL | XSC_LEAVES_CPU;
    fake_engine(&e, 0, 2);

    const struct xsc_mechanism *const *table = e.table;

    e = (struct xsc_engine){0};
    e.table = table;
    e.n_mechs = FAKE_MECHS;
    return 0;
}

#define MS 1000000u

static const char *asks_nothing(void)
{
    return NULL;
}

static void chose(const char *asked, enum xsc_chose how, const char *primary, const char *fallback)
{
    assert_int_equal(xsc_engine_choose(&e, asked), how);
    assert_int_not_equal(e.chosen, 0);
    assert_string_equal(e.mech[XSC_PRIMARY(e.chosen)].mech->name, primary);
    assert_string_equal(e.mech[XSC_FALLBACK(e.chosen)].mech->name, fallback);
    assert_int_equal(e.manager, 0);
}

/* ---------------------------------------------------------------- without being asked ---- */

static void the_best_that_passes(void **state)
{
    (void)state;
    chose(NULL, XSC_CHOSE, "UMWAIT", "PAUSE");
    assert_int_equal(e.mech[0].state, XSC_STATE_ACTIVE);
    assert_int_equal(e.mech[1].state, XSC_STATE_CANDIDATE); /* not needed, so not tried */
    assert_string_equal(xsc_reason(&e.mech[1]), "not tried yet");
    assert_int_equal(fake_script[1].waits, 0);
    assert_true(e.mech[2].tried); /* the fallback is, for its numbers */
    assert_int_equal(e.mech[2].state, XSC_STATE_ACTIVE);
    assert_int_equal(fake_script[3].waits + fake_script[4].waits + fake_script[5].waits, 0);
    assert_string_equal(xsc_said(&e.choice_reason), "the best here that passed its trial");
    assert_false(e.asked_refused);
    assert_int_equal(fake.says, 0);
    assert_int_equal(e.health.next_ns, 0);
}

static void absent_ones_are_skipped(void **state)
{
    (void)state;
    fake_script[0].presence = XSC_ABSENT;
    fake_script[0].why = "CPUID bit clear";
    chose(NULL, XSC_CHOSE, "MWAITX", "PAUSE");
    assert_int_equal(e.mech[0].state, XSC_STATE_FAILED);
    assert_string_equal(xsc_reason(&e.mech[0]), "CPUID bit clear");
    assert_int_equal(fake_script[0].waits, 0);
    assert_int_equal(fake.says, 0); /* no user asked for it */
}

static void failing_ones_are_skipped(void **state)
{
    (void)state;
    fake_script[0].miss_every = 1;
    chose(NULL, XSC_CHOSE, "MWAITX", "PAUSE");
    assert_int_equal(e.mech[0].state, XSC_STATE_FAILED);
    assert_int_equal(e.mech[0].verdict, XSC_BROKEN);
    unit_contains(xsc_reason(&e.mech[0]), "did not end the wait");

    setup(NULL);
    fake_script[0].wake_ns = 30000;
    chose(NULL, XSC_CHOSE, "MWAITX", "PAUSE");
    assert_int_equal(e.mech[0].verdict, XSC_SLOW);
}

static void sleepless_ones_are_not_preferred(void **state)
{
    (void)state;
    fake_script[0].rest_ns = 30;
    fake_script[1].rest_ns = 2000;
    chose(NULL, XSC_CHOSE, "PAUSE", "PAUSE");
    assert_int_equal(e.mech[0].verdict, XSC_NO_SLEEP);
    assert_int_equal(e.mech[0].state, XSC_STATE_ACTIVE);
    assert_string_equal(xsc_said(&e.choice_reason), "nothing better here passed");
}

static void unproven_ones_wait_for_their_turn(void **state)
{
    (void)state;
    fake.peer_trouble = "no thread could be started";
    chose(NULL, XSC_CHOSE, "PAUSE", "PAUSE");
    assert_int_equal(e.mech[0].state, XSC_STATE_CANDIDATE);
    assert_int_equal(e.mech[0].setbacks, 1);
    assert_int_equal(e.mech[1].setbacks, 1);
}

/* riscv64, where the kernel can't say whether there is a WRS. */
static void uncertain_ones_are_tried_only_by_name(void **state)
{
    (void)state;
    fake_script[0].presence = XSC_UNCERTAIN;
    fake_script[0].why = "nobody to ask";
    chose(NULL, XSC_CHOSE, "MWAITX", "PAUSE");
    assert_int_equal(fake_script[0].waits, 0);
    assert_int_equal(fake.tries, 1); /* MWAITX's */
    assert_int_equal(e.mech[0].state, XSC_STATE_CANDIDATE);
    assert_string_equal(xsc_reason(&e.mech[0]), "nobody to ask");

    setup(NULL);
    fake_script[0].presence = XSC_UNCERTAIN;
    chose("umwait", XSC_CHOSE, "UMWAIT", "PAUSE");
}

static void a_mechanism_that_needs_wakes_is_never_chosen(void **state)
{
    (void)state;
    fake_mech[0].traits |= XSC_NEEDS_WAKE;
    chose(NULL, XSC_CHOSE, "MWAITX", "PAUSE");
    assert_int_equal(fake_script[0].waits, 0);
}

static void a_slow_fallback_gives_way_to_the_next(void **state)
{
    (void)state;
    fake_script[2].enter_ns = 6000;
    chose(NULL, XSC_CHOSE, "UMWAIT", "GENERIC"); /* TPAUSE may fault: no fallback */
    assert_int_equal(e.mech[2].state, XSC_STATE_FAILED);
    assert_int_equal(fake_script[3].waits, 0);
}

static void with_nothing_that_passes_something_is_used(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < FAKE_MECHS; i++) {
        fake_script[i].enter_ns = 6000;
    }
    chose(NULL, XSC_CHOSE, "GENERIC", "GENERIC");
    assert_int_equal(e.mech[5].state, XSC_STATE_ACTIVE);
    assert_string_equal(xsc_reason(&e.mech[5]), "the last resort: nothing here passed");
}

static void one_cpu_is_left_to_the_waker(void **state)
{
    (void)state;
    fake.cpu.cpus = 1;
    chose(NULL, XSC_CHOSE, "GENERIC", "GENERIC"); /* and there is nothing to roll back to */
    assert_int_equal(e.mech[5].state, XSC_STATE_ACTIVE);
    assert_string_equal(xsc_said(&e.choice_reason), "one CPU to run on: whoever wakes us needs it");
    assert_int_equal(fake_script[0].waits, 0);
}

static void one_cpu_and_late_naps(void **state)
{
    (void)state;
    fake.cpu.cpus = 1;
    fake_script[5].exit_ns = 4000000; /* the OS gives the CPU back when it likes */
    chose(NULL, XSC_CHOSE, "GENERIC", "GENERIC");
    assert_int_equal(e.mech[5].state, XSC_STATE_ACTIVE);
    assert_int_equal(e.mech[5].late_ns, UINT64_MAX);
}

static void an_unknown_number_of_cpus_is_many(void **state)
{
    (void)state;
    fake.cpu.cpus = 0;
    chose(NULL, XSC_CHOSE, "UMWAIT", "PAUSE");
}

/* The first wait ends: with what remains, and saying why. */
static void with_a_clock_that_stands_still(void **state)
{
    (void)state;
    for (int trusted = 0; trusted < 2; trusted++) {
        setup(NULL);
        fake.still = true;
        fake.cpu.counter_trusted = trusted;
        assert_int_equal(xsc_engine_choose(&e, NULL), XSC_CHOSE);
        unit_contains(e.clock.source, "stands still");
        uint32_t word = 0;
        const struct xsc_watch w = {&word, 0, UINT32_MAX, 4, XSC_UNTIL_NOT};

        assert_int_equal(xsc_core_wait(&e, &w, 20 * MS, asks_nothing), XSC_TIMED_OUT);
        fake_store_at(fake.now + MS, &word, 4, 1);
        assert_int_equal(xsc_core_wait(&e, &w, XSC_FOREVER, asks_nothing), XSC_MET);
    }
}

static void cpus_are(uint32_t n, const char *primary, const char *fallback)
{
    xsc_engine_cpus(&e, n);
    assert_int_equal(e.cpu.cpus, n);
    assert_string_equal(e.mech[XSC_PRIMARY(e.chosen)].mech->name, primary);
    assert_string_equal(e.mech[XSC_FALLBACK(e.chosen)].mech->name, fallback);
    assert_int_equal(e.manager, 0);
}

static void cpus_come_and_go(void **state)
{
    (void)state;
    xsc_engine_cpus(&e, 1); /* nothing is chosen yet */
    assert_int_equal(e.chosen, 0);
    chose(NULL, XSC_CHOSE, "UMWAIT", "PAUSE");
    cpus_are(1, "GENERIC", "GENERIC");
    const uint64_t waits = fake_script[0].waits + fake_script[2].waits;

    cpus_are(2, "UMWAIT", "PAUSE");
    cpus_are(64, "UMWAIT", "PAUSE");
    assert_int_equal(fake_script[0].waits + fake_script[2].waits, waits); /* proven already */
    assert_string_equal(xsc_said(&e.choice_reason), "the best here that passed its trial");
    xsc_roll_back(&e, fake.now, "lost wake-ups");
    cpus_are(1, "GENERIC", "GENERIC");
    cpus_are(2, "MWAITX", "PAUSE"); /* not what has failed */
    assert_true(xsc_manager_lock(&e));
    xsc_engine_cpus(&e, 1); /* another has the lock: told again, in a while */
    assert_int_equal(e.cpu.cpus, 2);
    xsc_manager_unlock(&e);
    cpus_are(1, "GENERIC", "GENERIC");
}

static void one_cpu_and_then_more(void **state)
{
    (void)state;
    fake.cpu.cpus = 1;
    chose(NULL, XSC_CHOSE, "GENERIC", "GENERIC");
    cpus_are(2, "UMWAIT", "PAUSE");
}

static void what_was_asked_for_stays_on_one_cpu(void **state)
{
    (void)state;
    chose("MWAITX", XSC_CHOSE, "MWAITX", "PAUSE");
    cpus_are(1, "MWAITX", "GENERIC");
    cpus_are(2, "MWAITX", "PAUSE");
}

/* --------------------------------------------------------------------------- being asked ---- */

static void by_name_in_any_case(void **state)
{
    static const char *const names[] = {"mwaitx", "MWAITX", "MwAiTx"};

    (void)state;
    for (size_t i = 0; i < LENGTH(names); i++) {
        setup(NULL);
        chose(names[i], XSC_CHOSE, "MWAITX", "PAUSE");
        assert_int_equal(fake_script[0].waits, 0); /* the better one is not even tried */
        assert_string_equal(xsc_said(&e.choice_reason), "asked for by name");
        assert_false(e.asked_refused);
        assert_int_equal(fake.says, 0);
    }
}

static void names_are_whole(void **state)
{
    static const char *const names[] = {"",  " ",     "umwai",    "umwaitx", "umwait ",
                                        "u", "mwait", "UMWAIT\n", "{mwait"};

    (void)state;
    for (size_t i = 0; i < LENGTH(names); i++) {
        assert_int_equal(xsc_engine_find(&e, names[i]), -1);
    }
    assert_int_equal(xsc_engine_find(&e, "umwait"), 0);
    assert_int_equal(xsc_engine_find(&e, "generic"), 5);
}

static void every_one_can_be_asked_for(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < FAKE_MECHS; i++) {
        setup(NULL);
        if (!(fake_mech[i].traits & XSC_NEEDS_WAKE)) {
            chose(fake_mech[i].name, XSC_CHOSE, fake_mech[i].name, "PAUSE");
        }
    }
}

static void unknown_names_are_refused_with_a_list(void **state)
{
    (void)state;
    chose("umwiat", XSC_CHOSE_UNKNOWN, "UMWAIT", "PAUSE");
    assert_true(e.asked_refused);
    assert_string_equal(e.refusal, "\"umwiat\" is not known here; known are UMWAIT, MWAITX, PAUSE, "
                                   "TPAUSE, WFE, GENERIC");
    assert_int_equal(fake.says, 1);
    assert_string_equal(fake.line[0],
                        "xsc-wait: mechanism \"umwiat\" is not known here; known are UMWAIT, "
                        "MWAITX, PAUSE, TPAUSE, WFE, GENERIC; using UMWAIT");
}

/* The name goes to a terminal: no more of it than a name has, and nothing that isn't text. */
static void absurdly_long_names_are_cut(void **state)
{
    static char name[5000];

    (void)state;
    memset(name, 'x', sizeof(name) - 1);
    name[1] = '\n';
    name[2] = '\x1b';
    chose(name, XSC_CHOSE_UNKNOWN, "UMWAIT", "PAUSE");
    assert_ptr_equal(strstr(e.refusal, "\"x??xxxxxxxxxxxxxxxxxxxxxxxxxxxxx\" is not known"),
                     e.refusal);
    assert_int_equal(fake.says, 1);
    unit_contains(fake.line[0], "; using UMWAIT");
}

static void an_absent_one_is_refused(void **state)
{
    (void)state;
    fake_script[0].presence = XSC_ABSENT;
    fake_script[0].why = "CPUID bit WAITPKG clear";
    chose("umwait", XSC_CHOSE_OTHER, "MWAITX", "PAUSE");
    assert_true(e.asked_refused);
    assert_string_equal(e.refusal, "\"umwait\" can't be used: CPUID bit WAITPKG clear");
    assert_int_equal(fake.says, 1);
    assert_string_equal(
        fake.line[0],
        "xsc-wait: mechanism \"umwait\" can't be used: CPUID bit WAITPKG clear; using MWAITX");
    assert_int_equal(fake_script[0].waits, 0); /* never SIGILL */
}

static void a_faulting_one_is_refused(void **state)
{
    (void)state;
    fake.try_result = 4; /* whatever may fault, does */
    chose("umwait", XSC_CHOSE_OTHER, "PAUSE", "PAUSE");
    assert_string_equal(
        e.refusal, "\"umwait\" can't be used: executing it raised signal 4 (illegal instruction)");
    assert_int_equal(fake.says, 1);
    assert_int_equal(e.mech[0].state, XSC_STATE_FAILED);
    assert_int_equal(fake_script[0].waits, 0);
}

static void one_that_misses_stores_is_refused(void **state)
{
    (void)state;
    fake_script[1].miss_every = 1;
    chose("mwaitx", XSC_CHOSE_OTHER, "UMWAIT", "PAUSE");
    unit_contains(e.refusal, "stores by another CPU did not end the wait");
}

static void one_that_needs_wakes_is_refused(void **state)
{
    (void)state;
    chose("wfe", XSC_CHOSE_OTHER, "UMWAIT", "PAUSE");
    assert_int_equal(e.mech[4].state, XSC_STATE_FAILED);
    assert_string_equal(e.refusal, "\"wfe\" can't be used: ends only for writers that send an "
                                   "event: for locks, not for a plain store");
    assert_int_equal(fake_script[4].waits, 0);
}

static void a_slow_one_is_used_if_asked_for(void **state)
{
    (void)state;
    fake_script[0].wake_ns = 30000;
    chose("umwait", XSC_CHOSE, "UMWAIT", "PAUSE");
    assert_int_equal(e.mech[0].state, XSC_STATE_ACTIVE);
    unit_contains(xsc_reason(&e.mech[0]), "used because it was asked for");
}

static void a_sleepless_one_is_used_if_asked_for(void **state)
{
    (void)state;
    fake_script[0].rest_ns = 30;
    chose("umwait", XSC_CHOSE, "UMWAIT", "PAUSE");
    assert_int_equal(e.mech[0].state, XSC_STATE_ACTIVE);
    unit_contains(xsc_reason(&e.mech[0]), "does not sleep");
}

static void an_unproven_one_is_used_if_asked_for(void **state)
{
    (void)state;
    fake.cpu.cpus = 1;
    fake.peer_trouble = "only one CPU to run on";
    chose("umwait", XSC_CHOSE, "UMWAIT", "GENERIC");
}

/* ---------------------------------------------------------------------- asked once more ---- */

static void a_choice_is_made_once(void **state)
{
    (void)state;
    chose(NULL, XSC_CHOSE, "UMWAIT", "PAUSE");
    const uint64_t waits = fake_script[0].waits + fake_script[2].waits;

    chose(NULL, XSC_CHOSE, "UMWAIT", "PAUSE");
    chose("umwait", XSC_CHOSE, "UMWAIT", "PAUSE");
    chose("mwaitx", XSC_CHOSE_EARLIER, "UMWAIT", "PAUSE");
    chose("pause", XSC_CHOSE_EARLIER, "UMWAIT", "PAUSE");
    chose("nonsense", XSC_CHOSE_UNKNOWN, "UMWAIT", "PAUSE");
    assert_int_equal(fake_script[0].waits + fake_script[2].waits, waits);
    assert_int_equal(fake.says, 0);
}

static void what_was_refused_is_refused_again(void **state)
{
    (void)state;
    fake_script[0].presence = XSC_ABSENT;
    chose("umwait", XSC_CHOSE_OTHER, "MWAITX", "PAUSE");
    chose("umwait", XSC_CHOSE_OTHER, "MWAITX", "PAUSE");
    assert_int_equal(fake.says, 1); /* but said once */
}

static void busy_while_another_chooses(void **state)
{
    (void)state;
    assert_true(xsc_manager_lock(&e));
    assert_int_equal(xsc_engine_choose(&e, NULL), XSC_CHOSE_BUSY);
    assert_int_equal(xsc_engine_choose(&e, "umwait"), XSC_CHOSE_BUSY);
    assert_int_equal(e.chosen, 0);
    assert_int_equal(e.manager, fake.process);
    assert_int_equal(fake_script[0].waits, 0);
}

static void another_chooses(void)
{
    fake.on_process = NULL;
    assert_int_equal(xsc_engine_choose(&e, "mwaitx"), XSC_CHOSE);
}

/* Made by another thread between our look at the choice and our getting the lock. */
static void a_choice_just_made_is_kept(void **state)
{
    (void)state;
    fake.on_process = another_chooses;
    chose("umwait", XSC_CHOSE_EARLIER, "MWAITX", "PAUSE");
    assert_int_equal(fake_script[0].waits, 0);
}

/* ... and it is done, but still holds the lock, when we try to get it. */
static void another_chooses_and_keeps_the_lock(void)
{
    another_chooses();
    e.manager = fake.process;
}

static void a_choice_made_under_a_lock_still_held(void **state)
{
    (void)state;
    fake.on_process = another_chooses_and_keeps_the_lock;
    assert_int_equal(xsc_engine_choose(&e, "mwaitx"), XSC_CHOSE);
    assert_int_equal(e.manager, fake.process); /* not ours to give back */
}

/* ---------------------------------------------------------------------------- the facts ---- */

static void the_clock_and_the_spin_are_measured(void **state)
{
    static const struct {
        uint64_t step_ns; /* of one reading: all that 256 spin hints take in the fake world */
        uint32_t looks, relaxes;
    } cases[] = {
        {1, 100, 10},   /* hints that take hardly any time: as many as allowed */
        {2560, 90, 1},  /* 10 ns each: 11 ns a look */
        {25600, 9, 1},  /* 100 ns */
        {256000, 8, 1}, /* a microsecond: a few looks all the same */
        {1024, 100, 1}, /* 4 ns: 200 looks would fit; two hints take 8 ns and a bit */
        {512, 100, 3},  /* 2 ns */
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        setup(NULL);
        fake.cpu.counter_trusted = false; /* so that calibration takes no steps */
        fake.step = cases[i].step_ns;
        assert_int_equal(xsc_engine_choose(&e, "pause"), XSC_CHOSE);
        assert_int_equal(e.relax_ps, cases[i].step_ns * 1000 / 256);
        assert_int_equal(e.tight_looks, cases[i].looks);
        assert_int_equal(e.ctx.relaxes_per_look, cases[i].relaxes);
    }
}

static void a_distrusted_counter_is_told_to_the_mechanisms(void **state)
{
    (void)state;
    fake.hz = 0; /* stands still, whatever the CPU says of it */
    chose(NULL, XSC_CHOSE, "UMWAIT", "PAUSE");
    assert_false(e.cpu.counter_trusted);
    assert_false(e.clock.hardware);
    assert_ptr_equal(e.ctx.clock, &e.clock);
    assert_ptr_equal(e.ctx.cpu, &e.cpu);
}

static void states_have_names(void **state)
{
    static const char *const names[] = {"CANDIDATE", "VALIDATING", "ACTIVE", "DEGRADED", "FAILED"};

    (void)state;
    for (uint32_t i = 0; i < LENGTH(names); i++) {
        assert_string_equal(xsc_state_name(i), names[i]);
    }
    assert_string_equal(xsc_state_name(5), "?");
    assert_string_equal(xsc_state_name(UINT32_MAX), "?");
}

static void reasons_are_written_beside_and_then_switched_to(void **state)
{
    struct xsc_mech_state *m = &e.mech[0];

    (void)state;
    xsc_set_state(m, XSC_STATE_ACTIVE, "one");
    const char *one = xsc_reason(m);

    xsc_set_state(m, XSC_STATE_FAILED, "two");
    assert_string_equal(one, "one"); /* a reader that holds it still can */
    assert_string_equal(xsc_reason(m), "two");
    assert_int_equal(m->state, XSC_STATE_FAILED);
    char text[400];

    memset(text, 'y', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    xsc_set_state(m, XSC_STATE_FAILED, text);
    assert_int_equal(strlen(xsc_reason(m)), XSC_REASON_SIZE - 1);
}

/* The real table of this architecture, in the fake world. */
static void the_real_table_has_a_fallback(void **state)
{
    (void)state;
    fake.cpu.has = 0;
    e = (struct xsc_engine){0};
    xsc_engine_defaults(&e);
    assert_in_range(e.n_mechs, 1, XSC_MAX_MECHANISMS);
    assert_int_equal(xsc_engine_find(&e, "GENERIC"), (int)e.n_mechs - 1);
    for (uint32_t i = 0; i < e.n_mechs; i++) {
        assert_int_equal(xsc_engine_find(&e, e.table[i]->name), (int)i);
        assert_int_equal(!(e.table[i]->traits & XSC_MONITOR) + !(e.table[i]->traits & XSC_POLL), 1);
        assert_int_equal(e.table[i]->rest_ns != 0, (e.table[i]->traits & XSC_MONITOR) != 0);
        assert_int_equal(e.table[i]->wake != NULL, (e.table[i]->traits & XSC_NEEDS_WAKE) != 0);
    }
    assert_int_equal(xsc_engine_choose(&e, NULL), XSC_CHOSE);
    const struct xsc_mechanism *fallback = e.mech[XSC_FALLBACK(e.chosen)].mech;

    assert_true(fallback->traits & XSC_POLL);
    assert_false(fallback->traits & XSC_MAY_FAULT);
}

static void what_was_asked_for_is_not_overruled(void **state)
{
    (void)state;
    chose("pause", XSC_CHOSE, "PAUSE", "PAUSE");
    fake.peer_trouble = "no thread could be started";
    assert_true(xsc_engine_try(&e, 0, &xsc_short_plan)); /* by a probe: unproven, a setback */
    fake.peer_trouble = NULL;
    xsc_health_check(&e, fake.now);
    xsc_health_check(&e, fake.now + 200000000000u);
    assert_string_equal(e.mech[XSC_PRIMARY(e.chosen)].mech->name, "PAUSE");
}

static void what_was_asked_for_comes_back(void **state)
{
    (void)state;
    chose("mwaitx", XSC_CHOSE, "MWAITX", "PAUSE");
    xsc_roll_back(&e, fake.now, "bad");
    e.mech[0].setbacks = 1;
    xsc_health_check(&e, fake.now);
    xsc_health_check(&e, fake.now + 200000000000u);
    assert_string_equal(e.mech[XSC_PRIMARY(e.chosen)].mech->name, "MWAITX");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_best_that_passes, setup),
        cmocka_unit_test_setup(absent_ones_are_skipped, setup),
        cmocka_unit_test_setup(failing_ones_are_skipped, setup),
        cmocka_unit_test_setup(sleepless_ones_are_not_preferred, setup),
        cmocka_unit_test_setup(unproven_ones_wait_for_their_turn, setup),
        cmocka_unit_test_setup(uncertain_ones_are_tried_only_by_name, setup),
        cmocka_unit_test_setup(a_mechanism_that_needs_wakes_is_never_chosen, setup),
        cmocka_unit_test_setup(a_slow_fallback_gives_way_to_the_next, setup),
        cmocka_unit_test_setup(with_nothing_that_passes_something_is_used, setup),
        cmocka_unit_test_setup(one_cpu_is_left_to_the_waker, setup),
        cmocka_unit_test_setup(one_cpu_and_late_naps, setup),
        cmocka_unit_test_setup(an_unknown_number_of_cpus_is_many, setup),
        cmocka_unit_test_setup(cpus_come_and_go, setup),
        cmocka_unit_test_setup(with_a_clock_that_stands_still, setup),
        cmocka_unit_test_setup(one_cpu_and_then_more, setup),
        cmocka_unit_test_setup(what_was_asked_for_stays_on_one_cpu, setup),
        cmocka_unit_test_setup(by_name_in_any_case, setup),
        cmocka_unit_test_setup(names_are_whole, setup),
        cmocka_unit_test_setup(every_one_can_be_asked_for, setup),
        cmocka_unit_test_setup(unknown_names_are_refused_with_a_list, setup),
        cmocka_unit_test_setup(absurdly_long_names_are_cut, setup),
        cmocka_unit_test_setup(an_absent_one_is_refused, setup),
        cmocka_unit_test_setup(a_faulting_one_is_refused, setup),
        cmocka_unit_test_setup(one_that_misses_stores_is_refused, setup),
        cmocka_unit_test_setup(one_that_needs_wakes_is_refused, setup),
        cmocka_unit_test_setup(a_slow_one_is_used_if_asked_for, setup),
        cmocka_unit_test_setup(a_sleepless_one_is_used_if_asked_for, setup),
        cmocka_unit_test_setup(an_unproven_one_is_used_if_asked_for, setup),
        cmocka_unit_test_setup(a_choice_is_made_once, setup),
        cmocka_unit_test_setup(what_was_refused_is_refused_again, setup),
        cmocka_unit_test_setup(busy_while_another_chooses, setup),
        cmocka_unit_test_setup(a_choice_just_made_is_kept, setup),
        cmocka_unit_test_setup(a_choice_made_under_a_lock_still_held, setup),
        cmocka_unit_test_setup(the_clock_and_the_spin_are_measured, setup),
        cmocka_unit_test_setup(a_distrusted_counter_is_told_to_the_mechanisms, setup),
        cmocka_unit_test_setup(states_have_names, setup),
        cmocka_unit_test_setup(reasons_are_written_beside_and_then_switched_to, setup),
        cmocka_unit_test_setup(the_real_table_has_a_fallback, setup),
        cmocka_unit_test_setup(what_was_asked_for_is_not_overruled, setup),
        cmocka_unit_test_setup(what_was_asked_for_comes_back, setup),
    };

    return cmocka_run_group_tests_name("choose", tests, NULL, NULL);
}
