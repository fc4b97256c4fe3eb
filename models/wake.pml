/* SPDX-License-Identifier: MIT */
/*
 * wake.pml - a wake for one sleeper, which the kernel gives to any of them: DISCARDED WAKES in
 * user/park.c, whose labels W1, W3, W4, D1 to D4, P1 to P6 are used here; and user/event.c, where
 * the word is seq, a waiter's old value its key, W1 is W4, and `seconds` the bit SECOND.
 *
 * Each writer moves the word on and unparks one, STORES times. Each waiter, ROUNDS times, notes the
 * word's value at some moment and waits until it is another. Waiters 1 and up may give up at any
 * time. Claimed: each unpark's wake ends with a waiter that returns because its condition is met, a
 * different one for each, or none of those that waited before its store is left. When all writers are
 * done and nothing is owed, those still asleep may go: so a waiter that cannot get on is one that is
 * owed a wake.
 *
 * SETTLES: a waiter of an event that no barrier reached moves the word on by itself (T2), and wakes all
 * (T4). A waiter that returns for that alone has not answered a writer's wake.
 *
 * Memory is sequentially consistent here: the store-buffer part of the argument, a fence on either side
 * of (W1, seconds) and (seconds, P3), is that of park.pml. The order of the steps is this model's.
 */
#ifndef WRITERS
#define WRITERS 1
#endif
#ifndef WAITERS
#define WAITERS 3
#endif
#ifndef STORES
#define STORES 2
#endif
#ifndef ROUNDS
#define ROUNDS 2
#endif
#define FIRST 1
#define SECOND 2
#define EVERY_SECOND 255

byte word, parked, seconds, done;
byte asleep[WAITERS]; /* 0, FIRST or SECOND */
byte woken[WAITERS]; /* by whose wake: a store's number + 1; EVERY_SECOND: woken with all of SECOND */
bool inside[WAITERS];
byte old[WAITERS];
#ifdef SETTLES
byte stores; /* of the writers */
byte stores_seen[WAITERS];
#define ANSWERED(me) (stores != stores_seen[me])
#else
#define ANSWERED(me) true
#endif
byte owed[WRITERS * STORES]; /* by each store: to which waiter, a bit each; 0: nothing more */

#if WRITERS * STORES > 3
#define NOTHING_OWED (!owed[0] && !owed[1] && !owed[2] && !owed[3])
#elif WRITERS * STORES > 1
#define NOTHING_OWED (!owed[0] && !owed[1])
#else
#define NOTHING_OWED (!owed[0])
#endif

#define NONE_ASLEEP(c) (asleep[0] != c && asleep[1] != c && (WAITERS < 3 || asleep[WAITERS - 1] != c))

inline wake_all(c)
{
    i = 0;
    do
    :: i < WAITERS ->
        if
        :: asleep[i] == c -> asleep[i] = 0; woken[i] = EVERY_SECOND
        :: else
        fi;
        i++
    :: else -> break
    od;
    i = 0
}

/* W4 with a count of 1. `some`: seconds, as read at some moment since W1. */
inline wake_one(some, whose)
{
    atomic {
        none = false;
        if
        :: asleep[0] == FIRST -> asleep[0] = 0; woken[0] = whose
        :: asleep[1] == FIRST -> asleep[1] = 0; woken[1] = whose
#if WAITERS > 2
        :: asleep[2] == FIRST -> asleep[2] = 0; woken[2] = whose
#endif
        :: NONE_ASLEEP(FIRST) -> none = true
        fi
    };
#ifndef NO_SECOND_CALL
    if
    :: none && some ->
#ifdef WAKES_ONE_SECOND
        atomic {
            if
            :: asleep[0] == SECOND -> asleep[0] = 0; woken[0] = whose
            :: asleep[1] == SECOND -> asleep[1] = 0; woken[1] = whose
#if WAITERS > 2
            :: asleep[2] == SECOND -> asleep[2] = 0; woken[2] = whose
#endif
            :: NONE_ASLEEP(SECOND)
            fi
        }
#else
        d_step { wake_all(SECOND) }
#endif
    :: else
    fi;
#endif
    none = false
}

