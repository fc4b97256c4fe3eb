/* SPDX-License-Identifier: MIT */
/*
 * wfe.pml - the event register, the exclusive monitor, and store buffers
 *
 * The rules (DDI 0487, D1.6.1 "Wait For Event mechanism and Send event", B2.12 for the monitor):
 * - one bit a core. SEV sets it on every core. WFE, the bit being set, clears it and goes on at once;
 *   else it waits until the bit is set, clears it and goes on. So two events before a WFE are one.
 * - WFI does not look at the bit.
 * - an exclusive load arms the core's monitor for an address. Another core's store to that address,
 *   when it becomes visible, clears the monitor, and on ARMv8 that sets the bit. On ARMv7 it does
 *   not (DDI 0406C, B1.8.13): -DARMV7.
 * - the return from an exception clears the monitor and sets the bit. It may come at any moment:
 *   each core takes one, INTERRUPTED.
 * - stores are made visible later, first in, first out, as in tso.pml; DSB waits for that.
 *
 * A thread is a core here. A core that never gets on is an invalid end state: a lost event.
 */
#ifndef CORES
#define CORES 2
#endif
#ifndef CELLS
#define CELLS 4
#endif
#define NOWHERE 255

byte mem[CELLS];
bool event[CORES];
byte armed[CORES] = NOWHERE;
chan buffer[CORES] = [2] of { byte, byte };

inline sev()
{
    d_step {
        event[0] = true;
        event[1] = true;
#if CORES > 2
        event[2] = true
#endif
    }
}

inline wfe(c) { atomic { event[c] -> event[c] = false } }

/* Interrupts may end it; none is due here. */
inline wfi(c) { (false) }

inline load_exclusive(c, a, v) { atomic { v = mem[a]; armed[c] = a } }

inline store(c, a, v) { buffer[c] ! a, v }

/* And what comes before an atomic operation with release ordering: the buffer is empty. */
inline dsb(c) { empty(buffer[c]) }

inline clear_monitor(core, by, cell)
{
    if
    :: core != by && armed[core] == cell ->
        armed[core] = NOWHERE;
#ifndef ARMV7
        event[core] = true
#endif
    :: else
    fi
}

/* A store becomes visible. Also what an atomic operation does, in its own step. */
inline visible(writer, a, v)
{
    mem[a] = v;
    clear_monitor(0, writer, a);
    clear_monitor(1, writer, a);
#if CORES > 2
    clear_monitor(2, writer, a)
#endif
}

proctype drain(byte c)
{
    byte a, v;

    d_step { a = 0; v = 0 };
end:
    do
    :: atomic { buffer[c] ? a, v -> visible(c, a, v); a = 0; v = 0 }
    od
}

/* One exception on core c, at any moment, or never. */
proctype exception(byte c)
{
    if
    :: true
    :: d_step {
           armed[c] = NOWHERE;
#ifndef NO_EVENT_AT_RETURN
           event[c] = true
#endif
       }
    fi
}
