/* SPDX-License-Identifier: MIT */
/*
 * park.pml - park and unpark: user/park.c, whose labels W1..W4, P1..P6 are used here
 *
 * Each writer stores to the word, then unparks, STORES times. Each waiter waits for the word to
 * change, until it has seen the last value (ONCE: until it has changed at all, which is what
 * unpark_one is for: all waiters wait for the same). Which barrier is used, and what is broken, is
 * chosen by the macros; run.sh lists them all.
 *
 * Barrier: none given (default): membarrier by the waiter, and COUNT is 0 at the start. SEQ_CST: FENCED is
 * set from the start. REFUSED: COUNT is 0 at the start and there is no membarrier (WITHOUT MEMBARRIER in
 * user/park.c, T1 to T4). RELIEF: a bucket may be taken to fences by waiters, and back by writers, any
 * number of times; with REFUSED, too, each membarrier may be refused. WIDE: an 8-byte word, which sleeps
 * on the bucket's sequence number.
 */
#include "tso.pml"

#define WORD 0
#define COUNT 1 /* of the bucket: 2 for each waiter, and FENCED */
#define SEQ 2   /* of the bucket */
#define FENCED 1

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
        load(t, n, COUNT);                              /* W2 */
#endif
        if
        :: n == 0 -> goto done
        :: else
        fi;
#ifndef NO_WRITER_FENCE
        fence(t);                                       /* W3 */
#endif
        n = mem[COUNT];
#ifdef RELIEF
        if
        :: n < 2 ->
            if /* no waiter: no more fences, perhaps */
#ifdef BACK_KEEPS_FENCED
            :: atomic { fenced && empty(buffer[t]) -> mem[COUNT] = mem[COUNT] & 254 }
#else
            :: atomic { fenced && empty(buffer[t]) -> fenced = 0 };         /* R3 */
               atomic { mem[COUNT] = mem[COUNT] & 254 }                     /* R4 */
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
#ifdef REFUSED
    atomic { c = mem[COUNT]; mem[COUNT] = mem[COUNT] + 2; begin_time(i) } /* P1 */
#else
    atomic { c = mem[COUNT]; mem[COUNT] = mem[COUNT] + 2 } /* P1 */
#endif
}

/* P3. */
inline look()
{
#ifdef WIDE
    key = mem[SEQ];                                     /* P3' */
#endif
    v = mem[WORD]
}

#ifdef REFUSED
/* T1 to T3. */
inline settle_first()
{
#ifdef ASKED_AT_ONCE
    atomic { mem[COUNT] = mem[COUNT] | FENCED };
#endif
#ifndef NO_TIME
    over = false;
    do
    :: look();
       if
       :: v != old -> goto met
       :: over -> break                                 /* T2 */
       :: else
       fi;
#ifdef WIDE
       futex_wait_settled(i, SEQ, key, over)            /* T1 */
#else
       futex_wait_settled(i, WORD, v, over)             /* T1 */
#endif
    od;
#endif
#ifdef ASKED_AFTER_LEAVING
    asks = true;
#else
    atomic { mem[COUNT] = mem[COUNT] | FENCED }         /* T3 */
#endif
}
#endif

inline withdraw()
{
    atomic { mem[COUNT] = mem[COUNT] - 2 } /* P6 */
}

/* membarrier(), which may be refused at any time. */
inline barrier_or_not()
{
#ifdef REFUSED
    if
    :: membarrier(n)
    :: refused = true
    fi
#else
    membarrier(n)
#endif
}

proctype waiter(byte i)
{
    byte old, v, c, n, key;
#ifdef RELIEF
    byte r;
#endif
#ifdef REFUSED
    bool over, asks, refused;
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
#ifdef BARRIER_FIRST
        membarrier(n);
#endif
#ifdef PLAIN_COUNT
        store(WRITERS + i, COUNT, 2);                   /* P1, not atomic, and no fence */
        c = FENCED;
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
#ifdef REFUSED
        refused = false;
#endif
        if
        :: !(c & FENCED) ->
            if
            :: atomic { r = 1 - (mem[COUNT] & FENCED); mem[COUNT] = mem[COUNT] | FENCED } /* R1 */
            :: true
            fi;
#ifdef FENCED_AT_ONCE
            if
            :: r -> fenced = 1
            :: else
            fi;
#endif
            barrier_or_not();                           /* P2 */
            if
#ifdef ANYONE_SAYS_FENCED
            :: mem[COUNT] & FENCED -> fenced = 1
#elif defined(REFUSED)
            :: r && !refused -> fenced = 1              /* R2 */
#else
            :: r -> fenced = 1                          /* R2 */
#endif
            :: else
            fi
        :: else ->
#ifndef TRUST_THE_BIT
            if
            :: !fenced -> barrier_or_not()              /* P2 */
            :: else
            fi
#else
            skip
#endif
        fi;
#ifdef REFUSED
        if
        :: refused -> settle_first()
        :: else
        fi;
#endif
#elif defined(REFUSED)
        if
        :: !(c & FENCED) -> settle_first()
        :: else
        fi;
#elif !defined(NO_BARRIER) && !defined(BARRIER_FIRST)
        if
        :: !(c & FENCED) -> membarrier(n)               /* P2 */
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
#ifdef REFUSED
met:
#endif
#ifdef PLAIN_COUNT
        store(WRITERS + i, COUNT, 0);
#else
        withdraw();
#endif
#ifdef ASKED_AFTER_LEAVING
        if
        :: asks -> atomic { mem[COUNT] = mem[COUNT] | FENCED }
        :: else
        fi;
#endif
seen:
        assert(v != old); /* never spurious */
#ifdef REFUSED
        d_step { over = false; asks = false; refused = false };
#endif
        d_step { old = v; v = 0; c = 0; key = 0 }
    od
}

init
{
    byte t;

    atomic {
#ifdef SEQ_CST
        mem[COUNT] = FENCED;
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
    }
}
