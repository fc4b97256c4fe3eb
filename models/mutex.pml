/* SPDX-License-Identifier: MIT */
/*
 * mutex.pml - the mutex: user/mutex.c, whose labels U1 to U3, S1, S2, L1 to L4 are used here, over
 * the parking of user/park.c, P1 to P6
 *
 * THREADS threads take it SECTIONS times each. Claimed: at most one is in, what one wrote the next
 * one sees, and no waiter sleeps for ever. HELD is a byte that its owner stores to without an
 * atomic operation, so it has a cell of its own; atomic operations on the word, and the futex, see
 * both cells at once. SEQ_CST: no membarrier, every unlock takes the slow way and fences.
 *
 * A waiter that has slept may find that it has waited long, at any time, and reserve the lock. With
 * -DTIMED=N the first N threads may give up, whenever they wait; at least one may not, for a thread
 * that can wake by itself is never seen to be lost. TRYLOCK: any of them may try once
 * instead of waiting. A wake goes to any of the sleepers that it is for, whatever the kernel orders
 * them by (age, priority); a sleeper that finds its bits unchanged goes back to sleep.
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
byte asleep[THREADS]; /* 0 awake, 1 for the word, 2 for the byte: the waiter that has reserved */
#ifndef DIRECT
chan buffer[THREADS] = [2] of { byte, byte };
#endif
byte inside, sections;

/*
 * DIRECT, with SEQ_CST: no store buffers. Each operation on the word and on parked is then an atomic
 * one, which waits for the buffer to be empty; that leaves DATA in it, which is looked at only after
 * such an operation. Fewer states, for more threads and rounds.
 */
#ifdef DIRECT
inline store(t, a, v) { mem[a] = v }
inline fence(t) { true }
#else
inline store(t, a, v) { buffer[t] ! a, v }
inline fence(t) { empty(buffer[t]) }
#endif

#ifndef DIRECT
proctype drain(byte t)
{
    byte a, v;

    d_step { a = 0; v = 0 };
end:
    do
    :: atomic { buffer[t] ? a, v -> mem[a] = v; a = 0; v = 0 }
    od
}
#endif

/* futex_wake() for one of those asleep for `what`, any of them. */
#if THREADS > 2
#define NONE_ASLEEP(what) (asleep[0] != what && asleep[1] != what && asleep[2] != what)
#else
#define NONE_ASLEEP(what) (asleep[0] != what && asleep[1] != what)
#endif

inline wake(t, what)
{
    atomic {
        fence(t) ->
        if
        :: asleep[0] == what -> asleep[0] = 0
        :: asleep[1] == what -> asleep[1] = 0
#if THREADS > 2
        :: asleep[2] == what -> asleep[2] = 0
#endif
        :: NONE_ASLEEP(what)
        fi
    }
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
        if
#ifdef WAKES_ANYBODY
        :: parked != 0 -> wake(t, 1)
#else
        :: parked != 0 -> wake(t, 2)
#endif
        :: else
        fi
    :: !(was & RESERVED) && was & PARKED ->
        if
        :: parked != 0 -> wake(t, 1)
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

/* L1. The look at the count of parked threads may be older: others. */
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

/* Off the CPU until another thread wakes it, or (TIMED) its time is over. */
inline sleep()
{
    if
    :: asleep[t] == 0
#ifdef TIMED
    :: atomic { t < TIMED -> asleep[t] = 0 }
#endif
    fi
}

proctype thread(byte t)
{
    byte n, was, bits, held, k;
    bool reserved, slept, others;

    do
    :: k < SECTIONS ->
#ifdef TRYLOCK
        if
        :: atomic {
               fence(t) ->
               if
               :: mem[HELD] == 0 && !(flags & RESERVED) -> mem[HELD] = 1; goto in
               :: else -> goto done
               fi
           }
        :: true
        fi;
#endif
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
        :: reserved && mem[HELD] == 0 -> break          /* L3, for the byte */
        :: atomic { reserved && mem[HELD] == 1 -> asleep[t] = 2 }; sleep()
        :: !reserved && CHANGED -> break                /* L3, for the word */
        :: atomic { !reserved && !CHANGED -> asleep[t] = 1 }; sleep()
#ifdef TIMED
        /* The deadline, and the look that comes after it. */
        :: t < TIMED && (reserved -> mem[HELD] == 1 : !CHANGED) -> goto give_up
#endif
        od;
        atomic {                                        /* P6 */
            fence(t) ->
            parked--; slept = true; was = 0; held = 0; bits = 0
        };
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
#ifdef GIVES_UP_WITHOUT_PARKED
            :: reserved -> flags = flags & PARKED
#else
            :: reserved -> flags = PARKED
#endif
            :: else
            fi;
#endif
            reserved = false; slept = false
        };
        goto done;
#endif
in:
        atomic { inside++; assert(inside == 1) };
        d_step { assert(mem[DATA] == sections); sections++; inside-- };
        store(t, DATA, sections);
        unlock(t);
done:
        atomic { n = 0; was = 0; held = 0; bits = 0; others = false; k++ }
    :: else -> break
    od
}

init
{
    byte t;

    atomic {
        do
#ifdef DIRECT
        :: t < THREADS -> run thread(t); t++
#else
        :: t < THREADS -> run thread(t); run drain(t); t++
#endif
        :: else -> break
        od;
        t = 0
    }
}
