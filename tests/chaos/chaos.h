/* SPDX-License-Identifier: MIT */
/*
 * tests/chaos/chaos.h - what the objects under test share with the program that disturbs them
 *
 * A ROUND is a process of its own: some workers (threads, or processes for shared memory) on one kind of
 * object, with disturbances chosen by the round's seed. It is a row of EPISODES. In each every worker
 * does so many operations and then rests. Workers contend for as long as others still work; after that
 * comes the quiet tail, in which no thread stores, wakes or interrupts any more. A wake-up that was lost
 * while there was contention is often made good by the next one; in the tail it is not, and its waiter
 * sleeps although its condition holds. So episodes are short, and there are many.
 *
 * TWO ORACLES look at the tail: a free lock with a sleeper, and a met condition with a sleeper. A worker
 * that has not come to its end sleeps if the kernel says so (/proc: state S, no context switch since the
 * last look) for long enough; the program then says which worker sleeps on which word.
 */
#ifndef XSC_CHAOS_H
#define XSC_CHAOS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include <sys/types.h>

#include <xsc/event.h>

#define MAX_WORKERS 12
#define OBJECT_BYTES 65536

struct round;

struct worker {
    struct round *round;
    unsigned me;
    uint64_t random; /* the state of its choices */
    uint64_t quota;  /* operations of this episode */
    uint64_t ops;    /* done, in all episodes */
    uint64_t turns;  /* waits that ended, with whatever result */
    uint64_t timeouts;
    pid_t pid, tid;
    pthread_t thread;
    uint32_t rests; /* 1: has come to the end of the episode */

    /* What it waits for, for the report. doing NULL: nothing. */
    const char *doing;
    const volatile void *word;
    uint32_t size;
    uint64_t old;
    bool (*met)(const struct worker *w); /* NULL: *word != old */
} __attribute__((aligned(128)));

/* A kind of object, and what is done to it. */
struct kind {
    const char *name;
    unsigned weight; /* its share of all operations */
    unsigned burst;  /* operations of a worker in a long episode */
    bool slow;       /* its operations sleep: it is no burden to others that run beside it */
    bool plain;      /* what it compares is not to be disturbed */
    bool spins;      /* its waiters never sleep: no real-time priorities, no more threads than 4 */
    bool unfenced;   /* not with XSC_PARK=seqcst */
    bool shared;     /* works between processes, too */
    bool even;       /* an even number of workers */
    unsigned least;  /* workers */
    void (*begin)(struct round *r);  /* once a round; NULL: nothing. The object is all zeroes. */
    void (*start)(struct round *r);  /* before an episode, while all rest */
    void (*work)(struct worker *w);  /* an episode of one worker */
    void (*settle)(struct round *r); /* after an episode: checks */
    void (*finish)(struct round *r); /* once a round, at its end */
};

/* How a round is disturbed: drawn from its seed. */
struct disturbance {
    bool signals;        /* handlers that stall a worker at any instruction */
    bool delays;         /* system calls delayed before and after */
    unsigned slow_wakes; /* one wake in so many is delayed for long; 0: none */
    bool own_stacks;     /* handlers run on stacks of their own */
    bool timeouts;       /* waits with random short timeouts */
    bool forks;          /* children that use the library while workers wait */
    bool one_cpu;        /* all workers on one CPU */
    bool nice;           /* unlike nice values */
    bool real_time;      /* some workers SCHED_FIFO, some SCHED_RR */
    bool fences;         /* XSC_PARK=seqcst */
    bool early_choice;   /* xsc_park_init() before the first park */
};

/* In memory that all workers share. */
struct round {
    const struct kind *kind;
    uint64_t seed;
    uint64_t random;
    unsigned workers;
    bool processes;
    bool shared; /* the shared forms of functions, also where the workers are threads */
    struct disturbance how;

    uint32_t episode; /* futex: moves on when one begins */
    uint32_t left;    /* futex: workers that have not come to its end */
    uint32_t over;
    uint32_t storm; /* futex: signals still to be sent in this episode */
    uint32_t failures;
    uint64_t episodes, signals, children;

    struct worker worker[MAX_WORKERS];
    unsigned char object[OBJECT_BYTES] __attribute__((aligned(256)));
};

/* ---- chaos.c ---- */

/* Says what went wrong, and how to repeat the round; counts it. Any worker. */
void failed(struct round *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
#define MUST_GIVE(wanted, r, call)                                                                 \
    do {                                                                                           \
        const int got_ = (call);                                                                   \
                                                                                                   \
        if (got_ != (wanted)) {                                                                    \
            failed(r, "%s: %d", #call, got_);                                                      \
        }                                                                                          \
    } while (0)

/* ---- disturb.c ---- */

uint64_t now_ns(void);
uint64_t draw(uint64_t *state);              /* the next number */
uint64_t below(uint64_t *state, uint64_t n); /* 0 to n - 1 */
bool one_in(uint64_t *state, uint64_t n);    /* with that chance */
void sleep_ns(uint64_t ns);

/* A random timeout where the round has them, 1 us to 2 ms; or XSC_FOREVER. */
uint64_t timeout_of(struct worker *w);

/*
 * Checks what a wait returned that began at `since` (0: not measured): 0; or -ETIMEDOUT, not early.
 * Gives whether it timed out.
 */
bool timed_out(struct worker *w, int result, uint64_t since, uint64_t ns);

/* The program's own sleeping, apart from the library and not delayed. ns UINT64_MAX: no limit. */
void quiet_wait(const uint32_t *word, uint32_t old, uint64_t ns);
void quiet_wake(const uint32_t *word);

bool real_time_permitted(void);
void disturb_round(struct round *r);   /* in the round's process, before there are workers */
void disturb_worker(struct worker *w); /* in each worker, at its start */
void *disturb_sender(void *round);     /* the thread that sends signals */
void disturb_fork(struct round *r);    /* a child that uses the library, and its end */

/* One writer, and the program that looks on. */
static inline void add_to(uint64_t *counter, uint64_t by)
{
    __atomic_store_n(counter, __atomic_load_n(counter, __ATOMIC_RELAXED) + by, __ATOMIC_RELAXED);
}

static inline void waits_for(struct worker *w, const char *doing, const volatile void *word,
                             uint32_t size, uint64_t old, bool (*met)(const struct worker *))
{
    w->word = word;
    w->size = size;
    w->old = old;
    w->met = met;
    __atomic_store_n(&w->doing, doing, __ATOMIC_RELAXED);
}

static inline void waited(struct worker *w)
{
    __atomic_store_n(&w->doing, NULL, __ATOMIC_RELAXED);
    add_to(&w->turns, 1);
}

/* ---- the objects ---- */

extern const struct kind chaos_ring, chaos_crowd, chaos_tokens, chaos_relay;
extern const struct kind chaos_event_relay, chaos_event_tokens;
extern const struct kind chaos_mutex, chaos_mutex_long, chaos_ticket, chaos_queue;
extern const struct kind chaos_nap, chaos_doorbell, chaos_shard;

#endif /* XSC_CHAOS_H */
