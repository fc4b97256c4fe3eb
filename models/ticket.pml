/* SPDX-License-Identifier: MIT */
/*
 * ticket.pml - the ticket lock of xsc/lock.h, its waiters in WFE: user/lock.c
 *
 * CORES threads take it SECTIONS times each. Claimed: at most one is in, they get in by the order of
 * their tickets, what one wrote the next one sees, and none of them is forgotten in a WFE. TRYLOCK: any
 * of them may try once instead of waiting. There is no lock with a deadline, and so no TIMED.
 */
#ifndef CORES
#define CORES 2
#endif
#ifndef SECTIONS
#define SECTIONS 2
#endif
#include "wfe.pml"

#define NEXT 0
#define OWNER 1
#define DATA 2 /* written under the lock, plainly */

byte inside;

proctype thread(byte c)
{
    byte mine, v, n;

    do
    :: n < SECTIONS ->
#ifdef TRYLOCK
        if
#ifdef TRIES_IN_TWO_STEPS
        :: mem[NEXT] == mem[OWNER] ->
               atomic { dsb(c) -> mine = mem[NEXT]; visible(c, NEXT, mine + 1) };
               goto in
        :: mem[NEXT] != mem[OWNER] -> goto done
#else
        :: atomic {
               dsb(c) ->
               if
               :: mem[NEXT] == mem[OWNER] -> mine = mem[NEXT]; visible(c, NEXT, mine + 1); goto in
               :: else -> goto done
               fi
           }
#endif
        :: true
        fi;
#endif
#ifdef TICKET_IN_TWO_STEPS
        mine = mem[NEXT];
        atomic { dsb(c) -> visible(c, NEXT, mine + 1) };
#else
        atomic { dsb(c) -> mine = mem[NEXT]; visible(c, NEXT, mine + 1) };
#endif
        do
        :: true ->
#ifdef NO_MONITOR
            v = mem[OWNER];
#else
            load_exclusive(c, OWNER, v);
#endif
            if
            :: v == mine -> break
            :: else
            fi;
            wfe(c)
        od;

in:
        inside++;
        assert(inside == 1);
        assert(mem[DATA] == mine);
        inside--;
#ifdef UNLOCK_BEFORE_DATA
        store(c, OWNER, mine + 1);
        store(c, DATA, mine + 1);
#else
        store(c, DATA, mine + 1);
        store(c, OWNER, mine + 1);
#endif
#ifdef ARMV7
#ifndef NO_SEV
#ifndef NO_DSB
        dsb(c);
#endif
        sev();
#endif
#endif
done:
        atomic { mine = 0; v = 0; n++ }
    :: else -> break
    od
}

init
{
    byte c;

    atomic {
        do
        :: c < CORES -> run thread(c); run drain(c); c++
        :: else -> break
        od;
        c = 0;
#ifdef INTERRUPTED
        run exception(0)
#endif
    }
}
