/* SPDX-License-Identifier: MIT */
/*
 * futex.pml - words that are not 4 bytes, and the kernel that compares 4
 *
 * BYTES: two bytes, two waiters, one futex: each byte has a writer, which wakes one. BITS: sleepers
 * and wakers say which byte they mean.
 *
 * HALVES: an 8-byte word shared between processes, of which the second half changes. The
 * waiter sleeps on both at once: queued at the first, then the second is compared. Every
 * writer wakes at the first.
 */
bool set[2];      /* BYTES: the bytes. HALVES: set[1] is the second half */
byte version;     /* of the 4 bytes: what the kernel compares */
bool asleep[2];

#ifdef BYTES

proctype writer(byte b)
{
    atomic { set[b] = true; version++ };
    atomic { /* wake one */
        if
        :: asleep[b] -> asleep[b] = false
#ifdef BITS
        :: else
#else
        :: asleep[1 - b] -> asleep[1 - b] = false
        :: else
#endif
        fi
    }
}

proctype waiter(byte b)
{
    byte seen;
    bool mine;

    do
    :: true ->
#ifdef TWO_LOADS
        mine = set[b];
        seen = version; /* a load of its own: may be newer than what was judged */
#else
        d_step { mine = set[b]; seen = version };
#endif
        if
        :: mine -> break
        :: else
        fi;
        if
        :: atomic { version == seen -> asleep[b] = true }; (!asleep[b])
        :: version != seen
        fi
    od
}

init { atomic { run writer(0); run writer(1); run waiter(0); run waiter(1) } }

#else /* HALVES */

proctype writer()
{
    set[1] = true;
    asleep[0] = false /* wakes the waiter queued at the first half */
}

proctype waiter()
{
    bool whole;

    do
    :: true ->
        whole = set[1];
        if
        :: whole -> break
        :: else
        fi;
#if defined(FIRST_ONLY)
        asleep[0] = true; /* the first half has not changed: so it compares */
        (!asleep[0])
#elif defined(COMPARE_THEN_QUEUE)
        if
        :: set[1] -> skip
        :: else -> asleep[0] = true; (!asleep[0])
        fi
#else
        asleep[0] = true; /* queued at the first half, */
        if
        :: set[1] -> asleep[0] = false /* then the second compared: back, and off the queue */
        :: else -> (!asleep[0])
        fi
#endif
    od
}

init { atomic { run writer(); run waiter() } }

#endif
