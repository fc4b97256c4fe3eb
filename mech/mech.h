/* SPDX-License-Identifier: MIT */
/*
 * mech/mech.h - what a mechanism is
 *
 * One file in mech/ is one way to let time pass until a word changes: it says whether a
 * CPU has it, waits with it once, and states the facts it relies on with their source. No
 * policy, no statistics, no OS: core/ decides when to use it and whether to believe it.
 *
 * To add one: write the file, give it a line in the list below and a row in docs/mechanisms.md.
 */
#ifndef XSC_MECH_H
#define XSC_MECH_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/arch.h"
#include "core/clock.h"
#include "core/cpu.h"
#include "core/watch.h"

enum xsc_trait {
    XSC_MONITOR = 1u << 0,      /* the hardware watches: the awaited store itself ends the wait */
    XSC_POLL = 1u << 1,         /* ends because the word is looked at again; coherence is enough */
    XSC_DEADLINE = 1u << 2,     /* the hardware takes a deadline and ends the wait at it */
    XSC_NEEDS_WAKE = 1u << 3,   /* only a writer that calls wake() ends it: not for plain stores */
    XSC_MAY_FAULT = 1u << 4,    /* could raise SIGILL where the OS or a hypervisor hides it */
    XSC_LEAVES_CPU = 1u << 5,   /* lets other threads run meanwhile */
    XSC_WATCHES_LINE = 1u << 6, /* a store anywhere in the word's cache line ends the wait */
};

enum xsc_presence {
    XSC_ABSENT, /* known not to be there, or not fit for use: *why says which */
    XSC_PRESENT,
    XSC_UNCERTAIN, /* unknown here: tried only when the user asks for it by name */
};

/* Why one hardware wait came back. */
enum xsc_woke {
    XSC_WOKE,       /* a store, the deadline or nothing at all: look and see */
    XSC_WOKE_LIMIT, /* the OS's limit on hardware waits, before the deadline */
    XSC_WOKE_MET,   /* it was seen, by a load with acquire ordering, that the condition is met */
};

struct xsc_mech_ctx {
    const struct xsc_cpu *cpu;
    const struct xsc_clock *clock;
    uint32_t relaxes_per_look; /* spin hints between two looks of a polling mechanism, >= 1 */
};

struct xsc_mechanism {
    const char *name; /* upper case, as users write it in XSC_MECHANISM (any case) */
    uint32_t traits;

    /*
     * XSC_MONITOR only: an undisturbed wait of XSC_SLICE_NS that comes back before this many
     * ns on average, with no limit of the OS to excuse it, is no sleep but a NOP or a trap.
     */
    uint32_t rest_ns;

    /* Says whether this CPU has it, and why not, in words a person can act on. */
    enum xsc_presence (*detect)(const struct xsc_cpu *cpu, const char **why);

    /*
     * One wait, or a short run of looks: arms, looks at the word, and only if the
     * condition is unmet lets time pass, until about `deadline` (ticks of ctx->clock) at the
     * latest. May return early for any reason or none. *at is the time at the call; an
     * XSC_POLL mechanism, which reads the clock anyway, leaves in it the time of its return,
     * some looks old at most, so that nothing need be read between a store and its being
     * told of. Others leave it alone.
     */
    enum xsc_woke (*wait)(const struct xsc_mech_ctx *ctx, const struct xsc_watch *w,
                          uint64_t deadline, uint64_t *at);

    /* What a writer must do after its store, where XSC_NEEDS_WAKE; else NULL. */
    void (*wake)(void);
};

/* ------------------------------------------------------------------------- the list ---- */

/*
 * M(id, traits): one line a mechanism, best first. Everything else follows from it: the file is
 * mech/ID.c, which defines xsc_mech_ID with .traits = XSC_TRAITS_ID, and builds, the kernel's included,
 * take all of mech/. tests/style/mechanisms.sh holds the files and docs/mechanisms.md against this list.
 * The trait that others build on is XSC_NEEDS_WAKE: a lock whose waiters may wait so must make the
 * event in its unlock, and user/lock.c does not compile if it does not.
 */
