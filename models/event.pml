/* SPDX-License-Identifier: MIT */
/*
 * event.pml - the event count: user/event.c, whose labels W1..W6, P1..P8 are used here
 *
 * Each writer puts down ITEMS items of its own, one after another, with a plain store each, and signals
 * after each. Each waiter takes ROUNDS items, of any writer (BROADCAST: there is one writer, and a
 * waiter waits for its first item, then for its second; no waiter takes them). There are as many as the
 * waiters want, so a waiter that never gets one has lost a signal. A waiter that gives up (TIMED)
 * prepares again, or leaves.
 *
 * Barrier: none given (default): membarrier by the waiter, and WAITING is 0 at the start. SEQ_CST: FENCED
 * is set from the start. REFUSED: WAITING is 0 at the start and there is no membarrier (FENCED in
 * user/event.c, T1 to T4).
 *
 * SHARED: the writers' process is registered for barriers, or becomes so at any moment, and the
 * writers know; the waiters' barrier reaches only a registered process.
 */
#include "tso.pml"

#define ITEM(t) (t) /* mem[0], mem[1]: how many that writer has put down */
#define SEQ 2
#define WAITING 3 /* 4 for each waiter, PARKED, FENCED */
#define FENCED 1
#define PARKED 2
#ifndef ITEMS
#define ITEMS 1
#endif
#ifndef ROUNDS
#define ROUNDS 1
#endif

byte taken;

#ifdef SHARED
bool registered; /* with the kernel */
bool joined;     /* as the writers know it */
#endif

inline wake(t)
{
#if defined(NO_WAKE)
    skip
#elif defined(BROADCAST) && !defined(WAKES_ONE)
    futex_wake_all(t, SEQ)
#else
    futex_wake_one(t, SEQ)
#endif
}

proctype writer(byte t)
{
    byte n, k;

    do
    :: k < ITEMS ->
        k++;
#ifdef LOAD_BEFORE_STORE
        n = mem[WAITING];
#endif
        store(t, ITEM(t), k);                           /* W1 */
#ifdef SHARED
        if
        :: joined ->
            n = mem[WAITING];                           /* W2 */
            if
            :: n == 0 -> goto done
            :: else
            fi
        :: else
        fi;
#else
#ifndef LOAD_BEFORE_STORE
        load(t, n, WAITING);                            /* W2 */
#endif
        if
        :: n == 0 -> goto done
        :: else
        fi;
#endif
#ifndef NO_WRITER_FENCE
        fence(t);                                       /* W3 */
#endif
        n = mem[WAITING];
        if
        :: n < 4 -> goto done
        :: else
        fi;
#ifdef PARKED_READ_EARLY
        n = mem[WAITING];
#endif
#ifndef NO_SEQ
        atomic { fence(t) -> mem[SEQ]++ };                  /* W4 */
#endif
#ifndef PARKED_READ_EARLY
        n = mem[WAITING];                               /* W5 */
#endif
        if
        :: n & PARKED -> wake(t)                        /* W6 */
        :: else
        fi;
done:
        n = 0
    :: else -> break
    od
}

inline barrier_for(c)
{
#ifdef SHARED
    if
    :: registered -> membarrier(n)
    :: !registered
    fi
#elif defined(REFUSED)
    skip
#else
    if
    :: !(c & FENCED) -> membarrier(n)                   /* P2 */
    :: else
    fi
#endif
}

#ifdef REFUSED
/* T1: asleep until woken or until its time is over. Then T2 and T3. */
inline wait_settled()
{
    over = false;
    do
    :: mem[SEQ] != key -> break
    :: mem[SEQ] == key && !over -> futex_wait_settled(i, SEQ, key, over)
    :: mem[SEQ] == key && over ->
#ifndef ASKED_AFTER_LEAVING
#ifdef T3_BEFORE_T2
        atomic { mem[WAITING] = mem[WAITING] | FENCED };
        mem[SEQ]++;
#else
#ifndef NO_T2
        mem[SEQ]++;                                     /* T2 */
#endif
        atomic { mem[WAITING] = mem[WAITING] | FENCED }; /* T3 */
#endif
#ifndef NO_T4
        futex_wake_all(WRITERS + i, SEQ);               /* T4 */
#endif
#else
        mem[SEQ]++;
        asks = true;
#endif
        break
    od
}
#endif

inline leave()
{
    atomic {
        mem[WAITING] = mem[WAITING] - 4;
        if
#ifdef ANYONE_TAKES_PARKED_OFF
        :: true -> mem[WAITING] = mem[WAITING] & (255 - PARKED)
#else
        :: mem[WAITING] < 4 -> mem[WAITING] = mem[WAITING] & (255 - PARKED)
        :: else
#endif
        fi
    }
}

