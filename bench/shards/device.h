/* SPDX-License-Identifier: MIT */
/* bench/shards/device.h - how late a shard notices a device */
#ifndef XSC_BENCH_SHARDS_DEVICE_H
#define XSC_BENCH_SHARDS_DEVICE_H

#include <stdbool.h>

struct bench_options;

/* Whether shards can have descriptors, and an io_uring, here. */
void device_run(const struct bench_options *o, unsigned rounds, bool descriptors, bool ring);

#endif /* XSC_BENCH_SHARDS_DEVICE_H */
