/* SPDX-License-Identifier: MIT */
/*
 * tso.pml - memory with store buffers, the far-reaching barrier, and the futex
 *
 * Total store order, made explicit: a plain store of thread t goes into its buffer, and at any
 * later moment, first in, first out, from there to memory. Loads read memory at once. (No
 * thread here loads what it has stored plainly, so no load has to look into its own buffer.) This is
 * what x86 and SPARC do, and it is the reordering that the argument is about, on any machine:
 * a load done before an earlier store is visible. Weaker machines may reorder more; there the
 * acquires and releases of the code keep the rest in order, which is not modelled.
 *
 * A thread that never gets on is what a lost wake-up looks like: Spin reports it as an invalid end
 * state. What is given out as the value of an assertion is a wait that ended for no reason.
 *
 * DIRECT, where every side fences: no store buffers. Fewer states, for more threads and rounds; what
 * it leaves out is what the same claim has at a smaller size with buffers.
 *
 * TIMED=N: the first N waiters may wake at any time, as at a deadline. At least one may not: a thread
 * that can wake by itself is never seen to be lost. A wake for one goes to any of the sleepers.
 */
#ifndef WRITERS
#define WRITERS 1
#endif
#ifndef WAITERS
#define WAITERS 1
#endif
#ifndef TIMED
#define TIMED 0
#endif
#define THREADS (WRITERS + WAITERS) /* writers are threads 0 to WRITERS - 1 */

byte mem[4];
#ifdef DIRECT
#define EMPTY(t) true
#else
#define EMPTY(t) empty(buffer[t])
chan buffer[THREADS] = [2] of { byte, byte };
#endif
byte sleeps_on[WAITERS]; /* address + 1; 0: awake */

#ifdef REFUSED
/*
 * Time, for a waiter that has no barrier: how many plain stores each writer has made, and how many of
 * them are visible. A store is visible when XSC_SETTLE_NS have passed since a load that comes after it
 * in the program: so at the end of that time those are that were followed by a load at its beginning.
 */
byte made[WRITERS], visible[WRITERS];
bool loaded[WRITERS]; /* since its last store */
byte followed[WRITERS * WAITERS];

inline begin_time(i)
{
    followed[i * WRITERS] = made[0] - (loaded[0] || made[0] == 0 -> 0 : 1);
#if WRITERS > 1
    followed[i * WRITERS + 1] = made[1] - (loaded[1] || made[1] == 0 -> 0 : 1)
#endif
}

#if defined(NEVER_SETTLES)
#define TIME_IS_OVER(i) true
#elif WRITERS > 1
#define TIME_IS_OVER(i) (visible[0] >= followed[i * WRITERS] && visible[1] >= followed[i * WRITERS + 1])
#else
#define TIME_IS_OVER(i) (visible[0] >= followed[i * WRITERS])
#endif
#endif

/* A plain store, and a load after it. */
#ifdef REFUSED
inline store(t, a, v) { atomic { buffer[t] ! a, v; made[t]++; loaded[t] = false } }
inline load(t, n, a) { atomic { n = mem[a]; loaded[t] = true } }
#elif defined(DIRECT)
inline store(t, a, v) { mem[a] = v }
inline load(t, n, a) { n = mem[a] }
#else
inline store(t, a, v) { buffer[t] ! a, v }
inline load(t, n, a) { n = mem[a] }
#endif

/* A fence, and what comes before each atomic read-modify-write: the buffer is empty. */
inline fence(t) { EMPTY(t) }

#ifndef DIRECT
proctype drain(byte t)
{
    byte a, v;

    d_step { a = 0; v = 0 };
end:
    do
#ifdef REFUSED
    :: atomic { buffer[t] ? a, v -> mem[a] = v; visible[t]++; a = 0; v = 0 }
#else
    :: atomic { buffer[t] ? a, v -> mem[a] = v; a = 0; v = 0 }
#endif
    od
}
#endif

/* membarrier(): one after another, each writer goes through a fence. */
inline membarrier(n)
{
    n = 0;
    do
    :: n < WRITERS -> atomic { EMPTY(n) -> n++ }
    :: else -> break
    od;
    n = 0
}