/* clang-format off */
#if defined(XSC_ARCH_X86)
#define XSC_MECHANISMS(M)                                                                          \
    M(umwait, XSC_MONITOR | XSC_DEADLINE | XSC_MAY_FAULT | XSC_WATCHES_LINE)                       \
    M(mwaitx, XSC_MONITOR | XSC_DEADLINE | XSC_MAY_FAULT | XSC_WATCHES_LINE)                       \
    M(pause, XSC_POLL)                                                                             \
    M(tpause, XSC_POLL | XSC_DEADLINE | XSC_MAY_FAULT)                                             \
    M(generic, XSC_POLL | XSC_LEAVES_CPU)
#elif defined(XSC_ARCH_ARM64)
#define XSC_MECHANISMS(M)                                                                          \
    M(wfet, XSC_MONITOR | XSC_DEADLINE | XSC_MAY_FAULT)                                            \
    M(wfe, XSC_MONITOR)                                                                            \
    M(isb, XSC_POLL)                                                                               \
    M(yield, XSC_POLL)                                                                             \
    M(generic, XSC_POLL | XSC_LEAVES_CPU)
#elif defined(XSC_ARCH_ARM)
#define XSC_MECHANISMS(M)                                                                          \
    M(yield, XSC_POLL)                                                                             \
    M(wfe_armv7, XSC_MONITOR | XSC_NEEDS_WAKE)                                                     \
    M(generic, XSC_POLL | XSC_LEAVES_CPU)
#elif defined(XSC_ARCH_RISCV64)
#define XSC_MECHANISMS(M)                                                                          \
    M(wrs, XSC_MONITOR | XSC_MAY_FAULT)                                                            \
    M(pause, XSC_POLL)                                                                             \
    M(generic, XSC_POLL | XSC_LEAVES_CPU)
#else
#define XSC_MECHANISMS(M)                                                                          \
    M(generic, XSC_POLL | XSC_LEAVES_CPU)
#endif
/* clang-format on */

#define XSC_TRAITS_OF(id, traits) XSC_TRAITS_##id = (traits),
enum { XSC_MECHANISMS(XSC_TRAITS_OF) };
#undef XSC_TRAITS_OF

#define XSC_DECLARE_MECHANISM(id, traits) extern const struct xsc_mechanism xsc_mech_##id;
XSC_MECHANISMS(XSC_DECLARE_MECHANISM)
#undef XSC_DECLARE_MECHANISM

/* ---------------------------------------------------------------------------- polling ---- */

#define XSC_STILL_READS 1024u     /* of a clock that does not move: comes back, for no reason */
#define XSC_LOOKS_PER_TICK_READ 8 /* a counter read costs about as much as a PAUSE or two */

/* The body of every polling mechanism: look, hint, look, ... and now and then the time. */
static inline __attribute__((always_inline)) enum xsc_woke xsc_poll(const struct xsc_mech_ctx *ctx,
                                                                    const struct xsc_watch *w,
                                                                    uint64_t deadline, uint64_t *at,
                                                                    void (*relax)(void))
{
    const uint64_t start = *at;
    uint32_t still = 0;

    do {
        const uint64_t before = *at;

        for (int look = 0; look < XSC_LOOKS_PER_TICK_READ; look++) {
            if (xsc_watch_met(w)) {
                return XSC_WOKE_MET;
            }
            for (uint32_t i = ctx->relaxes_per_look; i; i--) {
                relax();
            }
        }
        *at = ctx->clock->ticks();
        still = *at == before ? still + 1 : 0;
    } while (!xsc_slice_over(*at, start, deadline) && still < XSC_STILL_READS);
    return XSC_WOKE;
}

#endif /* XSC_MECH_H */
