/* SPDX-License-Identifier: MIT */
/*
 * queue.pml - the queue lock of xsc/lock.h, its waiters in WFE, each at a line of its own:
 * user/lock.c
 *
 * Node c + 1 is core c's; 0 is no node. The word's two parts have a cell each, because HELD is
 * stored to as a byte; an exchange of the word sees both at once. Claimed as for ticket.pml, but
 * for the order, which is that of the exchanges of the word: `came` and `served` count it. TRYLOCK: any
 * of them may try once instead of waiting. There is no lock with a deadline, and so no TIMED.
 */
#ifndef CORES
#define CORES 2
#endif
#ifndef SECTIONS
#define SECTIONS 2
#endif
#define CELLS 9
#include "wfe.pml"

#define LAST 0
#define DATA 1
#define NEXT(node) (node + 1)       /* cells 2 to 4 */
#define TURN(node) (node + 4)       /* cells 5 to 7 */
#define HELD 8

byte inside, came, served;

inline arrives()
{
    place = came;
    came++
}

inline unlock_event(c)
{
#ifdef ARMV7
#ifndef NO_SEV
    dsb(c);
    sev()
#endif
#endif
    skip
}

inline wait_for(c, cell, wanted)
{
    do
    :: true ->
#ifdef NO_MONITOR
        v = mem[cell];
#else
        load_exclusive(c, cell, v);
#endif
        if
        :: v == wanted -> break
        :: else
        fi;
        wfe(c)
    od
}

proctype thread(byte c)
{
    byte before, next, v, n, place;

    do
    :: n < SECTIONS ->
#ifdef TRYLOCK
        if
        :: atomic {
               dsb(c) ->
               if
#ifdef TRIES_HELD_ONLY
               :: !mem[HELD] -> visible(c, HELD, 1); arrives(); goto in
#else
               :: !mem[LAST] && !mem[HELD] -> visible(c, HELD, 1); arrives(); goto in
#endif
               :: else -> goto done
               fi
           }
        :: true
        fi;
#endif
        store(c, NEXT(c + 1), 0);
        store(c, TURN(c + 1), 0);
        atomic {
            dsb(c) -> before = mem[LAST];
            if
#ifdef TAKES_IT_BEFORE_THE_LINE
            :: !mem[HELD] -> visible(c, HELD, 1); arrives(); goto in
#else
            :: !before && !mem[HELD] -> visible(c, HELD, 1); arrives(); goto in
#endif
            :: else -> visible(c, LAST, c + 1); arrives()
            fi
        };
#ifdef NODE_CLEARED_LATE
        atomic { dsb(c) -> mem[NEXT(c + 1)] = 0 };
#endif
        if
        :: before != 0 ->
            store(c, NEXT(before), c + 1);
            wait_for(c, TURN(c + 1), 1)
        :: else
        fi;
        wait_for(c, HELD, 0);
#ifdef EMPTIED_BLINDLY
        atomic { dsb(c) -> visible(c, LAST, 0); visible(c, HELD, 1) };
        goto in;
#endif
        if
        :: atomic {
               empty(buffer[c]) && mem[LAST] == c + 1 -> visible(c, LAST, 0);
               visible(c, HELD, 1)
           };
           goto in
        :: empty(buffer[c]) && mem[LAST] != c + 1
        fi;
#ifndef TURN_BEFORE_HELD
        store(c, HELD, 1);
#endif
#ifdef DOES_NOT_WAIT_FOR_NEXT
        if
        :: mem[NEXT(c + 1)] == 0 -> goto in
        :: else
        fi;
#endif
        atomic { mem[NEXT(c + 1)] != 0 -> next = mem[NEXT(c + 1)] };
        store(c, TURN(next), 1);
        unlock_event(c);
#ifdef TURN_BEFORE_HELD
        store(c, HELD, 1);
#endif
in:
        inside++;
        assert(inside == 1);
        assert(place == served);
        assert(mem[DATA] == served);
        served++;
        inside--;
        store(c, DATA, served);
        store(c, HELD, 0);
        unlock_event(c);
done:
        atomic { before = 0; next = 0; v = 0; place = 0; n++ }
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