/* Asleep until woken, or (TIMED) until a moment of its own. */
inline sleep(i)
{
    if
    :: (sleeps_on[i] == 0)
#if TIMED > 0
    :: atomic { i < TIMED && sleeps_on[i] != 0 -> sleeps_on[i] = 0 }
#endif
#ifdef NOTHING_MORE
    :: atomic { NOTHING_MORE && sleeps_on[i] != 0 -> sleeps_on[i] = 0 }
#endif
    fi
}

/* futex_wait(): compare with memory and queue, one step; then sleep. */
inline futex_wait(i, a, expected)
{
    if
    :: atomic { mem[a] == expected -> sleeps_on[i] = a + 1 };
       sleep(i)
    :: mem[a] != expected
    fi
}

#ifndef CLASS
#define CLASS 0
#endif
#ifdef REFUSED
/* The same with a deadline, XSC_SETTLE_NS after begin_time(): is_over says that it has passed. */
inline futex_wait_settled(i, a, expected, is_over)
{
    if
    :: atomic { mem[a] == expected -> sleeps_on[i] = a + 1 + CLASS };
       if
       :: (sleeps_on[i] == 0)
       :: atomic { sleeps_on[i] != 0 && TIME_IS_OVER(i) -> sleeps_on[i] = 0; is_over = true }
       fi
    :: mem[a] != expected
    fi
}
#endif

/* The same without the comparison, to show what the comparison is for. */
inline sleep_blindly(i, a)
{
    sleeps_on[i] = a + 1;
    sleep(i)
}

/* futex_wake(): a full barrier, then one, any of them, or all, of those queued. */
#if WAITERS > 2
#define NONE_ON(a) (sleeps_on[0] != a && sleeps_on[1] != a && sleeps_on[2] != a)
#elif WAITERS > 1
#define NONE_ON(a) (sleeps_on[0] != a && sleeps_on[1] != a)
#else
#define NONE_ON(a) (sleeps_on[0] != a)
#endif

inline wake_if_on(i, a)
{
    if
    :: sleeps_on[i] == a -> sleeps_on[i] = 0
    :: else
    fi
}

inline wake_all_on(a)
{
    d_step {
        wake_if_on(0, a);
#if WAITERS > 1
        wake_if_on(1, a);
#endif
#if WAITERS > 2
        wake_if_on(2, a)
#endif
    }
}

#ifdef CLASSES
/*
 * DISCARDED WAKES in user/park.c: sleepers of class SECOND sleep on SECOND_CLASS + address + 1, and
 * SECONDS counts them. A sleeper of class FIRST that a wake for one has chosen finds `woken` set.
 */
#define SECOND_CLASS 8
#define SECONDS 3
bool woken[WAITERS];

inline futex_wake_one(t, a)
{
    fence(t);
    if
    :: atomic { sleeps_on[0] == a + 1 -> sleeps_on[0] = 0; woken[0] = true }
#if WAITERS > 1
    :: atomic { sleeps_on[1] == a + 1 -> sleeps_on[1] = 0; woken[1] = true }
#endif
#if WAITERS > 2
    :: atomic { sleeps_on[2] == a + 1 -> sleeps_on[2] = 0; woken[2] = true }
#endif
    :: NONE_ON(a + 1) ->
        if
#ifndef NO_SECOND_CALL
        :: mem[SECONDS] != 0 -> wake_all_on(SECOND_CLASS + a + 1)
#endif
        :: else
        fi
    fi
}
#else
inline futex_wake_one(t, a)
{
    fence(t);
    if
    :: atomic { sleeps_on[0] == a + 1 -> sleeps_on[0] = 0 }
#if WAITERS > 1
    :: atomic { sleeps_on[1] == a + 1 -> sleeps_on[1] = 0 }
#endif
#if WAITERS > 2
    :: atomic { sleeps_on[2] == a + 1 -> sleeps_on[2] = 0 }
#endif
    :: NONE_ON(a + 1)
    fi
}
#endif

inline futex_wake_all(t, a)
{
    fence(t);
    wake_all_on(a + 1)
}
