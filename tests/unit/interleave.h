/* SPDX-License-Identifier: MIT */
/*
 * tests/unit/interleave.h - the library's own code, thread against thread, in every order
 *
 * Threads are coroutines, and every atomic operation of the code under test is a place where another may
 * go on: the __atomic builtins are macros here. A run follows a list of decisions; explore() goes
 * through all lists that differ from the plain one (each goes on until it sleeps) in at most `deviations`
 * places, by running again from the start each time.
 *
 * MEMORY is x86's: a store goes into its thread's buffer, and comes out of it, first in, first out, as
 * late as can be or, which is one deviation, at any earlier moment. A read-modify-write, a fence and
 * a system call empty the buffer of their thread, membarrier() one after another those of all. A load
 * of what lies in the own buffer empties it, too, where a CPU could forward it. When time passes, which
 * is when a sleep ends at its deadline, all stores made before come out: what XSC_SETTLE_NS is for.
 *
 * Include what must not be interleaved (statistics) before this, and the sources under test after it.
 */
#ifndef XSC_INTERLEAVE_H
#define XSC_INTERLEAVE_H

#include <ucontext.h>

#include "tests/unit/unit.h"

#include "core/port.h"
#include "core/watch.h"
#include "user/sleep.h"

#define IL_THREADS 3
#define IL_STACK 65536
#define IL_BUFFER 16
#define IL_TRAIL 4096
#define IL_STEPS 4000 /* a run that takes more goes round in circles */

enum il_end { IL_FINE, IL_LOST, IL_BROKEN, IL_ENDLESS };

static const char *const il_end_name[] = {"fine", "lost", "broken", "endless"};

struct il_thread {
    ucontext_t context;
    enum { IL_READY, IL_ASLEEP, IL_DONE } state;
    const volatile uint32_t *on; /* asleep on, until a wake with one of bits, or until_ns */
    uint32_t bits;
    uint64_t until_ns;
    bool woken; /* from the last sleep */
    struct {
        void *at;
        uint64_t value;
        size_t size;
    } buffer[IL_BUFFER];
    size_t stored;
};

/* What the fake OS leaves out, to see that it is missed. */
struct il_breaks {
    bool no_barrier, no_compare, no_wake, no_settling;
    bool not_told; /* a sleeper that it was woken */
};

static struct {
    struct il_thread thread[IL_THREADS];
    char stack[IL_THREADS][IL_STACK] __attribute__((aligned(64)));
    ucontext_t outside;
    unsigned threads, now, steps;
    uint64_t now_ns;
    void (*body)(unsigned me);
    enum il_end end;
    struct il_breaks breaks;

    struct {
        uint8_t taken, of;
    } trail[IL_TRAIL];
    unsigned at, known,
        left; /* decisions made, of which known from the last run; deviations left */
} il;

/* Not static: inline functions of the library use them. */
void il_step(void);
void il_before_load(const volatile void *at, size_t size);
void il_before_atomic(void);
void il_store(volatile void *at, uint64_t value, size_t size);

/* ------------------------------------------------------------------------- decisions ---- */

static unsigned il_decide(unsigned of)
{
#if defined(IL_DECIDE) /* one run, as some input says: tests/fuzz */
    return of < 2 ? 0 : IL_DECIDE(of);
#endif
    if (of < 2 || !il.left) {
        return 0;
    }
    if (il.at == il.known) {
        assert_true(il.known < IL_TRAIL);
        il.trail[il.known].taken = 0;
        il.trail[il.known++].of = (uint8_t)of;
    }
    assert_int_equal(il.trail[il.at].of, of); /* the code under test is deterministic */
    const unsigned taken = il.trail[il.at++].taken;

    il.left -= taken != 0;
    return taken;
}

/* The next list of decisions; false: that was the last. */
static bool il_next(void)
{
    while (il.known && il.trail[il.known - 1].taken + 1 == il.trail[il.known - 1].of) {
        il.known--;
    }
    if (!il.known) {
        return false;
    }
    il.trail[il.known - 1].taken++;
    return true;
}

/* ---------------------------------------------------------------------------- memory ---- */

static void il_drain_one(struct il_thread *t)
{
    memcpy(t->buffer[0].at, &t->buffer[0].value, t->buffer[0].size); /* little-endian */
    memmove(t->buffer, t->buffer + 1, --t->stored * sizeof(t->buffer[0]));
}

static void il_drain(struct il_thread *t)
{
    while (t->stored) {
        il_drain_one(t);
    }
}

/* ------------------------------------------------------------------------- switching ---- */

static void il_stop(enum il_end end)
{
    il.end = end;
    setcontext(&il.outside);
}

static void il_pass_time(uint64_t until_ns)
{
    il.now_ns = il.now_ns > until_ns ? il.now_ns : until_ns;
    for (unsigned i = 0; i < il.threads && !il.breaks.no_settling; i++) {
        il_drain(&il.thread[i]);
    }
}

