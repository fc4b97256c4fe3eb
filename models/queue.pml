/* SPDX-License-Identifier: MIT */
/*
 * queue.pml - the queue lock of xsc/lock.h, its waiters in WFE, each at a line of its own: user/lock.c
 *
 * Node c + 1 is core c's; 0 is no node. Claimed as for ticket.pml, but for the order, which is that
 * of the exchanges of the tail: `came` and `served` count it.
 */
#ifndef CORES
#define CORES 2
#endif
#ifndef SECTIONS
#define SECTIONS 2
#endif
#define CELLS 8
#include "wfe.pml"

#define TAIL 0
#define DATA 1
#define NEXT(node) (node + 1)       /* cells 2 to 4 */
#define TURN(node) (node + 4)       /* cells 5 to 7 */

byte inside, came, served;

proctype thread(byte c)
{
    byte before, next, v, n, place;

    do
    :: n < SECTIONS ->
        store(c, NEXT(c + 1), 0);
        store(c, TURN(c + 1), 0);
        atomic {
            dsb(c) -> before = mem[TAIL];
            visible(c, TAIL, c + 1);
            place = came;
            came++
        };
#ifdef NODE_CLEARED_LATE
        atomic { dsb(c) -> mem[NEXT(c + 1)] = 0 };
#endif
        if
        :: before != 0 ->
            store(c, NEXT(before), c + 1);
            do
            :: true ->
#ifdef NO_MONITOR
                v = mem[TURN(c + 1)];
#else
                load_exclusive(c, TURN(c + 1), v);
#endif
                if
                :: v == 1 -> break
                :: else
                fi;
                wfe(c)
            od
        :: else
        fi;

        inside++;
        assert(inside == 1);
        assert(place == served);
        assert(mem[DATA] == served);
        served++;
        inside--;
        store(c, DATA, served);

        next = mem[NEXT(c + 1)];
        if
        :: next == 0 ->
#ifdef EMPTIED_BLINDLY
            store(c, TAIL, 0);
            goto out;
#endif
            if
            :: atomic { empty(buffer[c]) && mem[TAIL] == c + 1 -> visible(c, TAIL, 0) }; goto out
            :: empty(buffer[c]) && mem[TAIL] != c + 1
            fi;
#ifdef DOES_NOT_WAIT_FOR_NEXT
            goto out;
#endif
            atomic { mem[NEXT(c + 1)] != 0 -> next = mem[NEXT(c + 1)] }
        :: else
        fi;
        store(c, TURN(next), 1);
#ifdef ARMV7
#ifndef NO_SEV
        dsb(c);
        sev();
#endif
#endif
out:
        skip;
        d_step { before = 0; next = 0; v = 0; place = 0; n++ }
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
