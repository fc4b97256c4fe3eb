/* SPDX-License-Identifier: MIT */
/*
 * nap.pml - naps and kicks: user/idle.c, whose labels N1..N3, K1, K2 are used here
 *
 * Each writer puts down its items one after another with plain stores, and kicks after each. The
 * napper looks for all of them, and naps without limit where one is missing: a kick that is
 * lost leaves it asleep for ever.
 */
#include "tso.pml"

#ifndef ITEMS
#define ITEMS 1
#endif
#define WORD 3 /* mem[t]: how many items writer t has put down */
#define AWAKE 0
#define NAPPING 1
#define KICKED 2

#if WRITERS > 1
#define ALL (mem[0] == ITEMS && mem[1] == ITEMS)
#else
#define ALL (mem[0] == ITEMS)
#endif

inline kick()
{
#if defined(ONLY_SLEEPERS)
    n = mem[WORD];
    if
    :: n == NAPPING -> atomic { fence(me) -> mem[WORD] = KICKED }
    :: else
    fi;
#elif defined(PLAIN_STORE)
    n = mem[WORD];
    store(me, WORD, KICKED);
#else
    atomic { fence(me) -> n = mem[WORD]; mem[WORD] = KICKED }; /* K1 */
#endif
#ifndef NO_WAKE
    if
    :: n == NAPPING -> futex_wake_one(me, WORD)                /* K2 */
    :: else
    fi;
#endif
    n = 0
}

proctype writer(byte me)
{
    byte n, i;

    do
    :: i < ITEMS ->
        i++;
#ifdef KICK_FIRST
        kick();
        store(me, me, i)
#else
        store(me, me, i);
        kick()
#endif
    :: else -> break
    od
}

proctype napper()
{
    byte was;

    do
    :: true ->
        if
        :: ALL -> break
        :: else
        fi;
#ifdef FORGET
        mem[WORD] = NAPPING;
        was = AWAKE;
#else
        atomic {                                              /* N1 */
            was = mem[WORD];
            if
            :: was == AWAKE -> mem[WORD] = NAPPING
            :: else -> mem[WORD] = AWAKE
            fi
        };
#endif
        do                                                    /* N2 */
        :: was == AWAKE && mem[WORD] == NAPPING ->
#ifdef NO_COMPARE
            sleep_blindly(0, WORD)
#else
            futex_wait(0, WORD, NAPPING)
#endif
        :: was != AWAKE || mem[WORD] != NAPPING -> break
        od;
        if
        :: was == AWAKE -> mem[WORD] = AWAKE                  /* N3 */
        :: else
        fi
    od
}

init
{
    byte t;

    atomic {
        do
        :: t < WRITERS -> run writer(t); run drain(t); t++
        :: else -> break
        od;
        run napper()
    }
}