static void il_switch(unsigned to)
{
    const unsigned from = il.now;
    struct il_thread *t = &il.thread[to];

    if (t->state == IL_ASLEEP) { /* its time is over */
        t->state = IL_READY;
        il_pass_time(t->until_ns);
    }
    il.now = to;
    swapcontext(&il.thread[from].context, &t->context);
}

/* Before each operation on memory: another thread, or a store coming out of its buffer? */
void il_step(void)
{
    for (;;) {
        unsigned n = 1, what[2 * IL_THREADS]; /* a thread, or IL_THREADS + whose buffer */

        if (++il.steps > IL_STEPS) {
            il_stop(IL_ENDLESS);
        }
        for (unsigned i = 0; i < il.threads; i++) {
            const struct il_thread *t = &il.thread[i];

            if (t->stored) {
                what[n - 1] = IL_THREADS + i;
                n++;
            }
            if (i != il.now &&
                (t->state == IL_READY || (t->state == IL_ASLEEP && t->until_ns != XSC_FOREVER))) {
                what[n - 1] = i;
                n++;
            }
        }
        const unsigned taken = il_decide(n);

        if (!taken) {
            return;
        }
        if (what[taken - 1] < IL_THREADS) {
            il_switch(what[taken - 1]);
            return;
        }
        il_drain_one(&il.thread[what[taken - 1] - IL_THREADS]);
    }
}

/* Whether a thread sleeps until a deadline. */
static bool il_timed(void)
{
    for (unsigned i = 0; i < il.threads; i++) {
        if (il.thread[i].state == IL_ASLEEP && il.thread[i].until_ns != XSC_FOREVER) {
            return true;
        }
    }
    return false;
}

/* This thread can't go on, or need not: which one does? */
static void il_give_way(void)
{
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 1; i < il.threads; i++) {
            const unsigned t = (il.now + i) % il.threads;

            if (il.thread[t].state == IL_READY) {
                il_switch(t);
                return;
            }
        }
        bool drained = false;

        for (unsigned i = 0; i < il.threads && !(il.breaks.no_settling && il_timed()); i++) {
            drained |= il.thread[i].stored > 0;
            il_drain(&il.thread[i]);
        }
        if (il.thread[il.now].state == IL_READY) {
            return;
        }
        if (!drained) {
            break;
        }
    }
    for (unsigned i = 0; i < il.threads; i++) {
        if (il.thread[i].state == IL_ASLEEP && il.thread[i].until_ns != XSC_FOREVER) {
            if (i == il.now) {
                il.thread[i].state = IL_READY;
                il_pass_time(il.thread[i].until_ns);
                return;
            }
            il_switch(i);
            return;
        }
    }
    for (unsigned i = 0; i < il.threads; i++) {
        if (il.thread[i].state != IL_DONE) {
            il_stop(IL_LOST);
        }
    }
    il_stop(IL_FINE);
}

/* ---------------------------------------------------- what the code under test executes ---- */

void il_before_load(const volatile void *at, size_t size)
{
    struct il_thread *t = &il.thread[il.now];

    il_step();
    for (size_t i = 0; i < t->stored; i++) {
        const char *b = t->buffer[i].at;

        if (b < (const char *)(uintptr_t)at + size &&
            (const char *)(uintptr_t)at < b + t->buffer[i].size) {
            il_drain(t);
            return;
        }
    }
}

void il_before_atomic(void)
{
    il_step();
    il_drain(&il.thread[il.now]);
}

void il_store(volatile void *at, uint64_t value, size_t size)
{
    struct il_thread *t = &il.thread[il.now];

    il_step();
    if (t->stored == IL_BUFFER) {
        il_drain_one(t);
    }
    t->buffer[t->stored].at = (void *)(uintptr_t)at;
    t->buffer[t->stored].value = value;
    t->buffer[t->stored++].size = size;
}

static bool il_watch_met(const struct xsc_watch *w)
{
    il_before_load(w->word, w->size);
    return xsc_watch_met(w);
}

static uint64_t il_watch_load(const struct xsc_watch *w)
{
    il_before_load(w->word, w->size);
    return xsc_watch_load(w);
}

#define xsc_watch_met(w) il_watch_met(w)
#define xsc_watch_load(w) il_watch_load(w)
#define xsc_arch_relax() ((void)0) /* no operation on memory */

/* A macro's own name is not expanded again in it: these end in the builtins. */
#define __atomic_load_n(p, o) (il_before_load((p), sizeof(*(p))), __atomic_load_n(p, o))
#define __atomic_store_n(p, v, o) il_store((p), (uint64_t)(uintptr_t)(v), sizeof(*(p)))
#define __atomic_thread_fence(o) il_before_atomic()
#define __atomic_fetch_add(p, v, o) (il_before_atomic(), __atomic_fetch_add(p, v, o))
#define __atomic_fetch_sub(p, v, o) (il_before_atomic(), __atomic_fetch_sub(p, v, o))
#define __atomic_fetch_and(p, v, o) (il_before_atomic(), __atomic_fetch_and(p, v, o))
#define __atomic_fetch_or(p, v, o) (il_before_atomic(), __atomic_fetch_or(p, v, o))
#define __atomic_add_fetch(p, v, o) (il_before_atomic(), __atomic_add_fetch(p, v, o))
#define __atomic_sub_fetch(p, v, o) (il_before_atomic(), __atomic_sub_fetch(p, v, o))
#define __atomic_exchange_n(p, v, o) (il_before_atomic(), __atomic_exchange_n(p, v, o))
/* Variadic: XSC_CAS_* is two arguments, but not before it has been expanded. */
#define __atomic_compare_exchange_n(...)                                                           \
    (il_before_atomic(), __atomic_compare_exchange_n(__VA_ARGS__))

