/* SPDX-License-Identifier: MIT */
/*
 * futex.pml - words that are not 4 bytes, and the kernel that compares 4
 *
 * BYTES: N bytes, a waiter for each, one futex: each byte has a writer, which stores ROUNDS values and
 * wakes one sleeper after each. BITS: sleepers and wakers say which byte they mean.
 *
 * HALVES: an 8-byte word shared between processes, of which the second half changes, ROUNDS times.
 * Each of N waiters sleeps on both halves at once: queued at the first, then the second is compared.
 * The writer wakes all at the first.
 *
 * Each waiter waits until it has seen the last value. TIMED=N: the first N waiters may wake at any
 * time, as at a deadline, and leave or look again; at least one may not.
 */
#ifndef N
#define N 2
#endif
#ifndef ROUNDS
#define ROUNDS 1
#endif
#ifndef TIMED
#define TIMED 0
#endif

byte value[N];    /* BYTES: the bytes. HALVES: value[0] is the second half */
byte version;     /* of the 4 bytes: what the kernel compares */
bool asleep[N];

inline sleep(i)
{
    if
    :: !asleep[i]
    :: atomic { i < TIMED && asleep[i] -> asleep[i] = false }
    :: atomic { i < TIMED && asleep[i] -> asleep[i] = false }; goto left
    fi
}

#ifdef BYTES

#define NOT(i) (N <= i || !asleep[i % N])

proctype writer(byte b)
{
    byte k;

    do
    :: k < ROUNDS ->
        k++;
#ifdef WAKE_BEFORE_STORE
        asleep[b] = false;
#endif
        atomic { value[b] = k; version++ };
#ifndef WAKE_BEFORE_STORE
        atomic { /* wake one */
            if
            :: asleep[b] -> asleep[b] = false
#ifdef BITS
            :: else
#else
            :: asleep[(b + 1) % N] -> asleep[(b + 1) % N] = false
            :: asleep[(b + 2) % N] -> asleep[(b + 2) % N] = false
            :: NOT(0) && NOT(1) && NOT(2)
#endif
            fi
        }
#endif
    :: else -> break
    od
}

proctype waiter(byte b)
{
    byte seen, v;

    do
    :: true ->
#ifdef TWO_LOADS
        v = value[b];
        seen = version; /* a load of its own: may be newer than what was judged */
#else
        d_step { v = value[b]; seen = version };
#endif
        if
        :: v == ROUNDS -> break
        :: else
        fi;
        if
#ifdef NO_COMPARE
        :: asleep[b] = true; sleep(b)
#else
        :: atomic { version == seen -> asleep[b] = true }; sleep(b)
        :: version != seen
#endif
        fi
    od;
left:
    skip
}

init
{
    byte i;

    atomic {
        do
        :: i < N -> run writer(i); run waiter(i); i++
        :: else -> break
        od
    }
}

#else /* HALVES */

proctype writer()
{
    byte k, i;

    do
    :: k < ROUNDS ->
        k++;
        value[0] = k;
        d_step { /* wakes all that are queued at the first half */
            i = 0;
            do
            :: i < N -> asleep[i] = false; i++
            :: else -> break
            od;
            i = 0
        }
    :: else -> break
    od
}

proctype waiter(byte i)
{
    byte v;

    do
    :: true ->
        v = value[0];
        if
        :: v == ROUNDS -> break
        :: else
        fi;
#if defined(FIRST_ONLY)
        asleep[i] = true; /* the first half has not changed: so it compares */
        sleep(i)
#elif defined(COMPARE_THEN_QUEUE)
        if
        :: value[0] != v -> skip
        :: else -> asleep[i] = true; sleep(i)
        fi
#else
        asleep[i] = true; /* queued at the first half, */
        if
        :: value[0] != v -> asleep[i] = false /* then the second compared: back, and off the queue */
        :: else -> sleep(i)
        fi
#endif
    od;
left:
    skip
}

init
{
    byte i;

    atomic {
        run writer();
        do
        :: i < N -> run waiter(i); i++
        :: else -> break
        od
    }
}

#endif
