/* SPDX-License-Identifier: MIT */
/*
 * core/port.h - the seam: everything the core needs from its surroundings
 *
 * A port is one file (user/linux.c, user/posix.c) that defines these functions. The core
 * is linked against one port; unit tests link it against a fake one with a fake clock.
 */
#ifndef XSC_CORE_PORT_H
#define XSC_CORE_PORT_H

#include <stdbool.h>
#include <stdint.h>

struct xsc_cpu;
struct xsc_clock_sources;
struct xsc_peer;

/* The OS's monotonic clock in ns: what a caller's timeout is measured by. */
uint64_t xsc_port_now_ns(void);

/* CPU time that the calling thread has used, in ns; 0 where the OS can't tell. */
uint64_t xsc_port_cpu_ns(void);

/* The two clocks that core/clock.h chooses from. */
void xsc_port_clocks(struct xsc_clock_sources *sources);

/* Fills in the facts of core/cpu.h. *cpu is zeroed before. No function here is a cancellation
   point. */
void xsc_port_cpu(struct xsc_cpu *cpu);

/*
 * Runs fn(arg) where a faulting instruction does no harm to the process. Returns 0 when
 * fn came back, else the number of the signal (or the exception) that it raised; -1 where
 * such a trial can't be made here.
 */
int xsc_port_try(void (*fn)(void *), void *arg);

/*
 * Runs xsc_peer_main(peer) on another CPU until xsc_port_peer_stop(). Returns 0, or -1
 * with peer->trouble set where there is no other CPU or no way to run something on it.
 */
int xsc_port_peer_start(struct xsc_peer *peer);
void xsc_port_peer_stop(struct xsc_peer *peer);

/* Offers the CPU to others; sleeps about ns. */
void xsc_port_yield(void);
void xsc_port_nap(uint64_t ns);

/* A message to the user that runs the process, once: one line without a newline. */
void xsc_port_say(const char *line);

/*
 * A wait leaves the CPU, now or soon, and it is now_ns: a moment to read again what may have changed
 * about the machine (xsc_engine_cpus()), if it is long enough since. Nothing in a kernel.
 */
void xsc_port_recheck(uint64_t now_ns);

/* A small number that differs between threads (or CPUs): where to look for a free slot. */
uint32_t xsc_port_slot_hint(void);

/*
 * Whether this wait may judge health and try a mechanism again, which takes milliseconds and may
 * sleep. Not in a kernel, where the waiter may hold a spin lock: its watchdog does it.
 */
bool xsc_port_may_judge(void);

/*
 * Whether lower threads get this thread's CPU only while it sleeps, so that a watcher must: it runs
 * under a real-time policy, or the OS does not say which. At most one system call. False in a kernel,
 * where a waiter may not sleep.
 */
bool xsc_port_must_sleep(void);

/*
 * A number of this process, never 0, and unlike that of each process that it was forked from: what
 * threads of those have marked with theirs, a lock say, belongs to no thread any more. No system call,
 * but the first time in a process, and where the OS has nothing better than getpid().
 */
uint64_t xsc_port_process(void);

#endif /* XSC_CORE_PORT_H */
