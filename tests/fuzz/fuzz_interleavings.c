/* SPDX-License-Identifier: MIT */
/*
 * fuzz_interleavings.c - locks and parking, thread against thread, programs and order from the input
 *
 * The code itself, as in tests/unit/test_interleavings.c, which is included: that goes through all
 * orders near the plain one of some chosen programs, this through some orders of any programs.
 */
#define _GNU_SOURCE
#include "tests/fuzz/fuzz.h"

static unsigned decide(unsigned of);
#define IL_DECIDE decide
#define main unit_main
#include "tests/unit/test_interleavings.c"
#undef main

#define MAX_STEPS 3

static struct bytes input;
static struct {
    uint8_t kind, steps, what[IL_THREADS][MAX_STEPS];
} program;

/* Half of the time: go on. */
static unsigned decide(unsigned of)
{
    const uint8_t choice = next_byte(&input);

    return choice < 128 ? 0 : (choice - 128u) % of;
}

static void mutex_step(unsigned me, uint8_t what)
{
    switch (what % 4) {
    case 0:
        if (xsc_mutex_trylock(&mutex)) {
            return;
        }
        break;
    case 1:
        if (xsc_mutex_lock_for(&mutex, 1000)) {
            return;
        }
        break;
    case 2:
        if (xsc_mutex_lock_for(&mutex, 2 * PATIENCE_NS)) {
            return;
        }
        break;
    default:
        xsc_mutex_lock(&mutex);
    }
    critical(me);
    xsc_mutex_unlock(&mutex);
}

static void run_program(unsigned me)
{
    for (unsigned i = 0; i < program.steps; i++) {
        switch (program.kind) {
        case 0:
            use_queue(me);
            break;
        case 1:
            use_ticket(me);
            break;
        case 2:
            if (i == 0) {
                use_park(me);
            }
            break;
        default:
            mutex_step(me, program.what[me][i]);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    input = (struct bytes){data, size};
    const uint8_t how = next_byte(&input);

    program.kind = how % 8;
    program.steps = 1 + next_byte(&input) % MAX_STEPS;
    for (unsigned t = 0; t < IL_THREADS; t++) {
        for (unsigned i = 0; i < program.steps; i++) {
            program.what[t][i] = next_byte(&input);
        }
    }
    impatient = how & 8;
    barrier_kind = how & 16 ? XSC_PARK_SEQ_CST : XSC_PARK_ASYMMETRIC;
    il.threads = how & 32 ? 2 : 3;
    il.body = run_program;
    il.breaks = (struct il_breaks){0};
    il.known = 0;
    il.left = 1;
    reset();
    const enum il_end end = il_run();

    /* An order in which spinning threads take turns for ever is no fault of the locks. */
    if (end != IL_FINE && end != IL_ENDLESS) {
        printf("%s: mutex %#x\n", il_end_name[end], mutex.word);
    }
    MUST(end == IL_FINE || end == IL_ENDLESS);
    MUST(end == IL_ENDLESS || !(mutex.word & (XSC_MUTEX_HELD | XSC_MUTEX_RESERVED)));
    return 0;
}
