/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "bench/shards/flow.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/figures.h"
#include "bench/harness.h"

#define ROOM 256u
#define WARM_DIV 4u /* a quarter as many messages again, before the first that counts */

struct flow;

struct stage {
    struct flow *flow;
    unsigned number;
    void *in, *out; /* NULL: none */
    uint64_t cpu_ns, calls, gaps;
    uint64_t cpu_from, wall_from;
    int counter;
};

struct flow {
    const struct shards_peer *peer;
    const struct flow_load *load;
    unsigned threads;
    bool back, counting;
    int cpu[2];
    uint32_t warm, all;
    uint32_t ready;    /* atomic */
    uint64_t *samples; /* ticks, of load->messages */
    uint64_t ended;
    struct stage stage[FLOW_STAGES];
};

/* Every thread, before its message number i. */
static void at_message(struct stage *s, uint32_t i)
{
    if (i != s->flow->warm) {
        return;
    }
    s->wall_from = bench_now_ns();
    if (s->flow->counting) {
        s->gaps = 0;
        s->counter = shards_calls_begin();
    } else {
        s->cpu_from = bench_cpu_ns();
    }
}

static void at_end(struct stage *s)
{
    if (s->flow->counting) {
        s->calls = shards_calls_end(s->counter);
    } else {
        s->cpu_ns = bench_cpu_ns() - s->cpu_from;
    }
}

static void rest(struct stage *s, uint32_t i)
{
    const struct flow_load *l = s->flow->load;
    const struct timespec t = {0, (long)l->gap_ns};

    if (l->gap_ns && i % l->burst == 0) {
        s->gaps++;
        clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL);
    }
}

static void expect(const struct flow *f, const struct shards_message *m, uint32_t i)
{
    if (m->number != i) {
        bench_die("%s: message %llu came in the place of %u", f->peer->name,
                  (unsigned long long)m->number, i);
    }
}

/* Sends; for a ping-pong receives, too. */
static void source(void *arg)
{
    struct stage *s = arg;
    struct flow *f = s->flow;

    for (uint32_t i = 0; i < f->all; i++) {
        at_message(s, i);
        rest(s, i);
        struct shards_message m = {.number = i, .sent = bench_ticks()};

        f->peer->send(s->out, &m);
        if (f->back) {
            f->peer->receive(s->in, &m);
            if (i >= f->warm) {
                f->samples[i - f->warm] = (bench_ticks_ordered() - m.sent) / 2;
            }
            expect(f, &m, i);
        }
    }
    if (f->back) {
        f->ended = bench_now_ns();
    }
    at_end(s);
}

static void middle(void *arg)
{
    struct stage *s = arg;
    const struct flow *f = s->flow;

    for (uint32_t i = 0; i < f->all; i++) {
        struct shards_message m;

        at_message(s, i);
        f->peer->receive(s->in, &m);
        f->peer->send(s->out, &m);
        expect(f, &m, i);
    }
    at_end(s);
}

static void sink(void *arg)
{
    struct stage *s = arg;
    struct flow *f = s->flow;

    for (uint32_t i = 0; i < f->all; i++) {
        struct shards_message m;

        at_message(s, i);
        f->peer->receive(s->in, &m);
        if (i >= f->warm) {
            f->samples[i - f->warm] = bench_ticks_ordered() - m.sent;
        }
        expect(f, &m, i);
    }
    f->ended = bench_now_ns();
    at_end(s);
}

static void *stage_main(void *arg)
{
    struct stage *s = arg;
    struct flow *f = s->flow;
    void (*const body)(void *) = !s->number ? source : s->out ? middle : sink;

    bench_pin(f->cpu[s->number % 2]);
    __atomic_fetch_add(&f->ready, 1, __ATOMIC_ACQ_REL);
    while (__atomic_load_n(&f->ready, __ATOMIC_ACQUIRE) < f->threads) {
        sched_yield();
    }
    if (s->in && f->peer->read_in) {
        f->peer->read_in(s->in, body, s);
    } else {
        body(s);
    }
    return NULL;
}

/* The counters differ by whole nanoseconds, a message by more: none is before its time. */
static uint64_t no_earlier(uint64_t ticks, int64_t skew)
{
    return (int64_t)ticks > skew ? ticks - (uint64_t)skew : 0;
}

static struct flow_result results(struct flow *f, double skew_ns)
{
    const double n = f->load->messages;
    const int64_t skew = f->threads == 2 && !f->back
                             ? (int64_t)(skew_ns < 0 ? -1 : 1) *
                                   (int64_t)bench_ns_to_ticks((uint64_t)fabs(skew_ns))
                             : 0;
    struct flow_result r = {NAN, NAN, NAN, NAN, NAN};
    uint64_t cpu = 0, calls = 0;
    bool counted = true;

    for (unsigned i = 0; i < f->threads; i++) {
        cpu += f->stage[i].cpu_ns;
        counted &= f->stage[i].counter >= 0;
        calls += f->stage[i].calls - (f->counting && counted ? f->stage[i].gaps : 0);
    }
    if (f->counting) {
        r.calls = counted ? (double)calls / n : NAN;
        return r;
    }
    for (uint32_t i = 0; i < f->load->messages; i++) {
        f->samples[i] = no_earlier(f->samples[i], skew);
    }
    bench_sort(f->samples, f->load->messages);
    r.p50_ns = bench_ticks_to_ns(bench_quantile(f->samples, f->load->messages, 500));
    r.p99_ns = bench_ticks_to_ns(bench_quantile(f->samples, f->load->messages, 990));
    r.message_ns = (double)(f->ended - f->stage[0].wall_from) / n;
    r.cpu_ns = (double)cpu / n;
    return r;
}

struct flow_result flow_run(const struct shards_peer *peer, unsigned stages,
                            const struct flow_load *load, const int cpu[2], bool counting,
                            double skew_ns)
{
    struct flow f = {.peer = peer,
                     .load = load,
                     .threads = stages == 1 ? 2 : stages,
                     .back = stages == 1,
                     .counting = counting,
                     .cpu = {cpu[0], cpu[1]},
                     .warm = load->messages / WARM_DIV};
    pthread_t threads[FLOW_STAGES];
    void *queues[FLOW_STAGES];
    const unsigned n_queues = f.back ? 2 : f.threads - 1;

    f.all = f.warm + load->messages;
    f.samples = bench_alloc(load->messages * sizeof(*f.samples));
    for (unsigned i = 0; i < n_queues; i++) {
        queues[i] = peer->open(f.back ? 0 : ROOM);
    }
    for (unsigned i = 0; i < f.threads; i++) {
        f.stage[i] = (struct stage){.flow = &f,
                                    .number = i,
                                    .in = i        ? queues[i - 1]
                                          : f.back ? queues[1]
                                                   : NULL,
                                    .out = i < n_queues ? queues[i] : NULL,
                                    .counter = -1};
    }
    for (unsigned i = 0; i < f.threads; i++) {
        const int err = pthread_create(&threads[i], NULL, stage_main, &f.stage[i]);

        if (err) {
            bench_die("a thread can't be started: %s", strerror(err));
        }
    }
    for (unsigned i = 0; i < f.threads; i++) {
        pthread_join(threads[i], NULL);
    }
    for (unsigned i = 0; i < n_queues; i++) {
        peer->close(queues[i]);
    }
    const struct flow_result r = results(&f, skew_ns);

    free(f.samples);
    return r;
}
