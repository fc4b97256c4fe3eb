/* SPDX-License-Identifier: MIT */
/*
 * park.pml - park and unpark: user/park.c, whose labels W1..W4, P1..P6 are used here
 *
 * Each writer stores to the word, then unparks, STORES times. Each waiter waits for the word to
 * change, until it has seen the last value (ONCE: until it has changed at all, which is what
 * unpark_one is for: all waiters wait for the same). EACH_ITS_OWN: each store meets the condition of one
 * waiter, in turn, ROUNDS times; the wake of unpark_one may go to another waiter, which passes it on
 * (CLASSES in tso.pml). A waiter that gives up (TIMED) parks again, or leaves.
 * With REFUSED a waiter between T1 and T2 may have missed a store whose writer missed it, so that there is
 * no wake for that store. If it sleeps as FIRST, it returns for that store with the wake of another, which
 * is lost; SETTLES_AS_SECOND: it sleeps as SECOND until T2, and takes no wake from another waiter. Which barrier is used, and what is broken, is chosen
 * by the macros; run.sh lists them all.
 *
 * Barrier: none given (default): membarrier by the waiter, and COUNT is 0 at the start. SEQ_CST: FENCED is
 * set from the start. REFUSED: COUNT is 0 at the start and there is no membarrier (WITHOUT MEMBARRIER in
 * user/park.c, T1 to T4). RELIEF: a bucket may be taken to fences by waiters, and back by writers, any
 * number of times; with REFUSED, too, each membarrier may be refused. WIDE: an 8-byte word, which sleeps
 * on the bucket's sequence number. SHARED: no counter, the writer always wakes.
 */
#ifdef EACH_ITS_OWN
#define CLASSES
#define CLASS (second -> 8 : 0)
#ifndef ROUNDS
#define ROUNDS 1
#endif
#define STORES (WAITERS * ROUNDS)
#endif
#if defined(WRITERS) && WRITERS > 1 && !defined(ONCE)
/* The stores of two writers may become visible in either order: which is the last is seen at the end. */
#define NOTHING_MORE (finished == WRITERS && EMPTY(0) && EMPTY(1) && mem[0] == old)
byte finished; /* writers */
#endif
#include "tso.pml"

#define WORD 0
#define COUNT 1 /* of the bucket: 2 for each waiter, and FENCED */
#define SEQ 2   /* of the bucket */
#define FENCED 1
#define WIDES 3 /* of the bucket: waiters of 8-byte words */

#ifndef STORES
#define STORES 2
#endif
#define LAST (WRITERS * STORES)

#ifdef RELIEF
byte fenced;
#endif
#ifdef EACH_ITS_OWN
#define MET(v) (v > i + round * WAITERS)
#define AT_END (round == ROUNDS)
#else
#define MET(v) (v != old)
#ifdef ONCE
#define AT_END (old != 0)
#elif defined(NOTHING_MORE)
#define AT_END NOTHING_MORE
#else
#define AT_END (old == LAST)
#endif
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
#ifndef SHARED
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
            :: atomic { fenced && EMPTY(t) -> mem[COUNT] = mem[COUNT] & 254 }
#elif defined(R4_PLAIN)
            :: atomic { fenced && EMPTY(t) -> fenced = 0 };
               n = mem[COUNT];
               mem[COUNT] = n & 254
#else
            :: atomic { fenced && EMPTY(t) -> fenced = 0 };                 /* R3 */
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
#endif /* SHARED */
#ifdef NO_WAKE
        skip;
#elif defined(WIDE)
        if
        :: mem[WIDES] == 0 -> goto done
        :: else
        fi;
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
        atomic { k++; v = 0; n = 0 }
    :: else -> break
    od;
#ifdef NOTHING_MORE
    finished++
#endif
}

