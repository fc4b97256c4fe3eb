/* SPDX-License-Identifier: MIT */
/*
 * register.pml - the event register by itself: one flag, one waiter for it, one core that sets it
 *
 * The waiter's loop is mech/wfe.c: LDAXR, judge the value loaded, WFE. Each way to get it wrong that is
 * known from the wild is a macro.
 */
#define CORES 2
#include "wfe.pml"

#define FLAG 0

proctype writer()
{
#ifdef SEV_BEFORE_STORE
    sev();
#endif
    store(1, FLAG, 1);
#ifdef ARMV7
#ifndef NO_SEV
#ifndef NO_DSB
    dsb(1);
#endif
    sev()
#endif
#endif
}

proctype waiter()
{
    byte v;

    do
    :: true ->
#ifdef NO_MONITOR
        v = mem[FLAG];
#else
#ifdef LOOK_THEN_ARM
        v = mem[FLAG];
        armed[0] = FLAG;
#else
        load_exclusive(0, FLAG, v);
#endif
#endif
        if
        :: v == 1 -> break
        :: else
        fi;
#ifdef WFI
        wfi(0)
#else
        wfe(0)
#endif
    od
}

/* -DRULES: what the register does, one step after another, by one core. */
proctype rules()
{
    sev();
    sev();
    assert(event[0] && event[1]);
    wfe(0);
    assert(!event[0] && event[1]); /* two events were one; the other core's bit is its own */
    load_exclusive(0, FLAG, mem[1]);
    d_step { visible(0, FLAG, 1) };
    assert(armed[0] == FLAG && !event[0]); /* one's own store is no event */
    d_step { visible(1, FLAG, 2) };
    assert(armed[0] == NOWHERE);
#ifdef ARMV7
    assert(!event[0]);
#else
    assert(event[0]);
    wfe(0);
#endif
    d_step { visible(1, FLAG, 3) };
    assert(!event[0]) /* nothing armed: no event */
}

init
{
    atomic {
#ifdef RULES
        run rules()
#else
        run writer();
        run drain(1);
        run waiter();
#ifdef INTERRUPTED
        run exception(0)
#endif
#endif
    }
}
