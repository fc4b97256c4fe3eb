/* SPDX-License-Identifier: MIT */
/*
 * doorbell.pml - a register whose write raises an interrupt, and its sleepers: kernel/doorbell.c
 *
 * Ringers put down an item and ring. The device sets its status and sends an interrupt for each
 * ring; the controller holds one pending while the handler runs, so rings merge. The handler reads
 * and acknowledges the status, counts, and wakes. Each of READERS readers takes note of the count, looks
 * for all items, and where one is missing sleeps until the count is another: a ring that is lost
 * leaves it asleep for ever. TIMED=N: the first N readers' sleeps may end at any time, and then they
 * leave or look again; at least one reader's may not.
 *
 * With -DEVENTFD the device is ivshmem, which has no status: a ring adds to an eventfd of the peer's, and
 * the peer's emulator empties it, then sends the interrupt: kernel/doorbell_ivshmem.c.
 *
 * Orders between a CPU and a device are the driver's accessors' (writel() comes after the stores before
 * it), so memory is sequentially consistent here, but for -DRING_OVERTAKES.
 */
#ifndef RINGERS
#define RINGERS 2
#endif
#ifndef RINGS
#define RINGS 2
#endif
#ifndef READERS
#define READERS 1
#endif
#ifndef TIMED
#define TIMED 0
#endif

byte items;       /* put down, of RINGERS * RINGS */
bool status;      /* the device's, set by a ring, cleared by an acknowledgement */
bool pending;     /* the controller's: an interrupt that waits for the handler */
bool added;       /* to the eventfd, and not taken out yet */
byte interrupts;  /* the driver's count: of no account how high, so modulo 8 */
bool queued[READERS]; /* the reader is on the wait queue: a wake takes it off */
byte ringers_done;

inline ring()
{
#ifdef EVENTFD
    added = true
#else
    atomic {
#ifdef EDGE
        pending = (status -> pending : true); /* an interrupt only where there was no status */
#else
        pending = true;
#endif
        status = true
    }
#endif
}

#ifdef EVENTFD
proctype emulator()
{
end:
    do
#ifdef EMPTIED_LAST
    :: added -> pending = true; added = false
#else
    :: added -> added = false; pending = true
#endif
    od
}
#endif

proctype ringer()
{
    byte i;

    do
    :: i < RINGS ->
        i++;
#ifdef RING_OVERTAKES
        ring();
        items++
#else
        items++;
        ring()
#endif
    :: else -> break
    od;
    i = 0;
    ringers_done++
}

/* wake_up_all(). */
inline wake()
{
    d_step {
        queued[0] = false;
#if READERS > 1 && !defined(WAKES_ONE)
        queued[1] = false;
#endif
#if READERS > 2 && !defined(WAKES_ONE)
        queued[2] = false;
#endif
    }
}

/* The interrupt is taken as often as one is pending; it does not interrupt itself. */
proctype handler()
{
    bool seen;

end:
    do
    :: atomic { pending -> pending = false };
        seen = status;
#ifndef ACKNOWLEDGE_LAST
        if
        :: seen -> status = false
        :: else
        fi;
#endif
#ifdef BY_STATUS
        if
        :: seen
#endif
#ifdef WAKE_FIRST
        wake();
        interrupts = (interrupts + 1) % 8;
#else
        interrupts = (interrupts + 1) % 8;
#ifndef NO_WAKE
        wake();
#endif
#endif
#ifdef BY_STATUS
        :: else
        fi;
#endif
#ifdef ACKNOWLEDGE_LAST
        status = false;
#endif
        seen = false
    od
}

inline sleep(i)
{
    if
    :: !queued[i]
#if TIMED > 0
    :: i < TIMED -> queued[i] = false
    :: i < TIMED -> queued[i] = false; goto left
#endif
    fi
}

proctype reader(byte i)
{
    byte noted;
    bool all;

    do
    :: true ->
#ifndef NOTED_LATE
        noted = interrupts;
#endif
        all = (items == RINGERS * RINGS);
        if
        :: all -> break
        :: else
        fi;
#ifdef NOTED_LATE
        noted = interrupts;
#endif
        /* wait_event(): on the queue, then the condition, then asleep. */
        do
#ifdef LOOK_THEN_QUEUE
        :: interrupts == noted -> queued[i] = true; sleep(i)
        :: interrupts != noted -> break
#else
        :: true ->
            queued[i] = true;
            if
            :: interrupts != noted -> queued[i] = false; break
            :: else -> sleep(i)
            fi
#endif
        od
    od;
left:
    skip
}

init
{
    byte t;

    atomic {
        do
        :: t < RINGERS -> run ringer(); t++
        :: else -> break
        od;
#ifdef EVENTFD
        run emulator();
#endif
        run handler();
        t = 0;
        do
        :: t < READERS -> run reader(t); t++
        :: else -> break
        od
    }
}