proctype writer(byte t)
{
    byte i, k, some;
    bool none;

    do
    :: k < STORES ->
#ifdef SECOND_READ_EARLY
        some = seconds;
#endif
        d_step {                                        /* W1 */
            i = 0;
            do
            :: i < WAITERS ->
                if
                :: inside[i] -> owed[t * STORES + k] = owed[t * STORES + k] | (1 << i)
                :: else
                fi;
                i++
            :: else -> break
            od;
            i = 0;
#ifdef SETTLES
            stores++;
#endif
            word++
        };
        if                                              /* W3 */
        :: parked == 0 -> goto next
        :: else
        fi;
#ifdef IN_TWO_PARTS
        some = seconds; /* begin, and then end */
#elif !defined(SECOND_READ_EARLY)
#define some seconds
#endif
        wake_one(some, t * STORES + k + 1);
#undef some
next:
        atomic { some = 0; k++ }
    :: else -> break
    od;
    done++
}

inline settle(met)
{
    k = 0;
    do
    :: k < WRITERS * STORES ->
        if
        :: met && woken[me] == k + 1 && ANSWERED(me) -> owed[k] = 0
        :: else -> owed[k] = owed[k] & (255 - (1 << me))
        fi;
        k++
    :: else -> break
    od;
    k = 0
}

#ifdef LEAVES_WITH_THE_WAKE
#define DISCARDS (woken[me] && woken[me] != EVERY_SECOND && !met && !passed && parked > 1 && !over)
#else
#define DISCARDS (woken[me] && woken[me] != EVERY_SECOND && !met && !passed && parked > 1)
#endif

/* Until a wake, or the deadline, or there is nothing to be waited for. Then the look. */
inline sleep_and_look()
{
    atomic {
        if
        :: asleep[me] == 0
        :: me > 0 && asleep[me] != 0 -> asleep[me] = 0; over = true
        :: done == WRITERS && NOTHING_OWED && asleep[me] != 0 -> asleep[me] = 0; over = true
        fi
    };
    atomic {
        if
        :: me > 0 && !over -> over = true /* together with the wake */
        :: true
        fi;
        met = word != old[me]
    }
}

proctype waiter(byte me)
{
    byte i, k, round, class;
    bool none, over, passed, met;

    do
    :: round < ROUNDS ->
#ifdef SETTLES
        atomic { class = FIRST; old[me] = word; stores_seen[me] = stores };
#else
        atomic { class = FIRST; old[me] = word };
#endif
        atomic { parked++; inside[me] = true };         /* P1 */
        do
        :: met || over -> break
        :: atomic { !met && !over && word != old[me] -> met = true } /* P3, P4 */
        :: atomic { !met && !over && word == old[me] -> asleep[me] = class };
            sleep_and_look();
            if
#ifndef NO_PASS_ON
            :: DISCARDS ->
                wake_one(seconds, woken[me]);                      /* D2 */
#ifdef STAYS_FIRST
                passed = true
#elif defined(ANNOUNCED_TOO_LATE)
                atomic { class = SECOND; passed = true; woken[me] = 0 };
                if
                :: atomic { word == old[me] -> asleep[me] = SECOND };
                    seconds++;
                    sleep_and_look()
                :: atomic { word != old[me] -> seconds++; met = true }
                fi
#else
                atomic { seconds++; class = SECOND; passed = true } /* D3 */
#endif
#endif
            :: else
            fi;
            if
            :: met
            :: else -> woken[me] = 0
            fi
        od;
        atomic {                                        /* P6 */
            settle(met);
            if
            :: class == SECOND -> seconds--
            :: else
            fi;
#ifdef SETTLES
            stores_seen[me] = 0;
#endif
            parked--; inside[me] = false; woken[me] = 0; old[me] = 0;
            over = false; passed = false; met = false; class = 0;
            round++
        }
    :: else -> break
    od
}

#ifdef SETTLES
proctype settles()
{
    byte i;

    word++;                                             /* T2 */
#ifndef NO_T4
    d_step { wake_all(FIRST); wake_all(SECOND) }        /* T4 */
#endif
}
#endif

init
{
    byte t;

    atomic {
        do
        :: t < WAITERS -> run waiter(t); t++
        :: else -> break
        od;
#ifdef SETTLES
        run settles();
#endif
        t = 0;
        do
        :: t < WRITERS -> run writer(t); t++
        :: else -> break
        od;
        t = 0
    }
}