/* ----------------------------------------------------------------------------- the OS ---- */

enum xsc_slept xsc_sleep(const volatile uint32_t *word, uint32_t expected, uint32_t bits,
                         uint64_t deadline_ns, bool shared)
{
    struct il_thread *t = &il.thread[il.now];

    (void)shared;
    il_before_atomic();
    if (*word != expected && !il.breaks.no_compare) {
        return XSC_SLEPT_CHANGED;
    }
    t->woken = false;
    t->state = IL_ASLEEP;
    t->on = word;
    t->bits = bits;
    t->until_ns = deadline_ns;
    il_give_way();
    return t->woken && !il.breaks.not_told ? XSC_SLEPT_WOKEN : XSC_SLEPT_TIMED_OUT;
}

/* The kernel wakes by priority, and priorities are anything: one not the first is a deviation. */
uint32_t xsc_wake(const volatile uint32_t *word, uint32_t bits, uint32_t count, bool shared)
{
    uint32_t woken = 0;

    (void)shared;
    il_before_atomic();
    for (; woken < count && !il.breaks.no_wake; woken++) {
        unsigned n = 0, which[IL_THREADS];

        for (unsigned i = 0; i < il.threads; i++) {
            const struct il_thread *t = &il.thread[i];

            if (t->state == IL_ASLEEP && t->on == word && t->bits & bits) {
                which[n++] = i;
            }
        }
        if (!n) {
            break;
        }
        struct il_thread *t = &il.thread[which[il_decide(count == 1 ? n : 1)]];

        t->state = IL_READY;
        t->woken = true;
    }
    return woken;
}

enum xsc_slept xsc_sleep_wide(const volatile uint64_t *word, uint64_t expected,
                              uint64_t deadline_ns)
{
    (void)word;
    (void)expected;
    (void)deadline_ns;
    return XSC_SLEPT_REFUSED;
}

bool xsc_barrier_register(bool shared)
{
    (void)shared;
    return true;
}

bool xsc_barrier_everywhere(bool shared)
{
    (void)shared;
    for (unsigned i = 0; i < il.threads && !il.breaks.no_barrier; i++) {
        il_step();
        il_drain(&il.thread[i]);
    }
    return true;
}

uint64_t xsc_port_now_ns(void)
{
    return il.now_ns;
}

void xsc_port_recheck(uint64_t now_ns)
{
    (void)now_ns;
}

uint64_t xsc_port_process(void)
{
    return 1;
}

/* Of waits whose sleep the OS refuses; this one never does. */
void xsc_port_nap(uint64_t ns)
{
    (void)ns;
    abort();
}

/* A thread that looks again and again lets time pass: stores leave their buffers in the end. */
void xsc_port_yield(void)
{
    il_step();
    for (unsigned i = 0; i < il.threads; i++) {
        if (il.thread[i].stored) {
            il_drain_one(&il.thread[i]);
        }
    }
    il_give_way();
}

/* ------------------------------------------------------------------------------- runs ---- */

static void il_main(void)
{
    il.body(il.now);
    il.thread[il.now].state = IL_DONE;
    il_give_way();
}

static enum il_end il_run(void)
{
    il.at = il.steps = il.now = 0;
    il.now_ns = 1;
    for (unsigned i = 0; i < il.threads; i++) {
        struct il_thread *t = &il.thread[i];

        t->state = IL_READY;
        t->stored = 0;
        getcontext(&t->context);
        t->context.uc_stack.ss_sp = il.stack[i];
        t->context.uc_stack.ss_size = IL_STACK;
        t->context.uc_link = NULL;
        makecontext(&t->context, il_main, 0);
    }
    il.end = IL_FINE;
    volatile bool ended = false;

    getcontext(&il.outside);
    if (!ended) {
        ended = true;
        setcontext(&il.thread[0].context);
    }
    return il.end;
}

/*
 * Every run with at most that many deviations, each begun by reset(). Gives the first end that is not
 * fine, or fine; *runs is how many there were.
 */
static enum il_end il_explore(unsigned threads, void (*reset)(void), void (*body)(unsigned me),
                              unsigned deviations, struct il_breaks breaks, uint64_t *runs)
{
    enum il_end end;

    il.threads = threads;
    il.body = body;
    il.breaks = breaks;
    il.known = 0;
    *runs = 0;
    do {
        reset();
        il.left = deviations;
        end = il_run();
        ++*runs;
    } while (end == IL_FINE && il_next());
    return end;
}

#endif /* XSC_INTERLEAVE_H */
