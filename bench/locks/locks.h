/* SPDX-License-Identifier: MIT */
/*
 * bench/locks/locks.h - one lock to be measured, and the loop that all of them are measured in
 *
 * The loop is a macro, so that each lock's inline part is inlined, in C and in C++.
 */
#ifndef XSC_BENCH_LOCKS_H
#define XSC_BENCH_LOCKS_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LOCKS_SLOTS 64     /* lock objects of each kind: one for each point that is measured */
#define LOCKS_SAMPLES 4096 /* waits that each thread remembers */
#define LOCKS_TIMED 4      /* one wait in so many is timed */

/* What a thread does, over and over. In ticks of the counter. */
struct locks_run {
    unsigned slot;
    uint64_t inside, outside;
    uint32_t go, stop;                                      /* atomic */
    volatile uint64_t shared __attribute__((aligned(128))); /* written under the lock */
};

struct locks_thread {
    uint64_t sections, cpu_ns;
    uint64_t waits[LOCKS_SAMPLES];
    uint64_t n_waits; /* all that were timed; the last LOCKS_SAMPLES are kept */
};

/* What a lock is held against. */
enum locks_kind {
    LOCKS_PARKS, /* leaves the CPU */
    LOCKS_FIFO,  /* first come, first served, and spins */
    LOCKS_SPINS, /* neither */
};

struct locks_peer {
    const char *name;
    enum locks_kind kind;
    bool ours;
    void (*init)(unsigned slot); /* or NULL */
    void (*run)(struct locks_run *r, struct locks_thread *t);
};

uint64_t locks_ticks(void);
void locks_work(uint64_t ticks);

/*
 * LOCAL: declarations of the thread's own; LOCK and UNLOCK: statements on lock object r->slot. Each
 * thread has one section at least, however short the run.
 */
#define LOCKS_WORKER(name, LOCAL, LOCK, UNLOCK)                                                    \
    static void name(struct locks_run *r, struct locks_thread *t)                                  \
    {                                                                                              \
        LOCAL;                                                                                     \
        do {                                                                                       \
            if (r->outside) {                                                                      \
                locks_work(r->outside);                                                            \
            }                                                                                      \
            const bool timed = t->sections % LOCKS_TIMED == 0;                                     \
            const uint64_t from = timed ? locks_ticks() : 0;                                       \
                                                                                                   \
            LOCK;                                                                                  \
            if (timed) {                                                                           \
                t->waits[t->n_waits++ % LOCKS_SAMPLES] = locks_ticks() - from;                     \
            }                                                                                      \
            r->shared = r->shared + 1;                                                             \
            if (r->inside) {                                                                       \
                locks_work(r->inside);                                                             \
            }                                                                                      \
            UNLOCK;                                                                                \
            t->sections++;                                                                         \
        } while (!__atomic_load_n(&r->stop, __ATOMIC_RELAXED));                                    \
    }

extern const struct locks_peer locks_xsc_mutex, locks_xsc_ticket, locks_xsc_queue;
extern const struct locks_peer locks_pthread_mutex, locks_pthread_adaptive, locks_pthread_spin;
extern const struct locks_peer locks_ck_fas, locks_ck_ticket, locks_ck_mcs, locks_ck_clh;
extern const struct locks_peer locks_std, locks_abseil, locks_nsync, locks_tbb_spin,
    locks_tbb_queuing;

#ifdef __cplusplus
}
#endif

#endif /* XSC_BENCH_LOCKS_H */
