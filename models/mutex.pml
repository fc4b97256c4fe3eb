/* SPDX-License-Identifier: MIT */
/*
 * mutex.pml - the mutex: user/mutex.c, whose labels U1 to U3, S1, S2, L1 to L4 are used here, over
 * the parking of user/park.c, P1 to P6
 *
 * THREADS threads take it SECTIONS times each. Claimed: at most one is in, what one wrote the next
 * one sees, and nobody sleeps for ever. HELD is a byte that its owner stores to without an atomic
 * operation, so it has a cell of its own; atomic operations on the word, and the futex, see both
 * cells at once. SEQ_CST: no membarrier, every unlock takes the slow way and fences.
 *
 * A waiter that has slept may find that it has waited long, at any time, and reserve the lock. With
 * -DTIMED thread 0 may give up, whenever it sleeps.
 */
#ifndef THREADS
#define THREADS 2
#endif
#ifndef SECTIONS
#define SECTIONS 2
#endif

#define HELD 0   /* cells of mem[] */
#define DATA 1   /* written under the lock, plainly */
/* PARKED and RESERVED, bits of flags, are the header's: see run.sh. */

byte mem[2];
byte flags;
byte parked; /* xsc_parked[], without FENCED: that is never there, or (SEQ_CST) from the start */
byte asleep[THREADS]; /* 0 awake, 1 for the word, 2 for the byte: who has reserved */
chan buffer[THREADS] = [2] of { byte, byte };
byte inside, sections;

inline store(t, a, v) { buffer[t] ! a, v }
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

/* futex_wake() for one of those asleep for `what`. */
inline wake(t, what)
{
    fence(t);
    if
    :: atomic { asleep[0] == what -> asleep[0] = 0 }
    :: atomic { asleep[1] == what -> asleep[1] = 0 }
#if THREADS > 2
    :: atomic { asleep[2] == what -> asleep[2] = 0 }
    :: d_step { asleep[0] != what && asleep[1] != what && asleep[2] != what }
#else
    :: d_step { asleep[0] != what && asleep[1] != what }
#endif
    fi
}

inline unlock(t)
{
#ifndef SEQ_CST
    n = parked;                                         /* U1 */
    if
    :: n == 0 ->
        store(t, HELD, 0);                              /* U2 */
#ifndef NO_SECOND_LOOK
        n = parked;                                     /* U3 */
        if
        :: n != 0 ->
            fence(t);
            wake(t, 1);
#ifndef LATE_WAKES_THE_WORD_ONLY
            wake(t, 2)
#endif
        :: else
        fi;
#endif
        goto out
    :: else
    fi;
#else
    n = parked;
#endif
    atomic {                                            /* S1: inline where was == 0 */
        fence(t) -> was = flags;
        mem[HELD] = 0;
        if
        :: was & RESERVED
        :: else -> flags = 0
        fi
    };
    if                                                  /* S2 */
    :: was & RESERVED ->
        n = parked;
        if
#ifdef WAKES_ANYBODY
        :: n != 0 -> wake(t, 1)
#else
        :: n != 0 -> wake(t, 2)
#endif
        :: else
        fi
    :: !(was & RESERVED) && was & PARKED ->
        n = parked;
        if
        :: n != 0 -> wake(t, 1)
        :: else
        fi
    :: !was
    fi;
out:
    skip
}

/* membarrier(): one after another, each thread goes through a fence. */
inline barrier()
{
    n = 0;
    do
    :: n < THREADS -> atomic { empty(buffer[n]) -> n++ }
    :: else -> break
    od;
    n = 0
}

/* What a waiter that has parked with `bits` waits for. */
#ifdef WATCHES_HELD_ONLY
#define CHANGED (mem[HELD] == 0)
#else
#define CHANGED (mem[HELD] != held || flags != bits)
#endif

/* L1. The look at who is parked may be older: others. */
inline take()
{
    mem[HELD] = 1;
    if
#ifndef RESERVED_TAKES_PARKED_OFF
    :: reserved -> flags = flags & PARKED
    :: !reserved && !others -> flags = 0
#else
    :: !others -> flags = 0
    :: reserved && others -> flags = flags & PARKED
#endif
    :: else
    fi;
    if
#ifndef FORGETS_THE_OTHERS
    :: others && slept -> flags = flags | PARKED
#endif
    :: else
    fi;
    reserved = false;
    slept = false
}

/* Off the CPU until somebody wakes it. With TIMED thread 0 may wake by itself. */
inline sleep()
{
    if
    :: asleep[t] == 0
#ifdef TIMED
    :: atomic { t == 0 -> asleep[t] = 0 }
#endif
    fi
}

proctype thread(byte t)
{
    byte n, was, bits, held, k;
    bool reserved, slept, others;

    do
    :: k < SECTIONS ->
again:
        others = parked != 0;
        atomic {
            fence(t) ->
            if
            :: mem[HELD] == 0 && (reserved || !(flags & RESERVED)) -> /* L1 */
                take();
                goto in
            :: else                                     /* L2 */
            fi;
            if
            :: slept && !reserved && mem[HELD] && !(flags & RESERVED) ->
                flags = flags | RESERVED; reserved = true
            :: true
            fi;
            if
            :: reserved
            :: else -> flags = flags | PARKED
            fi;
            held = mem[HELD];
            bits = flags
        };
        atomic { fence(t) -> parked++ };                /* P1 */
#if !defined(SEQ_CST) && !defined(NO_BARRIER)
        barrier();                                      /* P2 */
#endif
        do
        :: reserved ->                                  /* L3, for the byte */
            if
            :: mem[HELD] == 0 -> break
            :: atomic { mem[HELD] == 1 -> asleep[t] = 2 }; sleep()
            fi
        :: !reserved ->                                 /* L3, for the word */
            if
            :: d_step { CHANGED } -> break
            :: atomic { !CHANGED -> asleep[t] = 1 }; sleep()
            fi
#ifdef TIMED
        /* The deadline, and the look that comes after it. */
        :: d_step { t == 0 && (reserved -> mem[HELD] == 1 : !(CHANGED)) } -> goto give_up
#endif
        od;
        atomic { fence(t) -> parked-- };                /* P6 */
        slept = true;
        d_step { was = 0; held = 0; bits = 0 };
        goto again;                                     /* L4 */

#ifdef TIMED
give_up:
        atomic { fence(t) -> parked-- };
        others = parked != 0;
        atomic {
            fence(t) ->
            if
            :: mem[HELD] == 0 && (reserved || !(flags & RESERVED)) ->
                take();
                goto in
            :: else
            fi;
#ifndef KEEPS_WHAT_IT_RESERVED
            if
            :: reserved -> flags = flags & PARKED
            :: else
            fi;
#endif
            reserved = false; slept = false
        };
        goto done;
#endif
in:
        inside++;
        assert(inside == 1);
        assert(mem[DATA] == sections);
        sections++;
        inside--;
        store(t, DATA, sections);
        unlock(t);
done:
        skip;
        d_step { n = 0; was = 0; held = 0; bits = 0; others = false; k++ }
    :: else -> break
    od
}

init
{
    byte t;

    atomic {
        do
        :: t < THREADS -> run thread(t); run drain(t); t++
        :: else -> break
        od;
        t = 0
    }
}
