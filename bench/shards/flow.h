/* SPDX-License-Identifier: MIT */
/* bench/shards/flow.h - one run of one contender: threads, queues, a load, and what came of it */
#ifndef XSC_BENCH_SHARDS_FLOW_H
#define XSC_BENCH_SHARDS_FLOW_H

#include "bench/shards/shards.h"

#define FLOW_STAGES 3u

struct flow_load {
    const char *name;
    uint32_t messages; /* as many as are measured; the source sends some more, first */
    uint32_t burst;    /* at a time, */
    uint64_t gap_ns;   /* then nothing for so long; 0: never */
};

struct flow_result {
    double p50_ns, p99_ns; /* from send to receive; ping-pong: half a round trip */
    double message_ns;     /* wall time for each message */
    double cpu_ns;         /* of all threads, for each message */
    double calls;          /* system calls, for each message; NAN: not counted */
};

/*
 * stages 1: the second thread sends each message back, and what is measured is half the way. Else
 * messages go from thread to thread, 2 or 3 of them, the third on the first one's CPU.
 * counting: system calls are, and nothing is timed. skew_ns: how far CPU 1's counter is ahead.
 */
struct flow_result flow_run(const struct shards_peer *peer, unsigned stages,
                            const struct flow_load *load, const int cpu[2], bool counting,
                            double skew_ns);

#endif /* XSC_BENCH_SHARDS_FLOW_H */
