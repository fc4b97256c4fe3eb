/* SPDX-License-Identifier: MIT */
/*
 * nap.pml - naps and kicks: user/idle.c, whose labels N1..N3, K1, K2 are used here
 *
 * Each writer puts down its items one after another with plain stores, and kicks after each. The
 * napper looks for all of them, and naps without limit where one is missing: a kick that is
 * lost leaves it asleep for ever. One napper: a nap word has one owner. NAPS=N: its first N naps are
 * limited, and may end at any time; the ones after that are not, because a napper that wakes by itself
 * does not show a lost kick.
 */
#include "tso.pml"

#ifndef NAPS
#define NAPS 0
#endif

#ifndef ITEMS
#define ITEMS 1
#endif
#define WORD 3 /* mem[t]: how many items writer t has put down */
#define AWAKE 0
#define NAPPING 1
#define KICKED 2

#if WRITERS > 2
#define ALL (mem[0] == ITEMS && mem[1] == ITEMS && mem[2] == ITEMS)
#elif WRITERS > 1
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
#if NAPS > 0
    byte naps;
#endif

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
#if NAPS > 0
        :: was == AWAKE && mem[WORD] == NAPPING && naps < NAPS -> naps++; break
        :: atomic { was == AWAKE && mem[WORD] == NAPPING && naps < NAPS -> sleeps_on[0] = WORD + 1 };
            if /* asleep until its limit, or until it is woken */
            :: sleeps_on[0] == 0
            :: atomic { sleeps_on[0] != 0 -> sleeps_on[0] = 0; naps++ }; break
            fi
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
