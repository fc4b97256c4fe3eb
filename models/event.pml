/* SPDX-License-Identifier: MIT */
/*
 * event.pml - the event count: user/event.c, whose labels W1..W6, P1..P8 are used here
 *
 * Each writer puts down one item of its own with a plain store, then signals. Each waiter takes
 * one item, of any writer (BROADCAST: there is one item, which all see and no waiter takes). As
 * many are taken as put down, so a waiter that never gets one has lost a signal.
 *
 * Barrier: none given (default): membarrier by the waiter, and WAITING is 0 at the start. SEQ_CST: FENCED
 * is set from the start. REFUSED: WAITING is 0 at the start and there is no membarrier (FENCED in
 * user/event.c, T1 to T4).
 *
 * SHARED: the writers' process is registered for barriers, or becomes so at any moment, and the
 * writers know; the waiters' barrier reaches only a registered process.
 */
#include "tso.pml"

#define ITEM(t) (t) /* mem[0], mem[1]: 1 there, 2 taken */
#define SEQ 2
#define WAITING 3 /* 4 for each waiter, PARKED, FENCED */
#define FENCED 1
#define PARKED 2

#ifdef SHARED
bool registered; /* with the kernel */
bool joined;     /* as the writers know it */
#endif

inline wake(t)
{
#ifdef BROADCAST
    futex_wake_all(t, SEQ)
#else
    futex_wake_one(t, SEQ)
#endif
}

proctype writer(byte t)
{
    byte n;

    store(t, ITEM(t), 1);                               /* W1 */
#ifdef SHARED
    if
    :: joined ->
        n = mem[WAITING];                               /* W2 */
        if
        :: n == 0 -> goto done
        :: else
        fi
    :: else
    fi;
#else
    load(t, n, WAITING);                                /* W2 */
    if
    :: n == 0 -> goto done
    :: else
    fi;
#endif
#ifndef NO_WRITER_FENCE
    fence(t);                                           /* W3 */
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
    n = mem[WAITING];                                   /* W5 */
#endif
    if
    :: n & PARKED -> wake(t)                            /* W6 */
    :: else
    fi;
done:
    n = 0
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
#ifdef BROADCAST
#define SOMETHING (mem[0] == 1)
#define TAKE(got) got = SOMETHING
#elif WRITERS > 1
#define SOMETHING (mem[0] == 1 || mem[1] == 1)
#define TAKE(got)                                                                                  \
    atomic {                                                                                       \
        if                                                                                         \
        :: mem[0] == 1 -> mem[0] = 2; got = true                                                   \
        :: mem[1] == 1 -> mem[1] = 2; got = true                                                   \
        :: else                                                                                    \
        fi                                                                                         \
    }
#else
#define SOMETHING (mem[0] == 1)
#define TAKE(got)                                                                                  \
    atomic {                                                                                       \
        if                                                                                         \
        :: mem[0] == 1 -> mem[0] = 2; got = true                                                   \
        :: else                                                                                    \
        fi                                                                                         \
    }
#endif

proctype waiter(byte i)
{
    byte c, key, n;
    bool got;
#ifdef REFUSED
    bool over, asks;
#endif

    do
    :: true ->
        TAKE(got);
        if
        :: got -> break
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
#else
        atomic { c = mem[WAITING]; mem[WAITING] = mem[WAITING] + 4 }; /* P1 */
#endif
#if !defined(BARRIER_FIRST) && !defined(NO_BARRIER)
        barrier_for(c);                                 /* P2 */
#endif
        key = mem[SEQ];                                 /* P3 */
        if
        :: SOMETHING -> goto away                       /* P4: cancel */
        :: else
        fi;
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
#ifndef PARKED_AFTER
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
        leave();                                        /* P8 */
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
        d_step { c = 0; key = 0 }
    od
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
        :: t < WRITERS -> run writer(t); run drain(t); t++
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