/* True where there is something: what a program looks at, and takes. */
#if defined(BROADCAST)
#define SOMETHING (mem[0] > round)
#elif WRITERS > 1
#define SOMETHING (mem[0] + mem[1] > taken)
#else
#define SOMETHING (mem[0] > taken)
#endif

inline take()
{
    atomic {
        if
#ifdef BROADCAST
        :: SOMETHING -> got = true
#else
        :: SOMETHING -> got = true; taken++
#endif
        :: else
        fi
    }
}

proctype waiter(byte i)
{
    byte c, key, n, round;
    bool got;
#ifdef REFUSED
    bool over, asks;
#endif

    do
    :: round == ROUNDS -> break
    :: else ->
        take();
        if
        :: atomic { got -> got = false; round++ }; goto next
        :: else
        fi;
#ifdef BARRIER_FIRST
        c = 0;
        barrier_for(c);
#endif
#ifdef REFUSED
        atomic { c = mem[WAITING]; mem[WAITING] = mem[WAITING] + 4; begin_time(i) }; /* P1 */
#ifdef ASKED_AT_ONCE
        atomic { mem[WAITING] = mem[WAITING] | FENCED };
#endif
#elif defined(NOT_COUNTED)
        c = mem[WAITING];
#else
        atomic { c = mem[WAITING]; mem[WAITING] = mem[WAITING] + 4 }; /* P1 */
#endif
#if !defined(BARRIER_FIRST) && !defined(NO_BARRIER)
        barrier_for(c);                                 /* P2 */
#endif
        key = mem[SEQ];                                 /* P3 */
#ifndef NO_LOOK
        if
        :: SOMETHING -> goto away                       /* P4: cancel */
        :: else
        fi;
#endif
#ifdef KEY_AFTER_LOOK
        key = mem[SEQ];
#endif
#ifdef LEAVE_EARLY
        leave();
#endif
        if
        :: mem[SEQ] != key -> goto away_or_gone         /* P5 */
        :: true
        fi;
#if !defined(PARKED_AFTER) && !defined(NO_PARKED)
#ifdef REFUSED
        atomic { n = mem[WAITING]; mem[WAITING] = mem[WAITING] | PARKED }; /* P6 */
#ifdef ASKED_AT_ONCE
        n = c;
#endif
#ifndef NO_TIME
        if
        :: !(n & FENCED) -> wait_settled(); goto away_or_gone
        :: else
        fi;
#endif
        n = 0;
#else
        atomic { mem[WAITING] = mem[WAITING] | PARKED }; /* P6 */
#endif
#endif
#ifdef NO_COMPARE
        sleep_blindly(i, SEQ);
#else
        do
        :: mem[SEQ] == key -> futex_wait(i, SEQ, key)   /* P7 */
        :: mem[SEQ] != key -> break
#if TIMED > 0
        /* The deadline, and the look that comes after it. */
        :: mem[SEQ] == key && i < TIMED ->
            leave();
            d_step { c = 0; key = 0; n = 0 };
            if
            :: true -> goto next /* prepares again */
            :: goto gives_up
            fi
#endif
        od;
#endif
#ifdef PARKED_AFTER
        atomic { mem[WAITING] = mem[WAITING] | PARKED };
#endif
away_or_gone:
#ifdef LEAVE_EARLY
        goto gone;
#endif
away:
#ifndef NOT_COUNTED
        leave();                                        /* P8 */
#endif
gone:
        skip;
#ifdef ASKED_AFTER_LEAVING
        if
        :: asks -> atomic { mem[WAITING] = mem[WAITING] | FENCED }
        :: else
        fi;
#endif
#ifdef REFUSED
        d_step { over = false; asks = false; n = 0 };
#endif
        d_step { c = 0; key = 0; n = 0 };
next:
        skip
    od;
gives_up:
    skip
}

#ifdef SHARED
/* Another thread of the writers' process joins. The kernel's registration has a barrier: for
   the writers' threads too, which they don't need, as they acquire `joined`. */
proctype joiner()
{
    byte n;

#ifdef TRUST_BEFORE_JOINING
    joined = true;
#endif
    registered = true;
#ifndef REGISTRATION_IN_THIS_THREAD_ONLY
    membarrier(n);
#endif
    joined = true
}
#endif

init
{
    byte t;

    atomic {
#ifdef SEQ_CST
        mem[WAITING] = FENCED;
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
#ifdef SHARED
        run joiner()
#endif
    }
}
