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
 */
#ifndef WRITERS
#define WRITERS 1
#endif
#ifndef WAITERS
#define WAITERS 1
#endif
#define THREADS (WRITERS + WAITERS) /* writers are threads 0 to WRITERS - 1 */

byte mem[4];
chan buffer[THREADS] = [2] of { byte, byte };
byte sleeps_on[WAITERS]; /* address + 1; 0: awake */

/* A plain store. */
inline store(t, a, v) { buffer[t] ! a, v }

/* A fence, and what comes before each atomic read-modify-write: the buffer is empty. */
inline fence(t) { empty(buffer[t]) }

proctype drain(byte t)
{
    byte a, v;

    d_step { a = 0; v = 0 };
end:
    do
    :: atomic { buffer[t] ? a, v -> mem[a] = v; a = 0; v = 0 }
    od
}

/* membarrier(): one after another, each writer goes through a fence. */
inline membarrier(n)
{
    n = 0;
    do
    :: n < WRITERS -> atomic { empty(buffer[n]) -> n++ }
    :: else -> break
    od;
    n = 0
}

/* futex_wait(): compare with memory and queue, one step; then sleep. */
inline futex_wait(i, a, expected)
{
    if
    :: atomic { mem[a] == expected -> sleeps_on[i] = a + 1 };
       (sleeps_on[i] == 0)
    :: mem[a] != expected
    fi
}

/* The same without the comparison, for those who want to see why it is there. */
inline sleep_blindly(i, a)
{
    sleeps_on[i] = a + 1;
    (sleeps_on[i] == 0)
}

/* futex_wake(): a full barrier, then one, or all, of those queued. */
inline futex_wake_one(t, a)
{
    fence(t);
    if
    :: atomic { sleeps_on[0] == a + 1 -> sleeps_on[0] = 0 }
#if WAITERS > 1
    :: atomic { sleeps_on[1] == a + 1 -> sleeps_on[1] = 0 }
    :: sleeps_on[0] != a + 1 && sleeps_on[1] != a + 1
#else
    :: sleeps_on[0] != a + 1
#endif
    fi
}

inline futex_wake_all(t, a)
{
    fence(t);
    d_step {
        if
        :: sleeps_on[0] == a + 1 -> sleeps_on[0] = 0
        :: else
        fi;
#if WAITERS > 1
        if
        :: sleeps_on[1] == a + 1 -> sleeps_on[1] = 0
        :: else
        fi
#endif
    }
}
