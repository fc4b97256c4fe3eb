/* SPDX-License-Identifier: MIT */
/*
 * park.pml - park and unpark: user/park.c, whose labels W1..W4, P1..P6 are used here
 *
 * Each writer stores to the word, then unparks, STORES times. Each waiter waits for the word to
 * change, until it has seen the last value (ONCE: until it has changed at all, which is what
 * unpark_one is for: all who wait, wait for the same). Which barrier is used, and what is broken, is chosen
 * by the macros; run.sh lists them all.
 *
 * Barrier: none (default: ASYMMETRIC from the start), SEQ_CST, SWITCH (from the second to the
 * first, at any moment). RELIEF: a bucket may be taken back to
 * fences by who parks, and forth by who unparks, any number of times. WIDE: an 8-byte word, which sleeps on the bucket's sequence number.
 */
#include "tso.pml"

#define WORD 0
#define COUNT 1 /* of the bucket: 2 for each waiter, and QUIET */
#define SEQ 2   /* of the bucket */
#define QUIET 1

#ifndef STORES
#define STORES 2
#endif
#define LAST (WRITERS * STORES)

#ifdef RELIEF
byte fenced;
#endif
byte next_value = 1; /* writers store 1, 2, ... */

proctype writer(byte t)
{
    byte n, v, k;

    do
    :: k < STORES ->
        atomic { v = next_value; next_value++ };
#ifdef LOAD_BEFORE_STORE
        n = mem[COUNT];
        store(t, WORD, v);                              /* W1, too late */
#else
        store(t, WORD, v);                              /* W1 */
        n = mem[COUNT];                                 /* W2 */
#endif
        if
        :: n == QUIET -> goto done
        :: else
        fi;
#ifndef NO_WRITER_FENCE
        fence(t);                                       /* W3 */
#endif
        n = mem[COUNT];
#ifdef RELIEF
        if
        :: n < 2 ->
            if /* nobody parks here any more: no more fences, perhaps */
#ifdef BACK_KEEPS_FENCED
            :: atomic { fenced && empty(buffer[t]) -> mem[COUNT] = mem[COUNT] | QUIET }
#else
            :: atomic { fenced && empty(buffer[t]) -> fenced = 0 };         /* R3 */
               atomic { mem[COUNT] = mem[COUNT] | QUIET }                   /* R4 */
#endif
            :: true
            fi;
            goto done
        :: else
        fi;
#endif
        if
        :: n < 2 -> goto done
        :: else
        fi;
#ifdef WIDE
#ifndef NO_SEQ
        atomic { fence(t) -> mem[SEQ]++ };              /* W4' */
#endif
        futex_wake_all(t, SEQ);
#elif defined(UNPARK_ALL)
        futex_wake_all(t, WORD);                        /* W4 */
#else
        futex_wake_one(t, WORD);
#endif
done:
        k++
    :: else -> break
    od
}

inline announce(c)
{
    atomic { c = mem[COUNT]; mem[COUNT] = mem[COUNT] + 2 } /* P1 */
}

inline withdraw()
{
    atomic { mem[COUNT] = mem[COUNT] - 2 } /* P6 */
}

proctype waiter(byte i)
{
    byte old, v, c, n, key;
#ifdef RELIEF
    byte r;
#endif

    do
#ifdef ONCE
    :: old != 0 -> break
#else
    :: old == LAST -> break
#endif
    :: else ->
        v = mem[WORD]; /* the watch */
        if
        :: v != old -> goto seen
        :: else
        fi;
#ifdef STALE_MODE
        c = mem[COUNT]; /* before P1: may be outdated by then */
#endif
#ifdef BARRIER_FIRST
        membarrier(n);
#endif
#ifdef LAZY_FLAG
        atomic { mem[COUNT] = 0 }; /* from now on fence, please */
#endif
#ifdef PLAIN_COUNT
        store(WRITERS + i, COUNT, 2);                   /* P1, not atomic, and no fence */
        c = 0;
#elif defined(STALE_MODE)
        announce(n); n = 0;
#else
        announce(c);                                    /* P1 */
#endif
#ifdef LOOK_BEFORE_BARRIER
        v = mem[WORD];
#ifdef WIDE
        key = mem[SEQ];
#endif
#endif
#ifdef RELIEF
        r = 0;
        if
        :: c & QUIET ->
            if
            :: atomic { r = mem[COUNT] & QUIET; mem[COUNT] = mem[COUNT] & 254 } /* R1 */
            :: true
            fi;
#ifdef FENCED_AT_ONCE
            if
            :: r -> fenced = 1
            :: else
            fi;
#endif
            membarrier(n);                              /* P2 */
            if
#ifdef ANYONE_SAYS_FENCED
            :: !(mem[COUNT] & QUIET) -> fenced = 1
#else
            :: r -> fenced = 1                          /* R2 */
#endif
            :: else
            fi
        :: else ->
#ifndef TRUST_NO_QUIET
            if
            :: !fenced -> membarrier(n)                 /* P2 */
            :: else
            fi
#else
            skip
#endif
        fi;
#elif !defined(NO_BARRIER) && !defined(BARRIER_FIRST)
        if
        :: c & QUIET -> membarrier(n)                   /* P2 */
        :: else
        fi;
#endif
        do
        :: true ->
#if defined(WIDE)
#ifdef KEY_AFTER_LOOK
            v = mem[WORD];
            key = mem[SEQ];
#elif !defined(LOOK_BEFORE_BARRIER)
            key = mem[SEQ];                             /* P3' */
            v = mem[WORD];
#endif
#elif !defined(LOOK_BEFORE_BARRIER)
            v = mem[WORD];                              /* P3 */
#endif
            if
            :: v != old -> break
            :: else
            fi;
#ifdef WITHDRAW_EARLY
            withdraw();
#endif
#if defined(WIDE)
            futex_wait(i, SEQ, key);
#elif defined(NO_COMPARE)
            sleep_blindly(i, WORD);
#else
            futex_wait(i, WORD, v);                     /* P4 */
#endif
#ifdef WITHDRAW_EARLY
            announce(c);
#endif
#ifdef LOOK_BEFORE_BARRIER
            v = mem[WORD];
#ifdef WIDE
            key = mem[SEQ];
#endif
#endif
        od;
#ifdef PLAIN_COUNT
        store(WRITERS + i, COUNT, 0);
#else
        withdraw();
#endif
seen:
        assert(v != old); /* never spurious */
        d_step { old = v; v = 0; c = 0; key = 0 }
    od
}

/* The process finds out that it has a membarrier, and says so in the bucket. */
proctype decider()
{
    atomic { mem[COUNT] = mem[COUNT] | QUIET }
}

init
{
    byte t;

    atomic {
#if !defined(SEQ_CST) && !defined(SWITCH)
        mem[COUNT] = QUIET;
#endif
        do
        :: t < WRITERS -> run writer(t); run drain(t); t++
        :: else -> break
        od;
        t = 0;
        do
        :: t < WAITERS -> run waiter(t); t++
        :: else -> break
        od;
        t = 0;
#ifdef PLAIN_COUNT
        run drain(WRITERS);
#endif
#ifdef SWITCH
        run decider()
#endif
    }
}