inline announce(c)
{
#if defined(WIDE) && !defined(COUNTED_AS_WIDE_LATE)
    atomic { mem[WIDES] = mem[WIDES] + 1 };                 /* P1' */
#endif
#if defined(NOT_COUNTED)
    c = mem[COUNT];
#elif defined(REFUSED)
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
#if defined(EACH_ITS_OWN) && defined(SETTLES_AS_SECOND)
    atomic { mem[SECONDS] = mem[SECONDS] + 1; second = true };
#endif
    over = false;
    do
    :: look();
       if
       :: MET(v) -> goto met
       :: over -> break                                 /* T2 */
       :: else
       fi;
#ifdef WIDE
       futex_wait_settled(i, SEQ, key, over)            /* T1 */
#else
       futex_wait_settled(i, WORD, v, over);            /* T1 */
#endif
#ifdef EACH_ITS_OWN
       v = mem[WORD];
       if
       :: !MET(v) && woken[i] && !second && mem[COUNT] >= 4 -> /* D1 */
           woken[i] = false;
           futex_wake_one(WRITERS + i, WORD);           /* D2 */
           atomic { mem[SECONDS] = mem[SECONDS] + 1; second = true } /* D3 */
       :: else -> woken[i] = false
       fi
#endif
    od;
#ifdef EACH_ITS_OWN
    atomic { /* as FIRST again */
        if
        :: second -> mem[SECONDS] = mem[SECONDS] - 1; second = false
        :: else
        fi
    };
#endif
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
#if defined(WIDE) && !defined(COUNTED_AS_WIDE_LATE)
    atomic { mem[COUNT] = mem[COUNT] - 2; mem[WIDES] = mem[WIDES] - 1 } /* P6 */
#elif defined(NOT_COUNTED)
    skip
#elif defined(P6_PLAIN)
    n = mem[COUNT];
    mem[COUNT] = n - 2;
    n = 0
#else
    atomic { mem[COUNT] = mem[COUNT] - 2 } /* P6 */
#endif
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

inline forget()
{
#ifdef RELIEF
    r = 0;
#endif
#ifdef REFUSED
    d_step { over = false; asks = false; refused = false };
#endif
    d_step { v = 0; c = 0; n = 0; key = 0 }
}

proctype waiter(byte i)
{
    byte v, c, n, key;
#ifdef EACH_ITS_OWN
    byte round;
    bool second;
#else
    byte old;
#endif
#ifdef RELIEF
    byte r;
#endif
#ifdef REFUSED
    bool over, asks, refused;
#endif

    do
    :: AT_END -> break
    :: else ->
        v = mem[WORD]; /* the watch */
        if
        :: MET(v) -> goto seen
        :: else
        fi;
#ifdef BARRIER_FIRST
        membarrier(n);
#endif
#ifdef SHARED
        skip;
#elif defined(PLAIN_COUNT)
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
#ifdef R1_PLAIN
            :: n = mem[COUNT]; r = 1 - (n & FENCED); mem[COUNT] = n | FENCED
#else
            :: atomic { r = 1 - (mem[COUNT] & FENCED); mem[COUNT] = mem[COUNT] | FENCED } /* R1 */
#endif
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
#elif !defined(NO_BARRIER) && !defined(BARRIER_FIRST) && !defined(SHARED)
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
            :: MET(v) -> break
#if TIMED > 0
            :: i < TIMED && !MET(v) -> goto give_up
#endif
#ifdef NOTHING_MORE
            :: !MET(v) && NOTHING_MORE -> goto give_up
#endif
            :: !MET(v)
            fi;
#ifdef WITHDRAW_EARLY
            withdraw();
#endif
#if defined(WIDE)
#ifdef COUNTED_AS_WIDE_LATE
            mem[WIDES] = mem[WIDES] + 1;
#endif
            futex_wait(i, SEQ, key);
#ifdef COUNTED_AS_WIDE_LATE
            mem[WIDES] = mem[WIDES] - 1;
#endif
#elif defined(EACH_ITS_OWN)
            if
            :: atomic {
                   mem[WORD] == v -> sleeps_on[i] = WORD + 1 + CLASS
               };
               sleep(i)
            :: mem[WORD] != v
            fi;
            v = mem[WORD];                              /* P5 */
            if
            :: MET(v) -> break
#ifndef NO_PASS_ON
#ifdef SHARED
            :: !MET(v) && woken[i] && !second ->        /* D1 */
#else
            :: !MET(v) && woken[i] && !second && mem[COUNT] >= 4 -> /* D1 */
#endif
                woken[i] = false;
#ifdef D3_BEFORE_D2
                atomic { mem[SECONDS] = mem[SECONDS] + 1 };
                futex_wake_one(WRITERS + i, WORD);
                second = true
#else
                futex_wake_one(WRITERS + i, WORD);      /* D2 */
#ifdef D3_UNCOUNTED
                second = true
#else
                atomic { mem[SECONDS] = mem[SECONDS] + 1; second = true } /* D3 */
#endif
#endif
#endif
            :: else -> woken[i] = false
            fi;
#elif defined(NO_COMPARE)
            sleep_blindly(i, WORD);
#else
            futex_wait(i, WORD, v);                     /* P4 */
#endif
#ifdef WITHDRAW_EARLY
            announce(c);
#endif
#ifdef NO_RELOOK
            break;
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
#ifdef SHARED
        skip;
#elif defined(PLAIN_COUNT)
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
        assert(MET(v)); /* never spurious */
#ifdef EACH_ITS_OWN
        atomic {
            if
            :: second -> mem[SECONDS] = mem[SECONDS] - 1; second = false
            :: else
            fi;
            woken[i] = false;
            round++
        };
#else
        old = v;
#endif
        forget();
#if TIMED > 0 || defined(NOTHING_MORE)
        goto next;
give_up:
#ifndef SHARED
        withdraw();
#endif
#ifdef EACH_ITS_OWN
        atomic {
            if
            :: second -> mem[SECONDS] = mem[SECONDS] - 1; second = false
            :: else
            fi;
            woken[i] = false
        };
#endif
        forget();
        if
        :: true /* parks again */
        :: i < TIMED -> break
        fi;
next:
        skip
#endif
    od
}

#ifdef NEIGHBOUR
/* A writer of another word of the bucket, which has fenced and found no waiter. */
proctype neighbour()
{
    byte n;

    do
    :: n < NEIGHBOUR ->
        n++;
        if
#ifdef R4_BEFORE_R3
        :: atomic { fenced && mem[COUNT] < 2 -> mem[COUNT] = mem[COUNT] & 254 };
           fenced = 0
#else
        :: atomic { fenced && mem[COUNT] < 2 -> fenced = 0 }; /* R3 */
           atomic { mem[COUNT] = mem[COUNT] & 254 } /* R4 */
#endif
        :: true
        fi
    :: true -> break
    od
}
#endif

init
{
    byte t;

    atomic {
#ifdef SEQ_CST
        mem[COUNT] = FENCED;
#endif
        do
#ifdef DIRECT
        :: t < WRITERS -> run writer(t); t++
#else
        :: t < WRITERS -> run writer(t); run drain(t); t++
#endif
        :: else -> break
        od;
        t = 0;
        do
        :: t < WAITERS -> run waiter(t); t++
        :: else -> break
        od;
        t = 0;
#ifdef NEIGHBOUR
        run neighbour();
#endif
#ifdef PLAIN_COUNT
        run drain(WRITERS);
#endif
    }
}
